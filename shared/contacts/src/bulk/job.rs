//! The state of a bulk job, one item that only versioned writes move.

use std::collections::BTreeSet;
use std::ops::Range;

use cloud::Pending;
use jiff::Timestamp;
use kernel::{BulkId, ContactId, ListId, UserId};
use serde::{Deserialize, Serialize};

use crate::SHARDS;
use crate::choice::Choice;
use crate::consent::{Channel, Purpose};

/// A job is kept for thirteen months.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;
/// Contacts of one slice.
pub(super) const SLICE: u32 = 200;

/// The change that each contact gets. Each may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// Add tags.
    AddTags {
        /// The tags.
        tags: Vec<String>,
    },
    /// Remove tags.
    RemoveTags {
        /// The tags.
        tags: Vec<String>,
    },
    /// Put on a list.
    AddToList {
        /// The list.
        list_id: ListId,
    },
    /// Take off a list.
    RemoveFromList {
        /// The list.
        list_id: ListId,
    },
    /// Replace a tag by another, on the contacts that have it.
    RenameTag {
        /// The tag to replace.
        from: String,
        /// The new tag.
        to: String,
    },
    /// Give to a user, or to nobody.
    SetOwner {
        /// A member of the workspace when the job was requested.
        owner_id: Option<UserId>,
    },
    /// Withdraw the consent to these channels and purposes, by the word of staff.
    Unsubscribe {
        /// The channels.
        channels: BTreeSet<Channel>,
        /// The purposes.
        purposes: BTreeSet<Purpose>,
        /// Why, for the proof.
        reason: Option<String>,
    },
    /// Archive.
    Archive,
    /// Take out of the archive.
    Restore,
    /// Erase.
    Delete,
}

impl Action {
    /// Its name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddTags { .. } => "add_tags",
            Self::RemoveTags { .. } => "remove_tags",
            Self::AddToList { .. } => "add_to_list",
            Self::RemoveFromList { .. } => "remove_from_list",
            Self::RenameTag { .. } => "rename_tag",
            Self::SetOwner { .. } => "set_owner",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Archive => "archive",
            Self::Restore => "restore",
            Self::Delete => "delete",
        }
    }
}

/// The contacts that a job changes. Contacts in use, but for a restoration: it takes those of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Selection {
    /// These contacts, archived or not.
    Contacts {
        /// Their ids.
        contact_ids: Vec<ContactId>,
    },
    /// Every contact of a list.
    List {
        /// The list.
        list_id: ListId,
    },
    /// Every contact that has a tag.
    Tag {
        /// The tag.
        tag: String,
    },
    /// Every contact of the workspace.
    Everybody,
    /// The contacts that a segment or conditions choose.
    Chosen {
        /// The choice.
        choice: Choice,
    },
}

impl Selection {
    /// Whether one request made both.
    fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Chosen { choice: a }, Self::Chosen { choice: b }) => a.is_alike(b),
            _ => self == other,
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = BulkStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Contacts are being changed.
    Processing,
    /// Every contact of the selection was changed or is counted with its reason.
    Completed,
    /// A person ended it. The counts tell what was done.
    Cancelled,
    /// It was never begun: too many jobs were running.
    Refused,
}

/// A bulk job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: BulkId,
    /// The change.
    pub action: Action,
    /// The contacts to change.
    pub selection: Selection,
    /// The user or the key that asked for it.
    pub actor: String,
    /// Its status.
    pub status: Status,
    /// Contacts that have the change now. The outbox uses the attribute `changed` for names.
    #[serde(rename = "n_changed")]
    pub changed: u64,
    /// Contacts that do not exist.
    pub missing: u64,
    /// Contacts without room for the change.
    pub full: u64,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// When its last slice was done.
    pub(super) moved_at: Timestamp,
    /// When the record expires, in seconds since the epoch.
    pub(super) ttl: i64,
    /// Increases with every slice.
    pub(super) version: u64,
    /// The contacts of the next slice. They are stored before they are changed, so a repetition changes the same ones.
    pub(super) ids: Vec<ContactId>,
    /// Where the search for the slice after it begins: the number of shards, or of ids, that are done.
    pub(super) at: u32,
    /// The place within the shard.
    #[serde(default)]
    pub(super) cursor: Option<String>,
    /// The first message. Only the write that makes the job has it.
    #[serde(default, skip_deserializing)]
    pub(super) pending: Pending,
}

impl Job {
    pub(super) fn new(
        id: BulkId,
        action: Action,
        selection: Selection,
        actor: &str,
        now: Timestamp,
    ) -> Self {
        let mut job = Self {
            id,
            action,
            selection,
            actor: actor.to_owned(),
            status: Status::Processing,
            changed: 0,
            missing: 0,
            full: 0,
            created_at: now,
            finished_at: None,
            moved_at: now,
            ttl: now.as_second() + KEEP_SECONDS,
            version: 0,
            ids: Vec::new(),
            at: 0,
            cursor: None,
            pending: Pending::default(),
        };
        job.take_named();
        job
    }

    /// Takes the next slice of named contacts.
    pub(super) fn take_named(&mut self) {
        if let Selection::Contacts { contact_ids } = &self.selection {
            let rest = contact_ids.iter().skip(self.at as usize);
            self.ids = rest.take(SLICE as usize).copied().collect();
            self.at += self.ids.len() as u32;
        }
    }

    /// The shards of the selection. A tag that is renamed or removed leaves archived contacts too.
    pub(super) fn shards(&self) -> Range<u32> {
        match (&self.action, &self.selection) {
            (_, Selection::Contacts { .. }) => 0..0,
            (Action::Restore, _) => SHARDS..2 * SHARDS,
            (Action::RenameTag { .. }, _) => 0..2 * SHARDS,
            (Action::RemoveTags { tags }, Selection::Tag { tag }) if tags.contains(tag) => {
                0..2 * SHARDS
            }
            _ => 0..SHARDS,
        }
    }

    /// Whether every contact of the selection was found.
    pub(super) fn is_searched(&self) -> bool {
        match &self.selection {
            Selection::Contacts { contact_ids } => self.at as usize >= contact_ids.len(),
            _ => self.at as usize >= self.shards().len(),
        }
    }

    /// Whether both are the job of one request.
    pub(super) fn is_start_of(&self, new: &Self) -> bool {
        (&self.action, self.created_at) == (&new.action, new.created_at)
            && self.selection.is_alike(&new.selection)
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.status != Status::Processing
    }

    /// Whether a person may end it. A tag or a list that was removed would stay on the other contacts.
    pub fn can_be_cancelled(&self) -> bool {
        match (&self.action, &self.selection) {
            (Action::RenameTag { .. }, _) => false,
            (Action::RemoveTags { tags }, Selection::Tag { tag }) => !tags.contains(tag),
            (Action::RemoveFromList { list_id: a }, Selection::List { list_id: b }) => a != b,
            _ => true,
        }
    }

    /// The part of the selection that was searched, in percent.
    pub fn progress(&self) -> u8 {
        if self.status == Status::Completed {
            return 100;
        }
        let (done, all) = match &self.selection {
            Selection::Contacts { contact_ids } => (self.processed(), contact_ids.len()),
            _ => (u64::from(self.at), self.shards().len()),
        };
        u8::try_from(done * 100 / (all as u64).max(1)).map_or(99, |percent| percent.min(99))
    }

    /// Contacts that are done.
    pub fn processed(&self) -> u64 {
        self.changed + self.missing + self.full
    }
}
