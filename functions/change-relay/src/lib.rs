//! Sends the effects that stored items carry in `pending` to their queues.
//!
//! Trigger: the streams of Timeline, Campaigns, Flow and Chat, filtered to items with `pending`.
//! Effects: SQS messages, at least once. A record may come again, and a later write of an item that
//! left `pending` as it was sends the same effects again (the stream has no old image to compare
//! with): consumers know an effect by its id or by the state it asks for.

mod handler;

use std::sync::Arc;

use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CAMPAIGN_EMAIL_QUEUE_URL",
    "CAMPAIGN_PLAN_QUEUE_URL",
    "CHAT_NOTIFY_QUEUE_URL",
    "CHAT_OUT_QUEUE_URL",
    "DLQ_URL",
    "MESSAGE_QUEUE_URL",
    "WORKFLOW_STEP_QUEUE_URL",
    "WORKFLOW_TRIGGER_QUEUE_URL",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let relay = Arc::new(handler::Relay {
        queues: setup.queues(),
        dead: setup.queue("DLQ_URL")?,
    });
    Ok(Function::stream(setup, move |changes| {
        let relay = relay.clone();
        async move { relay.send(&changes).await }
    }))
}
