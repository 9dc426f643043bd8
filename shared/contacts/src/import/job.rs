//! An import's state, one item that only versioned writes move.

use jiff::Timestamp;
use kernel::{ImportId, ListId};
use serde::{Deserialize, Serialize};

use super::file::SHOWN_ERRORS;
use super::lines::RowError;

/// The record of an import is kept for thirteen months; its files are deleted after 30 days.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;

/// The request of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportRequest)]
pub struct Request {
    /// List that every contact joins.
    pub list: Option<ListId>,
    /// Tags that every contact gets.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The text that the contacts agreed to; null: nobody is subscribed.
    #[serde(default)]
    pub consent_text: Option<String>,
}

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Stored, not yet read.
    Pending,
    /// Rows are being imported.
    Processing,
    /// Every row was imported or has its error.
    Completed,
    /// The file as a whole could not be read.
    Failed,
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: ImportId,
    /// The request.
    pub request: Request,
    /// Its status.
    pub status: Status,
    /// Rows of the file.
    pub total: u64,
    /// Contacts that are new.
    pub created: u64,
    /// Contacts that were there.
    pub updated: u64,
    /// Rows that a later row replaces.
    pub skipped: u64,
    /// Wrong rows.
    pub failed: u64,
    /// The first of the wrong rows.
    #[serde(default)]
    pub errors: Vec<RowError>,
    /// Why the file could not be read.
    #[serde(default)]
    pub problem: Option<String>,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// When the record expires, in seconds since the epoch.
    pub(super) ttl: i64,
    /// Increases with every step.
    pub(super) version: u64,
    /// Bytes of the stored rows that are done.
    pub(super) cursor: u64,
    /// Bytes of the stored rows.
    pub(super) size: u64,
}

impl Job {
    pub(super) fn new(id: ImportId, request: Request, now: Timestamp) -> Self {
        Self {
            id,
            request,
            status: Status::Pending,
            total: 0,
            created: 0,
            updated: 0,
            skipped: 0,
            failed: 0,
            errors: Vec::new(),
            problem: None,
            created_at: now,
            finished_at: None,
            ttl: now.as_second() + KEEP_SECONDS,
            version: 0,
            cursor: 0,
            size: 0,
        }
    }

    /// Whether both are the import of one request.
    pub(super) fn is_start_of(&self, new: &Self) -> bool {
        (&self.request, self.created_at) == (&new.request, new.created_at)
    }

    /// Rows that are imported, skipped or wrong.
    pub fn processed(&self) -> u64 {
        self.created + self.updated + self.skipped + self.failed
    }

    /// Whether the import has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.status, Status::Completed | Status::Failed)
    }

    /// Counts wrong rows and shows the first ones up to the limit. All wrong rows of the file are in a file beside
    /// the import.
    pub(super) fn add_errors(&mut self, count: u64, first: Vec<RowError>) {
        self.failed += count;
        let room = SHOWN_ERRORS.saturating_sub(self.errors.len());
        self.errors.extend(first.into_iter().take(room));
    }

    /// The next state, once `cursor` bytes are done.
    pub(super) fn moved_to(mut self, cursor: u64, now: Timestamp) -> Self {
        self.version += 1;
        self.cursor = cursor;
        self.status = Status::Processing;
        if cursor >= self.size {
            self.status = Status::Completed;
            self.finished_at = Some(now);
        }
        self
    }
}
