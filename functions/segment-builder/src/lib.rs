//! Finds the members of a segment's new version, one run for each of 16 contact shards.
//!
//! Trigger: queue segment-build, [`segments::BuildMessage`]. Effects: member rows; states and timers of contacts whose
//! answer changes with time; the live version of the segment once all shards are finished. A page may be done twice.

mod handler;

use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use segments::Builder;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let builder = Builder::over(setup.resources());
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let builder = builder.clone();
        async move { handler::handle(&builder, &record).await }
    })
}
