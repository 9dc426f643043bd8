//! Health, the clock, and moving messages out of dead-letter queues.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{answer_json, see_dashboard};
use crate::runtime::LocalStack;
use crate::runtime::clock::parse_span;

/// 200 after the stack is seeded and serves requests.
pub fn health(stack: &LocalStack) -> Response<Bytes> {
    if stack.is_ready() {
        return answer_json(StatusCode::OK, &json!({"status": "ready"}));
    }
    answer_json(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({"status": "starting"}),
    )
}

/// The stack's time.
pub fn clock(stack: &LocalStack) -> Response<Bytes> {
    answer_json(StatusCode::OK, &time(stack))
}

fn time(stack: &LocalStack) -> Value {
    json!({
        "now": kernel::clock::sortable(stack.clock().now()),
        "ahead_seconds": stack.clock().offset().as_secs(),
    })
}

/// Moves the time: `{"advance": "3d"}`, or the same field of a form.
pub fn advance(stack: &LocalStack, request: &Request<Bytes>, json: bool) -> Response<Bytes> {
    let body: Option<Value> = serde_json::from_slice(request.body()).ok();
    let is_form = body.is_none();
    let span = match body {
        Some(body) => body
            .get("advance")
            .and_then(Value::as_str)
            .map(str::to_owned),
        None => url::form_urlencoded::parse(request.body())
            .find(|(name, _)| name == "advance")
            .map(|(_, value)| value.into_owned()),
    };
    let moved = match span {
        Some(span) => parse_span(&span).and_then(|span| stack.advance(span)),
        None => Err(anyhow::anyhow!(
            "expected a body such as {{\"advance\": \"3d\"}}"
        )),
    };
    match moved {
        Err(error) => answer_json(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({"message": error.to_string()}),
        ),
        Ok(_) if is_form && !json => see_dashboard(),
        Ok(_) => answer_json(StatusCode::OK, &time(stack)),
    }
}

/// Moves the messages of a dead-letter queue back to the queue whose redrive policy names it.
pub fn redrive(stack: &LocalStack, queue: &str, json: bool) -> Response<Bytes> {
    let source = stack.template().queues.iter().find(|source| {
        source
            .redrive
            .as_ref()
            .is_some_and(|(target, _)| target == queue)
    });
    let Some(source) = source else {
        let message = format!("no redrive policy names {queue} as its dead-letter queue");
        return answer_json(StatusCode::NOT_FOUND, &json!({"message": message}));
    };
    // A function sends a rejected message to the dead-letter queue, so the message has no source queue.
    match stack.aws().sqs().redrive(queue, &source.name) {
        Ok(moved) if json => answer_json(StatusCode::OK, &json!({"moved": moved})),
        Ok(_) => see_dashboard(),
        Err(error) => {
            let status = StatusCode::CONFLICT;
            answer_json(status, &json!({"message": error.to_string()}))
        }
    }
}
