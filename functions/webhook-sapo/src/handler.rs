//! The route.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use intake::{Intake, MAX_BODY, Refusal, Request, Taken};
use kernel::SourceId;
use lambda::http::{Json, Path, Raw, limit_body};
use sources::Provider;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router(intake: Intake) -> Router {
    limit_body(Router::from(operations()).with_state(intake), MAX_BODY)
}

/// The operation, with its description for the reference.
pub fn operations() -> OpenApiRouter<Intake> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// The body, as the provider composes it.
#[derive(utoipa::ToSchema)]
#[schema(as = SapoWebhook)]
#[expect(dead_code, reason = "only its schema is used")]
struct Body(BTreeMap<String, serde_json::Value>);

/// Take a webhook of Sapo.
///
/// Sapo posts the object of a topic; `X-Sapo-Hmac-SHA256` signs the body.
#[utoipa::path(
    post,
    path = "/w/sapo/{source}",
    operation_id = "postSapoWebhook",
    tag = "webhooks",
    params(("source" = SourceId, Path, description = "The source")),
    request_body(content((Body = "application/json"))),
    security(),
    responses(
        (status = 200, description = "On its queue", body = Taken),
        (status = 401, description = "No such source, or another signature"),
        (status = 404, description = "The source is disconnected, or the workspace is archived"),
        (status = 413, description = "Too large"),
        (status = 429, description = "More requests in a second than a source may send; or the source is paused or has no secret"),
        (status = 503, description = "Try again"),
    ),
)]
async fn receive(
    State(intake): State<Intake>,
    Path(source): Path<SourceId>,
    raw: Raw,
) -> Result<Json<Taken>, Refusal> {
    intake
        .take(Provider::Sapo, Request::new(source, &raw))
        .await
}
