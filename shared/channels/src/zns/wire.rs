//! The wire formats of Zalo: OAuth v4, the Open API of Official Accounts, and ZNS. Requests are built and answers are read here,
//! without I/O.
//!
//! Sources: <https://docs.zaloplatforms.com/docs/OA/>, <https://developers.zalo.me/docs>. A refusal has HTTP status 200 and
//! `error != 0`; a text that is a number and a number are the same.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cloud::WebError;
use hmac::{Hmac, KeyInit, Mac};
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::account::{Facts, Tokens};
use super::template::{Param, Template, TemplateStatus};

/// The host of the consent and of the tokens.
pub const OAUTH: &str = "oauth.zaloapp.com";
/// The host of the Open API.
pub const OPENAPI: &str = "openapi.zalo.me";
/// The host of ZNS.
pub const BUSINESS: &str = "business.openapi.zalo.me";
/// Templates of one call.
pub const PAGE: usize = 100;
/// The life of an access token without a usable `expires_in`: an hour, shorter than any that Zalo gives.
const SHORT_LIFE: i64 = 3_600;

/// The app of the installation at Zalo.
#[derive(Clone)]
pub struct App {
    id: String,
    secret: String,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.id)
    }
}

impl App {
    /// The id and the secret key of the app.
    pub fn new(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        }
    }

    /// Whether the installation has an app.
    pub fn is_set(&self) -> bool {
        super::is_oa_id(&self.id)
    }

    /// The verifier of PKCE: 43 characters that follow from the app's secret. Zalo's console shows the challenge of an app, so the
    /// verifier of an app is always the same.
    pub(super) fn verifier(&self) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes());
        let digest = mac.map(|mut mac| {
            mac.update(b"tanigo zalo pkce\0");
            mac.update(self.id.as_bytes());
            mac.finalize().into_bytes()
        });
        digest.map_or_else(|_| String::new(), |digest| URL_SAFE_NO_PAD.encode(digest))
    }

    /// The page where an administrator of an account gives consent. `host` is the place of [`OAUTH`].
    pub fn consent(&self, host: &str, redirect: &str, state: &str) -> String {
        let challenge = challenge(&self.verifier());
        let query = form(&[
            ("app_id", &self.id),
            ("redirect_uri", redirect),
            ("code_challenge", &challenge),
            ("state", state),
        ]);
        format!("{host}/v4/oa/permission?{query}")
    }

    fn ask(&self, host: &str, pairs: &[(&str, &str)]) -> Option<Request<Bytes>> {
        Request::post(format!("{host}/v4/oa/access_token"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("secret_key", &self.secret)
            .body(Bytes::from(form(pairs)))
            .ok()
    }

    /// Exchanges the code of a consent for tokens.
    pub(super) fn exchange(&self, host: &str, code: &str) -> Option<Request<Bytes>> {
        let pairs = [
            ("code", code),
            ("app_id", &self.id),
            ("grant_type", "authorization_code"),
            ("code_verifier", &self.verifier()),
        ];
        self.ask(host, &pairs)
    }

    /// Exchanges a refresh token, once, for the next pair.
    pub(super) fn renewal(&self, host: &str, refresh: &str) -> Option<Request<Bytes>> {
        let pairs = [
            ("refresh_token", refresh),
            ("app_id", &self.id),
            ("grant_type", "refresh_token"),
        ];
        self.ask(host, &pairs)
    }
}

/// The challenge of a verifier, RFC 7636 with S256.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// Why an answer has no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoData {
    /// A code of Zalo: nothing was done.
    Code(i64),
    /// Status 429.
    Busy,
    /// Another status of a refusal.
    Status(u16),
    /// No usable answer: it may have been done.
    NoAnswer,
}

/// The whole answer, if it is no refusal.
pub fn read(answer: &Result<Response<Bytes>, WebError>) -> Result<Value, NoData> {
    let Ok(answer) = answer else {
        return Err(NoData::NoAnswer);
    };
    let status = answer.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(NoData::Busy);
    }
    let value: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if let Some(code) = number(&value["error"]).filter(|code| *code != 0) {
        return Err(NoData::Code(code));
    }
    if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
        return Err(NoData::Status(status.as_u16()));
    }
    if status.is_success() && value.is_object() {
        Ok(value)
    } else {
        Err(NoData::NoAnswer)
    }
}

/// A number, or a text that is one.
pub fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|n| n as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn count(value: &Value) -> Option<u64> {
    number(value).and_then(|n| u64::try_from(n).ok())
}

/// A text that is not empty.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The tokens of an answer, and when the access token ends.
pub fn tokens(value: &Value, now: Timestamp) -> Option<(Tokens, Timestamp)> {
    let life = number(&value["expires_in"]).filter(|life| *life > 0);
    let tokens = Tokens {
        access: text(&value["access_token"])?,
        refresh: text(&value["refresh_token"])?,
    };
    let life = jiff::SignedDuration::from_secs(life.unwrap_or(SHORT_LIFE));
    Some((tokens, now.checked_add(life).ok()?))
}

/// A reading call.
pub fn get(url: &str, access: &str) -> Option<Request<Bytes>> {
    Request::get(url)
        .header("access_token", access)
        .body(Bytes::new())
        .ok()
}

/// The id and the facts of the account of a token, from `/v2.0/oa/getoa`.
pub fn facts(value: &Value) -> Option<(String, Facts)> {
    let data = &value["data"];
    let id = text(&data["oa_id"]).filter(|id| super::is_oa_id(id))?;
    let short = |name: &str| text(&data[name]).map(|text| text.chars().take(1_000).collect());
    let facts = Facts {
        name: short("name").unwrap_or_else(|| id.clone()),
        description: short("description"),
        avatar: short("avatar"),
        cover: short("cover"),
        package: short("package_name"),
    };
    Some((id, facts))
}

/// The day's messages and those that are left: `data` of `/message/quota`, `data.quota` of a send.
pub fn quota(data: &Value) -> (Option<u64>, Option<u64>) {
    (count(&data["dailyQuota"]), count(&data["remainingQuota"]))
}

/// The templates of a page of `/template/all`. A template of an unknown state is left out.
pub fn templates(value: &Value, now: Timestamp) -> Vec<Template> {
    let data = value["data"].as_array().map_or(&[][..], Vec::as_slice);
    let one = |entry: &Value| {
        let id = text(&entry["templateId"]).filter(|id| super::is_template_id(id))?;
        Some(Template {
            name: text(&entry["templateName"]).unwrap_or_else(|| id.clone()),
            template_id: id,
            // A state that is new to us: no message may use the template.
            status: known(&entry["status"]).unwrap_or(TemplateStatus::Disable),
            quality: known(&entry["templateQuality"]).unwrap_or_default(),
            is_detailed: false,
            tag: known(&entry["templateTag"]),
            price: None,
            timeout_ms: None,
            preview_url: None,
            params: Vec::new(),
            daily_quota: None,
            remaining_quota: None,
            quiet_until: None,
            synced_at: now,
        })
    };
    data.iter().filter_map(one).collect()
}

fn known<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// Fills in the answer of `/template/info/v2`.
pub fn detail(template: &mut Template, value: &Value) {
    let data = &value["data"];
    if let Some(status) = known::<TemplateStatus>(&data["status"]) {
        template.status = status;
    }
    template.quality = known(&data["templateQuality"]).unwrap_or(template.quality);
    template.tag = known(&data["templateTag"]).or(template.tag);
    template.price = number(&data["price_sdt"]).or_else(|| number(&data["price"]));
    template.timeout_ms = number(&data["timeout"]);
    template.preview_url = text(&data["previewUrl"]).filter(|url| url.len() <= 2_000);
    template.daily_quota = count(&data["templateDailyQuota"]);
    template.remaining_quota = count(&data["templateRemainingQuota"]);
    let params = data["listParams"].as_array().map_or(&[][..], Vec::as_slice);
    let param = |entry: &Value| {
        Some(Param {
            name: text(&entry["name"])?,
            require: entry["require"].as_bool().unwrap_or(true),
            kind: text(&entry["type"]).unwrap_or_else(|| "STRING".to_owned()),
            min_length: count(&entry["minLength"]).map_or(0, |n| n.min(10_000) as u32),
            max_length: count(&entry["maxLength"]).map_or(200, |n| n.min(10_000) as u32),
            accept_null: entry["acceptNull"].as_bool().unwrap_or(false),
        })
    };
    template.params = params.iter().filter_map(param).collect();
    template.is_detailed = true;
}

/// The request of a send. `phone` is `84` and nine digits; `host` is the place of [`BUSINESS`].
pub fn send(
    host: &str,
    access: &str,
    (phone, template_id): (&str, &str),
    data: &serde_json::Map<String, Value>,
    tracking_id: &str,
) -> Option<Request<Bytes>> {
    let body = json!({ "phone": phone, "template_id": template_id, "template_data": data,
        "tracking_id": tracking_id, "sending_mode": "1" });
    Request::post(format!("{host}/message/template"))
        .header(CONTENT_TYPE, "application/json")
        .header("access_token", access)
        .body(Bytes::from(body.to_string()))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(body.to_owned()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            challenge(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        let app = App::new("1234567890123456789", "a secret of an app");
        assert_eq!(app.verifier().len(), 43);
        assert_eq!(format!("{app:?}"), "App(1234567890123456789)");
        assert!(app.is_set() && !App::new("none", "a secret of an app").is_set());
    }

    #[test]
    fn a_refusal_has_status_200_and_a_code() {
        assert_eq!(
            read(&Ok(reply(200, r#"{"error":-118,"message":"no account"}"#))),
            Err(NoData::Code(-118))
        );
        assert_eq!(
            read(&Ok(reply(200, r#"{"error":"-32"}"#))),
            Err(NoData::Code(-32))
        );
        assert!(read(&Ok(reply(200, r#"{"error":0,"data":{}}"#))).is_ok());
        assert!(read(&Ok(reply(200, r#"{"access_token":"a"}"#))).is_ok());
        assert_eq!(read(&Ok(reply(200, "<html>"))), Err(NoData::NoAnswer));
        assert_eq!(read(&Ok(reply(503, "{}"))), Err(NoData::NoAnswer));
        assert_eq!(read(&Ok(reply(429, ""))), Err(NoData::Busy));
        assert_eq!(read(&Ok(reply(403, "no"))), Err(NoData::Status(403)));
        assert_eq!(read(&Err(WebError::Timeout)), Err(NoData::NoAnswer));
    }

    #[test]
    fn a_life_is_a_text() {
        let now = Timestamp::from_second(1_772_438_400).unwrap();
        let value = json!({ "access_token": "a", "refresh_token": "r", "expires_in": "90000" });
        let (_, until) = tokens(&value, now).unwrap();
        assert_eq!(until.as_second() - now.as_second(), 90_000);
        assert_eq!(tokens(&json!({ "access_token": "a" }), now), None);
    }

    #[test]
    fn a_template_is_read_from_the_list_and_its_details() {
        let now = Timestamp::from_second(1_772_438_400).unwrap();
        let list = json!({ "error": 0, "data": [
            { "templateId": 207_320, "templateName": "Đơn hàng", "status": "ENABLE", "templateQuality": "HIGH" },
            { "templateId": "x#y", "status": "ENABLE" }, { "templateId": "1", "status": "OTHER" }] });
        let mut all = templates(&list, now);
        let states: Vec<_> = all.iter().map(|one| one.status).collect();
        assert_eq!(states, [TemplateStatus::Enable, TemplateStatus::Disable]);
        let template = &mut all[0];
        assert!(!template.is_usable());
        detail(
            template,
            &json!({ "data": { "templateTag": "TRANSACTION", "price": "300.0", "price_sdt": 300, "timeout": 7_200_000,
                "listParams": [{ "name": "ten", "require": true, "type": "STRING", "maxLength": 30, "minLength": 0, "acceptNull": false }] } }),
        );
        assert!(template.is_usable());
        assert_eq!(
            (template.price, template.params[0].max_length),
            (Some(300), 30)
        );
    }
}
