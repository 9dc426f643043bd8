//! Lets pages of any origin call the API.
//!
//! Credentials are bearer tokens that a page must hold, never cookies. So an origin proves nothing, and no origin is
//! refused. Preflights are answered here, before a credential is required.

use std::time::Duration;

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use tower_http::cors::{Any, CorsLayer};

/// The headers that a page may send.
const SENT: [HeaderName; 4] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-workspace"),
];
/// The headers that a page may read beside the body.
const READ: [HeaderName; 6] = [
    RETRY_AFTER,
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
    HeaderName::from_static("x-request-id"),
];
/// How long browsers keep a preflight. Chromium keeps none longer than this.
const KEPT: Duration = Duration::from_hours(2);

/// Opens a router to pages of any origin. This layer is also around the fallbacks, which would refuse preflights.
pub fn any_page() -> CorsLayer {
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(methods)
        .allow_headers(SENT)
        .expose_headers(READ)
        .max_age(KEPT)
}
