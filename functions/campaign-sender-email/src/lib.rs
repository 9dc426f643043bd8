//! Sends the mails of one chunk of a campaign.
//!
//! Trigger: queue campaign-email, [`campaigns::ChunkMessage`]. Effects: SES, one call a recipient,
//! each claimed in the send ledger first; the chunk's progress. What does not fit into one run, or
//! may not go yet, goes back to the queue with a delay. A message that comes again sends nobody twice.
//! The campaigns of an archived workspace are paused.

mod handler;

use accounts::RecentWorkspaces;
use campaigns::send::Compiled;
use campaigns::{Campaigns, Sender};
use channels::rate::SendRate;
use channels::{EmailChannel, Ledger, MailStore};
use cloud::Limiter;
use contacts::Profiles;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CAMPAIGNS_TABLE",
    "CAMPAIGN_EMAIL_QUEUE_URL",
    "CONTACTS_TABLE",
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "EMAIL_CONFIGURATION_SET",
    "EMAIL_SEND_RATE",
    "LIMITS_TABLE",
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
    let sender = Sender {
        campaigns: Campaigns::new(setup.table("CAMPAIGNS_TABLE")?),
        contacts: Profiles::new(setup.table("CONTACTS_TABLE")?),
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
        compiled: Compiled::default(),
    };
    let workspaces = RecentWorkspaces::new(setup.table("DIRECTORY_TABLE")?);
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (sender, workspaces) = (sender.clone(), workspaces.clone());
        async move { handler::handle(&sender, &workspaces, &record).await }
    })
}
