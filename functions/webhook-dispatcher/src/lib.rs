//! Sends events to the webhooks of shops.
//!
//! Trigger: queue webhooks, [`webhooks::WebhookTask`]. Effects: rows of deliveries, calls of the shops' endpoints, messages of
//! the next attempts, and a timer for the mail about a webhook that is disabled. Each message may run twice: a call may
//! then be made twice, under the same `webhook-id`.

mod handler;

use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use webhooks::{Caller, Dispatcher, REACH, Webhooks};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let webhooks = Webhooks::over(resources, setup.secret("SOURCES_SECRET"));
    let caller = Caller::new(resources, setup.text(REACH));
    let dispatcher = Dispatcher::over(resources, webhooks, caller);
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let dispatcher = dispatcher.clone();
        async move { handler::handle(&dispatcher, &record).await }
    })
}
