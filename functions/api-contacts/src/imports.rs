//! Files of contacts.

use access::op;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use contacts::import::{Job, Request, RowError, Status};
use jiff::Timestamp;
use kernel::{ImportId, ListId};
use lambda::http::{ClientIp, Code, Creation, DRAWS, Json, May, Path, Problem, Query, Raw};
use serde::{Deserialize, Serialize};

use crate::api::{Api, known_list};
use crate::shape;

/// A URL may have 10 KB, and an encoded character up to twelve bytes of it.
const MAX_TAGS_TEXT: usize = 2_000;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// A list that every contact joins.
    list_id: Option<ListId>,
    /// Tags for every row, separated by commas.
    #[serde(default)]
    #[param(max_length = 2_000)]
    tags: String,
    /// The text that every contact of the file has agreed to. Without it nobody is subscribed.
    #[param(max_length = 1_000)]
    consent_text: Option<String>,
}

/// An import as clients see it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Import)]
pub struct ImportView {
    id: ImportId,
    request: Request,
    status: Status,
    /// Rows of the file.
    total: u64,
    /// Rows that are done: created, updated, skipped or failed.
    processed: u64,
    /// Contacts that are new.
    created: u64,
    /// Contacts that already existed.
    updated: u64,
    /// Rows that a later row replaces.
    skipped: u64,
    /// Wrong rows.
    failed: u64,
    /// The first of the wrong rows.
    errors: Vec<RowError>,
    /// Why the file could not be read.
    problem: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    finished_at: Option<Timestamp>,
}

impl From<Job> for ImportView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            status: job.status,
            total: job.total,
            processed: job.processed(),
            created: job.created,
            updated: job.updated,
            skipped: job.skipped,
            failed: job.failed,
            errors: job.errors,
            problem: job.problem,
            created_at: job.created_at,
            finished_at: job.finished_at,
            request: job.request,
        }
    }
}

/// A table of contacts: UTF-8, UTF-16 or Windows-1258, with commas, semicolons or tabs.
#[derive(utoipa::ToSchema)]
#[schema(as = ImportFile, value_type = String, min_length = 1)]
#[expect(dead_code, reason = "only its schema is used")]
struct File(String);

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

/// Refuses what is no CSV file by its media type or its first bytes, before a job is made for it.
fn table_of_text(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let refused = |detail: String| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok());
    let essence = given.and_then(|text| text.split(';').next());
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    if !CSV_TYPES.contains(&essence.as_str()) {
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

/// Import contacts from a CSV file.
///
/// The first line names the columns; docs/import.md lists the known ones. With `consent_text`
/// every address is subscribed to mail and every number to text messages, unless the person has unsubscribed. Without
/// it nobody is subscribed. The answer comes before the rows are read: read the import to see its progress.
#[utoipa::path(
    post,
    path = "/v1/imports",
    operation_id = "startImport",
    tag = "contacts",
    params(ImportQuery),
    request_body(content = File, content_type = "text/csv", description = "The file"),
    responses((status = 202, description = "Accepted", body = ImportView)),
)]
pub async fn start(
    State(api): State<Api>,
    caller: May<op::StartImport>,
    ip: ClientIp,
    Creation(origin): Creation,
    Query(query): Query<ImportQuery>,
    Raw { headers, body }: Raw,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    table_of_text(&headers, &body)?;
    if body.is_empty() {
        return Err(Problem::new(
            Code::Malformed,
            "send the file's text as the body",
        ));
    }
    if let Some(list) = query.list_id {
        known_list(&api, caller.tenant, list, "?list_id").await?;
    }
    if query.tags.chars().count() > MAX_TAGS_TEXT {
        return Err(Problem::invalid("?tags", "has at most 2000 characters"));
    }
    let is_wrong = |text: &String| {
        text.trim().is_empty() || text.chars().count() > contacts::consent::MAX_TEXT
    };
    if query.consent_text.as_ref().is_some_and(is_wrong) {
        return Err(Problem::invalid(
            "?consent_text",
            "must have 1 to 1000 characters",
        ));
    }
    let tags: Vec<String> = query
        .tags
        .split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect();
    shape::tags(&tags)?;
    let grant = caller.grant();
    let request = Request {
        list: query.list_id,
        tags,
        consent_text: query.consent_text,
    };
    for draw in 0..DRAWS {
        let id = ImportId::of(&origin, draw);
        api.audit
            .note(grant, caller.permission(), id, &ip.0)
            .await?;
        // The body is counted, not copied.
        let job = api
            .imports
            .start(caller.tenant, id, origin.at, &request, body.clone());
        if let Some(job) = job.await? {
            return Ok((StatusCode::ACCEPTED, Json(job.into())));
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// Show the progress of an import.
#[utoipa::path(
    get,
    path = "/v1/imports/{id}",
    operation_id = "showImport",
    tag = "contacts",
    params(("id" = ImportId, Path, description = "The import")),
    responses((status = 200, description = "The import", body = ImportView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowImport>,
    Path(id): Path<ImportId>,
) -> Result<Json<ImportView>, Problem> {
    let job = api.imports.get(caller.tenant, id).await?;
    Ok(Json(
        job.ok_or_else(|| Problem::not_found("import"))?.into(),
    ))
}
