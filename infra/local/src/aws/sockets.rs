//! The `@connections` API: posts to WebSocket clients that are connected to this process.
//!
//! It keeps no message: a post to a client that is not connected answers 410, as in API Gateway.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use tokio::sync::mpsc;

use super::fault::ApiError;
use super::wire;

/// Largest payload that API Gateway posts to a connection.
const LARGEST_PAYLOAD: usize = 128 * 1024;
/// Messages that may wait for a slow client before posts to it are throttled.
const WAITING: usize = 256;

/// The connected WebSocket clients.
#[derive(Debug, Default)]
pub struct Sockets {
    connections: Mutex<HashMap<String, mpsc::Sender<Bytes>>>,
}

impl Sockets {
    /// Makes `id` reachable. The receiver gets the messages posted to `id`. It ends when the connection
    /// is deleted or registered again. If the receiver is dropped, posts answer 410.
    pub fn register(&self, id: &str) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.lock().insert(id.to_owned(), sender);
        receiver
    }

    /// Removes `id`; its receiver ends.
    pub fn unregister(&self, id: &str) {
        self.lock().remove(id);
    }

    /// How many clients are connected.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Bytes>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self, id: &str) -> Result<mpsc::Sender<Bytes>, ApiError> {
        let mut connections = self.lock();
        if let Some(sender) = connections.get(id)
            && !sender.is_closed()
        {
            return Ok(sender.clone());
        }
        connections.remove(id);
        Err(ApiError::new(410, "GoneException", "Gone"))
    }

    fn post(&self, id: &str, payload: Bytes) -> Result<(), ApiError> {
        let sender = self.live(id)?;
        if payload.len() > LARGEST_PAYLOAD {
            let message = "payload is larger than 128 KB";
            return Err(ApiError::new(413, "PayloadTooLargeException", message));
        }
        sender
            .try_send(payload)
            .map_err(|_| ApiError::new(429, "LimitExceededException", "client reads too slowly"))
    }

    /// Answers one `@connections` request.
    pub(super) fn handle(&self, method: &Method, id: &str, payload: Bytes) -> Response<Bytes> {
        let outcome = match *method {
            Method::POST => self.post(id, payload).map(|()| None),
            Method::GET => self.live(id).map(|_| {
                Some(serde_json::json!({
                    "identity": {"sourceIp": "127.0.0.1", "userAgent": "local"},
                }))
            }),
            Method::DELETE => self.live(id).map(|_| {
                self.unregister(id);
                None
            }),
            _ => Err(ApiError::new(403, "ForbiddenException", "unknown method")),
        };
        match outcome {
            Ok(Some(body)) => wire::json(StatusCode::OK, &body),
            Ok(None) => wire::empty(StatusCode::OK),
            Err(error) => wire::rest_error(&error),
        }
    }
}

/// The connection id in a path such as `/stage/@connections/{id}`.
pub(super) fn connection_id(path: &str) -> Option<String> {
    let (_, id) = path.split_once("/@connections/")?;
    Some(wire::percent_decode(id))
}
