//! An import's state: one item of the job, one of each lane. Only versioned writes move them.

use std::collections::BTreeMap;

use cloud::Pending;
use jiff::Timestamp;
use kernel::commerce::Sheet;
use kernel::{ImportId, ListId, Origin};
use serde::{Deserialize, Serialize};

use super::columns::Column;
use super::error::RowError;
use super::layout::Layout;
use super::undo::Undo;
use crate::joined::Upload;

/// The record of an import is kept for thirteen months; its files are deleted after 29 days.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;
/// Wrong rows and notes that the import itself shows; all of them are in the file of outcomes.
pub const SHOWN_ERRORS: usize = 100;
/// Slices of an import that are read concurrently.
pub const LANES: u32 = 4;

/// The kind of a file's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Contacts.
    #[default]
    Contacts,
    /// Lines of orders.
    Orders,
    /// Products.
    Products,
}

impl Kind {
    /// The columns of goods; `None` for contacts.
    pub fn sheet(self) -> Option<Sheet> {
        match self {
            Self::Contacts => None,
            Self::Orders => Some(Sheet::Orders),
            Self::Products => Some(Sheet::Products),
        }
    }
}

/// The treatment of a row about a contact that exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportDuplicateRule)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateRule {
    /// The values of the row replace the contact's.
    #[default]
    Update,
    /// Only fields that are empty are filled.
    FillEmpty,
    /// The contact stays as it is.
    Skip,
}

/// How the contacts agreed to be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportConsentWay)]
#[serde(rename_all = "snake_case")]
pub enum ConsentWay {
    /// They gave the address for a download, an order or a purchase.
    Purchase,
    /// They filled in a form for news.
    NewsForm,
    /// They gave it in a contest, an event or a survey that told of marketing.
    Event,
    /// They ticked a box in a form.
    FormTick,
    /// They agreed on paper.
    Paper,
    /// They agreed on the telephone.
    Phone,
}

impl ConsentWay {
    /// Its name in the proof of a consent.
    pub fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::NewsForm => "news_form",
            Self::Event => "event",
            Self::FormTick => "form_tick",
            Self::Paper => "paper",
            Self::Phone => "phone",
        }
    }
}

/// A channel that a statement covers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = ImportConsentChannel)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ConsentChannel {
    Email,
    Sms,
}

/// The shop's statement that the contacts of a file agreed. It is stored with the import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportConsent)]
#[serde(deny_unknown_fields)]
pub struct ConsentStatement {
    /// How they agreed.
    pub way: ConsentWay,
    /// The text that they agreed to.
    #[schema(min_length = 1, max_length = 1000)]
    pub text: String,
    /// The channels that they agreed to.
    #[schema(min_items = 1, max_items = 2)]
    pub channels: Vec<ConsentChannel>,
    /// When they agreed, or the last of them.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub at: Timestamp,
}

/// The settings of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportRequest)]
pub struct Request {
    /// The kind of the rows.
    #[serde(default)]
    pub kind: Kind,
    /// The shop's name for the import.
    #[serde(default)]
    pub name: Option<String>,
    /// List that every contact joins.
    #[serde(rename = "list_id")]
    pub list: Option<ListId>,
    /// Tags that every contact gets.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Fields by heading. Headings that are not here are understood by their text.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub mapping: BTreeMap<String, Column>,
    /// Whether a line of the file holds the headings. Without it the columns are `A`, `B` and so on.
    #[serde(default = "yes")]
    pub has_header: bool,
    /// The treatment of contacts that exist.
    #[serde(default)]
    pub duplicate_rule: DuplicateRule,
    /// The consent of the contacts; null: nobody is subscribed.
    #[serde(default)]
    pub consent: Option<ConsentStatement>,
    /// Whether new contacts, new tags and joined lists start workflows.
    #[serde(default)]
    pub start_workflows: bool,
}

fn yes() -> bool {
    true
}

impl Default for Request {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            name: None,
            list: None,
            tags: Vec::new(),
            mapping: BTreeMap::new(),
            has_header: true,
            duplicate_rule: DuplicateRule::default(),
            consent: None,
            start_workflows: false,
        }
    }
}

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its file may be uploaded and its settings changed; it was not started.
    Draft,
    /// Started: it waits for its turn, or its file is being cut.
    Pending,
    /// Rows are being imported.
    Processing,
    /// Every row was imported or has its error.
    Completed,
    /// The file as a whole could not be read.
    Failed,
}

/// Counts of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Contacts that are new.
    pub created: u64,
    /// Contacts that were there.
    pub updated: u64,
    /// Rows about contacts that stayed as they were.
    pub skipped: u64,
    /// Wrong rows.
    pub failed: u64,
}

impl Counts {
    /// All rows.
    pub fn total(self) -> u64 {
        self.created + self.updated + self.skipped + self.failed
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            created: self.created + other.created,
            updated: self.updated + other.updated,
            skipped: self.skipped + other.skipped,
            failed: self.failed + other.failed,
        }
    }
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: ImportId,
    /// The settings.
    pub request: Request,
    /// Its status.
    pub status: Status,
    /// Rows of the file; 0 until the file is cut.
    pub total: u64,
    /// The rows that are done.
    #[serde(flatten)]
    pub counts: Counts,
    /// The first of the wrong rows and notes.
    #[serde(default)]
    pub errors: Vec<RowError>,
    /// Why the file could not be read.
    #[serde(default)]
    pub problem: Option<String>,
    /// The layout of the file, once it is read.
    #[serde(default)]
    pub layout: Option<Layout>,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it was started.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// Its undo, once that was asked for.
    #[serde(default)]
    pub undo: Option<Undo>,
    /// When the record expires, in seconds since the epoch.
    pub(super) ttl: i64,
    /// Names the request that made it: ids of one millisecond may be equal.
    pub(super) origin: String,
    /// Increases with every step.
    pub(super) version: u64,
    /// Id of the message whose step wrote this version.
    #[serde(default)]
    pub(super) by: Option<String>,
    /// Bytes that are cut, and the line at which they end.
    pub(super) cursor: u64,
    pub(super) line: u64,
    /// The file's length, and the mark of its content.
    pub(super) size: u64,
    pub(super) mark: String,
    /// Slices that are cut.
    pub(super) slices: u32,
    /// Slices whose outcomes are in the file of outcomes.
    pub(super) gathered: u32,
    /// The upload of the file of outcomes: its id and the marks of its parts.
    #[serde(default)]
    pub(super) upload: Upload,
    /// The first message. Only the write that starts the import has it.
    #[serde(default, skip_deserializing)]
    pub(super) pending: Pending,
}

impl Job {
    pub(super) fn new(id: ImportId, request: Request, origin: &Origin, status: Status) -> Self {
        let now = origin.at;
        Self {
            id,
            request,
            status,
            total: 0,
            counts: Counts::default(),
            errors: Vec::new(),
            problem: None,
            layout: None,
            created_at: now,
            started_at: (status == Status::Pending).then_some(now),
            finished_at: None,
            undo: None,
            ttl: now.as_second() + KEEP_SECONDS,
            origin: origin.name.clone(),
            version: 0,
            by: None,
            cursor: 0,
            line: 0,
            size: 0,
            mark: String::new(),
            slices: 0,
            gathered: 0,
            upload: None,
            pending: Pending::default(),
        }
    }

    /// Whether both are the import of one request.
    pub(super) fn is_start_of(&self, new: &Self) -> bool {
        (&self.origin, self.created_at) == (&new.origin, new.created_at)
    }

    /// The next state.
    pub(super) fn next(mut self) -> Self {
        self.version += 1;
        self.by = None;
        self.pending = Pending::default();
        self
    }

    /// The counts and the first errors of its lanes.
    pub(super) fn gather(&mut self, lanes: &[Lane]) {
        self.counts = lanes
            .iter()
            .fold(Counts::default(), |all, lane| all + lane.counts);
        self.errors = lanes.iter().flat_map(|lane| lane.errors.clone()).collect();
        self.errors.sort_by_key(|error| error.line);
        self.errors.truncate(SHOWN_ERRORS);
    }
}

/// One of the lanes of an import. Lane `n` reads the slices `n`, `n + 4`, `n + 8`…
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lane {
    /// The slice to read.
    pub slice: u32,
    pub version: u64,
    /// Id of the message whose step wrote this version.
    #[serde(default)]
    pub by: Option<String>,
    #[serde(flatten)]
    pub counts: Counts,
    pub errors: Vec<RowError>,
    pub ttl: i64,
}

impl Lane {
    pub fn new(number: u32, ttl: i64) -> Self {
        Self {
            slice: number,
            version: 0,
            by: None,
            counts: Counts::default(),
            errors: Vec::new(),
            ttl,
        }
    }

    /// The lane after a slice.
    pub fn after(mut self, counts: Counts, errors: Vec<RowError>, by: &str) -> Self {
        self.version += 1;
        self.by = Some(by.to_owned());
        self.slice += LANES;
        self.counts = self.counts + counts;
        let room = (SHOWN_ERRORS / 2).saturating_sub(self.errors.len());
        self.errors.extend(errors.into_iter().take(room));
        self
    }
}

/// Rows that are imported together: whole records of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slice {
    pub start: u64,
    pub end: u64,
    /// Line of the first record.
    pub line: u64,
    pub ttl: i64,
}
