//! Moves a contact on through its workflow until it waits or ends.
//!
//! Trigger: queue workflow-step with [`workflows::StepMessage`], sent by the enrollment's own pending
//! effects or by its timer. Effects, in this order: tags (merged), the timer of a wait, the enrollment
//! under its version with the mails it sends. A message whose token is not that of the state is
//! ignored, so duplicates and late timers do nothing. In an archived workspace contacts stay where they
//! are.

mod handler;

use accounts::RecentWorkspaces;
use cloud::Timers;
use contacts::Contacts;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use workflows::{Stepper, Workflows};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CONTACTS_TABLE",
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "FLOW_TABLE",
    "TIMELINE_TABLE",
    "TIMERS_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let directory = setup.table("DIRECTORY_TABLE")?;
    let stepper = Stepper::new(
        Workflows::new(directory.clone(), setup.table("FLOW_TABLE")?),
        Contacts::new(
            setup.table("CONTACTS_TABLE")?,
            setup.table("TIMELINE_TABLE")?,
            directory,
        ),
        Timers::new(setup.table("TIMERS_TABLE")?),
    );
    let workspaces = RecentWorkspaces::new(setup.table("DIRECTORY_TABLE")?);
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let (stepper, workspaces) = (stepper.clone(), workspaces.clone());
        async move { handler::handle(&stepper, &workspaces, &record).await }
    })
}
