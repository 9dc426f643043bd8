//! Files of contacts, orders and products.

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use contacts::import::{Begun, Job, Kind, Preview, Status, Undone};
use kernel::page::Page;
use kernel::{ImportId, TenantKey};
use lambda::http::{ClientIp, Code, Creation, DRAWS, Json, May, Path, Problem, Query, Raw};

use crate::api::{Api, known_list};
use crate::import_shape::{
    File, ImportIn, ImportQuery, ImportView, SampleQuery, is_json, table_of_text,
};
use crate::shape::Paging;

/// The name under which a browser saves the sample.
fn sample_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Contacts => "attachment; filename=\"contacts-sample.csv\"",
        Kind::Orders => "attachment; filename=\"orders-sample.csv\"",
        Kind::Products => "attachment; filename=\"products-sample.csv\"",
    }
}

/// Make an import.
///
/// With a JSON body: the settings. Then put the file to `upload_url` within an hour, by a request with the method PUT.
/// Read the preview, change the settings if needed, and start the import. With a file of up to 5 MB as the
/// body: the import starts at once, with the settings of the query. docs/import.md lists the known headings. Without
/// a consent statement nobody is subscribed. A no in the file always counts.
#[utoipa::path(
    post,
    path = "/v1/imports",
    operation_id = "startImport",
    tag = "contacts",
    params(ImportQuery),
    request_body(
        content((ImportIn = "application/json"), (File = "text/csv")),
        description = "The settings, or the file",
    ),
    responses(
        (status = 201, description = "Made; its file is to be uploaded", body = ImportView),
        (status = 202, description = "Started", body = ImportView),
    ),
)]
pub async fn start(
    State(api): State<Api>,
    caller: May<op::StartImport>,
    ip: ClientIp,
    Creation(origin): Creation,
    Query(query): Query<ImportQuery>,
    raw: Raw,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    let (request, file) = if is_json(&raw.headers) {
        (raw.json::<ImportIn>()?.request()?, None)
    } else {
        table_of_text(&raw.headers, &raw.body)?;
        if raw.body.is_empty() {
            let detail = "send the file's text as the body";
            return Err(Problem::new(Code::Malformed, detail));
        }
        (query.request()?, Some(raw.body))
    };
    if let Some(list) = request.list {
        let pointer = if file.is_some() {
            "?list_id"
        } else {
            "/list_id"
        };
        known_list(&api, caller.tenant, list, pointer).await?;
    }
    let grant = caller.grant();
    for draw in 0..DRAWS {
        let id = ImportId::of(&origin, draw);
        api.audit
            .note(grant, caller.permission(), id, &ip.0)
            .await?;
        // The body is counted, not copied.
        let job = api
            .imports
            .create(caller.tenant, id, &origin, &request, file.clone());
        let Some(job) = job.await? else {
            continue;
        };
        if file.is_none() {
            return Ok((
                StatusCode::CREATED,
                Json(view(&api, caller.tenant, job).await?),
            ));
        }
        let job = begun(api.imports.begin(caller.tenant, id).await?)?;
        return Ok((
            StatusCode::ACCEPTED,
            Json(view(&api, caller.tenant, job).await?),
        ));
    }
    Err(cloud::Error::Conflict.into())
}

/// List the imports, newest first.
///
/// The record of an import is kept for thirteen months.
#[utoipa::path(
    get,
    path = "/v1/imports",
    operation_id = "listImports",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of imports", body = Page<ImportView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListImports>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ImportView>>, Problem> {
    let page = api.imports.page(caller.tenant, paging.limit, paging.cursor);
    let page = page.await?;
    let mut data = Vec::with_capacity(page.data.len());
    for job in page.data {
        data.push(view(&api, caller.tenant, job).await?);
    }
    Ok(Json(Page {
        data,
        next: page.next,
    }))
}

/// Download a sample of a file.
///
/// A CSV in UTF-8. Of contacts it has a heading for each field and each custom field; of orders and products for each
/// field. Its row is invented.
#[utoipa::path(
    get,
    path = "/v1/imports/sample",
    operation_id = "showImportSample",
    tag = "contacts",
    params(SampleQuery),
    responses((status = 200, description = "The file", body = File, content_type = "text/csv")),
)]
pub async fn sample(
    State(api): State<Api>,
    caller: May<op::ShowImportSample>,
    Query(query): Query<SampleQuery>,
) -> Result<Response, Problem> {
    let text = match query.kind.sheet() {
        Some(sheet) => contacts::import::sample_of_goods(sheet),
        None => contacts::import::sample(&api.fields.all(caller.tenant).await?),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, sample_name(query.kind)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, text).into_response())
}

/// Show an import and its progress.
///
/// `upload_url` is there while the import is a draft, `outcome_url` when it is completed: a file with each row, what
/// became of it, and why. Both links are valid for an hour.
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
    let job = find(&api, caller.tenant, id).await?;
    Ok(Json(view(&api, caller.tenant, job).await?))
}

/// Change the settings of a draft.
///
/// The body replaces all settings.
#[utoipa::path(
    put,
    path = "/v1/imports/{id}",
    operation_id = "changeImport",
    tag = "contacts",
    params(("id" = ImportId, Path, description = "The import")),
    request_body = ImportIn,
    responses((status = 200, description = "The import", body = ImportView)),
)]
pub async fn change(
    State(api): State<Api>,
    caller: May<op::ChangeImport>,
    Path(id): Path<ImportId>,
    Json(body): Json<ImportIn>,
) -> Result<Json<ImportView>, Problem> {
    let request = body.request()?;
    if let Some(list) = request.list {
        known_list(&api, caller.tenant, list, "/list_id").await?;
    }
    let job = find(&api, caller.tenant, id).await?;
    let changed = api.imports.change(caller.tenant, job, request).await?;
    let job = changed.ok_or_else(|| Problem::new(Code::AlreadyDone, "the import was started"))?;
    Ok(Json(view(&api, caller.tenant, job).await?))
}

/// Show what a file is understood as, and what its first hundred rows would do.
///
/// Nothing is imported. Rows that the file itself repeats count as contacts that exist.
#[utoipa::path(
    get,
    path = "/v1/imports/{id}/preview",
    operation_id = "previewImport",
    tag = "contacts",
    params(("id" = ImportId, Path, description = "The import")),
    responses(
        (status = 200, description = "The file", body = Preview),
        (status = 422, description = "The file was not uploaded, or is no table"),
    ),
)]
pub async fn preview(
    State(api): State<Api>,
    caller: May<op::PreviewImport>,
    Path(id): Path<ImportId>,
) -> Result<Json<Preview>, Problem> {
    let job = find(&api, caller.tenant, id).await?;
    let look_up = |goods| api.goods.take(goods);
    let preview = api.imports.preview(caller.tenant, &job, look_up).await?;
    let preview = preview.map_err(|error| Problem::new(Code::Unprocessable, error.to_string()));
    Ok(Json(preview?))
}

/// Start an import whose file is uploaded.
///
/// Four imports of a workspace run at once; the next ones wait. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/imports/{id}/start",
    operation_id = "beginImport",
    tag = "contacts",
    params(("id" = ImportId, Path, description = "The import")),
    responses((status = 202, description = "Started", body = ImportView)),
)]
pub async fn begin(
    State(api): State<Api>,
    caller: May<op::BeginImport>,
    ip: ClientIp,
    Path(id): Path<ImportId>,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    find(&api, caller.tenant, id).await?;
    api.audit
        .note(caller.grant(), caller.permission(), id, &ip.0)
        .await?;
    let job = begun(api.imports.begin(caller.tenant, id).await?)?;
    Ok((
        StatusCode::ACCEPTED,
        Json(view(&api, caller.tenant, job).await?),
    ))
}

fn begun(begun: Begun) -> Result<Job, Problem> {
    match begun {
        Begun::Yes(job) => Ok(*job),
        Begun::Missing => Err(Problem::not_found("import")),
        Begun::NoFile => Err(Problem::new(Code::Conflict, "the file is not uploaded yet")),
        Begun::Busy => Err(Problem::new(
            Code::Conflict,
            "a hundred imports wait; start this one when some have ended",
        )),
    }
}

/// Undo an import of contacts.
///
/// A completed one, or one that failed after rows were stored; within a day of its end. Contacts that the import made are removed, unless somebody changed them since or they did
/// something. Values, tags and lists that it gave to other contacts are taken back where nobody changed them since.
/// Identities and consents that it gave to other contacts stay. The undo runs in the background; `undo` of the import
/// shows its progress and then a file with each row. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/imports/{id}/undo",
    operation_id = "undoImport",
    tag = "contacts",
    params(("id" = ImportId, Path, description = "The import")),
    responses((status = 202, description = "Started, or ended before", body = ImportView)),
)]
pub async fn undo(
    State(api): State<Api>,
    caller: May<op::UndoImport>,
    ip: ClientIp,
    Path(id): Path<ImportId>,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    find(&api, caller.tenant, id).await?;
    api.audit
        .note(caller.grant(), caller.permission(), id, &ip.0)
        .await?;
    let job = match api.imports.undo(caller.tenant, id).await? {
        Undone::Yes(job) => *job,
        Undone::Missing => return Err(Problem::not_found("import")),
        Undone::NotOver => {
            let detail = "only an import that is over and stored rows can be undone";
            return Err(Problem::new(Code::Conflict, detail));
        }
        Undone::TooSoon(seconds) => {
            let detail = "the last rows of the failed import are still being stored";
            return Err(Problem::new(Code::Conflict, detail).retry_after(seconds));
        }
        Undone::OfGoods => {
            let detail = "only an import of contacts can be undone";
            return Err(Problem::new(Code::Conflict, detail));
        }
        Undone::TooLate => {
            let detail = "the import ended more than 24 hours ago";
            return Err(Problem::new(Code::Conflict, detail));
        }
    };
    Ok((
        StatusCode::ACCEPTED,
        Json(view(&api, caller.tenant, job).await?),
    ))
}

async fn find(api: &Api, tenant: TenantKey, id: ImportId) -> Result<Job, Problem> {
    let job = api.imports.get(tenant, id).await?;
    job.ok_or_else(|| Problem::not_found("import"))
}

async fn view(api: &Api, tenant: TenantKey, job: Job) -> Result<ImportView, Problem> {
    let mut view = ImportView::from(job);
    match view.status {
        Status::Draft => view.upload_url = Some(api.imports.upload_link(tenant, view.id).await?),
        Status::Completed => {
            view.outcome_url = Some(api.imports.outcome_link(tenant, view.id).await?);
        }
        _ => {}
    }
    if let Some(undo) = &mut view.undo
        && undo.finished_at.is_some()
    {
        undo.outcome_url = Some(api.imports.undo_link(tenant, view.id).await?);
    }
    Ok(view)
}
