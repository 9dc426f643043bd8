//! Back-fills over HTTP: begun, and shown with the state of the connection.

use std::collections::BTreeMap;

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use kernel::SourceId;
use lambda::http::{ClientIp, Code, Creation, Json, May, Path, Problem};
use serde::{Deserialize, Serialize};
// utoipa takes a type of the name `Object` for any JSON object.
use sources::api::{Object as SyncObject, objects_of};
use sources::{History, Link, LinkFault, LinkStatus, Run, SyncTask};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show, start))
}

/// The state of a source's connection to its provider's API, and of its back-fill.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SourceSync)]
pub struct SyncView {
    /// Null without credentials. `token_expired`: enter credentials or give consent again.
    status: Option<LinkStatus>,
    /// The last fault; null while all is well.
    error: Option<LinkFault>,
    /// The shop's name at the provider, once the provider has told it.
    shop: Option<String>,
    /// When the connection was last checked: each day.
    #[serde(serialize_with = "kernel::clock::millis")]
    checked_at: Option<Timestamp>,
    /// How far back the back-fill goes; null before the first one, and for the recovery after refused credentials.
    history: Option<History>,
    /// Only objects that changed since; null has no bound.
    #[serde(serialize_with = "kernel::clock::millis")]
    since: Option<Timestamp>,
    /// The progress of each kind of objects.
    objects: BTreeMap<SyncObject, SyncProgress>,
    /// When the back-fill began.
    #[serde(serialize_with = "kernel::clock::millis")]
    started_at: Option<Timestamp>,
    /// When its last page was read.
    #[serde(serialize_with = "kernel::clock::millis")]
    finished_at: Option<Timestamp>,
}

/// How far one kind of objects is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SyncProgress {
    /// Objects that were read.
    done: u64,
    /// All objects; null if the provider does not tell.
    total: Option<u64>,
    /// Whether the last page was read.
    is_finished: bool,
}

/// The view of a connection and a back-fill.
pub fn shown(link: Option<&Link>, run: Option<&Run>) -> SyncView {
    let objects = run.iter().flat_map(|run| &run.objects);
    let progress = objects.map(|(object, progress)| {
        let progress = SyncProgress {
            done: progress.done,
            total: progress.total,
            is_finished: progress.is_over,
        };
        (*object, progress)
    });
    SyncView {
        status: link.map(|link| link.status),
        error: link.and_then(|link| link.error.clone()),
        shop: link.and_then(|link| link.shop.clone()),
        checked_at: link.and_then(|link| link.checked_at),
        history: run.and_then(|run| run.history),
        since: run.and_then(|run| run.since),
        objects: progress.collect(),
        started_at: run.map(|run| run.started_at),
        finished_at: run.and_then(|run| run.finished_at),
    }
}

/// A back-fill to begin.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewSourceSync)]
#[serde(deny_unknown_fields)]
pub struct NewSync {
    /// How far back.
    history: History,
    /// Which objects; absent means all that the provider has.
    #[serde(default)]
    #[schema(max_items = 10)]
    objects: Option<Vec<SyncObject>>,
}

/// Show the connection of a source and the progress of its back-fill.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/sync",
    operation_id = "showSourceSync",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    responses((status = 200, description = "The connection", body = SyncView)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowSourceSync>,
    Path(id): Path<SourceId>,
) -> Result<Json<SyncView>, Problem> {
    api.source(&caller, id).await?;
    let link = api.links.get(caller.tenant, id).await?;
    let run = api.runs.get(caller.tenant, id).await?;
    Ok(Json(shown(link.as_ref(), run.as_ref())))
}

/// Begin a back-fill in place of the one before it.
///
/// The provider's customers and orders are read page by page, at the provider's rate. An object that is known already
/// changes nothing. `none` ends a back-fill.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/sync",
    operation_id = "startSourceSync",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    request_body = NewSync,
    responses(
        (status = 202, description = "Begun", body = SyncView),
        (status = 409, description = "The source has no credentials"),
    ),
)]
async fn start(
    State(api): State<Api>,
    caller: May<op::StartSourceSync>,
    Creation(origin): Creation,
    ip: ClientIp,
    Path(id): Path<SourceId>,
    Json(new): Json<NewSync>,
) -> Result<(StatusCode, Json<SyncView>), Problem> {
    let source = api.source(&caller, id).await?;
    let known = objects_of(source.provider);
    let objects = new.objects.unwrap_or_else(|| known.to_vec());
    for (n, object) in objects.iter().enumerate() {
        if !known.contains(object) {
            return Err(Problem::invalid(
                format!("/objects/{n}"),
                "the provider has no such objects",
            ));
        }
    }
    let link = api.links.get(caller.tenant, id).await?;
    let none = || {
        Problem::new(
            Code::Conflict,
            "the source has no credentials: enter them first",
        )
    };
    let link = link.ok_or_else(none)?;
    api.note(&caller, id, &ip).await?;
    // A repetition of the request names the same back-fill.
    let name = SourceId::of(&origin, 0).to_string();
    let since = new.history.since(origin.at);
    let history = Some(new.history);
    let begun = api
        .runs
        .begin(caller.tenant, id, &name, history, since, &objects);
    let run = begun.await?;
    if run.finished_at.is_none() {
        let task = SyncTask::Page {
            source: id,
            run: run.run.clone(),
            seq: run.seq,
            slot: None,
        };
        api.ask(caller.tenant, &task).await?;
    }
    Ok((StatusCode::ACCEPTED, Json(shown(Some(&link), Some(&run)))))
}
