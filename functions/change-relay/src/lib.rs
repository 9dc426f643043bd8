//! Sends the effects that stored items carry in `pending` to their queues.
//!
//! Trigger: the streams of Timeline, Campaigns, Flow and Chat, filtered to items with `pending`.
//! Effects: SQS messages, at least once. A record may come again, and a later write of an item that
//! left `pending` as it was sends the same effects again (the stream has no old image to compare
//! with): consumers know an effect by its id or by the state it asks for.

mod handler;

use std::sync::Arc;

use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let relay = Arc::new(handler::Relay {
        queues: resources.queues(),
        dead: resources.dead_letter_queue(),
    });
    Function::stream(setup, move |changes| {
        let relay = relay.clone();
        async move { relay.send(&changes).await }
    })
}
