//! The messages of the chat queues: tagged, versioned, ids rather than snapshots.

use cloud::{Message, QueueName};
use jiff::Timestamp;
use kernel::{ConversationId, InboxId, MessageId};
use serde::{Deserialize, Serialize};

use crate::keys::Position;
use crate::model::{Channel, Delivery, Visitor};

/// To `chat-inbound`: a customer's message, or a snooze that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum InboundMessage {
    /// From the website's widget.
    #[serde(rename = "chat.message.v1")]
    V1(FromWidget),
    /// The snooze of a conversation is over.
    #[serde(rename = "chat.snooze-over.v1")]
    SnoozeOver(SnoozeOver),
}

impl Message for InboundMessage {
    const QUEUE: QueueName = QueueName::new("chat-in");
}

/// The end of a snooze. It ends only the snooze until this time. A snooze that staff has since moved or ended stays
/// as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnoozeOver {
    /// Conversation.
    pub conversation: ConversationId,
    /// End of the snooze.
    pub until: Timestamp,
}

/// A visitor's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromWidget {
    /// Inbox.
    pub inbox: InboxId,
    /// The visitor's browser.
    pub visitor: Visitor,
    /// The browser's id of the message. Two messages with one id are the same message.
    pub client_msg_id: String,
    /// When our API received it.
    pub sent_at: Timestamp,
    /// Plain text.
    pub text: String,
    /// The details that the visitor typed. They are not verified.
    #[serde(default)]
    pub details: Details,
}

/// The details that a visitor typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<kernel::EmailAddress>,
    /// Mobile number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<kernel::Phone>,
}

impl Details {
    /// Nothing was typed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// To `chat-outbound`, grouped by conversation: an answer to deliver to the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum OutboundMessage {
    /// Names the message by its place in the table.
    #[serde(rename = "chat.answer.v1")]
    V1(Answer),
}

impl Message for OutboundMessage {
    const QUEUE: QueueName = QueueName::new("chat-out");
}

/// An answer's place, and its recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Conversation.
    pub conversation: ConversationId,
    /// Message.
    pub message: MessageId,
    /// Time of the message.
    pub at: Timestamp,
    /// Channel.
    pub channel: Channel,
    /// The recipient's browser.
    pub to: Address,
    /// The text, if it is short enough for a live frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A visitor within an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Inbox.
    pub inbox: InboxId,
    /// The visitor's browser.
    pub visitor: Visitor,
}

/// To `chat-notifier`: open browsers should read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Notice {
    /// A message is new or changed.
    #[serde(rename = "chat.notice.v1")]
    V1(Happened),
}

impl Message for Notice {
    const QUEUE: QueueName = QueueName::new("chat-notify");
}

/// An event of a message, and its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// The visitor who is notified besides the agents; absent for notes and activity lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitor: Option<Address>,
    /// The event for browsers.
    pub event: Event,
}

/// One event of a frame. Events sort by their place in the conversation.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = SocketEvent)]
pub struct Event {
    /// A cursor: reading `after` it gives the message.
    #[schema(value_type = kernel::Cursor)]
    pub cursor: Position,
    /// Conversation.
    pub conversation_id: ConversationId,
    /// Message.
    pub message_id: MessageId,
    /// Kind of the event.
    pub r#type: What,
    /// When the message was written.
    #[serde(rename = "created_at", serialize_with = "kernel::clock::millis")]
    pub at: Timestamp,
    /// The author.
    pub author: Author,
    /// A note for staff.
    pub private: bool,
    /// State of its delivery.
    pub status: Delivery,
    /// The text, if it is short; a longer one is read by the cursor.
    #[serde(default, rename = "content")]
    pub text: Option<String>,
}

/// The kind of an event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = SocketEventType)]
pub enum What {
    /// The message is new.
    #[serde(rename = "message.new")]
    New,
    /// The state of its delivery changed.
    #[serde(rename = "message.updated")]
    Updated,
}

/// The side that wrote a message.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = SocketEventAuthor)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Author {
    Visitor,
    Agent,
    System,
}
