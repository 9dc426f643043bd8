//! Takes in what SES says about mails that were sent.
//!
//! Trigger: queue delivery-events, fed by an EventBridge rule. Effects: facts in the send ledger; the
//! contact's consent and timeline for bounces and complaints; one counter update for each campaign of
//! a batch. Events may come twice, late, in any order, and before our own record of the send.

mod handler;

use channels::{Feedback, Ledger};
use cloud::Counters;
use contacts::Contacts;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CONTACTS_TABLE",
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "REPORTS_TABLE",
    "SEND_LEDGER_TABLE",
    "TIMELINE_TABLE",
];

/// Events of a batch that are handled at once.
const AT_ONCE: usize = 10;

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let contacts = Contacts::new(
        setup.table("CONTACTS_TABLE")?,
        setup.table("TIMELINE_TABLE")?,
        setup.table("DIRECTORY_TABLE")?,
    );
    let feedback = Feedback::new(Ledger::new(setup.table("SEND_LEDGER_TABLE")?), contacts);
    let counters = Counters::new(setup.table("REPORTS_TABLE")?);
    let learn = move |record| {
        let feedback = feedback.clone();
        async move { handler::learn(&feedback, &record).await }
    };
    let count = move |gained| {
        let counters = counters.clone();
        async move {
            handler::count(&counters, gained).await;
            Ok(())
        }
    };
    Function::sqs_gathered(setup, AT_ONCE, learn, count)
}
