//! The state of a bulk job, one item that only versioned writes move.

use jiff::Timestamp;
use kernel::{BulkId, ContactId, ListId};
use serde::{Deserialize, Serialize};

/// A job is kept for thirteen months.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;

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
}

/// The contacts that a job changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Selection {
    /// These contacts.
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
    /// Contacts that have the change now.
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
    /// Where the next slice begins: the shard of the index, or the number of ids that are done.
    pub(super) at: u32,
    /// The place within the shard.
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

impl Job {
    pub(super) fn new(
        id: BulkId,
        action: Action,
        selection: Selection,
        actor: &str,
        now: Timestamp,
    ) -> Self {
        Self {
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
            at: 0,
            cursor: None,
        }
    }

    /// Whether both are the job of one request.
    pub(super) fn is_start_of(&self, new: &Self) -> bool {
        (&self.action, &self.selection, self.created_at)
            == (&new.action, &new.selection, new.created_at)
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.status != Status::Processing
    }

    /// Contacts that are done.
    pub fn processed(&self) -> u64 {
        self.changed + self.missing + self.full
    }
}
