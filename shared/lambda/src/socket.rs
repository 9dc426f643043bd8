//! Routes of the WebSocket API: connect, message, disconnect.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use kernel::Verdict;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ConfigError, Failure, Function, InvokeError, Setup};

/// An event of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// `$connect`: the answer decides whether the connection opens.
    Connect,
    /// `$default`: the peer sent a message.
    Message,
    /// `$disconnect`: best effort; it may never be sent.
    Disconnect,
}

/// One event of a connection.
#[derive(Debug, Clone)]
pub struct SocketEvent {
    /// The event.
    pub kind: Kind,
    /// The connection.
    pub connection: String,
    /// Parameters of the query string; on connect only.
    pub query: HashMap<String, String>,
    /// Header values, names in lower case; on connect only.
    pub headers: HashMap<String, String>,
    /// The message's text.
    pub body: String,
    /// The authorizer's verdict about the connecting client; refused if there is none.
    pub verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    request_context: RawContext,
    #[serde(default)]
    query_string_parameters: Option<HashMap<String, String>>,
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawContext {
    connection_id: String,
    event_type: Kind,
    #[serde(default)]
    authorizer: Value,
}

impl Function {
    /// A function behind the WebSocket API. The number is the status: 200 opens or accepts, 401
    /// refuses a connection.
    pub fn socket<H, F>(setup: &Setup, handler: H) -> Result<Self, ConfigError>
    where
        H: Fn(SocketEvent) -> F + Send + Sync + 'static,
        F: Future<Output = Result<u16, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(setup, move |event, _| {
            let handler = handler.clone();
            async move {
                let raw: Raw = serde_json::from_value(event)
                    .map_err(|error| InvokeError::new("Event.Malformed", error))?;
                let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
                let event = SocketEvent {
                    kind: raw.request_context.event_type,
                    connection: raw.request_context.connection_id,
                    query: raw.query_string_parameters.unwrap_or_default(),
                    headers: raw
                        .headers
                        .unwrap_or_default()
                        .into_iter()
                        .map(lower)
                        .collect(),
                    body: raw.body.unwrap_or_default(),
                    verdict: serde_json::from_value(raw.request_context.authorizer)
                        .unwrap_or_else(|_| Verdict::refused()),
                };
                let status = handler(event).await;
                let status =
                    status.map_err(|failure| InvokeError::new(failure.name(), &failure))?;
                Ok::<Value, InvokeError>(json!({ "statusCode": status }))
            }
        })
    }
}
