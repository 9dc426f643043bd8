//! FCM HTTP v1 on this machine, in its wire format: tokens for a service account, messages, refusals, faults.
//!
//! One service account is right: [`Fcm::service_account`]. A token of an app begins with `app-`. Everything that is accepted goes
//! to the outbox. `/_local/providers/fcm` shows the account, and changes the state with `POST`. The module holds no product rule.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloud::WebError;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{Request, Response};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fault, html, reply};

/// The name under `/_local/providers/`.
pub const NAME: &str = "fcm";
/// The host of tokens.
pub const TOKENS: &str = "oauth2.googleapis.com";
/// The host of messages.
pub const HOST: &str = "fcm.googleapis.com";
/// The project of the account.
pub const PROJECT: &str = "local-shop";
const EMAIL: &str = "push@local-shop.iam.gserviceaccount.com";
/// A key of this module alone: it opens nothing else.
const KEY: &str = include_str!("fcm_test_key.pem");
/// Its public half.
const PUBLIC: &[u8] = include_bytes!("fcm_test_key.der");
/// Seconds for which a token is valid.
const VALID: i64 = 3_599;
/// Most bytes of a message, its token apart.
const MOST: usize = 4_096;
/// Seconds that a refusal of too many calls asks to wait.
const WAIT: u32 = 75;

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The token of the app.
    pub token: String,
    /// The message.
    pub message: Value,
    /// The name that FCM gave it.
    pub id: String,
}

/// Takes an accepted message, for the outbox.
pub type Sink = Arc<dyn Fn(&Note) + Send + Sync>;

#[derive(Default)]
struct State {
    /// Tokens and their ends.
    granted: BTreeMap<String, i64>,
    gone: BTreeSet<String>,
    faults: VecDeque<Fault>,
    sent: Vec<Note>,
    calls: usize,
    sink: Option<Sink>,
}

/// The provider; cheap to clone.
#[derive(Clone, Default)]
pub struct Fcm(Arc<Mutex<State>>);

impl std::fmt::Debug for Fcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fcm")
    }
}

/// A change of the provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The app of this token was removed.
    gone: Option<String>,
    fault: Option<Fault>,
    times: Option<usize>,
}

fn refused(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let detail = json!({
        "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
        "errorCode": code,
    });
    let error = json!({ "code": status, "message": message, "status": code, "details": [detail] });
    reply(status, &json!({ "error": error }))
}

impl Fcm {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of the service account.
    pub fn service_account() -> Value {
        json!({ "type": "service_account", "project_id": PROJECT, "client_email": EMAIL, "private_key": KEY,
            "token_uri": format!("https://{TOKENS}/token") })
    }

    /// Sends accepted messages to `sink` from now on.
    pub fn set_sink(&self, sink: Sink) {
        self.state().sink = Some(sink);
    }

    /// All accepted messages, oldest first.
    pub fn sent(&self) -> Vec<Note> {
        self.state().sent.clone()
    }

    /// The number of calls.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// The number of tokens that were given to the account.
    pub fn grants(&self) -> usize {
        self.state().granted.len()
    }

    /// The app of a token was removed.
    pub fn end(&self, token: &str) {
        self.state().gone.insert(token.to_owned());
    }

    /// The next messages have this fate.
    pub fn fail(&self, fault: Fault, times: usize) {
        let mut state = self.state();
        state.faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Answers a call of the host of tokens.
    pub fn grant(&self, request: &Request<Bytes>, now: i64) -> Response<Bytes> {
        let wrong = || {
            reply(
                400,
                &json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." }),
            )
        };
        let mut pairs = url::form_urlencoded::parse(request.body());
        let assertion = pairs.find(|(name, _)| name == "assertion");
        let Some((_, assertion)) = assertion else {
            return wrong();
        };
        let mut rules = Validation::new(Algorithm::RS256);
        // The clock of the stack is not the machine's.
        (rules.validate_exp, rules.validate_aud) = (false, false);
        let key = DecodingKey::from_rsa_der(PUBLIC);
        let Ok(read) = jsonwebtoken::decode::<Value>(assertion.as_bytes(), &key, &rules) else {
            return wrong();
        };
        let claims = read.claims;
        let left = claims["exp"].as_i64().unwrap_or(0) - now;
        let is_ours = claims["iss"] == EMAIL && claims["aud"] == format!("https://{TOKENS}/token");
        if !is_ours || !(1..=3600).contains(&left) {
            return wrong();
        }
        let mut state = self.state();
        let token = format!("ya29.local.{}", state.granted.len() + 1);
        state.granted.insert(token.clone(), now + VALID);
        reply(
            200,
            &json!({ "access_token": token, "expires_in": VALID, "token_type": "Bearer" }),
        )
    }

    /// Answers a call of the host of messages.
    pub fn answer(
        &self,
        path: &str,
        request: &Request<Bytes>,
        now: i64,
    ) -> Result<Response<Bytes>, WebError> {
        let mut state = self.state();
        state.calls += 1;
        match state.faults.pop_front() {
            None => Ok(state.send(path, request, now)),
            Some(Fault::Timeout) => Err(WebError::Timeout),
            Some(Fault::Html) => Ok(html(500)),
            Some(Fault::Down) => Ok(refused(503, "UNAVAILABLE", "The service is overloaded.")),
            Some(Fault::Busy) => {
                let mut busy = refused(429, "QUOTA_EXCEEDED", "Quota exceeded.");
                busy.headers_mut().insert(RETRY_AFTER, WAIT.into());
                Ok(busy)
            }
            Some(Fault::Refuse) => Ok(refused(401, "UNAUTHENTICATED", "Expired token.")),
            Some(Fault::Lost) => {
                state.send(path, request, now);
                Err(WebError::Timeout)
            }
        }
    }

    /// The state that a person at this machine sees: the account to connect, too.
    pub fn shown(&self) -> Value {
        let state = self.state();
        json!({ "service_account": Self::service_account(), "sent": state.sent.len(), "calls": state.calls })
    }

    /// A person at this machine changes the provider.
    pub fn change(&self, body: &[u8]) -> Result<(), serde_json::Error> {
        let change: Change = serde_json::from_slice(body)?;
        if let Some(token) = change.gone {
            self.end(&token);
        }
        if let Some(fault) = change.fault {
            self.fail(fault, change.times.unwrap_or(1));
        }
        Ok(())
    }
}

impl State {
    fn send(&mut self, path: &str, request: &Request<Bytes>, now: i64) -> Response<Bytes> {
        let header = request.headers().get(AUTHORIZATION);
        let header = header
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let token = header.trim_start_matches("Bearer ");
        if self.granted.get(token).is_none_or(|until| *until <= now) {
            return refused(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
            );
        }
        if path != format!("/v1/projects/{PROJECT}/messages:send") {
            return refused(
                403,
                "PERMISSION_DENIED",
                "Permission denied on the project.",
            );
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let message = body["message"].clone();
        let to = message["token"].as_str().unwrap_or_default().to_owned();
        if !to.starts_with("app-") {
            let words = "The registration token is not a valid FCM registration token";
            return refused(400, "INVALID_ARGUMENT", words);
        }
        let data = message["data"].as_object();
        let has_texts = data.is_none_or(|data| data.values().all(Value::is_string));
        if !has_texts || message.to_string().len() > MOST + to.len() {
            return refused(400, "INVALID_ARGUMENT", "Invalid data payload.");
        }
        if self.gone.contains(&to) {
            return refused(404, "UNREGISTERED", "Requested entity was not found.");
        }
        if body["validate_only"] == true {
            return reply(
                200,
                &json!({ "name": format!("projects/{PROJECT}/messages/fake_message_id") }),
            );
        }
        let id = format!("0:{}", self.sent.len() + 1);
        let note = Note {
            token: to,
            message,
            id: id.clone(),
        };
        if let Some(sink) = &self.sink {
            sink(&note);
        }
        self.sent.push(note);
        reply(
            200,
            &json!({ "name": format!("projects/{PROJECT}/messages/{id}") }),
        )
    }
}
