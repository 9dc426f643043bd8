//! Turns the forms that webhooks and `form-submit` queued into contacts and timeline events.
//!
//! Trigger: queue ingest, [`sources::Inbound`]. Effects: the contact, and an event on its timeline. A second run
//! finds the contact by its identities and the event by its key; a form without a time keeps that of its first
//! arrival. A body that cannot be read goes to the dead-letter queue; a form without an address is only counted.

mod handler;
mod signup;

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
