//! The consent of an administrator of a Zalo Official Account: the way to Zalo, and back with a code.

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use channels::zns::Fault;
use kernel::{TenantKey, WorkspaceId};
use lambda::http::{ClientIp, Code, Json, May, Problem, Query};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

/// The path that Zalo sends a person back to.
const BACK: &str = "/w/zalo/connect";
/// The subject of a consent: the account is only known afterwards.
const SUBJECT: &str = "oa";
const DONE: &str = "Đã kết nối Zalo OA. Bạn có thể đóng trang này.\nThe Zalo OA is connected. You may close this page.\n";
const OVER: &str = "Liên kết không còn hiệu lực. Hãy kết nối lại từ đầu.\nThis link is not valid any more. Connect again.\n";
const REFUSED: &str = "Zalo từ chối. Hãy kết nối lại.\nZalo refused. Connect again.\n";
const LATER: &str =
    "Zalo không trả lời. Hãy kết nối lại sau.\nZalo gave no answer. Connect again later.\n";

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(authorize))
}

pub fn public() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(back))
}

/// Where an administrator of an account gives consent.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ZaloAuthorization {
    /// Zalo's page. It is valid for 15 minutes, once.
    url: String,
}

/// Connect a Zalo Official Account.
///
/// An administrator of the account opens the address in a browser and agrees. Zalo then sends the browser back, and the account is in
/// `GET /v1/channels/zalo`. An account that the workspace has gets new tokens and keeps its settings. A workspace may have any number
/// of accounts.
#[utoipa::path(
    post,
    path = "/v1/channels/zalo/authorize",
    operation_id = "authorizeZaloOa",
    tag = "channels",
    responses(
        (status = 200, description = "The address", body = ZaloAuthorization),
        (status = 409, description = "The installation has no app at Zalo"),
    ),
)]
async fn authorize(
    State(api): State<Api>,
    caller: May<op::AuthorizeZaloOa>,
    ip: ClientIp,
) -> Result<Json<ZaloAuthorization>, Problem> {
    let redirect = format!("{}{BACK}", api.base_url);
    if api.zalo.consent(&redirect, "").is_none() {
        let detail = "the installation has no app at Zalo";
        return Err(Problem::new(Code::Conflict, detail));
    }
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    let state = api.consents.ask(caller.tenant, SUBJECT).await?;
    let url = api.zalo.consent(&redirect, &state).unwrap_or_default();
    Ok(Json(ZaloAuthorization { url }))
}

/// The query of the way back.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct ZaloBack {
    /// The state of `POST /v1/channels/zalo/authorize`.
    #[param(max_length = 200)]
    state: String,
    /// Zalo's code, which is exchanged for the tokens.
    #[param(max_length = 2000)]
    code: String,
    /// Zalo's id of the account.
    #[param(max_length = 32)]
    oa_id: Option<String>,
}

/// Take an administrator back from Zalo.
///
/// Zalo sends the browser here with the code that is exchanged for tokens. The state is valid once.
#[utoipa::path(
    get,
    path = "/w/zalo/connect",
    operation_id = "connectZaloOa",
    tag = "webhooks",
    params(ZaloBack),
    security(),
    responses(
        (status = 200, description = "Connected", body = String, content_type = "text/plain"),
        (status = 400, description = "The state is not valid, or Zalo refused", body = String, content_type = "text/plain"),
        (status = 503, description = "Zalo gave no answer", body = String, content_type = "text/plain"),
    ),
)]
async fn back(
    State(api): State<Api>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let of = |name: &str| {
        let pair = pairs.iter().find(|(given, _)| given == name);
        pair.map_or("", |(_, text)| text.as_str())
    };
    let Some((workspace, _)) = api.consents.take(of("state")).await? else {
        return Ok(page(StatusCode::BAD_REQUEST, OVER));
    };
    if of("code").is_empty() {
        return Ok(page(StatusCode::BAD_REQUEST, REFUSED));
    }
    match api.zalo.connect(tenant(workspace), of("code")).await {
        Ok(_) => Ok(page(StatusCode::OK, DONE)),
        Err(Fault::Store(error)) => Err(error.into()),
        Err(Fault::NoAnswer | Fault::Busy(_)) => Ok(page(StatusCode::SERVICE_UNAVAILABLE, LATER)),
        Err(_) => Ok(page(StatusCode::BAD_REQUEST, REFUSED)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: the state of the redirect is a secret of this workspace's person"
)]
fn tenant(workspace: WorkspaceId) -> TenantKey {
    TenantKey::authenticated(workspace)
}

fn page(status: StatusCode, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}
