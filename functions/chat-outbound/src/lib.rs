//! Sends staff's answers to their channel, in the order of each conversation.
//!
//! Trigger: the FIFO queue `ChatOut`, grouped by conversation. Input: [`chat::body::OutboundMessage`].
//! Effects: the message's delivery state by rank, with a notice as its pending effect. An answer that
//! can never be delivered is marked failed and acknowledged, so that its group is not blocked.

mod handler;

use chat::Chat;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let chat = Chat::over(setup.resources());
    Function::sqs(setup, Order::Strict, move |record| {
        let chat = chat.clone();
        async move { handler::handle(&chat, &record).await }
    })
}
