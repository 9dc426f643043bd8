//! Keeps the memberships of contacts current when their data, their events or the time change.
//!
//! Trigger: queue segments, [`contacts::ContactChanged`]. Effects: the points of events, the contact's state, member
//! rows, one timer a contact, and events of a contact that entered or left. The messages of one contact in a batch are one evaluation. A
//! redelivered message finds the state and makes the last transitions again.

mod handler;

use contacts::scores::Scores;
use lambda::{ConfigError, Function, Setup};
use segments::Keeper;

/// Contacts of a batch that are evaluated at once.
const AT_ONCE: usize = 16;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let keeper = Keeper::over(setup.resources());
    let scores = Scores::over(setup.resources());
    let read = |record: lambda::sqs::Record| async move { handler::read(&record) };
    let settle = move |changes| {
        let (keeper, scores) = (keeper.clone(), scores.clone());
        async move { handler::settle(&keeper, &scores, changes).await }
    };
    Function::sqs_gathered(setup, AT_ONCE, read, handler::of, settle)
}
