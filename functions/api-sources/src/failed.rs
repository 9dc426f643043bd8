//! The failed requests of a source: what it posted and this build cannot read.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::page::Page;
use kernel::{Limit, SourceId};
use lambda::http::{ClientIp, Json, May, Path, Problem, Query};
use serde::Serialize;
use sources::{Failed, FailedId, Source};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;
use crate::shape::ListQuery;

/// Requests that one call replays.
const REPLAYED: u32 = 100;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(replay_all))
        .routes(routes!(one, remove))
        .routes(routes!(replay))
}

fn no_request() -> Problem {
    Problem::not_found("failed request")
}

/// A failed request with its text.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = FailedRequestText)]
struct FailedText {
    #[serde(flatten)]
    failed: Failed,
    /// `Content-Type` of the body.
    content_type: String,
    /// The body, as it was posted. A file of a multipart form is left out.
    body: String,
}

/// The outcome of replaying a source's failed requests.
#[derive(Serialize, utoipa::ToSchema)]
struct ReplayedRequests {
    /// Requests that are on the queue again.
    replayed: u32,
    /// Whether the source has more of them.
    has_more: bool,
}

/// List the requests of a source that cannot be read, oldest first.
///
/// A request is kept for 30 days. The mapping of the source may be changed, and then the request is replayed.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/failed-requests",
    operation_id = "listFailedRequests",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source"), ListQuery),
    responses((status = 200, description = "A page of failed requests", body = Page<Failed>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListFailedRequests>,
    Path(id): Path<SourceId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Failed>>, Problem> {
    api.source(&caller, id).await?;
    let page = api
        .failed
        .list(caller.tenant, id, query.limit, query.cursor);
    Ok(Json(page.await?))
}

/// Show a failed request with its body.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/failed-requests/{request_id}",
    operation_id = "showFailedRequest",
    tag = "sources",
    params(
        ("id" = SourceId, Path, description = "The source"),
        ("request_id" = FailedId, Path, description = "The failed request"),
    ),
    responses((status = 200, description = "The failed request", body = FailedText)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowFailedRequest>,
    ip: ClientIp,
    Path((id, request_id)): Path<(SourceId, FailedId)>,
) -> Result<Json<FailedText>, Problem> {
    api.source(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    let found = api.failed.get(caller.tenant, id, &request_id).await?;
    let (failed, mut request) = found.ok_or_else(no_request)?;
    request.fetch(&api.files).await?;
    Ok(Json(FailedText {
        failed,
        content_type: request.header("content-type").to_owned(),
        body: request.body,
    }))
}

/// Replay a failed request with the present settings of its source.
///
/// A request that can be read leaves the list within seconds. Another one stays, with its new reason. May be repeated: the
/// same request is one event.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/failed-requests/{request_id}/replay",
    operation_id = "replayFailedRequest",
    tag = "sources",
    params(
        ("id" = SourceId, Path, description = "The source"),
        ("request_id" = FailedId, Path, description = "The failed request"),
    ),
    responses((status = 202, description = "On its queue")),
)]
async fn replay(
    State(api): State<Api>,
    caller: May<op::ReplayFailedRequest>,
    ip: ClientIp,
    Path((id, request_id)): Path<(SourceId, FailedId)>,
) -> Result<StatusCode, Problem> {
    let source = api.source(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    if api.replay(&caller, &source, &request_id).await? {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(no_request())
    }
}

/// Replay the oldest 100 failed requests of a source with its present settings.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/failed-requests/replay",
    operation_id = "replayFailedRequests",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    responses((status = 202, description = "On their queue", body = ReplayedRequests)),
)]
async fn replay_all(
    State(api): State<Api>,
    caller: May<op::ReplayFailedRequests>,
    ip: ClientIp,
    Path(id): Path<SourceId>,
) -> Result<(StatusCode, Json<ReplayedRequests>), Problem> {
    let source = api.source(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    let limit = Limit::new(REPLAYED).unwrap_or_default();
    let page = api.failed.list(caller.tenant, id, limit, None).await?;
    let mut replayed = 0;
    for failed in &page.data {
        replayed += u32::from(api.replay(&caller, &source, &failed.id).await?);
    }
    let has_more = page.next.is_some();
    let answer = ReplayedRequests { replayed, has_more };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Remove a failed request.
#[utoipa::path(
    delete,
    path = "/v1/sources/{id}/failed-requests/{request_id}",
    operation_id = "removeFailedRequest",
    tag = "sources",
    params(
        ("id" = SourceId, Path, description = "The source"),
        ("request_id" = FailedId, Path, description = "The failed request"),
    ),
    responses((status = 204, description = "Removed")),
)]
async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveFailedRequest>,
    ip: ClientIp,
    Path((id, request_id)): Path<(SourceId, FailedId)>,
) -> Result<StatusCode, Problem> {
    api.source(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    api.failed.remove(caller.tenant, id, &request_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    async fn replay<P: kernel::Needs>(
        &self,
        caller: &May<P>,
        source: &Source,
        request_id: &FailedId,
    ) -> Result<bool, Problem> {
        let replayed = self.failed.replay(
            caller.tenant,
            source.id,
            request_id,
            &source.settings,
            &self.queue,
        );
        Ok(replayed.await?)
    }
}
