//! The route.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use intake::{Intake, MAX_BODY, Refusal, Request, Taken};
use kernel::SourceId;
use lambda::http::{Json, Path, Query, Raw, limit_body};
use sources::{Provider, haravan};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router(intake: Intake) -> Router {
    limit_body(Router::from(operations()).with_state(intake), MAX_BODY)
}

/// The operation, with its description for the reference.
pub fn operations() -> OpenApiRouter<Intake> {
    OpenApiRouter::new().routes(routes!(receive, handshake))
}

/// The body, as the provider composes it.
#[derive(utoipa::ToSchema)]
#[schema(as = HaravanWebhook)]
#[expect(dead_code, reason = "only its schema is used")]
struct Body(BTreeMap<String, serde_json::Value>);

/// Take a webhook of Haravan.
///
/// Haravan posts the object of a topic; `X-Haravan-Hmacsha256` signs the body.
#[utoipa::path(
    post,
    path = "/w/haravan/{source}",
    operation_id = "postHaravanWebhook",
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
        .take(Provider::Haravan, Request::new(source, &raw))
        .await
}

/// The query of the handshake.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Handshake {
    /// `subscribe`.
    #[param(rename = "hub.mode", max_length = 20)]
    mode: String,
    /// The source's token.
    #[param(rename = "hub.verify_token", max_length = 200)]
    verify_token: String,
    /// The text of the answer.
    #[param(rename = "hub.challenge", max_length = 1000)]
    challenge: String,
}

/// Answer the handshake of Haravan.
///
/// Haravan sends the source's token as `hub.verify_token`; the answer is the bare challenge.
#[utoipa::path(
    get,
    path = "/w/haravan/{source}",
    operation_id = "checkHaravanWebhook",
    tag = "webhooks",
    params(("source" = SourceId, Path, description = "The source"), Handshake),
    security(),
    responses(
        (status = 200, description = "The challenge", body = String, content_type = "text/plain"),
        (status = 401, description = "No such source, or another token"),
        (status = 404, description = "The source is disconnected, or the address names none"),
    ),
)]
async fn handshake(
    State(intake): State<Intake>,
    Path(source): Path<SourceId>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let door = intake.find(Provider::Haravan, source).await?;
    if door.source.disconnected_at.is_some() {
        return Err(Refusal::Disconnected);
    }
    let challenge = haravan::challenge(&door.source.auth, &query).ok_or(Refusal::Forged)?;
    Ok(challenge.to_owned().into_response())
}
