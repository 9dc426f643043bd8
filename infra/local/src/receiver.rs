//! Receivers of webhooks on this machine, as shops have them: `/_local/receiver/<name>`.
//!
//! - `PUT` with `{"secret": "whsec_…"}` lets the receiver check signatures by Standard Webhooks. `{"answer": 500, "times": 3}`
//!   makes it answer 500 three times, without `times` from now on; any status is possible. `{"timeout": true}` gives no answer.
//!   `{"clear": true}` forgets what came.
//! - `GET` shows what came: id, time, type, body, whether its signature is right, and the status that it was answered with.
//! - `POST` is a delivery.
//!
//! In a process without servers the receiver is at each host that [`Receiver::set_host`] names, and at loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloud::WebError;
use http::{Method, Request, Response, StatusCode};
use kernel::Clock;
use kernel::standard_webhooks::{self, ID, SIGNATURE, Signed, TIMESTAMP};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::providers::reply;

/// The beginning of the paths.
pub const PATH: &str = "/_local/receiver/";
/// Deliveries that a receiver keeps.
const MOST: usize = 1_000;

/// A delivery that came.
#[derive(Debug, Clone, Serialize)]
pub struct Received {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub time: String,
    /// Number of signatures.
    pub signatures: usize,
    /// Whether one of them is of a known secret; null without a secret.
    pub verified: Option<bool>,
    /// The body.
    pub body: Value,
    /// The status of the answer; null: none was given.
    pub answered: Option<u16>,
}

/// The answers of a receiver.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// A secret to check signatures with.
    pub secret: Option<String>,
    /// The status of its answers.
    pub answer: Option<u16>,
    /// How many answers have that status; absent: all.
    pub times: Option<u32>,
    /// No answer.
    pub timeout: bool,
    /// Forgets what came.
    pub clear: bool,
}

#[derive(Debug, Default)]
struct State {
    behaviour: Behaviour,
    received: Vec<Received>,
}

/// The receivers, by name, and the addresses of hosts.
#[derive(Debug, Default)]
pub struct Receiver {
    states: Mutex<BTreeMap<String, State>>,
    hosts: Mutex<BTreeMap<String, Vec<IpAddr>>>,
}

impl Receiver {
    fn states(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what a receiver does from now on.
    pub fn set(&self, name: &str, behaviour: Behaviour) {
        let mut states = self.states();
        let state = states.entry(name.to_owned()).or_default();
        if behaviour.clear {
            state.received.clear();
        }
        let secret = behaviour.secret.or(state.behaviour.secret.take());
        state.behaviour = Behaviour {
            secret,
            ..behaviour
        };
    }

    /// The deliveries that a receiver got, oldest first.
    pub fn received(&self, name: &str) -> Vec<Received> {
        let states = self.states();
        states
            .get(name)
            .map_or_else(Vec::new, |state| state.received.clone())
    }

    /// Gives a host these addresses from now on.
    pub fn set_host(&self, host: &str, addresses: Vec<IpAddr>) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(host.to_owned(), addresses);
    }

    /// The addresses of a host.
    pub fn addresses(&self, host: &str) -> Vec<IpAddr> {
        if host == "localhost" {
            return vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        }
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).cloned().unwrap_or_default()
    }

    /// Answers a request under [`PATH`].
    pub fn serve(
        &self,
        request: &Request<Bytes>,
        clock: &Clock,
    ) -> Result<Response<Bytes>, WebError> {
        let name = request.uri().path().trim_start_matches(PATH).to_owned();
        match *request.method() {
            Method::GET => Ok(reply(200, &json!({ "received": self.received(&name) }))),
            Method::PUT => match serde_json::from_slice(request.body()) {
                Ok(behaviour) => {
                    self.set(&name, behaviour);
                    Ok(reply(200, &json!({})))
                }
                Err(error) => Ok(reply(400, &json!({ "error": error.to_string() }))),
            },
            Method::POST => self.take(&name, request, clock),
            _ => Ok(reply(405, &json!({}))),
        }
    }

    fn take(
        &self,
        name: &str,
        request: &Request<Bytes>,
        clock: &Clock,
    ) -> Result<Response<Bytes>, WebError> {
        let header = |name: &str| {
            let value = request.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let signed = Signed {
            id: header(ID),
            time: header(TIMESTAMP),
            signatures: header(SIGNATURE),
            body: request.body(),
        };
        let mut states = self.states();
        let state = states.entry(name.to_owned()).or_default();
        let behaviour = &mut state.behaviour;
        let secret = behaviour.secret.as_deref();
        let verified = secret
            .map(|secret| standard_webhooks::admits([secret.as_bytes()], &signed, clock.now()));
        let status = match (behaviour.timeout, behaviour.answer, behaviour.times) {
            (true, ..) => None,
            (_, Some(status), None) => Some(status),
            (_, Some(status), Some(left @ 1..)) => {
                behaviour.times = Some(left - 1);
                Some(status)
            }
            _ => Some(200),
        };
        state.received.push(Received {
            id: signed.id.to_owned(),
            time: signed.time.to_owned(),
            signatures: signed.signatures.split_whitespace().count(),
            verified,
            body: serde_json::from_slice(request.body()).unwrap_or_default(),
            answered: status,
        });
        let surplus = state.received.len().saturating_sub(MOST);
        state.received.drain(..surplus);
        let status = status.ok_or(WebError::Timeout)?;
        let mut response = Response::new(Bytes::from_static(b"received"));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        Ok(response)
    }
}
