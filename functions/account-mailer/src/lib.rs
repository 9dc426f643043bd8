//! Mails the links of invitations and password resets.
//!
//! Trigger: queue message, [`accounts::AccountMail`]. Effects: the link's token, claimed together with the
//! sending; then one call to SES. A worker that dies in between has mailed nothing or once; whoever
//! waits for the mail asks again.

mod handler;
mod letter;

use accounts::{Accounts, Invitations, Resets};
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "APP_BASE_URL",
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "EMAIL_CONFIGURATION_SET",
    "EMAIL_IDENTITY",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let directory = setup.table("DIRECTORY_TABLE")?;
    let base = setup.text("APP_BASE_URL")?;
    let post_office = handler::PostOffice {
        accounts: Accounts::new(directory.clone()),
        invitations: Invitations::new(directory.clone()),
        resets: Resets::new(directory),
        mailer: setup.mailer("EMAIL_CONFIGURATION_SET")?,
        sender: letter::sender(setup.text("EMAIL_IDENTITY")?),
        base_url: base.trim_end_matches('/').to_owned(),
        clock: setup.clock().clone(),
    };
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let post_office = post_office.clone();
        async move { handler::handle(&post_office, &record).await }
    })
}
