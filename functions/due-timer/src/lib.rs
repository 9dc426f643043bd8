//! Every minute: sends the timers that are due, or due within two minutes, to their queues. Then sends the effects of
//! stored items that their stream did not get to a queue.
//!
//! Trigger: a schedule; the event is not read, and a tick may come late or twice. Effects: SQS messages. Then the rows
//! of timers are deleted and the effects acknowledged. Consumers recognise a timer by its token, and an effect by its
//! id or the state that it asks for. A row or an effect that can never be sent goes to the dead-letter
//! queue with its reason. Reads the buckets and the unsent effects of all tenants; each message keeps its tenant in
//! its envelope.

mod handler;
mod outbox;

use std::sync::Arc;

use cloud::outbox::Rule;
use cloud::{Relay, Timers};
use lambda::{ConfigError, Function, Setup};

/// Tables with an outbox.
const TABLES: [&str; 6] = [
    "Campaigns",
    "Chat",
    "Commerce",
    "Contacts",
    "Flow",
    "Timeline",
];

/// The rules of all tables with an outbox.
fn rules() -> Vec<Rule> {
    [
        campaigns::EFFECTS,
        chat::EFFECTS,
        commerce::EFFECTS,
        contacts::EFFECTS,
        workflows::EFFECTS,
    ]
    .concat()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let timers = Arc::new(handler::Sweep {
        timers: Timers::over(resources),
        queues: resources.queues(),
        dead: resources.dead_letter_queue(),
    });
    let outbox = Arc::new(outbox::Outbox {
        relay: Relay {
            rules: rules(),
            queues: resources.queues(),
            dead: resources.dead_letter_queue(),
        },
        tables: TABLES.map(|name| resources.table(name)).into(),
    });
    Function::schedule(setup, move |tick| {
        let (timers, outbox) = (timers.clone(), outbox.clone());
        async move {
            let ended = timers.run(&tick).await;
            outbox.sweep(&tick).await.and(ended)
        }
    })
}
