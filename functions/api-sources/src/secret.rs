//! The secrets that providers sign their requests with.

use access::op;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cloud::Error;
use kernel::SourceId;
use lambda::http::{ClientIp, Json, May, Path, Problem, Secret};
use sources::{Auth, SyncTask};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;
use crate::shape::{NewSecret, ReplacedSecret};

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(replace))
}

/// Enter or replace the secret of a source.
///
/// The secret before it is valid for another 24 hours, so that the provider can be changed without a gap. A secret that
/// is made here is in this answer only. A disconnected source is connected again.
#[utoipa::path(
    put,
    path = "/v1/sources/{id}/secret",
    operation_id = "replaceSourceSecret",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    request_body = NewSecret,
    responses((status = 200, description = "Replaced", body = ReplacedSecret)),
)]
async fn replace(
    State(api): State<Api>,
    caller: May<op::ReplaceSourceSecret>,
    ip: ClientIp,
    Path(id): Path<SourceId>,
    Json(new): Json<NewSecret>,
) -> Result<Response, Problem> {
    let source = api.source(&caller, id).await?;
    let given = new.check(source.provider)?;
    api.note(&caller, id, &ip).await?;
    let (entropy, now) = (api.sources.entropy(), api.sources.clock().now());
    let provider = source.provider;
    let waited = !source.auth.is_ready();
    let replaced = api
        .keyring
        .replace(provider, id, &source.auth, given.as_deref(), entropy, now);
    let issued = replaced
        .ok_or_else(|| Problem::invalid("/secret", "a source of this provider has no secret"))?;
    let previous_until = match &issued.auth {
        Auth::Key { keys, .. } => keys.get(1).and_then(|key| key.until),
        Auth::Token { .. } => None,
    };
    let set = api
        .sources
        .set_auth(caller.tenant, id, source.auth, issued.auth);
    if !set.await? {
        return Err(Error::Conflict.into());
    }
    if source.disconnected_at.is_some() {
        api.sources.reconnect(caller.tenant, id).await?;
    }
    if waited && api.links.get(caller.tenant, id).await?.is_some() {
        // The check subscribes to the webhooks, which the secret signs.
        let check = SyncTask::Check { source: id };
        api.ask(caller.tenant, &check).await?;
    }
    let body = ReplacedSecret {
        secret: issued.secret,
        previous_until,
    };
    let mut response = Json(body).into_response();
    response.extensions_mut().insert(Secret);
    Ok(response)
}
