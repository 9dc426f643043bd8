//! The account's suppression list: addresses to which no mail is delivered, with the reason.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::fault::ApiError;
use super::super::journal::Journal;
use super::super::wire;
use super::{bad_request, failed, not_found};

/// Most addresses on a page of the list.
const PAGE: usize = 1000;

/// The list, kept in a log.
#[derive(Debug)]
pub(in crate::aws) struct Suppression(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Reason, and when it was noted in epoch milliseconds, by address.
    addresses: BTreeMap<String, (Reason, i64)>,
    journal: Journal,
}

/// Why an address is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::aws) enum Reason {
    /// Mail to the address had a permanent bounce.
    Bounce,
    /// Its owner complained.
    Complaint,
}

#[derive(Serialize, Deserialize)]
enum Entry<'a> {
    #[serde(rename = "s")]
    Suppressed(Cow<'a, str>, Reason, i64),
    #[serde(rename = "d")]
    Removed(Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    email_address: String,
    reason: Reason,
}

impl Reason {
    /// The reason of that name, as templates and requests write it.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "BOUNCE" => Some(Self::Bounce),
            "COMPLAINT" => Some(Self::Complaint),
            _ => None,
        }
    }
}

impl Suppression {
    /// The list kept in `log`, or an empty one.
    pub fn open(log: Option<PathBuf>) -> anyhow::Result<Self> {
        let mut addresses = BTreeMap::new();
        let journal = Journal::open(log, |entry| replay(&mut addresses, entry))?;
        Ok(Self(Mutex::new(State { addresses, journal })))
    }

    /// Why the address is on the list.
    pub fn reason(&self, address: &str) -> Option<Reason> {
        let found = self.lock().addresses.get(&address.to_lowercase()).copied();
        found.map(|(reason, _)| reason)
    }

    /// Puts an address on the list.
    pub fn add(&self, address: &str, reason: Reason, now: i64) -> std::io::Result<()> {
        let address = address.to_lowercase();
        self.lock()
            .apply(Entry::Suppressed(Cow::Owned(address), reason, now))
    }

    /// Answers a request to the list, `rest` being the path after `/v2/email/suppression/addresses`.
    pub fn handle(
        &self,
        method: &Method,
        rest: &str,
        query: &str,
        body: &[u8],
        now: i64,
    ) -> Option<Result<Value, ApiError>> {
        let address = wire::percent_decode(rest.trim_start_matches('/')).to_lowercase();
        Some(match (method, address.is_empty()) {
            (&Method::PUT, true) => self.put(body, now),
            (&Method::GET, true) => self.list(query),
            (&Method::GET, false) => self.get(&address),
            (&Method::DELETE, false) => self.remove(&address),
            _ => return None,
        })
    }

    fn put(&self, body: &[u8], now: i64) -> Result<Value, ApiError> {
        let put: Put =
            serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
        if !put.email_address.contains('@') {
            return Err(bad_request("Invalid email address"));
        }
        let added = self.add(&put.email_address, put.reason, now);
        added.map(|()| json!({})).map_err(|error| failed(&error))
    }

    fn get(&self, address: &str) -> Result<Value, ApiError> {
        let state = self.lock();
        let found = state.addresses.get_key_value(address);
        let found = found.ok_or_else(|| absent(address))?;
        Ok(json!({"SuppressedDestination": shown(found)}))
    }

    fn remove(&self, address: &str) -> Result<Value, ApiError> {
        let mut state = self.lock();
        if !state.addresses.contains_key(address) {
            return Err(absent(address));
        }
        let removed = state.apply(Entry::Removed(Cow::Borrowed(address)));
        removed.map(|()| json!({})).map_err(|error| failed(&error))
    }

    fn list(&self, query: &str) -> Result<Value, ApiError> {
        let mut reasons = Vec::new();
        let (mut most, mut after, mut from, mut to) = (PAGE, String::new(), i64::MIN, i64::MAX);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let wrong = || bad_request(format!("{name} has a wrong value"));
            let time = || value.parse::<jiff::Timestamp>().map_err(|_| wrong());
            match &*name {
                "Reason" => reasons.push(Reason::of(&value).ok_or_else(wrong)?),
                "PageSize" => {
                    let size = value.parse().ok().filter(|size| (1..=PAGE).contains(size));
                    most = size.ok_or_else(wrong)?;
                }
                "NextToken" => {
                    let token = BASE64.decode(&*value).ok();
                    let token = token.and_then(|token| String::from_utf8(token).ok());
                    after = token.ok_or_else(wrong)?;
                }
                "StartDate" => from = time()?.as_millisecond(),
                "EndDate" => to = time()?.as_millisecond(),
                _ => {}
            }
        }
        let state = self.lock();
        let mut found = state.addresses.iter().filter(|(address, (reason, at))| {
            let wanted = reasons.is_empty() || reasons.contains(reason);
            wanted && **address > after && (from..=to).contains(at)
        });
        let page: Vec<_> = found.by_ref().take(most).collect();
        let mut answer = json!({"SuppressedDestinationSummaries": page.iter().copied().map(shown).collect::<Vec<_>>()});
        if let Some((last, _)) = page.last().filter(|_| found.next().is_some()) {
            answer["NextToken"] = json!(BASE64.encode(last));
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, entry: Entry<'_>) -> std::io::Result<()> {
        self.journal.append(&entry)?;
        replay(&mut self.addresses, entry);
        Ok(())
    }
}

fn replay(addresses: &mut BTreeMap<String, (Reason, i64)>, entry: Entry<'_>) {
    match entry {
        Entry::Suppressed(address, reason, at) => {
            addresses.insert(address.into_owned(), (reason, at));
        }
        Entry::Removed(address) => {
            addresses.remove(&*address);
        }
    }
}

fn shown((address, (reason, at)): (&String, &(Reason, i64))) -> Value {
    json!({"EmailAddress": address, "Reason": reason, "LastUpdateTime": *at as f64 / 1000.0})
}

fn absent(address: &str) -> ApiError {
    not_found(format!(
        "Email address {address} does not exist on your suppression list."
    ))
}
