//! A push service of browsers on this machine (RFC 8030, 8291, 8292), and the browsers behind it: subscriptions, the check of
//! the VAPID token, decryption with the browser's keys, refusals, faults.
//!
//! A subscription is for one VAPID key. Everything that is taken is decrypted and goes to the outbox. `/_local/providers/browsers`
//! shows the browsers, and changes them with `POST`. The module holds no product rule.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cloud::WebError;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use web_push_native::p256::SecretKey;
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint;
use web_push_native::{Auth, decrypt};

use super::{Fault, html, reply};

/// The name under `/_local/providers/`.
pub const NAME: &str = "browsers";
/// The host of the push service.
pub const HOST: &str = "push.browsers.example";
/// Most bytes of a message.
const MOST: usize = 4_096;
/// Seconds that `429` asks to wait.
const WAIT: u32 = 90;

/// A subscription, as a page gets it from the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The address of the push service for this browser.
    pub endpoint: String,
    /// The browser's public key, in base64url.
    pub p256dh: String,
    /// Its secret, in base64url.
    pub auth: String,
}

/// A message that a browser showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The browser.
    pub browser: String,
    /// The decrypted payload.
    pub payload: Value,
    /// The header `TTL`.
    pub ttl: String,
    /// The header `Topic`.
    pub topic: String,
    /// The id of the push service.
    pub id: String,
}

/// Takes a shown message, for the outbox.
pub type Sink = Arc<dyn Fn(&Shown) + Send + Sync>;

struct Browser {
    /// The VAPID key of its subscription.
    key: String,
    is_gone: bool,
}

#[derive(Default)]
struct State {
    browsers: BTreeMap<String, Browser>,
    faults: VecDeque<Fault>,
    shown: Vec<Shown>,
    calls: usize,
    /// Messages that a browser could not decrypt.
    unreadable: usize,
    sink: Option<Sink>,
}

/// The push service; cheap to clone.
#[derive(Clone, Default)]
pub struct Browsers(Arc<Mutex<State>>);

impl std::fmt::Debug for Browsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Browsers")
    }
}

/// A change of the browsers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The browser of this name subscribes with `key`.
    subscribe: Option<String>,
    key: Option<String>,
    /// This browser's subscription ends.
    gone: Option<String>,
    fault: Option<Fault>,
    times: Option<usize>,
}

fn hash(label: &str, name: &str) -> [u8; 32] {
    Sha256::digest(format!("{label}\0{name}")).into()
}

/// The private key of a browser follows from its name, so it survives a restart.
fn secret_of(name: &str) -> Option<SecretKey> {
    SecretKey::from_slice(&hash("browser", name)).ok()
}

fn auth_of(name: &str) -> [u8; 16] {
    let [auth, _] = split(hash("auth", name));
    auth
}

fn split(bytes: [u8; 32]) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    for (n, byte) in bytes.into_iter().enumerate() {
        halves[n / 16][n % 16] = byte;
    }
    halves
}

impl Browsers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends shown messages to `sink` from now on.
    pub fn set_sink(&self, sink: Sink) {
        self.state().sink = Some(sink);
    }

    /// The browser subscribes with a VAPID key. The endpoint is below `base`, by default `https://` and [`HOST`].
    pub fn subscribe(&self, name: &str, key: &str, base: Option<&str>) -> Subscription {
        let browser = Browser {
            key: key.to_owned(),
            is_gone: false,
        };
        self.state().browsers.insert(name.to_owned(), browser);
        let public = secret_of(name).map(|secret| {
            let point = secret.public_key().to_encoded_point(false);
            URL_SAFE_NO_PAD.encode(point.as_bytes())
        });
        let own = format!("https://{HOST}");
        Subscription {
            endpoint: format!("{}/{name}", base.unwrap_or(&own)),
            p256dh: public.unwrap_or_default(),
            auth: URL_SAFE_NO_PAD.encode(auth_of(name)),
        }
    }

    /// The subscription of a browser ends.
    pub fn end(&self, name: &str) {
        if let Some(browser) = self.state().browsers.get_mut(name) {
            browser.is_gone = true;
        }
    }

    /// All shown messages, oldest first.
    pub fn shown(&self) -> Vec<Shown> {
        self.state().shown.clone()
    }

    /// The number of calls, and of messages that a browser could not decrypt.
    pub fn calls(&self) -> (usize, usize) {
        let state = self.state();
        (state.calls, state.unreadable)
    }

    /// The next calls have this fate.
    pub fn fail(&self, fault: Fault, times: usize) {
        let mut state = self.state();
        state.faults.extend(std::iter::repeat_n(fault, times));
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
        match state.faults.pop_front() {
            None => Ok(state.push(path, request, now)),
            Some(Fault::Timeout) => Err(WebError::Timeout),
            Some(Fault::Html) => Ok(html(500)),
            Some(Fault::Down) => Ok(html(503)),
            Some(Fault::Busy) => Ok(busy()),
            Some(Fault::Refuse) => Ok(reply(403, &json!({ "reason": "BadJwtToken" }))),
            Some(Fault::Lost) => {
                state.push(path, request, now);
                Err(WebError::Timeout)
            }
        }
    }

    /// The state that a person at this machine sees.
    pub fn state_shown(&self) -> Value {
        let state = self.state();
        let browsers: Vec<&String> = state.browsers.keys().collect();
        json!({ "browsers": browsers, "shown": state.shown.len(), "calls": state.calls,
            "unreadable": state.unreadable })
    }

    /// A person at this machine changes the browsers. `base` is the address of the push service.
    pub fn change(&self, body: &[u8], base: &str) -> Result<Value, serde_json::Error> {
        let change: Change = serde_json::from_slice(body)?;
        if let Some(name) = change.gone {
            self.end(&name);
        }
        if let Some(fault) = change.fault {
            self.fail(fault, change.times.unwrap_or(1));
        }
        Ok(match (change.subscribe, change.key) {
            (Some(name), Some(key)) => {
                let made = self.subscribe(&name, &key, Some(base));
                let keys = json!({ "p256dh": made.p256dh, "auth": made.auth });
                json!({ "endpoint": made.endpoint, "keys": keys })
            }
            _ => json!({}),
        })
    }
}

fn busy() -> Response<Bytes> {
    let mut busy = reply(429, &json!({}));
    busy.headers_mut().insert(RETRY_AFTER, WAIT.into());
    busy
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Whether the header is a token of this key, for this push service, and valid now.
fn is_signed(header: &str, key: &str, now: i64) -> bool {
    let Some((token, own)) = header
        .strip_prefix("vapid t=")
        .and_then(|rest| rest.split_once(", k="))
    else {
        return false;
    };
    let Ok(point) = URL_SAFE_NO_PAD.decode(own) else {
        return false;
    };
    if own != key || point.len() != 65 {
        return false;
    }
    let (x, y) = point[1..].split_at(32);
    let coordinate = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let Ok(key) = DecodingKey::from_ec_components(&coordinate(x), &coordinate(y)) else {
        return false;
    };
    let mut rules = Validation::new(Algorithm::ES256);
    // The clock of the stack is not the machine's.
    (rules.validate_exp, rules.validate_aud) = (false, false);
    let Ok(read) = jsonwebtoken::decode::<Value>(token, &key, &rules) else {
        return false;
    };
    let claims = read.claims;
    let audience = claims["aud"].as_str().unwrap_or_default();
    let is_here =
        audience == format!("https://{HOST}") || audience.starts_with("http://127.0.0.1:");
    let left = claims["exp"].as_i64().unwrap_or(0) - now;
    let contact = claims["sub"].as_str().unwrap_or_default();
    is_here && (1..=24 * 3600).contains(&left) && contact.starts_with("mailto:")
}

impl State {
    fn push(&mut self, path: &str, request: &Request<Bytes>, now: i64) -> Response<Bytes> {
        let name = path.trim_start_matches('/').to_owned();
        let headers = request.headers();
        let (ttl, topic) = (text(headers, "TTL"), text(headers, "Topic"));
        if request.method() != Method::POST || ttl.parse::<u32>().is_err() || topic.len() > 32 {
            return reply(400, &json!({ "reason": "BadRequest" }));
        }
        if text(headers, CONTENT_ENCODING.as_str()) != "aes128gcm" {
            return reply(415, &json!({ "reason": "BadEncoding" }));
        }
        if request.body().len() > MOST {
            return reply(413, &json!({ "reason": "PayloadTooLarge" }));
        }
        let Some(browser) = self.browsers.get(&name) else {
            return reply(404, &json!({ "reason": "Unknown" }));
        };
        if browser.is_gone {
            return reply(410, &json!({ "reason": "Unsubscribed" }));
        }
        if !is_signed(text(headers, AUTHORIZATION.as_str()), &browser.key, now) {
            return reply(403, &json!({ "reason": "BadJwtToken" }));
        }
        let id = format!("push{:08x}", self.shown.len() + self.unreadable + 1);
        let plain = secret_of(&name).and_then(|secret| {
            let auth = auth_of(&name);
            decrypt(request.body().to_vec(), &secret, Auth::from_slice(&auth)).ok()
        });
        match plain.and_then(|plain| serde_json::from_slice(&plain).ok()) {
            Some(payload) => {
                let shown = Shown {
                    browser: name,
                    payload,
                    ttl: ttl.to_owned(),
                    topic: topic.to_owned(),
                    id: id.clone(),
                };
                if let Some(sink) = &self.sink {
                    sink(&shown);
                }
                self.shown.push(shown);
            }
            // A push service cannot tell; the browser drops it.
            None => self.unreadable += 1,
        }
        let mut taken = Response::new(Bytes::new());
        *taken.status_mut() = http::StatusCode::CREATED;
        let place = HeaderValue::from_str(&format!("https://{HOST}/message/{id}"));
        if let Ok(place) = place {
            taken.headers_mut().insert(LOCATION, place);
        }
        taken
    }
}
