//! Turns tracked calls into contacts and events of their timelines.
//!
//! Trigger: queue track, [`tracking::Tracked`]. Effects: contacts, their events, and the events of unknown visitors. A second
//! run finds the contacts by their identities and the events by their keys. The calls of a batch are counted once for
//! each workspace.

mod handler;

use std::sync::Arc;

use lambda::{ConfigError, Function, Setup};
use tracking::{Counted, Writer};

/// Messages that are handled concurrently.
const AT_ONCE: usize = 4;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let writer = Arc::new(Writer::over(setup.resources()));
    let counted = Counted::over(setup.resources());
    let each = move |record| {
        let writer = writer.clone();
        async move { handler::handle(&writer, &record).await }
    };
    let count = move |done| {
        let counted = counted.clone();
        async move {
            handler::count(&counted, done).await;
            Ok(())
        }
    };
    Function::sqs_gathered(setup, AT_ONCE, each, handler::workspace, count)
}
