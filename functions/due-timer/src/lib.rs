//! Every minute: sends the timers that are due, or due within two minutes, to their queues.
//!
//! Trigger: a schedule; the event says nothing, a tick may come late or twice. Effects: SQS messages
//! (consumers know them by the token inside), then the rows are deleted. A row that
//! can never be sent goes to the dead-letter queue with its reason, in DynamoDB's JSON. Reads the buckets of all
//! tenants; the message keeps its tenant in its envelope.

mod handler;

use std::sync::Arc;

use cloud::Timers;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CHAT_IN_QUEUE_URL",
    "DLQ_URL",
    "TIMERS_TABLE",
    "WORKFLOW_STEP_QUEUE_URL",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let sweep = Arc::new(handler::Sweep {
        timers: Timers::new(setup.table("TIMERS_TABLE")?),
        queues: setup.queues(),
        dead: setup.queue("DLQ_URL")?,
    });
    Ok(Function::schedule(setup, move |tick| {
        let sweep = sweep.clone();
        async move { sweep.run(&tick).await }
    }))
}
