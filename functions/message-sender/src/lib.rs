//! Sends single messages: those of workflows, and transactional ones.
//!
//! Trigger: queue message, [`channels::SendMessage`]. Effects: SES, one call, claimed in the send
//! ledger first. A redelivered message finds its outcome in the ledger. A message that must wait is put back
//! with a delay and its slot. A mail that is days late, or of an archived workflow, is recorded as failed and not
//! sent.

mod handler;

use accounts::RecentWorkspaces;
use channels::rate::SendRate;
use channels::{EmailChannel, Ledger, SendMachine};
use cloud::{Counters, Timers};
use contacts::Profiles;
use content::tokens::TokenKey;
use forms::OptIns;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use workflows::WorkflowStore;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let token_key = TokenKey::new(setup.secret("TRACKING_SECRET"));
    let email = EmailChannel::over(resources, setup.text("PUBLIC_BASE_URL"), token_key);
    let messenger = handler::Messenger {
        contacts: Profiles::over(resources),
        workspaces: RecentWorkspaces::over(resources),
        email: handler::Route {
            machine: SendMachine::over(resources, email),
            rate: SendRate::of::<EmailChannel>(resources, setup.number("EMAIL_SEND_RATE")),
        },
        queue: resources.queue_of(),
        ledger: Ledger::over(resources),
        workflows: WorkflowStore::over(resources),
        timers: Timers::over(resources),
        counters: Counters::over(resources),
        opt_ins: OptIns::over(resources),
    };
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let messenger = messenger.clone();
        async move { handler::handle(&messenger, &record).await }
    })
}
