//! Processes the events of SES about mails.
//!
//! Trigger: queue delivery-events, fed by an EventBridge rule. Effects: facts in the send ledger; the
//! contact's consent and timeline for bounces and complaints; one counter update for each campaign of
//! a batch. The events of a workspace that has many in a batch go to the queue delivery-backlog. Events may come
//! twice, late, in any order, and before our own record of the send.

mod handler;

use channels::Feedback;
use cloud::Counters;
use lambda::{ConfigError, Function, Setup};

/// Events of a batch that are handled at once.
const AT_ONCE: usize = 10;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let desk = handler::Desk {
        feedback: Feedback::over(resources),
        counters: Counters::over(resources),
        backlog: resources.queue_of(),
    };
    let last = desk.clone();
    let learn = move |record, busy| {
        let desk = desk.clone();
        async move { desk.learn(&record, busy).await }
    };
    let finish = move |outcomes| {
        let desk = last.clone();
        async move { desk.finish(outcomes).await }
    };
    Function::sqs_surveyed(setup, AT_ONCE, handler::busy, learn, finish)
}
