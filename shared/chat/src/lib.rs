//! Chat: inboxes, conversations, messages, and what is pushed to open browsers.
//!
//! - A visitor's message goes widget -> queue -> [`inbound`].
//! - An agent's answer goes [`desk`] -> outbox -> [`outbound`].
//! - Open browsers are notified of both by [`notice`] and [`realtime`].
//!
//! This crate may use `kernel`, `cloud` and `contacts` only. It never merges a visitor into another contact by a
//! typed address. It never shows a private note to a visitor (see [`Message::for_visitor`]).
//!
//! The methods of [`Chat`] are in five files:
//!
//! | method | file |
//! |---|---|
//! | `over`, `conversation`, `conversation_of`, and the writes of headers, claims and messages | `store.rs` |
//! | `conversations`, `history`, `follow` | `reading.rs` |
//! | `reply`, `set_status`, `end_snooze`, `set_muted` | `desk.rs` |
//! | `custom`, `change_custom` | `custom.rs` |
//! | `deliver` | `outbound.rs` |

pub mod body;
mod custom;
pub mod desk;
mod door;
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

pub use door::{Door, InboxDoor, InboxDoors};
pub use inbox::{Inbox, InboxSettings, Inboxes};
pub use keys::Position;
pub use model::{
    Channel, Conversation, Delivery, Kind, Message, MessageForVisitor, Sender, Status, Visitor,
};
pub use notice::{EFFECTS, LIVE_TEXT};
pub use store::{Chat, SETTLED};
