//! eSMS.vn on this machine, in its wire format: accounts, sends, balances, repeats, refusals, faults.
//!
//! The right `SecretKey` is [`SECRET`]; an `ApiKey` names the account. A send costs the price of its segments. Everything that
//! is accepted goes to the outbox. `/_local/providers/esms` shows the accounts, and changes them with `POST`. The documents of
//! the provider: <https://developers.esms.vn>. The module holds no product rule.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloud::WebError;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fault, SECRET, html, reply};

/// The name under `/_local/providers/`.
pub const NAME: &str = "esms";
/// The host of the API.
pub const HOST: &str = "rest.esms.vn";
/// The balance of a new account, in VND.
const BALANCE: i64 = 10_000_000;
/// VND of a segment.
const PRICE: i64 = 800;
/// Numbers that one request of advertising needs.
const LEAST: usize = 30;
/// Most numbers of one request of advertising.
const MOST: usize = 5_000;
/// How long a request id is remembered, in seconds.
const REMEMBERED: i64 = 24 * 3600;
/// Calls of an account in a second.
const RATE: usize = 100;

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sms {
    /// The provider's id.
    pub id: String,
    /// The account.
    pub api_key: String,
    /// The sender's name.
    pub brandname: String,
    /// `84` and nine digits.
    pub phone: String,
    /// The text.
    pub content: String,
    /// `1` advertising, `2` customer care.
    pub kind: String,
    /// The sender's name of the request.
    pub request_id: String,
    /// The address that the report of the message is sent to; empty for none.
    pub callback: String,
    /// Seconds since the epoch.
    pub at: i64,
}

/// Takes an accepted message, for the outbox.
pub type Sink = Arc<dyn Fn(&Sms) + Send + Sync>;

#[derive(Debug)]
struct Account {
    balance: i64,
    /// Request ids with their time and the message's id.
    known: BTreeMap<String, (i64, String)>,
    /// Times of the calls of the last second.
    window: VecDeque<i64>,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<String, Account>,
    /// Names that are refused with 104.
    unknown: Vec<String>,
    /// Numbers and the code of their refusal.
    refused: BTreeMap<String, String>,
    /// Numbers that one request of advertising needs, if the contract has another bound.
    least: Option<usize>,
    faults: VecDeque<Fault>,
    sent: Vec<Sms>,
    /// Addresses of reports that were not made yet, with their queries.
    reports: Vec<String>,
    calls: usize,
    sink: Option<Sink>,
}

/// The provider; cheap to clone.
#[derive(Clone, Default)]
pub struct Esms(Arc<Mutex<State>>);

impl std::fmt::Debug for Esms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Esms")
    }
}

/// A change of the provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The account of `balance`.
    api_key: Option<String>,
    balance: Option<i64>,
    /// A name that the provider does not know.
    unknown_brandname: Option<String>,
    /// A number, `84…`, that is refused with `code`.
    phone: Option<String>,
    code: Option<String>,
    /// Numbers that one request of advertising needs.
    least: Option<usize>,
    fault: Option<Fault>,
    times: Option<usize>,
}

impl Esms {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends accepted messages to `sink` from now on.
    pub fn set_sink(&self, sink: Sink) {
        self.state().sink = Some(sink);
    }

    /// All accepted messages, oldest first.
    pub fn sent(&self) -> Vec<Sms> {
        self.state().sent.clone()
    }

    /// The reports that were not made yet: GET requests to the addresses that the calls named.
    pub fn take_reports(&self) -> Vec<String> {
        std::mem::take(&mut self.state().reports)
    }

    /// The number of calls.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// The next calls have this fate.
    pub fn fail(&self, fault: Fault, times: usize) {
        let mut state = self.state();
        state.faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Sets the balance of an account.
    pub fn set_balance(&self, api_key: &str, balance: i64) {
        self.state().account(api_key).balance = balance;
    }

    /// Refuses a number with a code of the provider.
    pub fn refuse(&self, phone: &str, code: &str) {
        let mut state = self.state();
        state.refused.insert(phone.to_owned(), code.to_owned());
    }

    /// Sets how many numbers one request of advertising needs.
    pub fn set_least(&self, least: usize) {
        self.state().least = Some(least);
    }

    /// Answers a call.
    pub fn answer(
        &self,
        path: &str,
        request: &Request<Bytes>,
        now: i64,
    ) -> Result<Response<Bytes>, WebError> {
        let mut state = self.state();
        state.calls += 1;
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        match state.faults.pop_front() {
            None => Ok(state.dispatch(path, &body, now)),
            Some(Fault::Timeout) => Err(WebError::Timeout),
            Some(Fault::Html) => Ok(html(200)),
            Some(Fault::Down) => Ok(html(503)),
            Some(Fault::Busy) => Ok(reply(429, &json!({}))),
            Some(Fault::Refuse) => Ok(refused("101", "Authorize Failed")),
            Some(Fault::Lost) => {
                state.dispatch(path, &body, now);
                Err(WebError::Timeout)
            }
        }
    }

    /// The state that a person at this machine sees.
    pub fn shown(&self) -> Value {
        let state = self.state();
        let accounts = state.accounts.iter();
        let balances: serde_json::Map<String, Value> = accounts
            .map(|(key, account)| (key.clone(), json!(account.balance)))
            .collect();
        json!({ "balances": balances, "sent": state.sent.len(), "calls": state.calls })
    }

    /// A person at this machine changes the provider.
    pub fn change(&self, body: &[u8]) -> Result<(), serde_json::Error> {
        let change: Change = serde_json::from_slice(body)?;
        if let (Some(key), Some(balance)) = (&change.api_key, change.balance) {
            self.set_balance(key, balance);
        }
        if let (Some(phone), Some(code)) = (&change.phone, &change.code) {
            self.refuse(phone, code);
        }
        if let Some(name) = change.unknown_brandname {
            self.state().unknown.push(name);
        }
        if let Some(least) = change.least {
            self.set_least(least);
        }
        if let Some(fault) = change.fault {
            self.fail(fault, change.times.unwrap_or(1));
        }
        Ok(())
    }
}

fn refused(code: &str, message: &str) -> Response<Bytes> {
    // The status of a refusal is 200.
    reply(
        200,
        &json!({ "CodeResult": code, "CodeResponse": code, "Balance": 0, "CountRegenerate": 0, "ErrorMessage": message }),
    )
}

impl State {
    fn account(&mut self, api_key: &str) -> &mut Account {
        let new = || Account {
            balance: BALANCE,
            known: BTreeMap::new(),
            window: VecDeque::new(),
        };
        self.accounts.entry(api_key.to_owned()).or_insert_with(new)
    }

    fn dispatch(&mut self, path: &str, body: &Value, now: i64) -> Response<Bytes> {
        let api_key = body["ApiKey"].as_str().unwrap_or_default();
        if api_key.is_empty() || body["SecretKey"] != SECRET {
            return refused("101", "Authorize Failed");
        }
        match path.trim_end_matches('/') {
            "/MainService.svc/json/GetBalance_json" => {
                let balance = self.account(api_key).balance;
                reply(
                    200,
                    &json!({ "Balance": balance, "CodeResponse": "100", "UserID": 9999 }),
                )
            }
            "/MainService.svc/json/SendMultipleMessage_V4_post_json" => {
                let phones = vec![body["Phone"].as_str().unwrap_or_default().to_owned()];
                self.send(api_key, body, &phones, now)
            }
            "/MainService.svc/json/SendMultipleSMSBrandname_json" => {
                let phones = body["Phones"].as_array().map(Vec::as_slice);
                let phones = phones.unwrap_or_default().iter();
                let phones: Vec<String> = phones
                    .filter_map(|phone| phone.as_str().map(ToOwned::to_owned))
                    .collect();
                if body["SmsType"] != "1" {
                    return refused("300", "SmsType is not supported");
                }
                // A number counts once, and only a valid one.
                let valid: std::collections::BTreeSet<&String> =
                    phones.iter().filter(|phone| is_number(phone)).collect();
                if valid.len() < self.least.unwrap_or(LEAST) {
                    return refused("107", "Each request has at least 30 numbers to be approved");
                }
                if phones.len() > MOST {
                    return refused("120", "Too many numbers");
                }
                self.send(api_key, body, &phones, now)
            }
            _ => html(404),
        }
    }

    fn send(
        &mut self,
        api_key: &str,
        body: &Value,
        phones: &[String],
        now: i64,
    ) -> Response<Bytes> {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (kind, request_id) = (text("SmsType"), text("RequestId"));
        let account = self.account(api_key);
        account.window.retain(|at| *at == now);
        if account.window.len() >= RATE {
            return reply(429, &json!({}));
        }
        account.window.push_back(now);
        if let Some((at, _)) = account.known.get(&request_id)
            && now - at < REMEMBERED
            && !request_id.is_empty()
        {
            return refused("124", "Duplicate RequestId");
        }
        if let Some((code, message)) = self.fault_of(body, phones, &kind) {
            return refused(&code, message);
        }
        let content = text("Content");
        let segments = i64::from(channels::sms::length(&content).segments.max(1));
        let price = PRICE * segments * phones.len() as i64;
        let id = format!("sms{:08x}", self.sent.len() + 1);
        let account = self.account(api_key);
        if account.balance < price {
            return refused("103", "Balance not enough");
        }
        account.balance -= price;
        account.known.insert(request_id.clone(), (now, id.clone()));
        for phone in phones {
            let sms = Sms {
                id: id.clone(),
                api_key: api_key.to_owned(),
                brandname: text("Brandname"),
                phone: phone.clone(),
                content: content.clone(),
                kind: kind.clone(),
                request_id: request_id.clone(),
                callback: text("CallbackUrl"),
                at: now,
            };
            // A group is accepted as a whole; the report of a blocked number says that it failed.
            let is_blocked = kind == "1" && self.refused.contains_key(phone);
            self.reports.extend(report(&sms, is_blocked));
            if is_blocked {
                continue;
            }
            if let Some(sink) = &self.sink {
                sink(&sms);
            }
            self.sent.push(sms);
        }
        reply(
            200,
            &json!({ "CodeResult": "100", "CountRegenerate": 0, "SMSID": id, "ErrorMessage": "" }),
        )
    }

    /// The refusal of a request by its fields.
    fn fault_of(
        &self,
        body: &Value,
        phones: &[String],
        kind: &str,
    ) -> Option<(String, &'static str)> {
        let name = body["Brandname"].as_str().unwrap_or_default();
        let is_unicode = body["IsUnicode"] == "1";
        let content = body["Content"].as_str().unwrap_or_default();
        let found = |code: &str, message| Some((code.to_owned(), message));
        if !matches!(kind, "1" | "2") {
            return found("300", "SmsType is not supported");
        }
        if name.is_empty() || self.unknown.iter().any(|unknown| unknown == name) {
            return found("104", "Brandname not exist");
        }
        if kind == "2" && !phones.iter().all(|phone| is_number(phone)) {
            return found("108", "Phone number format");
        }
        if kind == "1" && phones.len() < self.least.unwrap_or(LEAST) {
            return found("107", "Each request has at least 30 numbers to be approved");
        }
        if kind == "1" && !is_advertising(content) {
            return found("146", "Advertising begins with [QC]");
        }
        let is_unicode = is_unicode || kind == "1";
        if content.is_empty() || (!is_unicode && !channels::sms::segments::is_gsm(content)) {
            return found("146", "Content does not match a template");
        }
        let [phone] = phones else {
            return None;
        };
        let code = self.refused.get(phone)?;
        Some((code.clone(), "Refused"))
    }
}

/// The report of a message, if its call named an address.
fn report(sms: &Sms, is_blocked: bool) -> Option<String> {
    let (success, failed) = if is_blocked { (0, 1) } else { (1, 0) };
    (!sms.callback.is_empty()).then(|| {
        format!(
            "{}?SMSID={}&RequestId={}&SendStatus=5&SendSuccess={success}&SendFailed={failed}&TotalReceiver=1&TotalSent=1\
             &TotalPrice={PRICE}&TypeId={}&telcoid=1&phonenumber={}",
            sms.callback, sms.id, sms.request_id, sms.kind, sms.phone
        )
    })
}

fn is_number(phone: &str) -> bool {
    phone.len() == 11 && phone.starts_with("84") && phone.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_advertising(content: &str) -> bool {
    ["[QC]", "[AD]"]
        .iter()
        .any(|label| content.starts_with(label))
}
