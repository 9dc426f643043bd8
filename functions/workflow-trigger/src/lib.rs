//! Starts workflows when something happens to a contact.
//!
//! Trigger: queue workflow-trigger with [`contacts::EventHappened`]. Effects: one enrollment for each
//! active workflow that the event matches, under a name that follows from workflow, event and contact;
//! its first step is sent from the enrollment itself. A redelivered event finds its enrollments.

mod handler;

use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use workflows::Workflows;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let workflows = Workflows::over(setup.resources());
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let workflows = workflows.clone();
        async move { handler::handle(&workflows, &record).await }
    })
}
