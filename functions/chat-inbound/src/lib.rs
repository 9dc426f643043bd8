//! Takes customers' messages into their conversations.
//!
//! Trigger: the queue `ChatIn`. Input: [`chat::body::InboundMessage`]. Effects: rows of the chat,
//! contacts and timeline tables; notices for browsers leave as pending effects of the message.
//! Repeating a stored message changes nothing.

mod handler;

use chat::inbound::Inbound;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Records of a batch that are handled at once; they seldom belong to one conversation.
const CONCURRENCY: usize = 10;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let inbound = Inbound::over(setup.resources());
    let order = Order::Any {
        concurrency: CONCURRENCY,
    };
    Function::sqs(setup, order, move |record| {
        let inbound = inbound.clone();
        async move { handler::handle(&inbound, &record).await }
    })
}
