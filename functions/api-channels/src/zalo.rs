//! Zalo Official Accounts: the consent of an administrator, the accounts, their templates.

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use channels::zns::{Fault, Oa, Settings, Status, Template, is_oa_id, is_template_id};
use channels::zns::{Param, Quality, Tag, TemplateStatus};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{TenantKey, WorkspaceId};
use lambda::http::{ClientIp, Code, Flaws, Json, May, Path, Problem, Query};
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
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(authorize))
        .routes(routes!(show, change, disconnect))
        .routes(routes!(sync))
        .routes(routes!(templates))
        .routes(routes!(template))
}

pub fn public() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(back))
}

/// A Zalo Official Account of the workspace. Its tokens are sealed, and no answer shows them.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ZaloOa)]
pub struct OaView {
    /// Zalo's id of the account.
    #[schema(example = "3400000000000000001")]
    oa_id: String,
    name: String,
    description: Option<String>,
    avatar: Option<String>,
    cover: Option<String>,
    /// The name of its package at Zalo.
    package: Option<String>,
    status: Status,
    /// The last fault: a code of Zalo, or `refresh_refused`: an administrator of the account must connect it again.
    problem: Option<String>,
    /// Calls a minute that the package allows; messages of templates do not count.
    api_rate_per_minute: u32,
    /// Messages of a day, as Zalo last told.
    daily_quota: Option<u64>,
    /// Messages of the day that are left, as Zalo last told.
    remaining_quota: Option<u64>,
    /// Until when Zalo takes no message: by night, or when the day's messages are used up.
    #[serde(serialize_with = "kernel::clock::millis")]
    quiet_until: Option<Timestamp>,
    /// When the access token ends. It is renewed before.
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    connected_at: Timestamp,
    /// When the templates were last read.
    #[serde(serialize_with = "kernel::clock::millis")]
    synced_at: Option<Timestamp>,
}

impl OaView {
    fn new(oa: Oa, now: Timestamp) -> Self {
        Self {
            oa_id: oa.oa_id,
            name: oa.facts.name,
            description: oa.facts.description,
            avatar: oa.facts.avatar,
            cover: oa.facts.cover,
            package: oa.facts.package,
            status: oa.status,
            problem: oa.problem,
            api_rate_per_minute: oa.api_rate_per_minute,
            daily_quota: oa.daily_quota,
            remaining_quota: oa.remaining_quota,
            quiet_until: oa.quiet_until.filter(|until| *until > now),
            expires_at: oa.expires_at,
            connected_at: oa.connected_at,
            synced_at: oa.synced_at,
        }
    }
}

/// A template of an account, as Zalo last told.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ZnsTemplate)]
pub struct TemplateView {
    /// Zalo's id of the template.
    #[schema(example = "207320")]
    template_id: String,
    name: String,
    status: TemplateStatus,
    quality: Quality,
    /// Whether a campaign may use it: it is enabled, and its parameters are known.
    is_usable: bool,
    /// The purpose; `promotion` needs consent to marketing.
    tag: Option<Tag>,
    /// VND of a message to a phone number.
    price: Option<i64>,
    /// How long Zalo tries to deliver a message, in milliseconds.
    timeout_ms: Option<i64>,
    /// Zalo's page that shows it.
    preview_url: Option<String>,
    /// Its parameters.
    params: Vec<Param>,
    /// Messages of a day, if the template has a limit of its own.
    daily_quota: Option<u64>,
    remaining_quota: Option<u64>,
    #[serde(serialize_with = "kernel::clock::millis")]
    synced_at: Timestamp,
}

impl From<Template> for TemplateView {
    fn from(template: Template) -> Self {
        Self {
            is_usable: template.is_usable(),
            template_id: template.template_id,
            name: template.name,
            status: template.status,
            quality: template.quality,
            tag: template.tag,
            price: template.price,
            timeout_ms: template.timeout_ms,
            preview_url: template.preview_url,
            params: template.params,
            daily_quota: template.daily_quota,
            remaining_quota: template.remaining_quota,
            synced_at: template.synced_at,
        }
    }
}

fn no_account() -> Problem {
    Problem::not_found("Zalo OA")
}

fn problem(fault: Fault) -> Problem {
    match fault {
        Fault::Missing => no_account(),
        Fault::Expired => Problem::new(
            Code::Conflict,
            "Mất kết nối với tài khoản Zalo OA. Zalo refuses the tokens: connect the account again",
        ),
        Fault::Refused(-224) => Problem::new(
            Code::Conflict,
            "Gói dịch vụ của Zalo OA không có Open API. The package of the account does not have the API",
        ),
        Fault::Refused(code) => Problem::new(Code::Conflict, format!("Zalo refused: {code}")),
        Fault::Busy(seconds) => {
            Problem::new(Code::RateLimited, "too many calls of the account").retry_after(seconds)
        }
        Fault::Unusable | Fault::NoAnswer => {
            Problem::new(Code::Unavailable, "Zalo gave no answer: try again")
        }
        Fault::Store(error) => error.into(),
    }
}

impl Api {
    async fn account(&self, tenant: TenantKey, oa_id: &str) -> Result<Oa, Problem> {
        if !is_oa_id(oa_id) {
            return Err(no_account());
        }
        let found = self.zalo.store().account(tenant, oa_id).await?;
        found.ok_or_else(no_account)
    }
}

/// List the Zalo Official Accounts of the workspace. All of them are on one page.
#[utoipa::path(
    get,
    path = "/v1/channels/zalo",
    operation_id = "listZaloOas",
    tag = "channels",
    responses((status = 200, description = "All accounts", body = Page<OaView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListZaloOas>,
) -> Result<Json<Page<OaView>>, Problem> {
    let store = api.zalo.store();
    let all = store.accounts(caller.tenant).await?;
    let now = store.clock().now();
    Ok(Json(Page {
        data: all.into_iter().map(|oa| OaView::new(oa, now)).collect(),
        next: None,
    }))
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

/// Show a Zalo Official Account.
#[utoipa::path(
    get,
    path = "/v1/channels/zalo/{oa_id}",
    operation_id = "showZaloOa",
    tag = "channels",
    params(("oa_id" = String, Path, description = "Zalo's id of the account")),
    responses((status = 200, description = "The account", body = OaView)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowZaloOa>,
    Path(oa_id): Path<String>,
) -> Result<Json<OaView>, Problem> {
    let oa = api.account(caller.tenant, &oa_id).await?;
    Ok(Json(OaView::new(oa, api.zalo.store().clock().now())))
}

/// Replace the settings of a Zalo Official Account.
#[utoipa::path(
    put,
    path = "/v1/channels/zalo/{oa_id}",
    operation_id = "updateZaloOa",
    tag = "channels",
    params(("oa_id" = String, Path, description = "Zalo's id of the account")),
    request_body = Settings,
    responses((status = 200, description = "Changed", body = OaView)),
)]
async fn change(
    State(api): State<Api>,
    caller: May<op::UpdateZaloOa>,
    ip: ClientIp,
    Path(oa_id): Path<String>,
    Json(settings): Json<Settings>,
) -> Result<Json<OaView>, Problem> {
    api.account(caller.tenant, &oa_id).await?;
    settings.flaws().into_iter().collect::<Flaws>().refuse()?;
    api.note(&caller, &oa_id, &ip).await?;
    let store = api.zalo.store();
    let changed = store.change(caller.tenant, &oa_id, &settings).await?;
    let changed = changed.ok_or_else(no_account)?;
    Ok(Json(OaView::new(changed, store.clock().now())))
}

/// Disconnect a Zalo Official Account.
///
/// Its tokens and its templates are forgotten, and messages stop within ten seconds. Campaigns that are being sent by it fail.
#[utoipa::path(
    delete,
    path = "/v1/channels/zalo/{oa_id}",
    operation_id = "disconnectZaloOa",
    tag = "channels",
    params(("oa_id" = String, Path, description = "Zalo's id of the account")),
    responses((status = 204, description = "Disconnected")),
)]
async fn disconnect(
    State(api): State<Api>,
    caller: May<op::DisconnectZaloOa>,
    ip: ClientIp,
    Path(oa_id): Path<String>,
) -> Result<StatusCode, Problem> {
    api.account(caller.tenant, &oa_id).await?;
    api.note(&caller, &oa_id, &ip).await?;
    let store = api.zalo.store();
    store.disconnect(caller.tenant, &oa_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was read from Zalo.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ZaloSync {
    oa: OaView,
    /// Templates that Zalo lists.
    templates: usize,
    /// Templates whose parameters were not read yet: ask again for more of them.
    without_details: usize,
}

/// Read an account, its quota and its templates from Zalo.
///
/// The parameters and prices of up to 30 templates are read at a time: first of templates without, then of those that were read longest
/// ago. Templates that Zalo does not list any more are removed.
#[utoipa::path(
    post,
    path = "/v1/channels/zalo/{oa_id}/sync",
    operation_id = "syncZaloOa",
    tag = "channels",
    params(("oa_id" = String, Path, description = "Zalo's id of the account")),
    responses(
        (status = 200, description = "Read", body = ZaloSync),
        (status = 409, description = "The account must be connected again, or Zalo refused"),
        (status = 429, description = "The calls of the minute are used up"),
        (status = 503, description = "Zalo gave no answer"),
    ),
)]
async fn sync(
    State(api): State<Api>,
    caller: May<op::SyncZaloOa>,
    Path(oa_id): Path<String>,
) -> Result<Json<ZaloSync>, Problem> {
    api.account(caller.tenant, &oa_id).await?;
    let synced = api.zalo.sync(caller.tenant, &oa_id).await;
    let synced = synced.map_err(problem)?;
    let now = api.zalo.store().clock().now();
    Ok(Json(ZaloSync {
        oa: OaView::new(synced.oa, now),
        templates: synced.templates,
        without_details: synced.without_details,
    }))
}

/// List the templates of an account, as they were last read. All of them are on one page.
#[utoipa::path(
    get,
    path = "/v1/channels/zalo/{oa_id}/templates",
    operation_id = "listZnsTemplates",
    tag = "channels",
    params(("oa_id" = String, Path, description = "Zalo's id of the account")),
    responses((status = 200, description = "All templates", body = Page<TemplateView>)),
)]
async fn templates(
    State(api): State<Api>,
    caller: May<op::ListZnsTemplates>,
    Path(oa_id): Path<String>,
) -> Result<Json<Page<TemplateView>>, Problem> {
    api.account(caller.tenant, &oa_id).await?;
    let all = api.zalo.store().templates(caller.tenant, &oa_id).await?;
    Ok(Json(Page {
        data: all.into_iter().map(TemplateView::from).collect(),
        next: None,
    }))
}

/// Show a template of an account.
#[utoipa::path(
    get,
    path = "/v1/channels/zalo/{oa_id}/templates/{template_id}",
    operation_id = "showZnsTemplate",
    tag = "channels",
    params(
        ("oa_id" = String, Path, description = "Zalo's id of the account"),
        ("template_id" = String, Path, description = "Zalo's id of the template"),
    ),
    responses((status = 200, description = "The template", body = TemplateView)),
)]
async fn template(
    State(api): State<Api>,
    caller: May<op::ShowZnsTemplate>,
    Path((oa_id, template_id)): Path<(String, String)>,
) -> Result<Json<TemplateView>, Problem> {
    api.account(caller.tenant, &oa_id).await?;
    let none = || Problem::not_found("template");
    if !is_template_id(&template_id) {
        return Err(none());
    }
    let store = api.zalo.store();
    let found = store.template(caller.tenant, &oa_id, &template_id).await?;
    found.map(|found| Json(found.into())).ok_or_else(none)
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
