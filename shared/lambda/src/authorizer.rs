//! The Lambda authorizer, for the HTTP API (payload 2.0, simple answers) and for the WebSocket API's `$connect`.
//! `$connect` carries only what a browser can send: parameters of the address in place of headers. It expects a
//! policy as its answer.
//!
//! It admits every request and sends its verdict along, and [`Function::api`] refuses. API Gateway would answer a
//! refusal with 403 and a body of its own, but clients must get 401 and a problem (docs/adr/0011).

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

pub use kernel::{Grant, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ConfigError, Failure, Function, InvokeError, Setup};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default)]
    query_string_parameters: Option<HashMap<String, String>>,
    /// The ARN that a WebSocket API sends; an HTTP API sends `routeArn`.
    #[serde(default)]
    method_arn: Option<String>,
}

impl Request {
    fn presented(&self) -> Presented {
        let none = HashMap::new();
        let headers = self.headers.as_ref().unwrap_or(&none);
        let header = |wanted: &str| {
            let found = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str())
        };
        let query = self.query_string_parameters.as_ref().unwrap_or(&none);
        let parameter = |name: &str| query.get(name).map(String::as_str);
        let socket = self.method_arn.is_some();
        let (bearer, workspace) = if socket {
            (parameter("token").and_then(sane), parameter("workspace"))
        } else {
            (
                header("authorization").and_then(bearer),
                header("x-workspace"),
            )
        };
        // An empty header names nothing.
        let workspace = workspace.map(str::trim).filter(|id| !id.is_empty());
        let workspace = workspace.map(str::to_owned);
        Presented {
            bearer,
            workspace,
            socket,
        }
    }
}

/// The credential that a caller shows.
#[derive(Clone, Default)]
pub struct Presented {
    /// The bearer token of `Authorization`, or the socket's `?token=`.
    pub bearer: Option<String>,
    /// The header `X-Workspace`, or the socket's `?workspace=`.
    pub workspace: Option<String>,
    /// Whether a socket is to be opened.
    pub socket: bool,
}

impl Function {
    /// A function that identifies the caller. An error means "try again": API Gateway turns it into a 500 and never
    /// into access.
    pub fn authorizer<H, F>(setup: &Setup, handler: H) -> Result<Self, ConfigError>
    where
        H: Fn(Presented) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Verdict, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(setup, move |event, _| {
            let handler = handler.clone();
            async move {
                let request: Request = serde_json::from_value(event)
                    .map_err(|error| InvokeError::new("Event.Malformed", error))?;
                let verdict = handler(request.presented()).await;
                let verdict =
                    verdict.map_err(|failure| InvokeError::new(failure.name(), &failure))?;
                Ok(match request.method_arn {
                    None => json!({ "isAuthorized": true, "context": verdict }),
                    Some(arn) => policy(&arn, &verdict),
                })
            }
        })
    }
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 11.1).
fn bearer(header: &str) -> Option<String> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| sane(token.trim()))?
}

/// Whether a token can be a credential, so that it is worth a look-up.
fn sane(token: &str) -> Option<String> {
    (1..=4096).contains(&token.len()).then(|| token.to_owned())
}

/// The answer for a WebSocket API. It admits every request too. The function behind it knows the tokens of visitors,
/// who have no credential, and refuses the rest itself.
fn policy(arn: &str, verdict: &Verdict) -> Value {
    let principal = match verdict {
        Verdict::Granted(grant) => &grant.actor,
        Verdict::Refused { .. } => "nobody",
    };
    json!({
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": arn }],
        },
        "context": verdict,
    })
}
