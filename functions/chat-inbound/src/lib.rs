//! Takes customers' messages into their conversations.
//!
//! Trigger: the queue `ChatIn`. Input: [`chat::body::InboundMessage`]. Effects: rows of the chat,
//! contacts and timeline tables; notices for browsers leave as pending effects of the message.
//! A repetition of a message that is stored changes nothing.

mod handler;

use chat::Chat;
use chat::inbound::Inbound;
use contacts::Contacts;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CHAT_TABLE",
    "CONTACTS_TABLE",
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "TIMELINE_TABLE",
];

/// Records of a batch at once; they are seldom of one conversation.
const CONCURRENCY: usize = 10;

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let contacts = Contacts::new(
        setup.table("CONTACTS_TABLE")?,
        setup.table("TIMELINE_TABLE")?,
        setup.table("DIRECTORY_TABLE")?,
    );
    let inbound = Inbound::new(Chat::new(setup.table("CHAT_TABLE")?), contacts);
    let order = Order::Any {
        concurrency: CONCURRENCY,
    };
    Function::sqs(setup, order, move |record| {
        let inbound = inbound.clone();
        async move { handler::handle(&inbound, &record).await }
    })
}
