//! The account at the provider, its balance, and the preview of a text.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use channels::sms::billing::{Bill, bill};
use channels::sms::brandname::CarrierState;
use channels::sms::{Account, Balance, Carrier, Encoding, Keys, Kind, length};
use jiff::Timestamp;
use kernel::BrandnameId;
use lambda::http::{ClientIp, Code, Flaws, Json, May, Problem};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

/// Longest key of an account.
const MAX_KEY: usize = 200;
/// Longest text of a preview, in characters.
const MAX_TEXT: usize = 1_000;
/// The carriers of a preview without a brandname.
const CARRIERS: [Carrier; 7] = [
    Carrier::Viettel,
    Carrier::Mobifone,
    Carrier::Vinaphone,
    Carrier::Vietnamobile,
    Carrier::Gtel,
    Carrier::Itel,
    Carrier::Reddi,
];

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show, connect, disconnect))
        .routes(routes!(balance))
        .routes(routes!(preview))
}

/// The SMS channel of the workspace.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SmsChannel {
    /// `esms`.
    provider: &'static str,
    /// Whether messages can be sent; the keys were valid when they were entered.
    is_connected: bool,
    /// When the keys were entered.
    #[serde(serialize_with = "kernel::clock::millis")]
    connected_at: Option<Timestamp>,
}

impl From<Option<Account>> for SmsChannel {
    fn from(account: Option<Account>) -> Self {
        Self {
            provider: "esms",
            is_connected: account.is_some(),
            connected_at: account.map(|account| account.connected_at),
        }
    }
}

/// The keys of an account at eSMS.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsKeys {
    /// The `ApiKey` of the account.
    #[schema(min_length = 1, max_length = 200, write_only)]
    api_key: String,
    /// Its `SecretKey`.
    #[schema(min_length = 1, max_length = 200, write_only)]
    secret_key: String,
}

/// The balance of the account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SmsBalance {
    /// VND.
    balance: i64,
    /// When the provider told it.
    #[serde(serialize_with = "kernel::clock::millis")]
    checked_at: Timestamp,
}

fn no_answer() -> Problem {
    Problem::new(Code::Unavailable, "the provider gave no answer: try again")
}

/// Show the SMS channel.
#[utoipa::path(
    get,
    path = "/v1/channels/sms",
    operation_id = "showSmsChannel",
    tag = "channels",
    responses((status = 200, description = "The channel", body = SmsChannel)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowSmsChannel>,
) -> Result<Json<SmsChannel>, Problem> {
    Ok(Json(api.settings.account(caller.tenant).await?.into()))
}

/// Connect an account of eSMS in place of the one before.
///
/// The keys are tried at the provider, sealed and stored. No answer shows them. Messages use them within ten seconds.
#[utoipa::path(
    put,
    path = "/v1/channels/sms",
    operation_id = "connectSmsChannel",
    tag = "channels",
    request_body = SmsKeys,
    responses(
        (status = 200, description = "Connected", body = SmsChannel),
        (status = 503, description = "The provider gave no answer"),
    ),
)]
async fn connect(
    State(api): State<Api>,
    caller: May<op::ConnectSmsChannel>,
    ip: ClientIp,
    Json(new): Json<SmsKeys>,
) -> Result<Json<SmsChannel>, Problem> {
    let is_key = |text: &str| {
        (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let mut flaws = Flaws::default();
    for (place, key) in [("/api_key", &new.api_key), ("/secret_key", &new.secret_key)] {
        flaws.check(
            !is_key(key),
            place,
            "expected 1 to 200 visible ASCII characters",
        );
    }
    flaws.refuse()?;
    let keys = Keys {
        api_key: new.api_key,
        secret_key: new.secret_key,
    };
    match api.client.balance(&keys).await {
        Balance::Vnd(_) => {}
        Balance::WrongKeys => {
            return Err(Problem::invalid("", "the provider refuses these keys"));
        }
        Balance::NoAnswer => return Err(no_answer()),
    }
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    let account = api.settings.connect(caller.tenant, &keys).await?;
    Ok(Json(Some(account).into()))
}

/// Disconnect the account. Its keys are forgotten, and messages stop within ten seconds.
#[utoipa::path(
    delete,
    path = "/v1/channels/sms",
    operation_id = "disconnectSmsChannel",
    tag = "channels",
    responses((status = 204, description = "Disconnected")),
)]
async fn disconnect(
    State(api): State<Api>,
    caller: May<op::DisconnectSmsChannel>,
    ip: ClientIp,
) -> Result<StatusCode, Problem> {
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    api.settings.disconnect(caller.tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show the balance of the account. The provider is asked now.
#[utoipa::path(
    get,
    path = "/v1/channels/sms/balance",
    operation_id = "showSmsBalance",
    tag = "channels",
    responses(
        (status = 200, description = "The balance", body = SmsBalance),
        (status = 409, description = "No account is connected, or the provider refuses its keys"),
        (status = 503, description = "The provider gave no answer"),
    ),
)]
async fn balance(
    State(api): State<Api>,
    caller: May<op::ShowSmsBalance>,
) -> Result<Json<SmsBalance>, Problem> {
    let account = api.settings.account(caller.tenant).await?;
    let keys = account.and_then(|account| api.settings.keys_of(caller.tenant, &account));
    let Some(keys) = keys else {
        return Err(Problem::new(Code::Conflict, "no account is connected"));
    };
    match api.client.balance(&keys).await {
        Balance::Vnd(balance) => Ok(Json(SmsBalance {
            balance,
            checked_at: api.settings.clock().now(),
        })),
        Balance::WrongKeys => {
            let detail = "the provider refuses the keys: connect the account again";
            Err(Problem::new(Code::Conflict, detail))
        }
        Balance::NoAnswer => Err(no_answer()),
    }
}

/// A text to look at.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSmsPreview {
    /// The text, with its merge fields filled in.
    #[schema(max_length = 1000)]
    text: String,
    /// The brandname that would send it. Without one the text is counted as it is, as customer care.
    #[serde(default)]
    brandname_id: Option<BrandnameId>,
}

/// A text as it would be sent.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SmsPreview {
    /// The composed text: with the label and the way out of advertising, without diacritics unless the brandname keeps them.
    text: String,
    /// The alphabet of the text.
    encoding: Encoding,
    /// Septets or UTF-16 code units.
    units: u32,
    /// Technical segments. Carriers bill by their own steps, see `carriers`.
    segments: u32,
    /// The bill of each carrier of the brandname.
    carriers: Vec<Bill>,
}

/// Count the segments of a text, and show its price by carrier.
#[utoipa::path(
    post,
    path = "/v1/channels/sms/preview",
    operation_id = "previewSms",
    tag = "channels",
    request_body = NewSmsPreview,
    responses((status = 200, description = "The text as it would be sent", body = SmsPreview)),
)]
async fn preview(
    State(api): State<Api>,
    caller: May<op::PreviewSms>,
    Json(new): Json<NewSmsPreview>,
) -> Result<Json<SmsPreview>, Problem> {
    if new.text.chars().count() > MAX_TEXT {
        return Err(Problem::invalid(
            "/text",
            "must have at most 1,000 characters",
        ));
    }
    let (kind, text, carriers) = match new.brandname_id {
        None => {
            let carriers = CARRIERS.map(CarrierState::new).to_vec();
            (Kind::Care, new.text, carriers)
        }
        Some(id) => {
            let brandname = api.settings.brandname(caller.tenant, id).await?;
            let brandname =
                brandname.ok_or_else(|| Problem::invalid("/brandname_id", "no such brandname"))?;
            let settings = brandname.settings;
            (
                settings.kind,
                settings.compose(&new.text),
                settings.carriers,
            )
        }
    };
    let length = length(&text);
    let bills = carriers.iter().map(|state| bill(kind, state, length));
    Ok(Json(SmsPreview {
        encoding: length.encoding,
        units: length.units,
        segments: length.segments,
        carriers: bills.collect(),
        text,
    }))
}
