//! Brings staff's answers to their channel, in the order of each conversation.
//!
//! Trigger: the FIFO queue `ChatOut`, grouped by conversation. Input: [`chat::body::OutboundMessage`].
//! Effects: the message's delivery state by rank, with a notice as its pending effect. An answer that
//! can never be delivered is marked failed and acknowledged, so that its group moves on.

mod handler;

use chat::Chat;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &["CHAT_TABLE", "DLQ_URL"];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let chat = Chat::new(setup.table("CHAT_TABLE")?);
    Function::sqs(setup, Order::Strict, move |record| {
        let chat = chat.clone();
        async move { handler::handle(&chat, &record).await }
    })
}
