//! The push channel: VAPID keys and the site's question, the service account of FCM.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use channels::push::{Account, Proof, Row, Site, fcm};
use jiff::Timestamp;
use kernel::EmailAddress;
use lambda::http::{ClientIp, Code, Flaws, Json, May, Problem};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

/// Longest wait before the question, in seconds.
const MAX_DELAY: u32 = 3_600;
/// Longest question, in characters.
const MAX_TEXT: usize = 300;
/// Most beginnings of paths, and the longest of them.
const PATHS: (usize, usize) = (20, 200);

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(set_web, remove_web))
        .routes(routes!(connect, disconnect))
}

/// When and where a website asks for the permission to notify.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushPrompt {
    /// Seconds on the page before the question.
    #[schema(maximum = 3600)]
    delay_seconds: u32,
    /// The question. It is kept as the proof of the consent.
    #[schema(min_length = 1, max_length = 300)]
    text: String,
    /// Beginnings of the paths of pages that ask, such as `/products/`; empty: all pages.
    #[serde(default)]
    #[schema(max_items = 20)]
    only_on: Vec<String>,
}

/// The web push of a workspace.
#[derive(Serialize, utoipa::ToSchema)]
pub struct WebPush {
    /// The public VAPID key, in base64url.
    public_key: String,
    /// The address that push services write to.
    contact_email: String,
    /// When the keys were made.
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    /// The question.
    prompt: PushPrompt,
}

/// The account at FCM.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FcmAccount {
    /// The project of Firebase.
    project_id: String,
    /// The service account's address.
    client_email: String,
    /// When it was entered and proven.
    #[serde(serialize_with = "kernel::clock::millis")]
    connected_at: Timestamp,
}

/// The push channel of the workspace.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PushChannel {
    /// Web push; null: it is not set up.
    web: Option<WebPush>,
    /// Apps by FCM; null: no account is connected.
    fcm: Option<FcmAccount>,
}

impl From<Row> for PushChannel {
    fn from(row: Row) -> Self {
        let web = row.web.map(|web| WebPush {
            public_key: web.public_key,
            contact_email: web.contact.trim_start_matches("mailto:").to_owned(),
            created_at: web.created_at,
            prompt: PushPrompt {
                delay_seconds: web.site.delay_seconds,
                text: web.site.text,
                only_on: web.site.only_on,
            },
        });
        let fcm = row.mobile.map(|mobile| FcmAccount {
            project_id: mobile.project_id,
            client_email: mobile.client_email,
            connected_at: mobile.connected_at,
        });
        Self { web, fcm }
    }
}

/// Settings of web push.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebPush {
    /// The address that push services write to when something is wrong.
    #[schema(value_type = String, max_length = 254)]
    contact_email: String,
    /// The question.
    prompt: PushPrompt,
}

/// The file of a service account, as Google gives it. Other fields of the file are not kept.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ServiceAccount {
    /// The project of Firebase.
    #[schema(min_length = 1, max_length = 100)]
    project_id: String,
    /// The service account's address.
    #[schema(min_length = 1, max_length = 254)]
    client_email: String,
    /// Its private key in PEM.
    #[schema(min_length = 1, max_length = 4096, write_only)]
    private_key: String,
}

/// An account at FCM.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFcmAccount {
    /// The service account's file.
    service_account: ServiceAccount,
}

/// Show the push channel.
#[utoipa::path(
    get,
    path = "/v1/channels/push",
    operation_id = "showPushChannel",
    tag = "channels",
    responses((status = 200, description = "The channel", body = PushChannel)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowPushChannel>,
) -> Result<Json<PushChannel>, Problem> {
    Ok(Json(api.push.get(caller.tenant).await?.into()))
}

/// Set up web push, or change its question.
///
/// The VAPID keys are made at the first time and stay: a subscription of a browser is for its key. The private key is sealed, and
/// no answer shows it.
#[utoipa::path(
    put,
    path = "/v1/channels/push/web",
    operation_id = "setWebPush",
    tag = "channels",
    request_body = NewWebPush,
    responses((status = 200, description = "Set up", body = PushChannel)),
)]
async fn set_web(
    State(api): State<Api>,
    caller: May<op::SetWebPush>,
    ip: ClientIp,
    Json(new): Json<NewWebPush>,
) -> Result<Json<PushChannel>, Problem> {
    let mut flaws = Flaws::default();
    let contact: Option<EmailAddress> = new.contact_email.parse().ok();
    flaws.check(
        contact.is_none(),
        "/contact_email",
        "expected an email address",
    );
    let prompt = new.prompt;
    flaws.check(
        prompt.delay_seconds > MAX_DELAY,
        "/prompt/delay_seconds",
        "expected 0 to 3600 seconds",
    );
    let text = prompt.text.trim();
    flaws.check(
        text.is_empty() || text.chars().count() > MAX_TEXT,
        "/prompt/text",
        "expected 1 to 300 characters",
    );
    flaws.check(
        prompt.only_on.len() > PATHS.0,
        "/prompt/only_on",
        "holds at most 20 beginnings of paths",
    );
    for (n, path) in prompt.only_on.iter().enumerate() {
        let is_path = path.starts_with('/') && path.len() <= PATHS.1;
        let place = format!("/prompt/only_on/{n}");
        flaws.check(
            !is_path,
            &place,
            "expected a path that begins with /, of at most 200 bytes",
        );
    }
    flaws.refuse()?;
    let Some(contact) = contact else {
        return Err(Problem::invalid(
            "/contact_email",
            "expected an email address",
        ));
    };
    let site = Site {
        delay_seconds: prompt.delay_seconds,
        text: text.to_owned(),
        only_on: prompt.only_on,
    };
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    let contact = format!("mailto:{contact}");
    let row = api.push.set_web(caller.tenant, &contact, &site).await?;
    Ok(Json(row.into()))
}

/// Remove web push. The VAPID keys are forgotten, so all subscriptions of browsers end.
#[utoipa::path(
    delete,
    path = "/v1/channels/push/web",
    operation_id = "removeWebPush",
    tag = "channels",
    responses((status = 204, description = "Removed")),
)]
async fn remove_web(
    State(api): State<Api>,
    caller: May<op::RemoveWebPush>,
    ip: ClientIp,
) -> Result<StatusCode, Problem> {
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    api.push.remove_web(caller.tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Connect a service account of FCM in place of the one before.
///
/// Google is asked for a token and for a dry run. An account that works is sealed and stored. No answer shows its key.
#[utoipa::path(
    put,
    path = "/v1/channels/push/fcm",
    operation_id = "connectFcm",
    tag = "channels",
    request_body = NewFcmAccount,
    responses(
        (status = 200, description = "Connected", body = PushChannel),
        (status = 503, description = "Google gave no answer"),
    ),
)]
async fn connect(
    State(api): State<Api>,
    caller: May<op::ConnectFcm>,
    ip: ClientIp,
    Json(new): Json<NewFcmAccount>,
) -> Result<Json<PushChannel>, Problem> {
    let given = new.service_account;
    let mut flaws = Flaws::default();
    let is_project = (1..=100).contains(&given.project_id.len())
        && given
            .project_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte));
    flaws.check(
        !is_project,
        "/service_account/project_id",
        "expected the id of a project",
    );
    let is_address = given.client_email.parse::<EmailAddress>().is_ok();
    flaws.check(
        !is_address,
        "/service_account/client_email",
        "expected the service account's address",
    );
    flaws.check(
        !(1..=fcm::LONGEST).contains(&given.private_key.len()),
        "/service_account/private_key",
        "expected a private key in PEM",
    );
    flaws.refuse()?;
    let account = Account {
        project_id: given.project_id,
        client_email: given.client_email,
        private_key: given.private_key,
    };
    let refused = |place: &str, words: &str| Err(Problem::invalid(place, words.to_owned()));
    match api.fcm.prove(&account, api.push.clock().now()).await {
        Proof::Works => {}
        Proof::NoKey => {
            return refused(
                "/service_account/private_key",
                "expected a private key in PEM",
            );
        }
        Proof::Refused => return refused("/service_account", "Google refuses this account"),
        Proof::NotAllowed => {
            return refused(
                "/service_account/project_id",
                "the account may not send messages of this project",
            );
        }
        Proof::NoAnswer => {
            let detail = "Google gave no answer: try again";
            return Err(Problem::new(Code::Unavailable, detail));
        }
    }
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    let row = api.push.connect(caller.tenant, &account).await?;
    Ok(Json(row.into()))
}

/// Disconnect FCM. The account is forgotten, and messages to apps stop within ten seconds.
#[utoipa::path(
    delete,
    path = "/v1/channels/push/fcm",
    operation_id = "disconnectFcm",
    tag = "channels",
    responses((status = 204, description = "Disconnected")),
)]
async fn disconnect(
    State(api): State<Api>,
    caller: May<op::DisconnectFcm>,
    ip: ClientIp,
) -> Result<StatusCode, Problem> {
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    api.push.disconnect(caller.tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}
