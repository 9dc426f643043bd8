//! Contacts of a shop: their profiles, identities, consent, lists, imports, exports and timeline.
//!
//! [`Contacts`] is the only writer of the tables Contacts and Timeline. This crate may use `kernel` and `cloud`
//! only. It knows nothing of segments or campaigns. It holds three things of its neighbours:
//!
//! - [`Source`] lists the providers that a contact can come from.
//! - [`Listeners`] stores the ids of the workflows that listen to an event.
//! - [`EventHappened`] is the message to these workflows and names their queue, `workflow-trigger`.
//!
//! The methods of [`Contacts`] are in these files:
//!
//! | method | file |
//! |---|---|
//! | `over`, `get`, `profiles` | `store.rs` |
//! | `add_tags`, `remove_tags`, `join_list`, `leave_list`, `bounced` | `store.rs` |
//! | `declare`, `consents`, `consent_history` | `consent/store.rs` |
//! | `upsert`, `upsert_whole` | `upsert.rs` |
//! | `edit` | `patch.rs` |
//! | `erase`, `finish_erasure` | `erase.rs` |
//! | `merge`, `forward` | `merge/mod.rs` |
//! | `finish_merge` | `merge/finish.rs` |
//! | `archive`, `restore`, `restore_listed`, `profiles().archived` | `archive.rs` |
//! | `profiles().duplicates` | `duplicates.rs` |
//! | `find_identity`, and the claims and releases of identities | `claims.rs` |
//! | `profiles().members_page`, `profiles().count_members` | `members.rs` |
//! | points of events | `scores/points.rs` |
//! | `note_device`, `devices` | `devices.rs` |
//! | `owner`, `is_there`, `record_many`, `take_back`, `keep_anonymous`, `adopt` | `tracked.rs` |
//! | `first_seen`, `record`, `record_as`, `hears`, `has`, `timeline` | `timeline.rs` |

mod archive;
mod bounces;
pub mod bounds;
pub mod bulk;
mod bundle;
mod change;
mod changed;
pub mod changes;
pub mod choice;
mod claims;
pub mod consent;
pub mod counts;
pub mod csv_out;
mod devices;
pub mod duplicates;
mod erase;
pub mod events;
pub mod export;
pub mod fields;
pub mod files;
mod identity;
pub mod import;
mod interest;
mod joined;
mod keys;
mod labels;
pub mod lists;
mod members;
pub mod mention;
pub mod merge;
mod model;
pub mod moves;
mod names;
mod newest;
pub mod notes;
mod owned;
pub mod patch;
pub mod places;
mod profiles;
mod rows;
pub mod scores;
mod search;
mod stand_in;
mod store;
pub mod tags_vocabulary;
mod timeline;
mod tracked;
mod unique;
mod upsert;
pub mod views;

pub use bounds::Surplus;
pub use bundle::Full;
pub use changed::ContactChanged;
pub use choice::{Asked, Choice};
pub use consent::{Channel, ChannelStatus, Purpose, Statement};
pub use counts::Counts;
pub use devices::{BrowserKeys, Device, Devices, MAX_DEVICES, NamedDevice};
pub use erase::GONE;
pub use events::{EventHappened, Happened, WebhookHappened, for_webhooks};
pub use fields::{Definition, Definitions, FieldFault, Fields};
pub use identity::Reason;
pub use interest::{Filter, Listeners, MAX_SEGMENT_BYTES, Mentions};
pub use kernel::person::{self, Person};
pub use labels::{FieldName, FieldNameError, MAX_FIELD_NAME, MAX_TAG, Tag, TagError, Tags};
pub use lists::{List, ListChange, ListSender, Lists, RecentLists};
pub use members::MOST_COUNTED;
pub use model::{
    Contact, ContactStatus, Event, Identity, Incoming, Kept, Merge, NotTaken, Source, Trust,
    Upserted,
};
pub use notes::{Note, Notes};
pub use profiles::Profiles;
pub use store::{Contacts, Joined};
pub use tags_vocabulary::Vocabulary;
pub use timeline::{KEPT_DAYS, KEPT_DAYS_OTHERWISE};
pub use unique::TakenValue;
pub use views::{View, Views};

/// The rules of the tables Contacts and Timeline.
pub const EFFECTS: &[cloud::outbox::Rule] = &[
    bulk::BEGIN,
    changed::CHANGED,
    changed::TRACKED,
    consent::DECIDED,
    erase::DELETED,
    erase::ERASE,
    import::BEGIN,
    merge::MERGE,
    timeline::HEARD,
    timeline::HOOKED,
];

/// Shards of the indexes `ByShard` and `ByMembership`.
pub const SHARDS: u32 = 16;

/// The index shard of a contact, in `0..SHARDS`.
pub fn shard(contact: kernel::ContactId) -> u32 {
    kernel::hash::bucket(&[&contact.to_string()], SHARDS)
}
