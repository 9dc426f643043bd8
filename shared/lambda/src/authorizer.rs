//! The HTTP API's Lambda authorizer: payload 2.0, simple answers.

use std::future::Future;
use std::sync::Arc;

pub use kernel::Grant;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Failure, Function, InvokeError, Setup};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    headers: std::collections::HashMap<String, String>,
    #[serde(default, rename = "queryStringParameters")]
    query: std::collections::HashMap<String, String>,
}

/// What a caller shows.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    /// The bearer token of `Authorization`.
    pub bearer: Option<String>,
    /// Parameters of the query string.
    pub query: std::collections::HashMap<String, String>,
}

impl Function {
    /// A function that decides who is calling. `None` is a refusal; an error is "try again", which
    /// API Gateway turns into a 500 and never into access.
    pub fn authorizer<H, F>(setup: &Setup, handler: H) -> Self
    where
        H: Fn(Presented) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Option<Grant>, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(setup, move |event, _| {
            let handler = handler.clone();
            async move {
                let request: Request = serde_json::from_value(event)
                    .map_err(|error| InvokeError::new("Event.Malformed", error))?;
                let header = request
                    .headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
                    .map(|(_, value)| value.as_str());
                let presented = Presented {
                    bearer: header.and_then(bearer),
                    query: request.query,
                };
                let grant = handler(presented).await;
                let grant = grant.map_err(|failure| InvokeError::new(failure.name(), &failure))?;
                Ok(match grant {
                    Some(grant) => json!({ "isAuthorized": true, "context": grant }),
                    None => json!({ "isAuthorized": false, "context": Value::Null }),
                })
            }
        })
    }
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 11.1).
fn bearer(header: &str) -> Option<String> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 512)
        .then(|| token.to_owned())
}
