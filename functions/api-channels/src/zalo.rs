//! Zalo Official Accounts and their templates.

mod consent;

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use channels::zns::{Fault, Oa, Settings, Status, Template, is_oa_id, is_template_id};
use channels::zns::{Param, Quality, Tag, TemplateStatus};
use jiff::Timestamp;
use kernel::TenantKey;
use kernel::page::Page;
use lambda::http::{ClientIp, Code, Flaws, Json, May, Path, Problem};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

pub use consent::public;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .merge(consent::routes())
        .routes(routes!(show, change, disconnect))
        .routes(routes!(sync))
        .routes(routes!(templates))
        .routes(routes!(template))
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

/// Show a Zalo Official Account.
#[utoipa::path(
    get,
    path = "/v1/channels/zalo/{oa_id}",
    operation_id = "showZaloOa",
    tag = "channels",
    params(("oa_id" = String, Path, description = "Zalo's id of the account", max_length = 32)),
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
    params(("oa_id" = String, Path, description = "Zalo's id of the account", max_length = 32)),
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
    params(("oa_id" = String, Path, description = "Zalo's id of the account", max_length = 32)),
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

/// The account and the number of templates that were read from Zalo.
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
    params(("oa_id" = String, Path, description = "Zalo's id of the account", max_length = 32)),
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
    params(("oa_id" = String, Path, description = "Zalo's id of the account", max_length = 32)),
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
        ("oa_id" = String, Path, description = "Zalo's id of the account", max_length = 32),
        ("template_id" = String, Path, description = "Zalo's id of the template", max_length = 64),
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
