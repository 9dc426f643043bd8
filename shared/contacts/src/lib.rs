//! Contacts of a shop: their profiles, identities, consent, lists, imports and timeline.
//!
//! [`Contacts`] is the only writer of the tables Contacts and Timeline. This crate may use `kernel` and `cloud`
//! only. It knows nothing of segments or campaigns. It holds three things of its neighbours:
//!
//! - [`Source`] lists the providers that a contact can come from.
//! - [`Listeners`] stores the ids of the workflows that listen to an event.
//! - [`EventHappened`] is the message to these workflows and names their queue, `workflow-trigger`.
//!
//! The methods of [`Contacts`] are in four files:
//!
//! | method | file |
//! |---|---|
//! | `over`, `get`, `profiles` | `store.rs` |
//! | `add_tags`, `remove_tags`, `join_list`, `leave_list`, `set_channel_status`, `bounced` | `store.rs` |
//! | `upsert`, `upsert_whole` | `upsert.rs` |
//! | `find_identity`, and the claims and releases of identities | `claims.rs` |
//! | `first_seen`, `record`, `record_as`, `hears`, `has`, `timeline` | `timeline.rs` |

pub mod bounds;
mod change;
mod claims;
pub mod consent;
pub mod events;
mod identity;
pub mod import;
mod interest;
mod keys;
mod labels;
pub mod lists;
mod model;
mod names;
mod profiles;
mod rows;
mod search;
mod store;
mod timeline;
mod upsert;

pub use bounds::Surplus;
pub use consent::{Channel, ChannelStatus};
pub use events::EventHappened;
pub use identity::Reason;
pub use interest::{Filter, Listeners};
pub use kernel::person::{self, Person};
pub use labels::{FieldName, FieldNameError, MAX_FIELD_NAME, MAX_TAG, Tag, TagError, Tags};
pub use lists::{List, Lists};
pub use model::{
    Contact, Event, Identity, Incoming, Kept, Merge, NotTaken, Source, Trust, Upserted,
};
pub use profiles::Profiles;
pub use store::{Contacts, Joined};
pub use timeline::EFFECTS;

/// Shards of the indexes `ByShard` and `ByMembership`.
pub const SHARDS: u32 = 16;

/// The index shard of a contact, in `0..SHARDS`.
pub fn shard(contact: kernel::ContactId) -> u32 {
    kernel::hash::bucket(&[&contact.to_string()], SHARDS)
}
