//! The connection of a source to its provider's API: credentials, the consent of a person, the way back.

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud::SendOptions;
use kernel::{SourceId, TenantKey};
use lambda::http::{ClientIp, Code, Flaws, Json, May, Path, Problem, Query, Raw};
use serde::{Deserialize, Serialize};
use sources::api::{ApiError, Credentials};
use sources::{Provider, SyncTask};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;
use crate::shape::SourceView;
use crate::sync::{SyncView, shown};

/// The path that a provider sends a person back to.
const BACK: &str = "/w/connect";
const DONE: &str = "Đã kết nối. Bạn có thể đóng trang này.\nConnected. You may close this page.\n";
const OVER: &str = "Liên kết không còn hiệu lực. Hãy kết nối lại từ đầu.\nThis link is not valid any more. Connect again.\n";
const REFUSED: &str = "Nhà cung cấp từ chối. Hãy kiểm tra thông tin và kết nối lại.\nThe provider refused. Check the credentials and connect again.\n";
const LATER: &str = "Nhà cung cấp không trả lời. Hãy kết nối lại sau.\nThe provider gave no answer. Connect again later.\n";

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(save))
        .routes(routes!(authorize))
        .routes(routes!(disconnect))
}

pub fn public() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(back, back_with_form))
}

/// The credentials of a provider's API. Which fields a provider needs is in docs/sources.md.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = SourceCredentials)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// The shop's name: KiotViet's retailer, the name in front of `.mysapo.net` or `.getflycrm.com`.
    #[serde(default)]
    #[schema(max_length = 63, pattern = "^[a-z0-9-]+$")]
    shop: Option<String>,
    /// The id of the app or the connection; Shopee's partner id.
    #[serde(default)]
    #[schema(max_length = 500)]
    client_id: Option<String>,
    /// The secret of the app or the connection; Shopee's partner key.
    #[serde(default)]
    #[schema(max_length = 500, write_only)]
    client_secret: Option<String>,
    /// The key of Getfly, or of a private app of Sapo.
    #[serde(default)]
    #[schema(max_length = 500, write_only)]
    api_key: Option<String>,
    /// The token of a private app of Haravan or Sapo.
    #[serde(default)]
    #[schema(max_length = 500, write_only)]
    access_token: Option<String>,
}

impl Api {
    /// Sends work to `source-sync`.
    pub async fn ask(&self, tenant: TenantKey, task: &SyncTask) -> Result<(), Problem> {
        Ok(self
            .tasks
            .send(tenant, task, SendOptions::default())
            .await?)
    }
}

/// Enter the credentials of the provider's API.
///
/// The credentials are sealed, and no answer shows them. They are checked within seconds: `GET /v1/sources/{id}/sync` shows
/// the outcome. A disconnected source is connected again. Credentials of an app also need the consent of a person, see `POST /v1/sources/{id}/authorize`.
#[utoipa::path(
    put,
    path = "/v1/sources/{id}/credentials",
    operation_id = "saveSourceCredentials",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    request_body = NewCredentials,
    responses((status = 200, description = "Saved", body = SyncView)),
)]
async fn save(
    State(api): State<Api>,
    caller: May<op::SaveSourceCredentials>,
    ip: ClientIp,
    Path(id): Path<SourceId>,
    Json(new): Json<NewCredentials>,
) -> Result<Json<SyncView>, Problem> {
    let source = api.source(&caller, id).await?;
    let credentials = Credentials {
        shop: new.shop,
        client_id: new.client_id,
        client_secret: new.client_secret,
        api_key: new.api_key,
        access_token: new.access_token,
    };
    let mut flaws = Flaws::default();
    for (place, expected) in credentials.flaws(source.provider) {
        flaws.add(place, expected);
    }
    flaws.refuse()?;
    api.note(&caller, id, &ip).await?;
    if source.disconnected_at.is_some() {
        api.sources.reconnect(caller.tenant, id).await?;
    }
    let link = api.links.enter(caller.tenant, id, &credentials).await?;
    if !credentials.needs_consent(source.provider) {
        api.ask(caller.tenant, &SyncTask::Check { source: id })
            .await?;
    }
    let run = api.runs.get(caller.tenant, id).await?;
    Ok(Json(shown(Some(&link), run.as_ref())))
}

/// Disconnect a source and keep its record.
///
/// The credentials, the tokens and the secret are erased, and the subscriptions at the provider end. The source's requests are
/// refused within ten seconds. Contacts, orders, activity and failed requests stay. The credentials or a secret connect the
/// source again, and so does `{"paused": false}`.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/disconnect",
    operation_id = "disconnectSource",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    responses((status = 200, description = "Disconnected", body = SourceView)),
)]
async fn disconnect(
    State(api): State<Api>,
    caller: May<op::DisconnectSource>,
    ip: ClientIp,
    Path(id): Path<SourceId>,
) -> Result<Json<SourceView>, Problem> {
    let source = api.source(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    let at = source.disconnects_at(api.sources.clock().now());
    // The message first: after a crash the worker does all of it.
    let task = SyncTask::Disconnect { source: id, at };
    api.ask(caller.tenant, &task).await?;
    let stored = api.sources.disconnect(caller.tenant, id, at).await?;
    let stored = stored.ok_or_else(|| Problem::not_found("source"))?;
    Ok(Json(stored.into()))
}

/// Where a person gives consent.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Authorization {
    /// The provider's page. It is valid for 15 minutes, once.
    url: String,
}

/// Ask for the consent of a person at the provider.
///
/// The person opens the address in a browser and agrees. The provider then sends the browser back, and the source is connected.
/// Haravan, Sapo and Shopee have this.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/authorize",
    operation_id = "authorizeSource",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source")),
    responses(
        (status = 200, description = "The address", body = Authorization),
        (status = 409, description = "There are no credentials of an app"),
    ),
)]
async fn authorize(
    State(api): State<Api>,
    caller: May<op::AuthorizeSource>,
    ip: ClientIp,
    Path(id): Path<SourceId>,
) -> Result<Json<Authorization>, Problem> {
    let source = api.source(&caller, id).await?;
    let link = api.links.get(caller.tenant, id).await?;
    let client = link.and_then(|link| api.links.client(source.provider, id, &link));
    let client = client.filter(|client| client.credentials.needs_consent(source.provider));
    let none = || {
        Problem::new(
            Code::Conflict,
            "the source has no credentials of an app: enter them first",
        )
    };
    let client = client.ok_or_else(none)?;
    api.note(&caller, id, &ip).await?;
    let state = api.links.ask_consent(caller.tenant, id).await?;
    let now = api.sources.clock().now();
    let url = client.consent(&format!("{}{BACK}", api.base_url), &state, now);
    let url = url.ok_or_else(none)?;
    Ok(Json(Authorization {
        url: api.desk.place(&url),
    }))
}

/// The query of the way back.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct BackQuery {
    /// The state of `POST /v1/sources/{id}/authorize`.
    #[param(max_length = 200)]
    state: String,
    /// The provider's code.
    #[param(max_length = 2000)]
    code: String,
    /// The shop that Shopee names.
    #[param(max_length = 100)]
    shop_id: Option<String>,
}

/// Take a person back from a provider.
///
/// Sapo and Shopee send the browser here with the code that is exchanged for a token. The state is valid once.
#[utoipa::path(
    get,
    path = "/w/connect",
    operation_id = "connectSource",
    tag = "webhooks",
    params(BackQuery),
    security(),
    responses(
        (status = 200, description = "Connected", body = String, content_type = "text/plain"),
        (status = 400, description = "The state is not valid, or the provider refused", body = String, content_type = "text/plain"),
        (status = 503, description = "The provider gave no answer", body = String, content_type = "text/plain"),
    ),
)]
async fn back(
    State(api): State<Api>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    returned(&api, &pairs).await
}

/// The fields that Haravan posts.
#[derive(utoipa::ToSchema)]
#[schema(as = ConsentForm)]
#[expect(dead_code, reason = "only its schema is used")]
struct BackForm {
    /// The state of `POST /v1/sources/{id}/authorize`.
    state: String,
    /// The provider's code.
    code: String,
}

/// Take a person back from Haravan.
///
/// Haravan posts a form with the code that is exchanged for a token. The state is valid once.
#[utoipa::path(
    post,
    path = "/w/connect",
    operation_id = "connectSourceByForm",
    tag = "webhooks",
    request_body(content((BackForm = "application/x-www-form-urlencoded"))),
    security(),
    responses(
        (status = 200, description = "Connected", body = String, content_type = "text/plain"),
        (status = 400, description = "The state is not valid, or the provider refused", body = String, content_type = "text/plain"),
        (status = 503, description = "The provider gave no answer", body = String, content_type = "text/plain"),
    ),
)]
async fn back_with_form(State(api): State<Api>, raw: Raw) -> Result<Response, Problem> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&raw.body).into_owned().collect();
    returned(&api, &pairs).await
}

fn page(status: StatusCode, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

/// Exchanges the code. The tokens are stored, then checked by `source-sync`.
async fn returned(api: &Api, pairs: &[(String, String)]) -> Result<Response, Problem> {
    let of = |name: &str| {
        let pair = pairs.iter().find(|(given, _)| given == name);
        pair.map_or("", |(_, text)| text.as_str())
    };
    let over = || Ok(page(StatusCode::BAD_REQUEST, OVER));
    let Some(consent) = api.links.take_consent(of("state")).await? else {
        return over();
    };
    let (tenant, id) = (consent.tenant(), consent.source);
    let (Some(source), Some(link)) = (
        api.sources.get(tenant, id).await?,
        api.links.get(tenant, id).await?,
    ) else {
        return over();
    };
    let Some(client) = api.links.client(source.provider, id, &link) else {
        return over();
    };
    if of("code").is_empty() || !client.is_redirect(pairs) {
        return Ok(page(StatusCode::BAD_REQUEST, REFUSED));
    }
    let now = api.sources.clock().now();
    let redirect = format!("{}{BACK}", api.base_url);
    let exchanged = async {
        let request = client.exchange(of("code"), of("shop_id"), &redirect, now)?;
        client.tokens(&api.desk.call(request).await?, now)
    };
    let mut access = match exchanged.await {
        Ok(access) => access,
        Err(ApiError::Refused | ApiError::Gone | ApiError::Unexpected(_)) => {
            return Ok(page(StatusCode::BAD_REQUEST, REFUSED));
        }
        Err(ApiError::Busy(_) | ApiError::Unavailable(_)) => {
            return Ok(page(StatusCode::SERVICE_UNAVAILABLE, LATER));
        }
    };
    if source.provider == Provider::Shopee {
        access.shop = Some(of("shop_id").to_owned());
    }
    if api.links.store(id, &link, &access).await?.is_none() {
        return over();
    }
    api.ask(tenant, &SyncTask::Check { source: id }).await?;
    Ok(page(StatusCode::OK, DONE))
}
