//! The route.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use intake::{Intake, MAX_BODY, Refusal, Request};
use kernel::SourceId;
use lambda::http::{Path, Raw, limit_body};
use sources::Provider;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The state of the route.
#[derive(Clone)]
pub struct Door {
    pub intake: Intake,
    /// The public address of the installation: Shopee signs the address that its console has.
    pub base: Arc<str>,
}

pub fn router(door: Door) -> Router {
    limit_body(Router::from(operations()).with_state(door), MAX_BODY)
}

/// The operation, with its description for the reference.
pub fn operations() -> OpenApiRouter<Door> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// The body, as the provider composes it.
#[derive(utoipa::ToSchema)]
#[schema(as = ShopeeWebhook)]
#[expect(dead_code, reason = "only its schema is used")]
struct Body(BTreeMap<String, serde_json::Value>);

/// Take a push of Shopee.
///
/// Shopee posts a push; `Authorization` signs the address and the body. The answer is empty.
#[utoipa::path(
    post,
    path = "/w/shopee/{source}",
    operation_id = "postShopeePush",
    tag = "webhooks",
    params(("source" = SourceId, Path, description = "The source")),
    request_body(content((Body = "application/json"))),
    security(),
    responses(
        (status = 200, description = "On its queue; or not signed, and dropped"),
        (status = 401, description = "No such source, or another signature"),
        (status = 404, description = "The source is disconnected, or the workspace is archived"),
        (status = 413, description = "Too large"),
        (status = 429, description = "More requests in a second than a source may send; or the source is paused or has no secret"),
        (status = 503, description = "Try again"),
    ),
)]
async fn receive(
    State(door): State<Door>,
    Path(source): Path<SourceId>,
    raw: Raw,
) -> Result<(), Refusal> {
    // The console checks an address with a request that has no signature.
    if !raw.headers.contains_key(header::AUTHORIZATION) {
        return Ok(());
    }
    let url = format!("{}/w/shopee/{source}", door.base);
    let request = Request {
        url: &url,
        ..Request::new(source, &raw)
    };
    door.intake.take(Provider::Shopee, request).await.map(drop)
}
