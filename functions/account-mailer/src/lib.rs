//! Mails the links of invitations and password resets, the codes that prove sender addresses, and notices of requests
//! about personal data and of disabled webhooks.
//!
//! Trigger: queue message, [`accounts::AccountMail`]. Effects: the link's token, claimed together with the
//! sending; then one call to SES, whose outcome is stored in the claim. The mail of a worker that stored no outcome is
//! sent once more after a minute (docs/adr/0012).

mod handler;
mod letter;

use accounts::privacy::notices::PrivacyNotices;
use accounts::senders::system_address;
use accounts::{Accounts, Invitations, Resets, Senders, Users, Workspaces};
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use webhooks::Notices;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let post_office = handler::PostOffice {
        accounts: Accounts::over(resources),
        invitations: Invitations::over(resources),
        resets: Resets::over(resources),
        senders: Senders::over(resources),
        notices: PrivacyNotices::over(resources),
        webhooks: Notices::over(resources),
        workspaces: Workspaces::over(resources),
        users: Users::over(resources),
        mailer: resources.mailer(),
        sender: system_address(setup.text("EMAIL_IDENTITY")),
        base_url: setup.text("APP_BASE_URL").trim_end_matches('/').to_owned(),
        clock: setup.clock().clone(),
    };
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let post_office = post_office.clone();
        async move { handler::handle(&post_office, &record).await }
    })
}
