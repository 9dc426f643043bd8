//! Zalo on this machine, in its wire format: consent, tokens, Official Accounts, templates, messages to phone numbers, receipts.
//!
//! The app has the id and the secrets of the installation. A refresh token is valid once. An account makes 100 calls a minute; messages
//! do not count. A message is checked as Zalo checks it: number, template, parameters, quotas. `/_local/providers/zalo` shows the accounts,
//! and changes them with `POST`. The documents of the provider: <https://developers.zalo.me/docs>. The module holds no product rule.

mod server;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloud::WebError;
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use server::error;

use super::{Asked, Fault, html};

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
