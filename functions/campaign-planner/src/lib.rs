//! Cuts the audience of a campaign into chunks, starts scheduled campaigns, and removes deleted ones.
//!
//! Trigger: queue campaign-plan, [`campaigns::PlanMessage`]. Effects: chunks and their progress in the
//! campaigns table; the message for a shard's first chunk, and the planner's own continuation, leave through
//! the items' pending effects. When the test of an A/B campaign is sent, a timer for its end is written before the wait begins.
//! An existing chunk is not changed, so any message may be redelivered.

mod handler;

use campaigns::{Keeper, Planner};
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let planner = Planner::over(setup.resources());
    let keeper = Keeper::over(setup.resources());
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (planner, keeper) = (planner.clone(), keeper.clone());
        async move { handler::handle(&planner, &keeper, &record).await }
    })
}
