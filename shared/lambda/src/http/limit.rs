//! How many requests a credential may make, and the headers that tell it.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloud::{Usage, Window};
use kernel::Grant;

use super::problem::{Code, Problem};

/// Requests that one credential may make in a minute.
pub const REQUESTS_PER_MINUTE: u32 = 600;
const PERIOD: Duration = Duration::from_mins(1);

/// Counts the request; refuses with 429 what is over the limit.
pub(super) async fn limit(State(window): State<Window>, request: Request, next: Next) -> Response {
    let Some(grant) = request.extensions().get::<Grant>() else {
        return Problem::new(Code::Internal, "the limit needs a caller").into_response();
    };
    let scope = format!("{}#API#{}", grant.account, grant.actor);
    let usage = match window.count(&scope, PERIOD, 1).await {
        Ok(usage) => usage,
        // The limit protects others from one caller; it must not take the API down with its table.
        Err(error) => {
            tracing::warn!(error = %error, "request passes uncounted");
            crate::metrics::incident("RequestsUncounted", 1);
            return next.run(request).await;
        }
    };
    let seconds = usage.resets_in.as_secs().max(1) as u32;
    let mut response = if usage.used > REQUESTS_PER_MINUTE {
        crate::metrics::incident("RequestsOverLimit", 1);
        let detail = format!("more than {REQUESTS_PER_MINUTE} requests in a minute");
        let problem = Problem::new(Code::RateLimited, detail);
        problem.retry_after(seconds).into_response()
    } else {
        next.run(request).await
    };
    tell(response.headers_mut(), usage, seconds);
    response
}

fn tell(headers: &mut HeaderMap, usage: Usage, seconds: u32) {
    let left = REQUESTS_PER_MINUTE.saturating_sub(usage.used);
    for (name, value) in [
        ("ratelimit-limit", REQUESTS_PER_MINUTE),
        ("ratelimit-remaining", left),
        ("ratelimit-reset", seconds),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}
