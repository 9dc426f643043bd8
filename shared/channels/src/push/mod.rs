//! Push notifications: web push by VAPID (RFC 8030, 8291, 8292) and apps by FCM (docs/adr/0066).
//!
//! The keys and the settings of a workspace; the notification; the wire formats of push services; the channel. Consent and the
//! ledger are elsewhere. Devices are rows of the crate `contacts`.

mod channel;
pub mod fcm;
mod keys;
pub mod note;
mod payload;
mod store;
pub mod web;

pub use channel::{OutgoingNote, PER_SECOND, PreparedNote, PushChannel, Reach};
pub use fcm::{Account, Fcm, Proof};
pub use note::{Action, MAX_ACTIONS, Note};
pub use payload::MAX_PLAIN;
pub use store::{MobilePush, PushSettings, Ready, Row, Site, Sites, Vapid, WebPush};
