//! Turns what webhooks queued into contacts and timeline events.
//!
//! Trigger: the ingest queue. Idempotent by the event's own identity: a second run finds the contact by
//! its identities and the timeline entry by its key; a form that says no time has that of its first
//! arrival. A body that cannot be read is parked with its reason; one that holds no address is counted
//! and left.

mod handler;

use std::sync::Arc;

use accounts::Doors;
use cloud::Window;
use contacts::Contacts;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let intake = Arc::new(handler::Intake {
        contacts: Contacts::over(resources),
        doors: Doors::over(resources),
        window: Window::over(resources),
    });
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let intake = intake.clone();
        async move { handler::handle(&intake, &record).await }
    })
}
