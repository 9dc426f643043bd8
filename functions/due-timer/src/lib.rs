//! Every minute: sends the timers that are due, or due within two minutes, to their queues.
//!
//! Trigger: a schedule; the event is not read, and a tick may come late or twice. Effects: SQS messages
//! (consumers recognise a timer by its token), then the rows are deleted. A row that
//! can never be sent goes to the dead-letter queue with its reason, in DynamoDB's JSON. Reads the buckets of all
//! tenants; the message keeps its tenant in its envelope.

mod handler;

use std::sync::Arc;

use cloud::Timers;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let sweep = Arc::new(handler::Sweep {
        timers: Timers::over(resources),
        queues: resources.queues(),
        dead: resources.dead_letter_queue(),
    });
    Function::schedule(setup, move |tick| {
        let sweep = sweep.clone();
        async move { sweep.run(&tick).await }
    })
}
