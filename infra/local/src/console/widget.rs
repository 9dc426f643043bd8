//! The widget of Turnstile and its verifier on this machine.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::json;

use super::{answer, answer_json};
use crate::runtime::LocalStack;
use crate::turnstile::{SCRIPT, Verifier};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(Verifier::default);

/// The script of the widget.
pub fn script() -> Response<Bytes> {
    answer(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT)
}

/// Judges a token.
pub fn verify(stack: &LocalStack, request: &Request<Bytes>) -> Response<Bytes> {
    let body = serde_json::from_slice(request.body());
    let Ok(body) = body else {
        let refused = json!({ "success": false, "error-codes": ["bad-request"] });
        return answer_json(StatusCode::BAD_REQUEST, &refused);
    };
    let (status, body) = VERIFIER.answer(&body, stack.clock().now());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer_json(status, &body)
}
