//! The WebSocket API: connections, messages, pushes and the limits of API Gateway.
//!
//! `$connect` decides before the upgrade; a refusal is a plain HTTP answer. Messages of one
//! connection are handled at once, not in order, as in AWS. A connection ends after ten idle
//! minutes and after two hours, by the stack's time.

pub mod event;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::event::{Connection, Happening, event};
use super::clock::VirtualClock;
use super::functions::Functions;
use super::gateway::Peer;
use super::gateway::reply::message;
use crate::aws::Aws;
use crate::template::model::{Stack, Trigger};

/// Largest message.
const LARGEST_MESSAGE: usize = 128 * 1024;
/// A connection without messages in either direction ends after this time.
const IDLE: SignedDuration = SignedDuration::from_mins(10);
/// Every connection ends after this time.
const LIFETIME: SignedDuration = SignedDuration::from_hours(2);
/// Stage that the API is deployed to.
const STAGE: &str = "local";

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// The functions behind the three routes, by logical id.
#[derive(Debug, Clone, Default)]
struct Routes {
    connect: Option<String>,
    /// Authorizer, which runs before `connect` if the template declares it.
    authorizer: Option<String>,
    default: Option<String>,
    disconnect: Option<String>,
}

/// The WebSocket API; cheap to clone.
#[derive(Clone)]
pub struct SocketApi {
    routes: Arc<Routes>,
    functions: Arc<Functions>,
    aws: Aws,
    clock: VirtualClock,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl SocketApi {
    /// The API with the routes of the template.
    pub fn new(
        stack: &Stack,
        functions: Arc<Functions>,
        aws: Aws,
        clock: VirtualClock,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> anyhow::Result<Self> {
        let mut routes = Routes::default();
        for function in &stack.functions {
            for trigger in &function.triggers {
                let Trigger::WebSocket { route, authorized } = trigger else {
                    continue;
                };
                if *authorized {
                    routes.authorizer.clone_from(&stack.authorizer);
                }
                let place = match route.as_str() {
                    "$connect" => &mut routes.connect,
                    "$default" => &mut routes.default,
                    "$disconnect" => &mut routes.disconnect,
                    _ => anyhow::bail!("WebSocket route {route} is not supported"),
                };
                *place = Some(function.logical_id.clone());
            }
        }
        Ok(Self {
            routes: Arc::new(routes),
            functions,
            aws,
            clock,
            stop,
            tasks,
        })
    }

    /// Answers a handshake; the connection then runs in its own task.
    pub async fn handle(&self, mut request: Request<Incoming>) -> Response<Bytes> {
        let Some(key) = handshake_key(&request) else {
            let mut answer = message(StatusCode::UPGRADE_REQUIRED, "WebSocket only");
            let websocket = HeaderValue::from_static("websocket");
            answer.headers_mut().insert(header::UPGRADE, websocket);
            return answer;
        };
        let mut connection = self.connection(&request);
        let extra = match self.connect(&mut connection, &request).await {
            Ok(extra) => extra,
            Err(status) => {
                let text = status.canonical_reason().unwrap_or("Refused");
                return message(status, text);
            }
        };
        let pushes = self.aws.sockets().register(&connection.id);
        let upgrade = hyper::upgrade::on(&mut request);
        let api = self.clone();
        self.tasks.spawn(async move {
            match upgrade.await {
                Ok(upgraded) => api.live(connection, upgraded, pushes).await,
                Err(_) => api.end(&connection, 1006, "").await,
            }
        });
        switching(&key, extra)
    }

    fn connection(&self, request: &Request<Incoming>) -> Connection {
        let text = |name| {
            let value = request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let peer = request.extensions().get().map(|Peer(ip)| *ip);
        Connection {
            id: format!("{}=", self.functions.random_hex(15)),
            connected_at: self.clock.now(),
            peer: peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            agent: text(header::USER_AGENT),
            host: text(header::HOST),
            stage: STAGE.to_owned(),
            authorized: None,
        }
    }

    /// The authorizer's result for a handshake: its context, or the status of a refusal.
    async fn authorize(
        &self,
        authorizer: &str,
        connection: &Connection,
        happening: &Happening<'_>,
    ) -> Result<Value, StatusCode> {
        let (request_id, now) = (self.functions.request_id(), self.clock.now());
        let event = event::authorizer_event(connection, happening, &request_id, now);
        let answer = self.functions.invoke(authorizer, event, None).await;
        let answer = answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let statements = answer["policyDocument"]["Statement"].as_array();
        let statements = statements.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        if !statements.iter().all(|one| one["Effect"] == "Allow") {
            return Err(StatusCode::FORBIDDEN);
        }
        let mut context = answer["context"].clone();
        if !context.is_object() {
            context = json!({});
        }
        context["principalId"] = answer["principalId"].clone();
        Ok(context)
    }

    /// Calls the authorizer and `$connect`; gives the headers that `$connect` adds to the handshake.
    async fn connect(
        &self,
        connection: &mut Connection,
        request: &Request<Incoming>,
    ) -> Result<Option<HeaderValue>, StatusCode> {
        let happening = Happening::Connect {
            headers: request.headers(),
            query: request.uri().query().unwrap_or_default(),
        };
        let Some(function) = &self.routes.connect else {
            return Ok(None);
        };
        if let Some(authorizer) = &self.routes.authorizer {
            let context = self.authorize(authorizer, connection, &happening).await?;
            connection.authorized = Some(context);
        }
        let answer = self
            .invoke(function, connection, &happening, "$connect")
            .await;
        let answer = answer.map_err(|()| StatusCode::INTERNAL_SERVER_ERROR)?;
        let status = answer
            .get("statusCode")
            .and_then(Value::as_u64)
            .unwrap_or(200);
        let status = u16::try_from(status)
            .ok()
            .and_then(|s| StatusCode::from_u16(s).ok());
        match status {
            Some(status) if status.is_success() => Ok(protocol(&answer)),
            Some(status) => Err(status),
            None => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    async fn invoke(
        &self,
        function: &str,
        connection: &Connection,
        happening: &Happening<'_>,
        route: &str,
    ) -> Result<Value, ()> {
        let (request_id, now) = (self.functions.request_id(), self.clock.now());
        let event = event(connection, happening, route, &request_id, now);
        let answer = self.functions.invoke(function, event, None).await;
        answer.map_err(|_| ())
    }

    async fn live(
        &self,
        connection: Connection,
        upgraded: hyper::upgrade::Upgraded,
        mut pushes: mpsc::Receiver<Bytes>,
    ) {
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let (code, reason) = self.talk(&connection, &mut socket, &mut pushes).await;
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.clone().into(),
        };
        // 1005 and 1006 say that no frame was seen; they are never sent.
        let frame = (code != 1005 && code != 1006).then_some(frame);
        // The client may already be disconnected; then the close frame has no receiver.
        let _ = socket.close(frame).await;
        self.aws.sockets().unregister(&connection.id);
        self.end(&connection, code, &reason).await;
    }

    /// Carries messages both ways until the connection ends; gives the close code and reason.
    async fn talk(
        &self,
        connection: &Connection,
        socket: &mut Socket,
        pushes: &mut mpsc::Receiver<Bytes>,
    ) -> (u16, String) {
        let (answers, mut answered) = mpsc::channel::<String>(64);
        let end = later(connection.connected_at, LIFETIME);
        let mut idle = later(self.clock.now(), IDLE);
        loop {
            let out = tokio::select! {
                incoming = socket.next() => match incoming {
                    Some(Ok(Message::Close(frame))) => {
                        let seen = frame.map(|f| (u16::from(f.code), f.reason.to_string()));
                        return seen.unwrap_or_else(|| (1005, String::new()));
                    }
                    Some(Ok(incoming)) => {
                        self.receive(connection, incoming, &answers);
                        None
                    }
                    Some(Err(error)) => return broken(&error),
                    None => return (1006, String::new()),
                },
                push = pushes.recv() => match push {
                    Some(push) => Some(text_or_binary(push)),
                    // Deleted through @connections.
                    None => return (1000, "Connection Closed Normally".to_owned()),
                },
                Some(answer) = answered.recv() => Some(Message::text(answer)),
                () = self.clock.sleep_until(idle) => return (1001, "Going away".to_owned()),
                () = self.clock.sleep_until(end) => return (1001, "Going away".to_owned()),
                () = self.stop.cancelled() => return (1001, "Going away".to_owned()),
            };
            idle = later(self.clock.now(), IDLE);
            if let Some(out) = out
                && socket.send(out).await.is_err()
            {
                return (1006, String::new());
            }
        }
    }

    /// Sends a message to `$default` in its own task.
    fn receive(&self, connection: &Connection, incoming: Message, answers: &mpsc::Sender<String>) {
        if !matches!(incoming, Message::Text(_) | Message::Binary(_)) {
            return;
        }
        self.aws.meter().http_request("websocket");
        let (api, connection, answers) = (self.clone(), connection.clone(), answers.clone());
        let busy = self.functions.begin();
        self.tasks.spawn(async move {
            let answer = match &incoming {
                Message::Text(text) => api.message(&connection, &Happening::Text(text)).await,
                other => {
                    let bytes = other.clone().into_data();
                    api.message(&connection, &Happening::Binary(&bytes)).await
                }
            };
            if let Some(answer) = answer {
                // A connection that has ended takes no answer.
                let _ = answers.send(answer).await;
            }
            drop(busy);
        });
    }

    /// Text for the client: the body of the function's answer, or an error text.
    async fn message(&self, connection: &Connection, happening: &Happening<'_>) -> Option<String> {
        let request_id = self.functions.request_id();
        let error = |text: &str| {
            let error = json!({
                "message": text,
                "connectionId": connection.id,
                "requestId": request_id,
            });
            Some(error.to_string())
        };
        let Some(function) = &self.routes.default else {
            return error("Forbidden");
        };
        match self
            .invoke(function, connection, happening, "$default")
            .await
        {
            Ok(answer) => answer
                .get("body")
                .and_then(Value::as_str)
                .map(str::to_owned),
            Err(()) => error("Internal server error"),
        }
    }

    async fn end(&self, connection: &Connection, code: u16, reason: &str) {
        let open = self.clock.now().duration_since(connection.connected_at);
        for _ in 0..=open.as_secs() / 60 {
            self.aws.meter().http_request("websocket_minute");
        }
        if let Some(function) = &self.routes.disconnect {
            let happening = Happening::Disconnect { code, reason };
            // Best effort, as in AWS: nothing waits for its outcome.
            let _ = self
                .invoke(function, connection, &happening, "$disconnect")
                .await;
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn text_or_binary(bytes: Bytes) -> Message {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Message::text(text),
        Err(_) => Message::binary(bytes),
    }
}

fn broken(error: &SocketError) -> (u16, String) {
    match error {
        SocketError::Capacity(CapacityError::MessageTooLong { .. }) => {
            (1009, "Message too large".to_owned())
        }
        SocketError::Utf8(_) => (1007, "Invalid text".to_owned()),
        SocketError::Protocol(_) => (1002, "Protocol error".to_owned()),
        _ => (1006, String::new()),
    }
}

/// The key of a handshake, if the request is one.
fn handshake_key(request: &Request<Incoming>) -> Option<String> {
    let headers = request.headers();
    let has = |name: HeaderName, token: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        let mut tokens = value.unwrap_or_default().split(',');
        tokens.any(|t| t.trim().eq_ignore_ascii_case(token))
    };
    let good = request.method() == http::Method::GET
        && has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    good.then(|| key.to_owned())
}

fn protocol(answer: &Value) -> Option<HeaderValue> {
    let headers = answer.get("headers")?.as_object()?;
    let (_, value) = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))?;
    HeaderValue::from_str(value.as_str()?).ok()
}

fn switching(key: &str, protocol: Option<HeaderValue>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}
