//! Sends single messages: the mails of workflows, and transactional ones.
//!
//! Trigger: queue message, [`channels::SendMessage`]. Effects: SES, one call, claimed in the send
//! ledger first. A message that comes again reads off the ledger what became of it; one that may not go
//! yet is put back with a delay and its slot.

mod handler;

use accounts::RecentWorkspaces;
use channels::rate::SendRate;
use channels::{EmailChannel, Ledger, MailStore};
use cloud::Limiter;
use contacts::Profiles;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CONTACTS_TABLE",
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "EMAIL_CONFIGURATION_SET",
    "EMAIL_SEND_RATE",
    "LIMITS_TABLE",
    "MESSAGE_QUEUE_URL",
    "PUBLIC_BASE_URL",
    "SEND_LEDGER_TABLE",
    "TRACKING_SECRET",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let channel = EmailChannel::new(
        Ledger::new(setup.table("SEND_LEDGER_TABLE")?),
        setup.mailer("EMAIL_CONFIGURATION_SET")?,
        setup.text("TRACKING_SECRET")?,
        setup.text("PUBLIC_BASE_URL")?,
    );
    let messenger = handler::Messenger {
        contacts: Profiles::new(setup.table("CONTACTS_TABLE")?),
        workspaces: RecentWorkspaces::new(setup.table("DIRECTORY_TABLE")?),
        mails: MailStore::new(setup.table("DIRECTORY_TABLE")?),
        channel: channel.map_err(|_| ConfigError::Invalid {
            name: "TRACKING_SECRET".to_owned(),
            expected: "a secret of at least 16 bytes",
        })?,
        rate: SendRate::new(
            Limiter::new(setup.table("LIMITS_TABLE")?),
            setup.number("EMAIL_SEND_RATE")?,
        ),
        queue: setup.queue_of()?,
    };
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let messenger = messenger.clone();
        async move { handler::handle(&messenger, &record).await }
    })
}
