//! The event that the HTTP API sends to a function: payload format 2.0.
//!
//! Pure: a request goes in, JSON comes out. The event differs from the request as on API Gateway: header names are
//! in lower case, repeated values are joined by commas, the path is decoded.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::routes::{Route, decode};
use crate::runtime::{ACCOUNT, REGION};

/// Id of the HTTP API.
pub const API_ID: &str = "local";

/// A request that found its route.
pub struct Call<'a> {
    /// Method, address and headers.
    pub parts: &'a Parts,
    /// Body.
    pub body: &'a [u8],
    /// Route.
    pub route: &'a Route,
    /// Values of the route's parameters.
    pub path_parameters: BTreeMap<String, String>,
    /// Id of the request.
    pub request_id: String,
    /// Trace header.
    pub trace: String,
    /// Address of the client.
    pub peer: IpAddr,
    /// Time of arrival.
    pub now: Timestamp,
}

impl Call<'_> {
    /// The event for the route's function, with the context from the authorizer.
    pub fn event(&self, context: Option<Value>) -> Value {
        let mut event = self.common();
        let text = self.text_body();
        let set = |event: &mut Value, name: &str, value: Value| event[name] = value;
        match text {
            Some(text) if !self.body.is_empty() => set(&mut event, "body", json!(text)),
            None => set(&mut event, "body", json!(STANDARD.encode(self.body))),
            Some(_) => {}
        }
        set(&mut event, "isBase64Encoded", json!(text.is_none()));
        if let Some(context) = context {
            event["requestContext"]["authorizer"] = json!({"lambda": context});
        }
        event
    }

    /// The event for the authorizer, which has no identity source: it sees every request.
    pub fn authorizer_event(&self) -> Value {
        let mut event = self.common();
        let method = self.parts.method.as_str();
        let path = self.parts.uri.path();
        let arn =
            format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/$default/{method}{path}");
        event["type"] = json!("REQUEST");
        event["routeArn"] = json!(arn);
        event
    }

    fn common(&self) -> Value {
        let headers = headers(&self.parts.headers, self.peer, &self.trace);
        let host = headers
            .get("host")
            .cloned()
            .unwrap_or_else(|| "localhost".to_owned());
        let raw_query = self.parts.uri.query().unwrap_or_default();
        // API Gateway decodes the path of an HTTP API, and the text after a decoded `?` is lost.
        let decoded = decode(self.parts.uri.path());
        let path = decoded.split('?').next().unwrap_or_default();
        let agent = headers.get("user-agent").cloned().unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route.key(),
            "rawPath": path,
            "rawQueryString": raw_query,
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": API_ID,
                "domainName": host,
                "domainPrefix": API_ID,
                "http": {
                    "method": self.parts.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.peer.to_string(),
                    "userAgent": agent,
                },
                "requestId": self.request_id,
                "routeKey": self.route.key(),
                "stage": "$default",
                "time": clf_time(self.now),
                "timeEpoch": self.now.as_millisecond(),
            },
        });
        let cookies = cookies(&self.parts.headers);
        let query = query(raw_query);
        let mut set = |name: &str, value: Value| event[name] = value;
        if !cookies.is_empty() {
            set("cookies", json!(cookies));
        }
        if !query.is_empty() {
            set("queryStringParameters", json!(query));
        }
        if !self.path_parameters.is_empty() {
            set("pathParameters", json!(self.path_parameters));
        }
        event
    }

    /// The body as text, for the types that API Gateway takes for text. Everything else, forms
    /// among them, travels in base64.
    fn text_body(&self) -> Option<&str> {
        let kind = self.parts.headers.get(http::header::CONTENT_TYPE);
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("text/plain");
        let essence = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let text = essence.starts_with("text/")
            || [
                "application/json",
                "application/xml",
                "application/javascript",
            ]
            .contains(&essence.as_str());
        let read = || std::str::from_utf8(self.body).ok();
        (text || self.body.is_empty()).then(read).flatten()
    }
}

/// Lower-case names, repeated values joined; cookies are separate.
fn headers(headers: &HeaderMap, peer: IpAddr, trace: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        if name == http::header::COOKIE || name == http::header::CONNECTION {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        out.entry(name.as_str().to_owned())
            .and_modify(|all| *all = format!("{all},{value}"))
            .or_insert_with(|| value.into_owned());
    }
    let forwarded = match out.remove("x-forwarded-for") {
        Some(before) => format!("{before}, {peer}"),
        None => peer.to_string(),
    };
    out.insert("x-forwarded-for".to_owned(), forwarded);
    out.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    out.insert("x-amzn-trace-id".to_owned(), trace.to_owned());
    out
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all(http::header::COOKIE).into_iter();
    let lines = all.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let split = |line: String| {
        let cookies = line.split(';').map(|cookie| cookie.trim().to_owned());
        cookies
            .filter(|cookie| !cookie.is_empty())
            .collect::<Vec<_>>()
    };
    lines.flat_map(split).collect()
}

/// Decoded parameters, repeated ones joined by commas.
pub fn query(raw: &str) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
        let joined = match out.get(name.as_ref()).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.into_owned(),
        };
        out.insert(name.into_owned(), Value::String(joined));
    }
    out
}

/// The time as access logs write it: `12/Mar/2020:19:03:58 +0000`.
pub fn clf_time(at: Timestamp) -> String {
    at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http::Request;

    use super::*;

    fn event(request: Request<&[u8]>, context: Option<Value>) -> Value {
        let (parts, body) = request.into_parts();
        let route = Route::new("POST", "/v1/contacts/{id}", "F", true);
        let call = Call {
            parts: &parts,
            body,
            route: &route,
            path_parameters: BTreeMap::from([("id".to_owned(), "con_1".to_owned())]),
            request_id: "r-1".to_owned(),
            trace: "Root=1-a-b".to_owned(),
            peer: Ipv4Addr::LOCALHOST.into(),
            now: Timestamp::from_second(1_583_348_638).unwrap(),
        };
        call.event(context)
    }

    #[test]
    fn the_event_has_the_shape_of_payload_2_0() {
        let request = Request::post("/v1/contacts/con%5F1?a=1&a=2&q=Nguy%E1%BB%85n+V%C4%83n")
            .header("Host", "127.0.0.1:8787")
            .header("X-Tag", "one")
            .header("x-tag", "two")
            .header("Cookie", "a=1; b=2")
            .header("Content-Type", "application/json; charset=utf-8")
            .body("{\"a\":1}".as_bytes())
            .unwrap();
        let event = event(request, Some(json!({"workspace": "ws_1"})));
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["routeKey"], "POST /v1/contacts/{id}");
        assert_eq!(event["rawPath"], "/v1/contacts/con_1");
        assert_eq!(event["rawQueryString"], "a=1&a=2&q=Nguy%E1%BB%85n+V%C4%83n");
        assert_eq!(
            event["queryStringParameters"],
            json!({"a": "1,2", "q": "Nguyễn Văn"})
        );
        assert_eq!(event["headers"]["x-tag"], "one,two");
        assert_eq!(event["headers"]["x-forwarded-for"], "127.0.0.1");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["pathParameters"], json!({"id": "con_1"}));
        assert_eq!(event["body"], "{\"a\":1}");
        assert_eq!(event["isBase64Encoded"], false);
        let context = &event["requestContext"];
        assert_eq!(context["http"]["method"], "POST");
        assert_eq!(context["stage"], "$default");
        assert_eq!(context["time"], "04/Mar/2020:19:03:58 +0000");
        assert_eq!(context["authorizer"]["lambda"]["workspace"], "ws_1");
    }

    #[test]
    fn forms_and_broken_text_travel_in_base64() {
        for (kind, body) in [
            ("application/x-www-form-urlencoded", b"name=A".as_slice()),
            ("text/plain", b"\xff\xfe".as_slice()),
            ("image/png", b"\x89PNG".as_slice()),
        ] {
            let request = Request::post("/v1/contacts/1").header("Content-Type", kind);
            let event = event(request.body(body).unwrap(), None);
            assert_eq!(event["isBase64Encoded"], true, "{kind}");
            assert_eq!(event["body"], STANDARD.encode(body), "{kind}");
        }
        let event = event(
            Request::post("/v1/contacts/1")
                .body(b"".as_slice())
                .unwrap(),
            None,
        );
        assert_eq!(event.get("body"), None);
        assert_eq!(event["isBase64Encoded"], false);
    }

    #[test]
    fn a_decoded_question_mark_cuts_the_path() {
        let request = Request::post("/v1/contacts/a%3Fb")
            .body(b"".as_slice())
            .unwrap();
        assert_eq!(event(request, None)["rawPath"], "/v1/contacts/a");
    }
}
