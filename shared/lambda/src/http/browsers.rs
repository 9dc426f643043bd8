//! Lets pages of any origin call the API.
//!
//! Credentials are bearer tokens that a page must hold, never cookies, so an origin proves nothing and none
//! is refused. Preflights are answered here, before anybody asks for a credential.

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
/// Chromium keeps a preflight no longer than this.
const KEPT: Duration = Duration::from_hours(2);

/// Opens a router to pages of any origin; laid over its fallbacks too, which refuse preflights otherwise.
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
