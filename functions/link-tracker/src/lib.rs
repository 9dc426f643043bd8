//! Links in mails: the open pixel, tracked clicks, unsubscribing.
//!
//! Trigger: HTTP API routes `/o/{token}`, `/c/{token}`, `/u/{token}`, without the authorizer: a token
//! signed by us is the credential. Effects: facts in the send ledger, the contact's consent and
//! timeline, counters. A token that is not ours finds nothing, so no request can be led elsewhere.

mod handler;
mod page;

use channels::{Feedback, Ledger};
use cloud::Counters;
use contacts::Contacts;
use content::tokens::TokenKey;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CONTACTS_TABLE",
    "DIRECTORY_TABLE",
    "REPORTS_TABLE",
    "SEND_LEDGER_TABLE",
    "TIMELINE_TABLE",
    "TRACKING_SECRET",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let contacts = Contacts::new(
        setup.table("CONTACTS_TABLE")?,
        setup.table("TIMELINE_TABLE")?,
        setup.table("DIRECTORY_TABLE")?,
    );
    let token_key = TokenKey::new(setup.text("TRACKING_SECRET")?.as_bytes());
    let state = handler::Tracker {
        feedback: Feedback::new(Ledger::new(setup.table("SEND_LEDGER_TABLE")?), contacts),
        counters: Counters::new(setup.table("REPORTS_TABLE")?),
        token_key: token_key.map_err(|_| ConfigError::Invalid {
            name: "TRACKING_SECRET".to_owned(),
            expected: "a secret of at least 16 bytes",
        })?,
    };
    Ok(Function::http(setup, handler::router(state)))
}
