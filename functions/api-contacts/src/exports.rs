//! Files of contacts for people.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::export::{Export, KEPT, Request, Status};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{ExportId, TenantKey};
use lambda::http::{ClientIp, Creation, DRAWS, Json, May, Path, Problem, Query};
use serde::Serialize;

use crate::api::{Api, known_list};
use crate::shape::Paging;

/// An export as clients see it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Export)]
pub struct ExportView {
    id: ExportId,
    request: Request,
    /// The person who asked for it.
    requested_by: String,
    status: Status,
    /// Contacts so far.
    rows: u64,
    /// The file, while it is kept. The link is valid for an hour; a later answer has a new one.
    url: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    finished_at: Option<Timestamp>,
    /// Until when links to the file are given.
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Option<Timestamp>,
}

async fn view(api: &Api, tenant: TenantKey, export: Export) -> Result<ExportView, Problem> {
    let kept = SignedDuration::from_secs(KEPT.as_secs() as i64);
    Ok(ExportView {
        url: api.exports.link(tenant, &export).await?,
        expires_at: export
            .finished_at
            .map(|at| at.checked_add(kept).unwrap_or(at)),
        id: export.id,
        request: export.request,
        requested_by: export.requested_by,
        status: export.status,
        rows: export.rows,
        created_at: export.created_at,
        finished_at: export.finished_at,
    })
}

/// Export contacts to a CSV file.
///
/// All contacts, or the members of a list. The answer comes before the file is made: read the export to see its
/// progress and the link. The audit log names who exported. docs/export.md describes the file.
#[utoipa::path(
    post,
    path = "/v1/exports",
    operation_id = "startExport",
    tag = "contacts",
    request_body = Request,
    responses((status = 202, description = "Accepted", body = ExportView)),
)]
pub async fn start(
    State(api): State<Api>,
    caller: May<op::StartExport>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<ExportView>), Problem> {
    if let Some(list) = request.list {
        known_list(&api, caller.tenant, list, "/list_id").await?;
    }
    let grant = caller.grant();
    for draw in 0..DRAWS {
        let id = ExportId::of(&origin, draw);
        api.audit
            .note(grant, caller.permission(), id, &ip.0)
            .await?;
        let export = api
            .exports
            .start(caller.tenant, id, origin.at, &request, &grant.actor);
        if let Some(export) = export.await? {
            return Ok((
                StatusCode::ACCEPTED,
                Json(view(&api, caller.tenant, export).await?),
            ));
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// List exports, newest first.
#[utoipa::path(
    get,
    path = "/v1/exports",
    operation_id = "listExports",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of exports", body = Page<ExportView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListExports>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ExportView>>, Problem> {
    let page = api
        .exports
        .page(caller.tenant, paging.limit, paging.cursor)
        .await?;
    let mut data = Vec::with_capacity(page.data.len());
    for export in page.data {
        data.push(view(&api, caller.tenant, export).await?);
    }
    Ok(Json(Page {
        data,
        next: page.next,
    }))
}

/// Show an export, with a link to its file.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}",
    operation_id = "showExport",
    tag = "contacts",
    params(("id" = ExportId, Path, description = "The export")),
    responses((status = 200, description = "The export", body = ExportView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowExport>,
    Path(id): Path<ExportId>,
) -> Result<Json<ExportView>, Problem> {
    let export = api.exports.get(caller.tenant, id).await?;
    let export = export.ok_or_else(|| Problem::not_found("export"))?;
    Ok(Json(view(&api, caller.tenant, export).await?))
}
