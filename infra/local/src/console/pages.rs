//! Pages with links: the front page, the log-in, and placeholders for a frontend's pages.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use super::html::{Html, definitions};
use super::{answer_json, page};
use crate::runtime::LocalStack;

/// The page of `/`, which no template declares.
pub fn front(stack: &LocalStack) -> Response<Bytes> {
    let credentials = stack.credentials();
    let widget = text(&credentials, "/widget/url");
    let links = definitions(&[
        ("Console", Html::link("/_local/", "the state of the stack")),
        (
            "Log-in and keys",
            Html::link("/_local/credentials", "credentials for the API"),
        ),
        ("API reference", Html::link("/docs", "every operation")),
        (
            "Chat page",
            Html::link(widget, "write as a visitor of a shop's website"),
        ),
        (
            "Outbox",
            Html::link("/_local/outbox", "every mail that was sent"),
        ),
        (
            "Bill",
            Html::link("/_local/bill", "cost of the same use on AWS"),
        ),
    ]);
    let note = "This is the whole product on one machine. The API is under /v1. On AWS this address answers \
                404.";
    page(
        Html::element("p", "", &Html::text(note)).and(&links),
        "Tanigo",
    )
}

/// Log-in, keys and addresses: as a page for a browser, as data for everything else.
pub fn credentials(stack: &LocalStack, html: bool) -> Response<Bytes> {
    let credentials = stack.credentials();
    if !html {
        return answer_json(StatusCode::OK, &credentials);
    }
    let code = |pointer: &str| Html::element("code", "", &Html::text(text(&credentials, pointer)));
    let widget = text(&credentials, "/widget/url");
    let facts = definitions(&[
        ("Email", code("/email")),
        ("Password", code("/password")),
        ("API key", code("/api_key")),
        ("Workspace", code("/workspace_id")),
        ("API", code("/api")),
        ("WebSocket", code("/websocket")),
        ("AWS endpoint", code("/aws")),
        ("LadiPage form", code("/sources/ladipage/url")),
        ("Its header", code("/sources/ladipage/header")),
        ("Its token", code("/sources/ladipage/token")),
        ("Chat page", Html::link(widget, widget)),
    ]);
    let note = "The same as data: send Accept: application/json, or read .local/credentials.json.";
    page(
        facts.and(&Html::element("p", "quiet", &Html::text(note))),
        "Log-in and keys",
    )
}

/// A link of a mail that leads to a page of the frontend, which is not part of the local stack.
pub fn frontend(stack: &LocalStack, what: &str, token: &str) -> Response<Bytes> {
    let (title, operation, body) = match what {
        "invitations" => (
            "Invitation",
            "/v1/auth/invitations/accept",
            format!("{{\"token\": \"{token}\", \"name\": \"…\", \"password\": \"…\"}}"),
        ),
        _ => (
            "New password",
            "/v1/auth/password/reset",
            format!("{{\"token\": \"{token}\", \"password\": \"…\"}}"),
        ),
    };
    let note = "The link of this mail leads to a page of the frontend, which is not part of the local stack. \
                That page would send:";
    let api = &stack.addresses().api;
    let call = format!(
        "curl {api}{operation} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    );
    let html = Html::element("p", "", &Html::text(note));
    page(
        html.and(&Html::element("pre", "", &Html::text(call))),
        title,
    )
}

fn text<'a>(credentials: &'a Value, pointer: &str) -> &'a str {
    let value = credentials.pointer(pointer);
    value.and_then(Value::as_str).unwrap_or_default()
}
