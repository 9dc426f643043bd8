//! The route.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::middleware::map_response;
use axum::response::Response;
use intake::{Ended, Intake, MAX_BODY, Refusal, Request, Taken};
use kernel::SourceId;
use lambda::http::{Json, Path, Raw, limit_body};
use sources::Provider;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router(intake: Intake) -> Router {
    let router = Router::from(operations()).with_state(intake);
    limit_body(router, MAX_BODY).layer(map_response(try_again))
}

/// The operation, with its description for the reference.
pub fn operations() -> OpenApiRouter<Intake> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// The body, as the provider composes it.
#[derive(utoipa::ToSchema)]
#[schema(as = KiotvietWebhook)]
#[expect(dead_code, reason = "only its schema is used")]
struct Body(BTreeMap<String, serde_json::Value>);

/// Take a webhook of KiotViet.
///
/// KiotViet posts its notifications; `X-Hub-Signature` signs the body. KiotViet stops at an answer of 4xx, so every refusal is a 429, except that of a
/// disconnected source.
#[utoipa::path(
    post,
    path = "/w/kiotviet/{source}",
    operation_id = "postKiotvietWebhook",
    tag = "webhooks",
    params(("source" = SourceId, Path, description = "The source")),
    request_body(content((Body = "application/json"))),
    security(),
    responses(
        (status = 200, description = "On its queue", body = Taken),
        (status = 404, description = "The source is disconnected"),
        (status = 429, description = "Not taken: try again"),
        (status = 503, description = "Try again"),
    ),
)]
async fn receive(
    State(intake): State<Intake>,
    Path(source): Path<SourceId>,
    raw: Raw,
) -> Result<Json<Taken>, Refusal> {
    intake
        .take(Provider::Kiotviet, Request::new(source, &raw))
        .await
}

/// KiotViet switches a subscription off at 400, 401, 403, 404 and 405. So a forged or mistyped signature is answered like an
/// outage: KiotViet sends again, and nothing is lost while the owner repairs the secret. The subscription of a disconnected
/// source ends.
async fn try_again(response: Response) -> Response {
    let is_ended = response.extensions().get::<Ended>().is_some();
    if response.status().is_client_error() && !is_ended {
        return Refusal::later();
    }
    response
}
