//! The bodies and parameters of imports.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use contacts::import::{
    Column, ConsentChannel, ConsentStatement, ConsentWay, DuplicateRule, Job, Kind, Layout,
    Request, RowError, Status, Undo, normal,
};
use jiff::Timestamp;
use kernel::{ImportId, ListId};
use lambda::http::{Code, Flaws, Problem};
use serde::{Deserialize, Serialize};

use crate::shape;

/// A URL may have 10 KB, and an encoded character up to twelve bytes of it.
const MAX_TAGS_TEXT: usize = 2_000;
/// Longest name of an import.
const MAX_NAME: usize = 255;

/// The name of a column's field.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(max_length = 255)]
struct ColumnField(String);

/// The settings of an import.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewImport)]
#[serde(deny_unknown_fields)]
pub struct ImportIn {
    /// The kind of the rows. Lines of one order follow each other.
    #[serde(default)]
    kind: Kind,
    /// The shop's name for it.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// A list that every contact joins.
    list_id: Option<ListId>,
    /// Tags for every row.
    #[serde(default)]
    #[schema(max_items = 50)]
    tags: Vec<String>,
    /// The field of a column, by its heading: `email`, `custom.size`, `skip`, in other files `order.code` or `product.code`.
    /// Other headings are understood by their text. docs/import.md lists the fields.
    #[serde(default)]
    mapping: BTreeMap<String, ColumnField>,
    /// `false`: the file has no headings. Its columns are `A`, `B` and so on, in `mapping` too; their cells tell the
    /// fields of the others.
    #[serde(default = "yes")]
    has_header: bool,
    /// The treatment of contacts that exist.
    #[serde(default)]
    duplicate_rule: DuplicateRule,
    /// The shop's statement that the contacts agreed. Without it nobody is subscribed.
    consent: Option<ConsentStatement>,
    /// `true`: new contacts, new tags and joined lists start the workflows that wait for them. A file of 100,000 rows may then
    /// send 100,000 welcome mails.
    #[serde(default)]
    start_workflows: bool,
}

fn yes() -> bool {
    true
}

impl ImportIn {
    /// Checked.
    pub fn request(self) -> Result<Request, Problem> {
        let mut flaws = Flaws::default();
        let is_bad = self
            .name
            .as_ref()
            .is_some_and(|name| name.trim().is_empty() || name.chars().count() > MAX_NAME);
        flaws.check(is_bad, "/name", "must have 1 to 255 characters");
        shape::check_tags(&self.tags, &mut flaws);
        let mut mapping = BTreeMap::new();
        for (heading, field) in &self.mapping {
            let pointer = format!("/mapping/{}", heading.replace('~', "~0").replace('/', "~1"));
            match Column::of_name(&field.0).filter(|column| fits(column, self.kind)) {
                Some(column) => {
                    mapping.insert(normal(heading), column);
                }
                None => flaws.check(true, pointer, expected(self.kind)),
            }
        }
        let is_long = self.mapping.len() > contacts::import::MAX_COLUMNS;
        flaws.check(is_long, "/mapping", "holds at most 200 columns");
        check_statement(self.consent.as_ref(), "/consent", &mut flaws);
        let request = Request {
            kind: self.kind,
            name: self.name,
            list: self.list_id,
            tags: self.tags,
            mapping,
            has_header: self.has_header,
            duplicate_rule: self.duplicate_rule,
            consent: self.consent,
            start_workflows: self.start_workflows,
        };
        check_kind(&request, "/", &mut flaws);
        flaws.refuse()?;
        Ok(request)
    }
}

/// Whether files of the kind have the field.
fn fits(column: &Column, kind: Kind) -> bool {
    match column {
        Column::Skipped => true,
        Column::Goods(sheet, _) => kind.sheet() == Some(*sheet),
        _ => kind == Kind::Contacts,
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Contacts => "expected the name of a field, such as email or custom.size",
        Kind::Orders => "expected the name of a field, such as order.code or order.item_sku",
        Kind::Products => "expected the name of a field, such as product.code or product.price",
    }
}

/// Refuses settings that files of the kind do not have; `before` precedes the name of a setting.
fn check_kind(request: &Request, before: &str, flaws: &mut Flaws) {
    let is_of_goods = request.kind != Kind::Contacts;
    let is_of_products = request.kind == Kind::Products;
    let is_filling = request.duplicate_rule == DuplicateRule::FillEmpty;
    for (is_bad, name, message) in [
        (
            is_of_goods && request.consent.is_some(),
            "consent",
            "only for contacts",
        ),
        (
            is_of_goods && is_filling,
            "duplicate_rule",
            "expected update or skip: fill_empty is for contacts",
        ),
        (
            is_of_products && request.list.is_some(),
            "list_id",
            "not for products",
        ),
        (
            is_of_products && !request.tags.is_empty(),
            "tags",
            "not for products: a column may hold tags",
        ),
    ] {
        flaws.check(is_bad, format!("{before}{name}"), message);
    }
}

fn check_statement(statement: Option<&ConsentStatement>, at: &str, flaws: &mut Flaws) {
    let Some(statement) = statement else {
        return;
    };
    let is_bad = statement.text.trim().is_empty()
        || statement.text.chars().count() > contacts::consent::MAX_TEXT;
    flaws.check(
        is_bad,
        format!("{at}/text"),
        "must have 1 to 1,000 characters",
    );
    let are_none = statement.channels.is_empty() || statement.channels.len() > 2;
    flaws.check(
        are_none,
        format!("{at}/channels"),
        "holds email, sms or both",
    );
}

/// The settings of an import whose file is the body.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// The kind of the rows.
    #[serde(default)]
    kind: Kind,
    /// A list that every contact joins.
    list_id: Option<ListId>,
    /// Tags for every row, separated by commas.
    #[serde(default)]
    #[param(max_length = 2_000)]
    tags: String,
    /// `false`: the file has no headings, and the cells of a column tell its field.
    #[serde(default = "yes")]
    has_header: bool,
    /// The treatment of contacts that exist.
    #[serde(default)]
    duplicate_rule: DuplicateRule,
    /// How the contacts agreed. With `consent_text`, `consent_channels` and `consent_at` it is the consent statement.
    consent_way: Option<ConsentWay>,
    /// The text that they agreed to.
    #[param(max_length = 1_000)]
    consent_text: Option<String>,
    /// The channels that they agreed to, separated by commas: `email`, `sms`.
    #[param(max_length = 9)]
    consent_channels: Option<String>,
    /// When they agreed.
    consent_at: Option<Timestamp>,
    /// `true`: new contacts, new tags and joined lists start workflows.
    #[serde(default)]
    start_workflows: bool,
}

impl ImportQuery {
    /// Checked.
    pub fn request(self) -> Result<Request, Problem> {
        if self.tags.chars().count() > MAX_TAGS_TEXT {
            return Err(Problem::invalid("?tags", "has at most 2000 characters"));
        }
        let tags = self
            .tags
            .split(',')
            .map(str::trim)
            .filter(|tag| !tag.is_empty());
        let tags: Vec<String> = tags.map(str::to_owned).collect();
        shape::tags(&tags)?;
        let consent = match (
            self.consent_way,
            self.consent_text,
            self.consent_channels,
            self.consent_at,
        ) {
            (None, None, None, None) => None,
            (Some(way), Some(text), Some(channels), Some(at)) => {
                let channels = channels.split(',').map(|one| match one.trim() {
                    "email" => Ok(ConsentChannel::Email),
                    "sms" => Ok(ConsentChannel::Sms),
                    _ => Err(Problem::invalid(
                        "?consent_channels",
                        "expected email, sms or both",
                    )),
                });
                let channels = channels.collect::<Result<Vec<_>, _>>()?;
                Some(ConsentStatement {
                    way,
                    text,
                    channels,
                    at,
                })
            }
            _ => {
                let message =
                    "give consent_way, consent_text, consent_channels and consent_at together";
                return Err(Problem::invalid("?consent_way", message));
            }
        };
        let mut flaws = Flaws::default();
        check_statement(consent.as_ref(), "?consent", &mut flaws);
        let request = Request {
            kind: self.kind,
            list: self.list_id,
            tags,
            has_header: self.has_header,
            duplicate_rule: self.duplicate_rule,
            consent,
            start_workflows: self.start_workflows,
            ..Request::default()
        };
        check_kind(&request, "?", &mut flaws);
        flaws.refuse()?;
        Ok(request)
    }
}

/// The file that a sample is for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SampleQuery {
    /// The kind of the rows.
    #[serde(default)]
    pub kind: Kind,
}

/// An import as clients see it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Import)]
pub struct ImportView {
    pub id: ImportId,
    request: Request,
    pub status: Status,
    /// Rows of the file; 0 until the file is read.
    total: u64,
    /// Rows that are done: created, updated, skipped or failed.
    processed: u64,
    /// Rows about new contacts, orders or products. Of an order the first line counts.
    created: u64,
    /// Rows about contacts, orders or products that already existed, and further lines of an order.
    updated: u64,
    /// Rows about contacts, orders or products that stayed as they were.
    skipped: u64,
    /// Wrong rows.
    failed: u64,
    /// The first of the wrong rows, and of what was not taken of other rows.
    errors: Vec<RowError>,
    /// Why the file could not be read.
    problem: Option<String>,
    /// The meaning of each column; null until the file is read.
    columns: Option<Vec<ImportColumn>>,
    /// Where the file is put by a request with the method PUT.
    pub upload_url: Option<String>,
    /// A file with each row and its outcome.
    pub outcome_url: Option<String>,
    /// Its undo; null if nobody asked for it.
    pub undo: Option<ImportUndo>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    started_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    finished_at: Option<Timestamp>,
}

/// A column of an import.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ImportColumn {
    /// Its heading.
    heading: String,
    /// The field that it fills.
    field: String,
}

fn columns(layout: Layout) -> Vec<ImportColumn> {
    let columns = layout.columns.into_iter();
    columns
        .map(|one| ImportColumn {
            field: one.field.name(),
            heading: one.heading,
        })
        .collect()
}

/// The undo of an import.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ImportUndo {
    /// Rows whose contact was removed.
    removed: u64,
    /// Rows whose replaced values came back.
    restored: u64,
    /// Rows of which something stays.
    kept: u64,
    /// Link to a CSV file that tells what became of each row; null until the undo has ended.
    pub outcome_url: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    started_at: Timestamp,
    /// Null while the undo runs.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub finished_at: Option<Timestamp>,
}

impl From<Undo> for ImportUndo {
    fn from(undo: Undo) -> Self {
        Self {
            removed: undo.removed,
            restored: undo.restored,
            kept: undo.kept,
            outcome_url: None,
            started_at: undo.started_at,
            finished_at: undo.finished_at,
        }
    }
}

impl From<Job> for ImportView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            status: job.status,
            total: job.total,
            processed: job.counts.total(),
            created: job.counts.created,
            updated: job.counts.updated,
            skipped: job.counts.skipped,
            failed: job.counts.failed,
            errors: job.errors,
            problem: job.problem,
            columns: job.layout.map(columns),
            upload_url: None,
            outcome_url: None,
            undo: job.undo.map(ImportUndo::from),
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            request: job.request,
        }
    }
}

/// A table of contacts, orders or products: UTF-8, UTF-16, Windows-1258, TCVN3 or VNI, with commas, semicolons, tabs or bars.
#[derive(utoipa::ToSchema)]
#[schema(as = ImportFile, value_type = String, min_length = 1)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct File(String);

/// Media types that programs give to CSV files: browsers on Windows call them Excel files.
const CSV_TYPES: [&str; 5] = [
    "text/csv",
    "text/plain",
    "text/tab-separated-values",
    "application/csv",
    "application/vnd.ms-excel",
];
/// First bytes of files that people take for a table of text: workbooks, both kinds, and PDF.
const OTHER_FILES: [(&[u8], &str); 3] = [
    (b"PK\x03\x04", "an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"%PDF", "a PDF file"),
];

fn media_type(headers: &HeaderMap) -> String {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok());
    let essence = given.and_then(|text| text.split(';').next());
    essence.unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the body is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let essence = media_type(headers);
    essence == "application/json" || essence.ends_with("+json")
}

/// Refuses what is no CSV file by its media type or its first bytes, before a job is made for it.
pub fn table_of_text(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let refused = |detail: String| Err(Problem::new(Code::UnsupportedMediaType, detail));
    if !CSV_TYPES.contains(&media_type(headers).as_str()) {
        return refused("send the file's text as the body, as text/csv".to_owned());
    }
    match OTHER_FILES
        .iter()
        .find(|(start, _)| body.starts_with(start))
    {
        Some((_, kind)) => refused(format!("the file is {kind}; save it as CSV")),
        None => Ok(()),
    }
}
