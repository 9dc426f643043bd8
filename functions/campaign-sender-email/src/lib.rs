//! Sends the mails of one chunk of a campaign.
//!
//! Trigger: queue campaign-email, [`campaigns::ChunkMessage`]. Effects: SES, one call a recipient,
//! each claimed in the send ledger first; the chunk's progress. Recipients that do not fit
//! into one run, or that must wait, go back to the queue with a delay. A redelivered message sends nobody a
//! second mail.
//! The campaigns of an archived workspace are paused, and those with bad figures until a review.

mod handler;

use accounts::RecentWorkspaces;
use campaigns::{Campaigns, Reviewer, Sender};
use channels::rate::SendRate;
use channels::{EmailChannel, SendMachine};
use contacts::Profiles;
use content::tokens::TokenKey;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let token_key = TokenKey::new(setup.secret("TRACKING_SECRET"));
    let channel = EmailChannel::over(resources, setup.text("PUBLIC_BASE_URL"), token_key);
    let sender = Sender {
        campaigns: Campaigns::over(resources),
        contacts: Profiles::over(resources),
        machine: SendMachine::over(resources, channel),
        reviewer: Reviewer::over(resources),
        rate: SendRate::of::<EmailChannel>(resources, setup.number("EMAIL_SEND_RATE")),
        queue: resources.queue_of(),
    };
    let workspaces = RecentWorkspaces::over(resources);
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (sender, workspaces) = (sender.clone(), workspaces.clone());
        async move { handler::handle(&sender, &workspaces, &record).await }
    })
}
