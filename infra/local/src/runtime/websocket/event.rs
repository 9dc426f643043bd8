//! Events that the WebSocket API sends to a function. Pure.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::runtime::gateway::event::clf_time;
use crate::runtime::{ACCOUNT, REGION};

/// Id of the WebSocket API.
pub const API_ID: &str = "local-socket";

/// An open connection, or one about to open.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Connection id.
    pub id: String,
    /// Time of the connect.
    pub connected_at: Timestamp,
    /// The client's address.
    pub peer: IpAddr,
    /// `User-Agent` of the handshake.
    pub agent: String,
    /// `Host` of the handshake.
    pub host: String,
    /// Stage of the API.
    pub stage: String,
    /// Context from the authorizer; every event of the connection carries this context.
    pub authorized: Option<Value>,
}

/// Event on a connection.
#[derive(Debug, Clone)]
pub enum Happening<'a> {
    /// The client asks to connect.
    Connect {
        /// Headers of the handshake.
        headers: &'a HeaderMap,
        /// Raw query string.
        query: &'a str,
    },
    /// The client sent a text.
    Text(&'a str),
    /// The client sent bytes.
    Binary(&'a [u8]),
    /// The connection ended.
    Disconnect {
        /// Close code.
        code: u16,
        /// Close reason.
        reason: &'a str,
    },
}

impl Happening<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "CONNECT",
            Self::Text(_) | Self::Binary(_) => "MESSAGE",
            Self::Disconnect { .. } => "DISCONNECT",
        }
    }
}

/// The event for the function behind `route`.
pub fn event(
    connection: &Connection,
    happening: &Happening<'_>,
    route: &str,
    request_id: &str,
    now: Timestamp,
) -> Value {
    let mut event = json!({
        "requestContext": {
            "routeKey": route,
            "eventType": happening.kind(),
            "extendedRequestId": request_id,
            "requestId": request_id,
            "requestTime": clf_time(now),
            "requestTimeEpoch": now.as_millisecond(),
            "messageDirection": "IN",
            "stage": connection.stage,
            "connectedAt": connection.connected_at.as_millisecond(),
            "connectionId": connection.id,
            "domainName": connection.host,
            "apiId": API_ID,
            "identity": {
                "sourceIp": connection.peer.to_string(),
                "userAgent": connection.agent,
            },
        },
        "isBase64Encoded": matches!(happening, Happening::Binary(_)),
    });
    if let Some(authorized) = &connection.authorized {
        event["requestContext"]["authorizer"] = authorized.clone();
    }
    match happening {
        Happening::Connect {
            headers,
            query: raw,
        } => handshake(&mut event, headers, raw),
        Happening::Text(text) => message(&mut event, json!(text), request_id),
        Happening::Binary(bytes) => {
            message(&mut event, json!(STANDARD.encode(bytes)), request_id);
        }
        Happening::Disconnect { code, reason } => {
            event["requestContext"]["disconnectStatusCode"] = json!(code);
            event["requestContext"]["disconnectReason"] = json!(reason);
        }
    }
    event
}

/// The event for the authorizer of a handshake.
pub fn authorizer_event(
    connection: &Connection,
    happening: &Happening<'_>,
    request_id: &str,
    now: Timestamp,
) -> Value {
    let mut event = event(connection, happening, "$connect", request_id, now);
    if let Some(fields) = event.as_object_mut() {
        fields.remove("isBase64Encoded");
    }
    event["type"] = json!("REQUEST");
    event["methodArn"] = json!(format!(
        "arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{}/$connect",
        connection.stage
    ));
    event
}

fn message(event: &mut Value, body: Value, id: &str) {
    event["body"] = body;
    event["requestContext"]["messageId"] = json!(id);
}

fn handshake(event: &mut Value, headers: &HeaderMap, raw: &str) {
    let (mut single, mut multi) = (Map::new(), Map::<String, Value>::new());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let all = multi.entry(name.as_str()).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.push(json!(value));
        }
        single.insert(name.to_string(), json!(value));
    }
    event["headers"] = single.into();
    event["multiValueHeaders"] = multi.into();
    if raw.is_empty() {
        return;
    }
    let mut lists = Map::<String, Value>::new();
    for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
        let all = lists.entry(name).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.push(json!(value));
        }
    }
    // Of a repeated parameter the plain map holds the last value.
    let last = |(name, all): (&String, &Value)| {
        let value = all.as_array().and_then(|all| all.last()).cloned();
        (name.clone(), value.unwrap_or_default())
    };
    event["queryStringParameters"] = lists.iter().map(last).collect::<Map<_, _>>().into();
    event["multiValueQueryStringParameters"] = lists.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection {
            id: "abc=".to_owned(),
            connected_at: Timestamp::from_second(1_000).unwrap(),
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            agent: "test".to_owned(),
            host: "127.0.0.1:8788".to_owned(),
            stage: "local".to_owned(),
            authorized: None,
        }
    }

    fn connect_happening(headers: &HeaderMap) -> Happening<'_> {
        Happening::Connect {
            headers,
            query: "token=a%20b&token=c",
        }
    }

    #[test]
    fn events_have_the_shape_of_the_websocket_api() {
        let now = Timestamp::from_second(2_000).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("origin", "https://example.vn".parse().unwrap());
        let connect = connect_happening(&headers);
        let event_of = |h: &Happening<'_>, route| event(&connection(), h, route, "r-1", now);
        let connect = event_of(&connect, "$connect");
        assert_eq!(connect["requestContext"]["eventType"], "CONNECT");
        assert_eq!(connect["requestContext"]["connectedAt"], 1_000_000);
        assert_eq!(connect["headers"]["origin"], "https://example.vn");
        assert_eq!(connect["queryStringParameters"], json!({"token": "c"}));
        let lists = &connect["multiValueQueryStringParameters"]["token"];
        assert_eq!(lists, &json!(["a b", "c"]));

        let asked = authorizer_event(&connection(), &connect_happening(&headers), "r-1", now);
        assert_eq!(asked["type"], "REQUEST");
        let arn = "arn:aws:execute-api:ap-southeast-1:000000000000:local-socket/local/$connect";
        assert_eq!(asked["methodArn"], arn);

        let text = event_of(&Happening::Text("{}"), "$default");
        assert_eq!(text["requestContext"]["eventType"], "MESSAGE");
        assert_eq!(text["body"], "{}");
        assert_eq!(text.get("headers"), None);

        let left = Happening::Disconnect {
            code: 1001,
            reason: "Going away",
        };
        let left = event_of(&left, "$disconnect");
        assert_eq!(left["requestContext"]["disconnectStatusCode"], 1001);
    }
}
