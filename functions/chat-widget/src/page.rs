//! The widget's page, which holds no data: its script opens a session and reads.

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use chat::InboxDoor;

const PAGE: &str = include_str!("widget.html");

/// The page with headers that let it run its own script only, talk to us only, and be framed by the
/// inbox's websites only.
pub fn page(inbox: &InboxDoor, socket: &str, nonce: &str) -> Response {
    let mut response = Html(PAGE.replace("__NONCE__", nonce)).into_response();
    let headers = response.headers_mut();
    // If the value is not valid in a header, the strictest policy stays.
    let policy = HeaderValue::from_str(&policy(inbox, socket, nonce))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

fn policy(inbox: &InboxDoor, socket: &str, nonce: &str) -> String {
    let ancestors = if inbox.origins.is_empty() {
        "*".to_owned()
    } else {
        format!("'self' {}", inbox.origins.join(" "))
    };
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self' {socket}; base-uri 'none'; form-action 'none'; \
         frame-ancestors {ancestors}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_never_makes_markup_from_text() {
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!PAGE.contains(sink), "{sink}");
        }
        assert!(PAGE.contains("textContent"));
    }

    #[test]
    fn each_inline_block_carries_the_nonce() {
        assert_eq!(
            PAGE.matches("<script").count(),
            PAGE.matches("<script nonce=\"__NONCE__\"").count()
        );
        assert_eq!(
            PAGE.matches("<style").count(),
            PAGE.matches("<style nonce=\"__NONCE__\"").count()
        );
        assert!(!PAGE.contains("style=\"") && !PAGE.contains("onclick"));
    }
}
