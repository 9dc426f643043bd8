//! Turns what webhooks queued into contacts and timeline events.
//!
//! Trigger: the ingest queue. Idempotent by the event's own identity: a second run finds the contact by
//! its identities and the timeline entry by its key; a form that says no time has that of its first
//! arrival. A body that cannot be read is parked with its reason; one that holds no address is counted
//! and left.

mod handler;

use std::sync::Arc;

use accounts::Doors;
use contacts::Contacts;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Environment.
pub const VARS: &[&str] = &[
    "CONTACTS_TABLE",
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "TIMELINE_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "all functions are built alike")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let directory = setup.table("DIRECTORY_TABLE")?;
    let intake = Arc::new(handler::Intake {
        contacts: Contacts::new(
            setup.table("CONTACTS_TABLE")?,
            setup.table("TIMELINE_TABLE")?,
            directory.clone(),
        ),
        doors: Doors::new(directory),
    });
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let intake = intake.clone();
        async move { handler::handle(&intake, &record).await }
    })
}
