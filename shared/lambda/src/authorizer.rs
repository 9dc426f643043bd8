//! The HTTP API's Lambda authorizer: payload 2.0, simple answers.
//!
//! It lets every request in and sends its verdict along: API Gateway would answer a refusal with 403 and
//! a body of its own, where clients must get 401 and a problem (docs/adr/0011). [`Function::api`] refuses.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

pub use kernel::{Grant, Verdict};
use serde::Deserialize;
use serde_json::json;

use crate::{Failure, Function, InvokeError, Setup};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    headers: HashMap<String, String>,
}

/// What a caller shows.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    /// The bearer token of `Authorization`.
    pub bearer: Option<String>,
    /// The header `X-Workspace`.
    pub workspace: Option<String>,
}

impl Function {
    /// A function that decides who is calling. An error is "try again", which API Gateway turns into a
    /// 500 and never into access.
    pub fn authorizer<H, F>(setup: &Setup, handler: H) -> Self
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
                let header = |wanted: &str| {
                    let mut headers = request.headers.iter();
                    let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                    found.map(|(_, value)| value.as_str())
                };
                let presented = Presented {
                    bearer: header("authorization").and_then(bearer),
                    workspace: header("x-workspace").map(|id| id.trim().to_owned()),
                };
                let verdict = handler(presented).await;
                let verdict =
                    verdict.map_err(|failure| InvokeError::new(failure.name(), &failure))?;
                Ok(json!({ "isAuthorized": true, "context": verdict }))
            }
        })
    }
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 11.1).
fn bearer(header: &str) -> Option<String> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 4096)
        .then(|| token.to_owned())
}
