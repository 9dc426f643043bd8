//! Processes the provider's events of a workspace that has many at a time.
//!
//! Trigger: queue delivery-backlog, whose messages carry up to 100 events each and have the workspace as their
//! group, so that SQS takes workspaces in turn. Input: [`channels::feedback::Backlog`] from delivery-status. Effects:
//! those of delivery-status. A repetition finds its facts stored and counts nothing.

mod handler;

use channels::Feedback;
use cloud::Counters;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let desk = handler::Desk {
        feedback: Feedback::over(resources),
        counters: Counters::over(resources),
    };
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let desk = desk.clone();
        async move { desk.take_in(&record).await }
    })
}
