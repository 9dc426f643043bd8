//! Small pieces of HTTP that the service handlers share.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde::Serialize;

use super::fault::ApiError;

/// The host that a request was sent to; empty when it names none.
pub(super) fn host<T>(request: &Request<T>) -> &str {
    let host = request.headers().get(header::HOST);
    host.and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// The media type of AWS JSON 1.0.
pub(super) const AWS_JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
/// The media type of REST services.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a body of the given type.
pub(super) fn response(status: StatusCode, kind: HeaderValue, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// `value` in `application/json`.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
    response(status, JSON, to_bytes(value))
}

/// An error of a REST service: the code is in a header.
pub(super) fn rest_error(error: &ApiError) -> Response<Bytes> {
    let body = serde_json::json!({"message": error.message, "__type": error.code});
    let mut response = json(status(error.status), &body);
    response
        .headers_mut()
        .insert("x-amzn-errortype", HeaderValue::from_static(error.code));
    response
}

/// JSON text of a value that always has one (string keys, no failing serializer).
pub(super) fn to_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
}

/// The status of that number, or 500.
pub(super) fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Decodes `%XX`; other text stays as it is.
pub(super) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let mut decoded = [0];
        if pair.is_some_and(|pair| hex::decode_to_slice(pair, &mut decoded).is_ok()) {
            out.push(decoded[0]);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
