//! Turns what webhooks queued into contacts and timeline events.
//!
//! Trigger: the ingest queue. Idempotent by the event's own identity: a second run finds the contact by
//! its identities and the timeline entry by its key. A body that cannot be read is parked with its reason.

mod handler;

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
    let contacts = Contacts::new(
        setup.table("CONTACTS_TABLE")?,
        setup.table("TIMELINE_TABLE")?,
        setup.table("DIRECTORY_TABLE")?,
    );
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let contacts = contacts.clone();
        async move { handler::handle(&contacts, &record).await }
    })
}
