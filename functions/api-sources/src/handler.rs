//! Maps requests to use cases. Another tenant's source is not found.

use access::op;
use accounts::Audit;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud::{Blobs, QueueOf};
use contacts::Lists;
use kernel::page::Page;
use kernel::{ListId, Needs, SourceId};
use lambda::http::{Caller, ClientIp, Creation, Json, May, Path, Problem, Query, Secret};
use sources::api::Desk;
use sources::{Activity, FailedRequests, Inbound, Keyring, Links, Runs, Source, Sources, SyncTask};
use tracking::Counted;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::hooks::{self, Hooks};
use crate::shape::{CreatedSource, ListQuery, NewSource, SourceUpdate, SourceView};
use crate::{activity, connect, failed, secret, sync, tracked, webhook_deliveries};

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub sources: Sources,
    pub lists: Lists,
    pub audit: Audit,
    pub failed: FailedRequests,
    pub activity: Activity,
    pub tracked: Counted,
    pub queue: QueueOf<Inbound>,
    pub keyring: Keyring,
    /// Large bodies of failed requests.
    pub files: Blobs,
    pub links: Links,
    pub runs: Runs,
    /// Calls of providers' APIs.
    pub desk: Desk,
    /// Work at providers' APIs.
    pub tasks: QueueOf<SyncTask>,
    pub base_url: String,
    pub hooks: Hooks,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, update, remove))
        .merge(activity::routes())
        .merge(tracked::routes())
        .merge(secret::routes())
        .merge(failed::routes())
        .merge(connect::routes())
        .merge(sync::routes())
        .merge(hooks::routes())
        .merge(webhook_deliveries::routes())
}

fn no_source() -> Problem {
    Problem::not_found("source")
}

impl Api {
    pub async fn source(&self, caller: &Caller, id: SourceId) -> Result<Source, Problem> {
        let source = self.sources.get(caller.tenant, id).await?;
        source.ok_or_else(no_source)
    }

    pub async fn note<P: Needs>(
        &self,
        caller: &May<P>,
        id: SourceId,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let noted = self
            .audit
            .note(caller.grant(), caller.permission(), id, &ip.0);
        Ok(noted.await?)
    }

    async fn know_lists(&self, caller: &Caller, lists: &[ListId]) -> Result<(), Problem> {
        for (n, list) in lists.iter().enumerate() {
            if self.lists.get(caller.tenant, *list).await?.is_none() {
                return Err(Problem::invalid(format!("/list_ids/{n}"), "no such list"));
            }
        }
        Ok(())
    }
}

/// List the workspace's sources, oldest first.
#[utoipa::path(
    get,
    path = "/v1/sources",
    operation_id = "listSources",
    tag = "sources",
    params(ListQuery),
    responses((status = 200, description = "A page of sources", body = Page<SourceView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListSources>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<SourceView>>, Problem> {
    let page = api.sources.list(caller.tenant, query.limit, query.cursor);
    let page = page.await?;
    Ok(Json(page.map(SourceView::from)))
}

/// Make a source.
///
/// The answer says where the provider sends its requests to. The token, and a secret that is made here, are in this answer
/// only. A repetition with its `Idempotency-Key` after a lost answer gives the same source new ones. A page that posts
/// from its visitors' browsers shows the token, so the token is valid for this source only.
#[utoipa::path(
    post,
    path = "/v1/sources",
    operation_id = "createSource",
    tag = "sources",
    request_body = NewSource,
    responses((status = 201, description = "Made", body = CreatedSource)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateSource>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(new): Json<NewSource>,
) -> Result<Response, Problem> {
    let (new, secret) = new.check()?;
    api.know_lists(&caller, &new.settings.lists).await?;
    for id in origin.draws(SourceId::of) {
        api.note(&caller, id, &ip).await?;
        let entropy = api.sources.entropy();
        let issued = api
            .keyring
            .issue(new.provider, id, secret.as_deref(), entropy);
        let auth = issued.auth.clone();
        let made = api.sources.add(caller.tenant, id, origin.at, &new, auth);
        let Some(source) = made.await? else {
            continue;
        };
        let view = SourceView::from(source);
        let location = format!("/v1/sources/{id}");
        let body = Json(CreatedSource::new(view, issued));
        let mut response =
            (StatusCode::CREATED, [(header::LOCATION, location)], body).into_response();
        response.extensions_mut().insert(Secret);
        return Ok(response);
    }
    Err(cloud::Error::Conflict.into())
}

/// Show a source.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}",
    operation_id = "showSource",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    responses((status = 200, description = "The source", body = SourceView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowSource>,
    Path(id): Path<SourceId>,
) -> Result<Json<SourceView>, Problem> {
    Ok(Json(api.source(&caller, id).await?.into()))
}

/// Change how a source's forms are processed. The change is in force within ten seconds.
#[utoipa::path(
    patch,
    path = "/v1/sources/{id}",
    operation_id = "updateSource",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    request_body = SourceUpdate,
    responses((status = 200, description = "Changed", body = SourceView)),
)]
async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateSource>,
    ip: ClientIp,
    Path(id): Path<SourceId>,
    Json(update): Json<SourceUpdate>,
) -> Result<Json<SourceView>, Problem> {
    let change = update.check()?;
    api.know_lists(&caller, change.lists.as_deref().unwrap_or_default())
        .await?;
    api.source(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    let resumes = change.paused == Some(false);
    let changed = api.sources.update(caller.tenant, id, change).await?;
    let changed = changed.ok_or_else(no_source)?;
    if resumes && changed.settings.fetches {
        // The check continues what the pause has stopped.
        let check = SyncTask::Check { source: id };
        api.ask(caller.tenant, &check).await?;
    }
    Ok(Json(changed.into()))
}

/// Remove a source. Its posts are refused within ten seconds; what it has posted stays.
#[utoipa::path(
    delete,
    path = "/v1/sources/{id}",
    operation_id = "removeSource",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    responses((status = 204, description = "Removed")),
)]
async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveSource>,
    ip: ClientIp,
    Path(id): Path<SourceId>,
) -> Result<StatusCode, Problem> {
    api.source(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    api.sources.remove(caller.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
