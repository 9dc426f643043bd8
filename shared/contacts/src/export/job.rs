//! An export's state, one item that only versioned writes move.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kernel::{ExportId, ListId, Origin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::choice::Choice;
use crate::joined::Upload;

/// The record of an export is kept for thirteen months.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;

/// The contacts of an export: all of them without a list and a choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Only members of this list.
    #[serde(rename = "list_id", default)]
    pub list: Option<ListId>,
    /// Only those that a segment or conditions choose.
    #[serde(default)]
    pub choice: Option<Choice>,
    /// Not contacts but things of another crate.
    #[serde(default)]
    pub others: Option<Others>,
}

/// Things that the function reads: this crate does not know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// The things, as the function describes them.
    pub asked: Value,
    /// The first line of the file.
    pub heading: String,
}

/// Where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ExportStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The contacts are being read, or the file is being written.
    Processing,
    /// The file is there.
    Completed,
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// Its contacts.
    pub request: Request,
    /// The person who asked for it.
    pub requested_by: String,
    /// Its status.
    pub status: Status,
    /// Contacts so far.
    pub rows: u64,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When the file was complete.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    pub(super) ttl: i64,
    /// Names the request that made it: ids of one millisecond may be equal.
    pub(super) origin: String,
    pub(super) version: u64,
    /// The shard that is read, and the place in it.
    pub(super) shard: u32,
    #[serde(default)]
    pub(super) cursor: Option<String>,
    /// Chunks of contacts that are stored, and those that are in the file.
    pub(super) chunks: u32,
    pub(super) gathered: u32,
    /// Names of the custom fields that have columns.
    pub(super) fields: BTreeSet<String>,
    #[serde(default)]
    pub(super) upload: Upload,
}

impl Export {
    pub(super) fn new(id: ExportId, request: Request, by: &str, origin: &Origin) -> Self {
        let now = origin.at;
        Self {
            id,
            request,
            requested_by: by.to_owned(),
            status: Status::Processing,
            rows: 0,
            created_at: now,
            finished_at: None,
            ttl: now.as_second() + KEEP_SECONDS,
            origin: origin.name.clone(),
            version: 0,
            shard: 0,
            cursor: None,
            chunks: 0,
            gathered: 0,
            fields: BTreeSet::new(),
            upload: None,
        }
    }

    /// Whether both are the export of one request.
    pub(super) fn is_start_of(&self, new: &Self) -> bool {
        (&self.origin, self.created_at) == (&new.origin, new.created_at)
    }
}
