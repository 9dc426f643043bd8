//! Chat: inboxes, conversations, messages, and what is pushed to open browsers.
//!
//! A visitor's message travels widget -> queue -> [`inbound`]; an agent's answer [`desk`] -> outbox ->
//! [`outbound`]; both reach open browsers through [`notice`] and [`realtime`]. This crate may use
//! `contacts` and `channels` only. It never merges a visitor into another contact by a typed
//! address. It never shows a private note to a visitor (see [`Message::for_visitor`]).

pub mod body;
pub mod desk;
pub mod inbound;
pub mod inbox;
pub mod keys;
pub mod model;
mod notice;
pub mod outbound;
mod people;
pub mod reading;
pub mod realtime;
mod store;
pub mod token;

pub use inbox::{Inbox, InboxSettings, Inboxes};
pub use keys::Position;
pub use model::{
    Channel, Conversation, Delivery, Kind, Message, MessageForVisitor, Sender, Status, Visitor,
};
pub use notice::{EFFECTS, LIVE_TEXT};
pub use store::{Chat, SETTLED};
