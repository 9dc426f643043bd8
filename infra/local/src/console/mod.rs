//! The console under `/_local/`: the state of the stack, as pages and as data. Beside it, `/docs`.
//!
//! The console is for the person at this machine only. It answers on loopback, to requests that name loopback as
//! their host, and refuses actions from pages of another site.

pub mod bill;
mod control;
mod dashboard;
mod html;
mod outbox;
mod pages;
mod partitions;
mod reference;
mod widget;

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, ORIGIN,
};
use http::{Method, Request, Response, StatusCode};
use serde::Serialize;

use crate::loopback::is_loopback;
use crate::runtime::LocalStack;

/// The path is the console's. The front page and the frontend's pages exist on the local stack only.
pub fn owns(path: &str) -> bool {
    let mine = ["/_local/", "/docs/", "/invitations/", "/reset-password/"];
    ["/", "/_local", "/docs"].contains(&path) || mine.iter().any(|start| path.starts_with(start))
}

/// Answers a request to the console.
pub fn handle(stack: &LocalStack, request: &Request<Bytes>) -> Response<Bytes> {
    if !from_here(request) {
        return text(
            StatusCode::FORBIDDEN,
            "This console answers on loopback only.\n",
        );
    }
    if let Some(path) = request.uri().path().strip_prefix("/docs") {
        return reference::show(path);
    }
    let path = request
        .uri()
        .path()
        .trim_start_matches("/_local")
        .trim_matches('/');
    let json = wants(request, "application/json");
    match request.uri().path() {
        "/" => return pages::front(stack),
        path if !path.starts_with("/_local") => {
            let (what, token) = path.trim_matches('/').split_once('/').unwrap_or_default();
            return pages::frontend(stack, what, token);
        }
        _ => {}
    }
    let parts: Vec<&str> = path.split('/').collect();
    let get = request.method() == Method::GET || request.method() == Method::HEAD;
    let post = request.method() == Method::POST;
    match parts.as_slice() {
        [""] if get => dashboard::show(stack, json),
        ["health"] if get => control::health(stack),
        ["credentials"] if get => pages::credentials(stack, wants(request, "text/html")),
        ["environment"] if get => answer_json(StatusCode::OK, &stack.environments()),
        ["clock"] if get => control::clock(stack),
        ["clock"] if post => control::advance(stack, request, json),
        ["queues", queue, "redrive"] if post => control::redrive(stack, queue, json),
        ["outbox"] if get => outbox::list(stack, request.uri().query(), json),
        ["outbox", id] if get => outbox::show(stack, id, json),
        ["outbox", id, "raw"] if get => outbox::raw(stack, id),
        ["outbox", id, "html"] if get => outbox::body(stack, id, request.uri().query()),
        ["turnstile", "v0", "api.js"] if get => widget::script(),
        ["turnstile", "v0", "siteverify"] if post => widget::verify(stack, request),
        ["bill"] if get => bill::show(stack, json),
        ["partitions"] if get => partitions::show(stack, json),
        _ => text(StatusCode::NOT_FOUND, "There is nothing here.\n"),
    }
}

/// The request names loopback as its host, and no page of another site sent it.
pub fn from_here(request: &Request<Bytes>) -> bool {
    let header = |name: HeaderName| request.headers().get(name).map(HeaderValue::to_str);
    let host = match header(HOST) {
        None => None,
        Some(Ok(host)) => Some(host),
        Some(Err(_)) => return false,
    };
    if host.is_some_and(|host| !is_loopback(host)) {
        return false;
    }
    match (header(ORIGIN), host) {
        (None, _) => true,
        (Some(Ok(origin)), Some(host)) => origin == format!("http://{host}"),
        _ => false,
    }
}

fn wants(request: &Request<Bytes>, kind: &str) -> bool {
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains(kind))
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let sniff = HeaderName::from_static("x-content-type-options");
    headers.insert(sniff, HeaderValue::from_static("nosniff"));
    response
}

fn answer_json(status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
    let mut body = serde_json::to_vec_pretty(value).unwrap_or_default();
    body.push(b'\n');
    answer(status, "application/json", body)
}

fn page(html: html::Html, title: &str) -> Response<Bytes> {
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", html.page(title));
    policy(
        &mut response,
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    );
    response
}

fn policy(response: &mut Response<Bytes>, policy: &'static str) {
    let name = HeaderName::from_static("content-security-policy");
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(policy));
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    answer(status, "text/plain; charset=utf-8", text)
}

fn see_dashboard() -> Response<Bytes> {
    let mut response = text(StatusCode::SEE_OTHER, "");
    let dashboard = HeaderValue::from_static("/_local/");
    response.headers_mut().insert(LOCATION, dashboard);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(headers: &[(&str, &str)]) -> bool {
        let builder = Request::post("/_local/clock");
        let builder = headers
            .iter()
            .fold(builder, |b, (name, value)| b.header(*name, *value));
        from_here(&builder.body(Bytes::new()).unwrap())
    }

    #[test]
    fn only_loopback_hosts_and_own_pages_are_answered() {
        assert!(here(&[]));
        assert!(here(&[("host", "127.0.0.1:8787")]));
        assert!(here(&[
            ("host", "localhost:8787"),
            ("origin", "http://localhost:8787")
        ]));
        assert!(!here(&[("host", "rebound.example.com")]));
        assert!(!here(&[
            ("host", "127.0.0.1:8787"),
            ("origin", "https://example.com")
        ]));
        assert!(!here(&[("host", "127.0.0.1:8787"), ("origin", "null")]));
    }
}
