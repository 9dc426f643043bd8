//! Turns a function's answer into an HTTP response: payload format 2.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

/// A short answer of API Gateway itself: `{"message": ...}`.
pub fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    let body = Bytes::from(json!({"message": text}).to_string());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The response that the answer describes; an answer that makes none is a 500.
pub fn response(answer: Value) -> Response<Bytes> {
    let built = match answer {
        Value::Object(answer) if answer.contains_key("statusCode") => explicit(&answer),
        other => Some(inferred(&other)),
    };
    built.unwrap_or_else(|| message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
}

/// Without a status, the answer itself is the body of a 200.
fn inferred(answer: &Value) -> Response<Bytes> {
    let text = answer
        .as_str()
        .map_or_else(|| answer.to_string(), str::to_owned);
    let mut response = Response::new(Bytes::from(text));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn explicit(answer: &Map<String, Value>) -> Option<Response<Bytes>> {
    let status = match answer.get("statusCode")? {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let status = StatusCode::from_u16(status.try_into().ok()?).ok()?;
    let body = match answer.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if is_base64(answer) => STANDARD.decode(text).ok()?.into(),
        Some(Value::String(text)) => Bytes::from(text.clone()),
        Some(_) => return None,
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(headers) = answer.get("headers").and_then(Value::as_object) {
        for (name, value) in headers {
            let (name, value) = header(name, value)?;
            // The server frames the body itself.
            let framing = ["content-length", "transfer-encoding", "connection"];
            if !framing.contains(&name.as_str()) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    let cookies = answer.get("cookies").and_then(Value::as_array);
    for cookie in cookies.into_iter().flatten() {
        let cookie = HeaderValue::from_str(cookie.as_str()?).ok()?;
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    if !response.body().is_empty() && !response.headers().contains_key(CONTENT_TYPE) {
        let text = HeaderValue::from_static("text/plain;charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
    }
    Some(response)
}

fn is_base64(answer: &Map<String, Value>) -> bool {
    answer.get("isBase64Encoded").and_then(Value::as_bool) == Some(true)
}

fn header(name: &str, value: &Value) -> Option<(HeaderName, HeaderValue)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return None,
    };
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    Some((name, HeaderValue::from_str(&text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_headers_cookies_and_base64_are_honoured() {
        let response = response(json!({
            "statusCode": 201,
            "headers": {"Content-Type": "image/gif", "Content-Length": "999", "X-N": 5},
            "cookies": ["a=1; Path=/", "b=2"],
            "body": STANDARD.encode([0, 159, 146]),
            "isBase64Encoded": true,
        }));
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["content-type"], "image/gif");
        assert_eq!(response.headers()["x-n"], "5");
        assert!(!response.headers().contains_key("content-length"));
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.body().as_ref(), [0, 159, 146]);
    }

    #[test]
    fn an_answer_without_status_is_the_body() {
        let response = response(json!({"ok": true}));
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.body().as_ref(), b"{\"ok\":true}");
    }

    #[test]
    fn an_answer_that_makes_no_response_is_a_500() {
        for wrong in [
            json!({"statusCode": "many"}),
            json!({"statusCode": 9999}),
            json!({"statusCode": 200, "body": {"a": 1}}),
            json!({"statusCode": 200, "body": "%%", "isBase64Encoded": true}),
            json!({"statusCode": 200, "headers": {"bad name": "x"}}),
        ] {
            assert_eq!(response(wrong.clone()).status(), 500, "{wrong}");
        }
    }
}
