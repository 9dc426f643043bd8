//! Contacts of a shop: who they are, how they are recognised, what they agreed to, what they did.
//!
//! [`Contacts`] is the only writer of the tables Contacts and Timeline. This crate may use `kernel`
//! and `cloud` only; it knows nothing of providers, segments, campaigns or workflows. Those hear of
//! what happened through [`events::EventHappened`].

mod change;
mod claims;
pub mod consent;
pub mod events;
pub mod import;
mod keys;
pub mod lists;
mod model;
mod names;
mod profiles;
mod search;
mod store;
mod timeline;
mod upsert;

pub use consent::{Channel, ChannelStatus};
pub use events::{EventHappened, Listeners};
pub use lists::{List, Lists};
pub use model::{Contact, Event, Identity, Incoming, Merge, Source, Upserted};
pub use profiles::Profiles;
pub use store::Contacts;
pub use timeline::EFFECTS;

/// Shards of the indexes `ByShard` and `ByMembership`.
pub const SHARDS: u32 = 16;

/// The index shard of a contact, in `0..SHARDS`.
pub fn shard(contact: kernel::ContactId) -> u32 {
    kernel::hash::bucket(&[&contact.to_string()], SHARDS)
}
