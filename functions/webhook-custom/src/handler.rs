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

/// An event; docs/sources.md names the types and their data.
#[derive(utoipa::ToSchema)]
#[schema(as = CustomWebhook)]
#[expect(dead_code, reason = "only its schema is used")]
struct Body(BTreeMap<String, serde_json::Value>);

/// Take an event of an own system.
///
/// A system of the shop's own posts an event, signed by Standard Webhooks or with the source's bearer token.
#[utoipa::path(
    post,
    path = "/w/custom/{source}",
    operation_id = "postCustomEvent",
    tag = "webhooks",
    params(("source" = SourceId, Path, description = "The source")),
    request_body(content((Body = "application/json"))),
    security(),
    responses(
        (status = 200, description = "On its queue", body = Taken),
        (status = 401, description = "No such source, another signature or token, or a time that differs by more than five minutes"),
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
        .take(Provider::Custom, Request::new(source, &raw))
        .await
}
