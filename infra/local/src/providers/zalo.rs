//! Zalo on this machine, in its wire format: consent, tokens, Official Accounts, templates, messages to phone numbers, receipts.
//!
//! The app has the id and the secrets of the installation. A refresh token is valid once. An account makes 100 calls a minute; messages
//! do not count. A message is checked as Zalo checks it: number, template, parameters, quotas. `/_local/providers/zalo` shows the accounts,
//! and changes them with `POST`. The documents of the provider: <https://developers.zalo.me/docs>. The module holds no product rule.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cloud::WebError;
use http::{Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Asked, Fault, html, reply};

/// The name under `/_local/providers/`.
pub const NAME: &str = "zalo";
/// The hosts of the APIs.
pub const HOSTS: [&str; 3] = [
    "oauth.zaloapp.com",
    "openapi.zalo.me",
    "business.openapi.zalo.me",
];
/// The id of the installation's app.
pub const APP_ID: &str = "1234567890123456789";
/// The account whose administrator agrees.
pub const OA: &str = "3400000000000000001";
/// The template of an order, which every account has.
pub const TEMPLATE: &str = "207320";
/// Life of an access token, in seconds.
const LIFE: i64 = 90_000;
/// Life of a code, in seconds.
const CODE_LIFE: i64 = 600;
/// Calls of an account in a minute.
const RATE: usize = 100;
/// Messages of an account in a day.
const QUOTA: i64 = 5_000;
/// VND of a message.
const PRICE: i64 = 300;

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zns {
    /// The provider's id.
    pub id: String,
    /// The account.
    pub oa_id: String,
    /// `84` and nine digits.
    pub phone: String,
    /// The template.
    pub template_id: String,
    /// The values of its parameters.
    pub data: Value,
    /// The sender's name of the request.
    pub tracking_id: String,
    /// Seconds since the epoch.
    pub at: i64,
}

/// Takes an accepted message, for the outbox.
pub type Sink = Arc<dyn Fn(&Zns) + Send + Sync>;

/// An event as Zalo posts it: headers and body.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Headers of the request.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

#[derive(Debug, Default)]
struct Account {
    /// Number of the present pair of tokens.
    pair: u64,
    expires_at: i64,
    /// When the access token of the pair before ends: a renewal leaves it.
    before: i64,
    /// Times of the calls of the last minute.
    window: VecDeque<i64>,
    /// Messages of a day.
    sent: BTreeMap<i64, i64>,
    /// Refresh tokens that were given a second time.
    reused: usize,
}

#[derive(Debug, Clone)]
struct Code {
    oa_id: String,
    challenge: String,
    at: i64,
}

#[derive(Default)]
struct State {
    secret: String,
    oa_secret: String,
    accounts: BTreeMap<String, Account>,
    codes: BTreeMap<String, Code>,
    /// The account whose administrator agrees next.
    next: Option<String>,
    /// Numbers and the code of their refusal.
    refused: BTreeMap<String, i64>,
    /// A code that each message gets.
    every: Option<i64>,
    quota: Option<i64>,
    /// Templates beside the one of orders.
    more: usize,
    disabled: bool,
    faults: VecDeque<Fault>,
    sent: Vec<Zns>,
    /// Messages whose receipts were posted.
    reported: usize,
    calls: Vec<String>,
    sink: Option<Sink>,
}

/// The provider; cheap to clone.
#[derive(Clone, Default)]
pub struct Zalo(Arc<Mutex<State>>);

impl std::fmt::Debug for Zalo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Zalo")
    }
}

/// A change of the provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The account whose administrator agrees next.
    oa_id: Option<String>,
    /// A number, `84…`, that is refused with `code`.
    phone: Option<String>,
    code: Option<i64>,
    /// A code that each message gets; 0 ends it.
    every: Option<i64>,
    /// Messages of a day.
    quota: Option<i64>,
    /// Templates beside the one of orders.
    templates: Option<usize>,
    fault: Option<Fault>,
    times: Option<usize>,
}

impl Zalo {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secrets of the installation's app.
    pub fn set_secrets(&self, app_secret: &str, oa_secret: &str) {
        let mut state = self.state();
        app_secret.clone_into(&mut state.secret);
        oa_secret.clone_into(&mut state.oa_secret);
    }

    /// Sends accepted messages to `sink` from now on.
    pub fn set_sink(&self, sink: Sink) {
        self.state().sink = Some(sink);
    }

    /// All accepted messages, oldest first.
    pub fn sent(&self) -> Vec<Zns> {
        self.state().sent.clone()
    }

    /// Method, host and path of all calls.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Refresh tokens that were given a second time.
    pub fn reused(&self) -> usize {
        let state = self.state();
        state.accounts.values().map(|account| account.reused).sum()
    }

    /// The next calls have this fate.
    pub fn fail(&self, fault: Fault, times: usize) {
        let mut state = self.state();
        state.faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Ends all faults and refusals.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.every = None;
    }

    /// The account whose administrator agrees next.
    pub fn next_account(&self, oa_id: &str) {
        self.state().next = Some(oa_id.to_owned());
    }

    /// Refuses a number with a code.
    pub fn refuse(&self, phone: &str, code: i64) {
        self.state().refused.insert(phone.to_owned(), code);
    }

    /// Refuses each message with a code; `None` ends it.
    pub fn refuse_all(&self, code: Option<i64>) {
        self.state().every = code;
    }

    /// Sets the messages of a day.
    pub fn set_quota(&self, quota: i64) {
        self.state().quota = Some(quota);
    }

    /// Sets the number of templates beside the one of orders.
    pub fn set_templates(&self, more: usize) {
        self.state().more = more;
    }

    /// Disables the template of orders.
    pub fn disable(&self) {
        self.state().disabled = true;
    }

    /// Ends the access tokens of all accounts; their refresh tokens stay.
    pub fn end_tokens(&self) {
        for account in self.state().accounts.values_mut() {
            account.expires_at = 0;
        }
    }

    /// Ends all tokens of all accounts: an administrator has removed the app.
    pub fn remove_app(&self) {
        for account in self.state().accounts.values_mut() {
            account.expires_at = 0;
            account.before = 0;
            account.pair += 1;
        }
    }

    /// An event about a message, signed: `user_received_message` or `user_seen_message`.
    pub fn event(&self, message: &Zns, name: &str, at_ms: i64) -> Posted {
        let body = json!({ "sender": { "id": message.oa_id }, "recipient": { "id": message.phone }, "event_name": name,
            "message": { "delivery_time": at_ms.to_string(), "msg_id": message.id, "tracking_id": message.tracking_id },
            "app_id": APP_ID, "timestamp": at_ms.to_string() });
        self.signed(&body.to_string(), "ZNS", &at_ms.to_string())
    }

    /// A body with the headers of Zalo.
    pub fn signed(&self, body: &str, server: &str, timestamp: &str) -> Posted {
        let text = format!("{APP_ID}{body}{timestamp}{}", self.state().oa_secret);
        let digest = hex::encode(Sha256::digest(text));
        Posted {
            headers: vec![
                ("x-zevent-signature", format!("mac={digest}")),
                ("x-zevent-server", server.to_owned()),
                ("user-agent", "ZaloWebhook".to_owned()),
                ("content-type", "application/json".to_owned()),
            ],
            body: body.to_owned(),
        }
    }

    /// The receipts of the messages that have none yet: each is delivered, and every second one is seen.
    pub fn receipts(&self, now_ms: i64) -> Vec<Posted> {
        let sent = {
            let mut state = self.state();
            let end = state.sent.len();
            let from = std::mem::replace(&mut state.reported, end);
            state.sent[from..].to_vec()
        };
        let mut events = Vec::new();
        for (n, message) in sent.iter().enumerate() {
            events.push(self.event(message, "user_received_message", now_ms));
            if n.is_multiple_of(2) {
                events.push(self.event(message, "user_seen_message", now_ms));
            }
        }
        events
    }

    /// Answers a call.
    pub fn answer(&self, asked: &Asked<'_>) -> Result<Response<Bytes>, WebError> {
        let mut state = self.state();
        state
            .calls
            .push(format!("{} {}{}", asked.method, asked.host, asked.path));
        match state.faults.pop_front() {
            None => Ok(state.dispatch(asked)),
            Some(Fault::Timeout) => Err(WebError::Timeout),
            Some(Fault::Html) => Ok(html(200)),
            Some(Fault::Down) => Ok(html(503)),
            Some(Fault::Busy) => Ok(error(-32, "Rate limit")),
            Some(Fault::Refuse) => Ok(error(-124, "Access token is invalid")),
            Some(Fault::Lost) => {
                state.dispatch(asked);
                Err(WebError::Timeout)
            }
        }
    }

    /// The state that a person at this machine sees.
    pub fn shown(&self) -> Value {
        let state = self.state();
        let accounts: Vec<&String> = state.accounts.keys().collect();
        json!({ "app_id": APP_ID, "accounts": accounts, "sent": state.sent.len(), "calls": state.calls.len() })
    }

    /// A person at this machine changes the provider.
    pub fn change(&self, body: &[u8]) -> Result<(), serde_json::Error> {
        let change: Change = serde_json::from_slice(body)?;
        if let Some(oa_id) = &change.oa_id {
            self.next_account(oa_id);
        }
        if let (Some(phone), Some(code)) = (&change.phone, change.code) {
            self.refuse(phone, code);
        }
        if let Some(code) = change.every {
            self.refuse_all(Some(code).filter(|code| *code != 0));
        }
        if let Some(quota) = change.quota {
            self.set_quota(quota);
        }
        if let Some(more) = change.templates {
            self.set_templates(more);
        }
        if let Some(fault) = change.fault {
            self.fail(fault, change.times.unwrap_or(1));
        }
        Ok(())
    }
}

/// A refusal: its status is 200.
fn error(code: i64, message: &str) -> Response<Bytes> {
    reply(200, &json!({ "error": code, "message": message }))
}

fn access(oa_id: &str, pair: u64) -> String {
    format!("zalo-access-{oa_id}-{pair}")
}

fn refresh(oa_id: &str, pair: u64) -> String {
    format!("zalo-refresh-{oa_id}-{pair}")
}

impl Account {
    /// When an access token of the account ends; `None` for another token.
    fn end_of(&self, oa_id: &str, token: &str) -> Option<i64> {
        if token == access(oa_id, self.pair) {
            Some(self.expires_at)
        } else if self.pair > 0 && token == access(oa_id, self.pair - 1) {
            Some(self.before)
        } else {
            None
        }
    }
}

impl State {
    fn dispatch(&mut self, asked: &Asked<'_>) -> Response<Bytes> {
        match (asked.host, asked.path) {
            ("oauth.zaloapp.com", "/v4/oa/permission") => self.consent(asked),
            ("oauth.zaloapp.com", "/v4/oa/access_token") => self.token(asked),
            ("openapi.zalo.me" | "business.openapi.zalo.me", path) => self.api(asked, path),
            _ => html(404),
        }
    }

    fn consent(&mut self, asked: &Asked<'_>) -> Response<Bytes> {
        if asked.pair("app_id") != APP_ID {
            return error(-14_002, "App is not active");
        }
        let Ok(mut to) = url::Url::parse(asked.pair("redirect_uri")) else {
            return error(-14_003, "Invalid redirect uri");
        };
        let oa_id = self.next.take().unwrap_or_else(|| OA.to_owned());
        let code = format!("zalo-code-{}", self.calls.len());
        let kept = Code {
            oa_id: oa_id.clone(),
            challenge: asked.pair("code_challenge").to_owned(),
            at: asked.now,
        };
        self.codes.insert(code.clone(), kept);
        to.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("oa_id", &oa_id)
            .append_pair("state", asked.pair("state"));
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::FOUND;
        if let Ok(to) = header::HeaderValue::from_str(to.as_str()) {
            response.headers_mut().insert(header::LOCATION, to);
        }
        response
    }

    fn token(&mut self, asked: &Asked<'_>) -> Response<Bytes> {
        if asked.header("secret_key") != self.secret || asked.field("app_id") != APP_ID {
            return error(-14_004, "Invalid app id or secret key");
        }
        if asked.field("grant_type") == "refresh_token" {
            let given = asked.field("refresh_token");
            let mut parts = given.rsplitn(2, '-');
            let pair: Option<u64> = parts.next().and_then(|pair| pair.parse().ok());
            let oa_id = parts.next().unwrap_or_default();
            let oa_id = oa_id.trim_start_matches("zalo-refresh-").to_owned();
            let Some(account) = self.accounts.get_mut(&oa_id) else {
                return error(-14_014, "Invalid refresh token");
            };
            if pair != Some(account.pair) {
                account.reused += 1;
                return error(-14_014, "Invalid refresh token");
            }
            return self.pair(&oa_id, asked.now);
        }
        let digest = Sha256::digest(asked.field("code_verifier").as_bytes());
        match self.codes.remove(&asked.field("code")) {
            Some(code)
                if asked.now - code.at < CODE_LIFE
                    && code.challenge == URL_SAFE_NO_PAD.encode(digest) =>
            {
                self.pair(&code.oa_id, asked.now)
            }
            _ => error(-14_019, "Invalid authorized code"),
        }
    }

    /// The next pair of tokens of an account.
    fn pair(&mut self, oa_id: &str, now: i64) -> Response<Bytes> {
        let account = self.accounts.entry(oa_id.to_owned()).or_default();
        account.pair += 1;
        account.before = account.expires_at;
        account.expires_at = now + LIFE;
        reply(
            200,
            &json!({ "access_token": access(oa_id, account.pair), "refresh_token": refresh(oa_id, account.pair),
                "expires_in": LIFE.to_string() }),
        )
    }

    fn api(&mut self, asked: &Asked<'_>, path: &str) -> Response<Bytes> {
        let token = asked.header("access_token");
        let found = self
            .accounts
            .iter_mut()
            .find(|(oa_id, account)| account.end_of(oa_id, token).is_some());
        let Some((oa_id, account)) = found else {
            return error(-124, "Access token is invalid");
        };
        if account
            .end_of(oa_id, token)
            .is_none_or(|end| asked.now >= end)
        {
            let code = if asked.host == "openapi.zalo.me" {
                -216
            } else {
                -124
            };
            return error(code, "Access token has expired");
        }
        let oa_id = oa_id.clone();
        if path == "/message/template" {
            return self.send(asked, &oa_id);
        }
        account.window.retain(|at| asked.now - at < 60);
        if account.window.len() >= RATE {
            return error(-32, "Rate limit of the OA");
        }
        account.window.push_back(asked.now);
        match path {
            "/v2.0/oa/getoa" => reply(
                200,
                &json!({ "error": 0, "message": "Success", "data": { "oa_id": oa_id, "name": format!("Cửa hàng {}", &oa_id[oa_id.len() - 1..]),
                    "description": "Gốm Chu Đậu", "avatar": "https://s160-ava-talk.zadn.vn/oa.jpg", "is_verified": true,
                    "package_name": "Gói Tăng trưởng", "num_follower": 1_200 } }),
            ),
            "/message/quota" => {
                let (quota, left) = (self.quota(), self.left(&oa_id, asked.now));
                reply(
                    200,
                    &json!({ "error": 0, "message": "Success", "data": { "dailyQuota": quota.to_string(), "remainingQuota": left.to_string() } }),
                )
            }
            "/template/all" => self.list(asked),
            "/template/info/v2" => self.info(asked.pair("template_id")),
            _ => error(-106, "Method is not supported"),
        }
    }

    fn quota(&self) -> i64 {
        self.quota.unwrap_or(QUOTA)
    }

    /// Messages of the day that are left. The day is Vietnam's.
    fn left(&self, oa_id: &str, now: i64) -> i64 {
        let day = (now + 7 * 3_600) / 86_400;
        let account = self.accounts.get(oa_id);
        let sent = account.and_then(|account| account.sent.get(&day));
        self.quota() - sent.copied().unwrap_or(0)
    }

    fn ids(&self) -> Vec<String> {
        let more = (0..self.more).map(|n| (300_000 + n).to_string());
        std::iter::once(TEMPLATE.to_owned()).chain(more).collect()
    }

    fn status(&self, id: &str) -> &'static str {
        if id == TEMPLATE && self.disabled {
            "DISABLE"
        } else {
            "ENABLE"
        }
    }

    fn list(&self, asked: &Asked<'_>) -> Response<Bytes> {
        let (offset, limit) = (asked.number("offset", 0), asked.number("limit", 0));
        if !(1..=100).contains(&limit) {
            return error(-201, "limit is invalid");
        }
        let one = |id: String| {
            json!({ "templateId": id.parse::<u64>().unwrap_or(0), "templateName": format!("Mẫu {id}"), "status": self.status(&id),
                "templateQuality": "HIGH" })
        };
        let page: Vec<Value> = self
            .ids()
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(one)
            .collect();
        reply(
            200,
            &json!({ "error": 0, "message": "Success", "data": page, "metadata": { "total": self.ids().len() } }),
        )
    }

    fn info(&self, id: &str) -> Response<Bytes> {
        if !self.ids().iter().any(|known| known == id) {
            return error(-109, "Template is invalid");
        }
        reply(
            200,
            &json!({ "error": 0, "message": "Success", "data": { "templateId": id, "templateName": format!("Mẫu {id}"),
                "status": self.status(id), "timeout": 7_200_000, "previewUrl": format!("https://account.zalo.cloud/znspreview/{id}"),
                "templateQuality": "HIGH", "templateTag": "CUSTOMER_CARE", "price": "300.0", "price_sdt": PRICE, "price_uid": 200,
                "listParams": params() } }),
        )
    }

    fn send(&mut self, asked: &Asked<'_>, oa_id: &str) -> Response<Bytes> {
        let body = asked.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (phone, template_id, tracking_id) =
            (text("phone"), text("template_id"), text("tracking_id"));
        if let Some(code) = self.every {
            return error(code, "Refused");
        }
        if let Some((code, message)) = self.fault_of(&body, &phone, &template_id, &tracking_id) {
            return error(code, message);
        }
        let left = self.left(oa_id, asked.now);
        if left <= 0 {
            return error(-144, "OA has exceeded its daily quota");
        }
        let day = (asked.now + 7 * 3_600) / 86_400;
        if let Some(account) = self.accounts.get_mut(oa_id) {
            *account.sent.entry(day).or_default() += 1;
        }
        let zns = Zns {
            id: format!("zns{:016x}", self.sent.len() + 1),
            oa_id: oa_id.to_owned(),
            phone,
            template_id,
            data: body["template_data"].clone(),
            tracking_id,
            at: asked.now,
        };
        let answer = json!({ "error": 0, "message": "Success", "data": { "msg_id": zns.id, "sent_time": (asked.now * 1_000).to_string(),
            "sending_mode": "1", "quota": { "dailyQuota": self.quota().to_string(), "remainingQuota": (left - 1).to_string() } } });
        if let Some(sink) = &self.sink {
            sink(&zns);
        }
        self.sent.push(zns);
        reply(200, &answer)
    }

    /// The refusal of a message by its fields.
    fn fault_of(
        &self,
        body: &Value,
        phone: &str,
        template_id: &str,
        tracking_id: &str,
    ) -> Option<(i64, &'static str)> {
        let is_number = phone.len() == 11
            && phone.starts_with("84")
            && phone.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Some((-108, "Phone number is invalid"));
        }
        if !self.ids().iter().any(|known| known == template_id) {
            return Some((-109, "Template is invalid"));
        }
        if self.status(template_id) != "ENABLE" {
            return Some((-131, "Template is not approved"));
        }
        let is_plain = tracking_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if tracking_id.is_empty() || tracking_id.len() > 48 || !is_plain {
            return Some((-132, "tracking_id is invalid"));
        }
        let data = body["template_data"].as_object();
        let Some(data) = data.filter(|data| !data.is_empty()) else {
            return Some((-111, "Template data is empty"));
        };
        for param in params() {
            let name = param["name"].as_str().unwrap_or_default();
            let value = data.get(name).and_then(Value::as_str);
            let length = value.map_or(0, |value| value.chars().count());
            if length == 0 && param["require"] == true {
                return Some((-1_122, "A parameter is missing"));
            }
            if length as u64 > param["maxLength"].as_u64().unwrap_or(0) {
                return Some((-1_121, "A parameter is too long"));
            }
        }
        let code = self.refused.get(phone)?;
        Some((*code, "Refused"))
    }
}

/// The parameters of each template.
fn params() -> Vec<Value> {
    vec![
        json!({ "name": "customer_name", "require": true, "type": "STRING", "maxLength": 30, "minLength": 0, "acceptNull": false }),
        json!({ "name": "order_code", "require": true, "type": "STRING", "maxLength": 30, "minLength": 0, "acceptNull": false }),
        json!({ "name": "note", "require": false, "type": "STRING", "maxLength": 200, "minLength": 0, "acceptNull": false }),
    ]
}
