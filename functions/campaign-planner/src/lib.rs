//! Cuts the audience of a campaign into chunks.
//!
//! Trigger: queue campaign-plan, [`campaigns::PlanMessage`]. Effects: chunks and their progress in the
//! campaigns table; the message for a shard's first chunk, and the planner's own continuation, leave through
//! the items' pending effects. A chunk that exists is left as it is, so any message may come again.

mod handler;

use campaigns::{Campaigns, Planner};
use contacts::Profiles;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &["CAMPAIGNS_TABLE", "CONTACTS_TABLE", "DLQ_URL"];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let contacts = Profiles::new(setup.table("CONTACTS_TABLE")?);
    let campaigns = Campaigns::new(setup.table("CAMPAIGNS_TABLE")?);
    let planner = Planner::new(campaigns, contacts);
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let planner = planner.clone();
        async move { handler::handle(&planner, &record).await }
    })
}
