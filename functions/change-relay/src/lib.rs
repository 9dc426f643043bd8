//! Sends the effects that stored items carry in `pending` to their queues.
//!
//! Trigger: the streams of Timeline, Campaigns, Flow and Chat, filtered to items with `pending`.
//! Effects: SQS messages, at least once. A record may come again, and a later write of an item that
//! left `pending` as it was sends the same effects again (the stream has no old image to compare
//! with): consumers know an effect by its id or by the state it asks for.

mod handler;

use std::sync::Arc;

use cloud::QueueName;
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

/// Queues that an effect may name.
const QUEUES: &[QueueName] = &[
    QueueName::CampaignEmail,
    QueueName::CampaignPlan,
    QueueName::ChatNotify,
    QueueName::ChatOut,
    QueueName::Message,
    QueueName::WorkflowStep,
    QueueName::WorkflowTrigger,
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let mut relay = handler::Relay::new(setup.queue("DLQ_URL")?);
    for &name in QUEUES {
        let variable = name.url_variable();
        // SQS asks that the names of FIFO queues, and only theirs, end so.
        let is_fifo = setup.text(variable)?.strip_suffix(".fifo").is_some();
        relay.add(name, setup.queue(variable)?, is_fifo);
    }
    let relay = Arc::new(relay);
    Ok(Function::stream(setup, move |changes| {
        let relay = relay.clone();
        async move { relay.send(&changes).await }
    }))
}
