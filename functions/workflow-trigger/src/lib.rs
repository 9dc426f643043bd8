//! Starts workflows when something happens to a contact.
//!
//! Trigger: queue workflow-trigger with [`contacts::EventHappened`]. Effects: one enrollment for each
//! active workflow that the event matches, under a name that follows from workflow, event and contact;
//! its first step is sent from the enrollment itself. Handled twice, an event finds its enrollments.

mod handler;

use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use workflows::Workflows;

/// Environment variables that the function reads.
pub const VARS: &[&str] = &["DIRECTORY_TABLE", "DLQ_URL", "FLOW_TABLE"];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let workflows = Workflows::new(setup.table("DIRECTORY_TABLE")?, setup.table("FLOW_TABLE")?);
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let workflows = workflows.clone();
        async move { handler::handle(&workflows, &record).await }
    })
}
