//! Moves a contact on through its workflow until it waits or ends.
//!
//! Trigger: queue workflow-step with [`workflows::StepMessage`], sent by the enrollment's own pending
//! effects or by its timer. Effects, in this order: tags (merged), the timer of a wait, the enrollment
//! under its version with the mails it sends. A message whose token is not that of the state is
//! ignored, so duplicates and late timers do nothing. In an archived workspace contacts stay where they
//! are.

mod handler;

use accounts::RecentWorkspaces;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use workflows::Stepper;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let stepper = Stepper::over(resources);
    let workspaces = RecentWorkspaces::over(resources);
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let (stepper, workspaces) = (stepper.clone(), workspaces.clone());
        async move { handler::handle(&stepper, &workspaces, &record).await }
    })
}
