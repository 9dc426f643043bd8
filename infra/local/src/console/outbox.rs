//! All messages of the outbox, as pages and as data.
//!
//! The HTML of a mail is not trusted: the page shows it in a sandboxed frame, without scripts. Pictures are loaded
//! only on demand, because loading the open pixel counts as an open.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use mail_parser::MessageParser;
use serde_json::json;

use super::html::{Column, Html, definitions, grouped, table};
use super::{answer, answer_json, page, policy, text};
use crate::aws::{Kind, OutboxMessage};
use crate::runtime::LocalStack;

/// A page of the outbox, newest first; `kind` and `cursor` narrow it.
pub fn list(stack: &LocalStack, query: Option<&str>, json: bool) -> Response<Bytes> {
    let parameter = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        pairs
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let kind = parameter("kind");
    let kind = match kind.map(|kind| serde_json::from_value::<Kind>(json!(kind))) {
        None => None,
        Some(Ok(kind)) => Some(kind),
        Some(Err(_)) => return text(StatusCode::BAD_REQUEST, "unknown kind\n"),
    };
    let cursor = match parameter("cursor").map(|cursor| cursor.parse()) {
        None => None,
        Some(Ok(cursor)) => Some(cursor),
        Some(Err(_)) => return text(StatusCode::BAD_REQUEST, "cursor is not a number\n"),
    };
    let shown = stack.aws().outbox().list(kind, cursor);
    if json {
        return answer_json(
            StatusCode::OK,
            &json!({"data": shown.messages, "next": shown.next}),
        );
    }
    let columns = [
        Column::Number("No."),
        Column::Text("Kind"),
        Column::Text("To"),
        Column::Text("Subject or text"),
        Column::Text("At"),
    ];
    let rows: Vec<_> = shown.messages.iter().map(row).collect();
    let count = stack.aws().outbox().count(kind);
    let mut html = Html::element(
        "p",
        "quiet",
        &Html::text(format!(
            "{} messages, newest first",
            grouped(count as f64, 0)
        )),
    );
    html = html.and(&table(&columns, &rows));
    if let Some(next) = shown.next {
        let address = format!("/_local/outbox?cursor={next}");
        html = html.and(&Html::element(
            "p",
            "",
            &Html::link(&address, "Older messages"),
        ));
    }
    page(html, "Outbox")
}

fn row(message: &OutboxMessage) -> Vec<Html> {
    let what = match &message.payload {
        Some(payload) => payload.to_string().chars().take(120).collect(),
        None if message.subject.is_empty() => "(no subject)".to_owned(),
        None => message.subject.clone(),
    };
    vec![
        Html::text(message.id),
        Html::text(kind_name(message.kind)),
        Html::text(message.to.join(", ")),
        Html::link(&format!("/_local/outbox/{}", message.id), what),
        instant(message.at),
    ]
}

/// One message.
pub fn show(stack: &LocalStack, id: &str, json: bool) -> Response<Bytes> {
    let Some(message) = find(stack, id) else {
        return missing();
    };
    let mime = stack.aws().outbox().mime(message.id);
    let parsed = mime
        .as_deref()
        .and_then(|mime| MessageParser::default().parse(mime));
    let plain = parsed.as_ref().and_then(|mail| mail.body_text(0));
    let rich = parsed.as_ref().and_then(|mail| mail.body_html(0));
    if json {
        let content = json!({"message": message, "text": plain, "html": rich});
        return answer_json(StatusCode::OK, &content);
    }
    let raw = format!("/_local/outbox/{}/raw", message.id);
    let mut facts = vec![
        ("Kind", Html::text(kind_name(message.kind))),
        ("From", Html::text(&message.from)),
        ("To", Html::text(message.to.join(", "))),
        ("At", instant(message.at)),
        ("Provider id", Html::text(&message.provider_id)),
    ];
    let tag = |(name, value): &(String, String)| format!("{name}={value}");
    let tags: Vec<_> = message.tags.iter().map(tag).collect();
    facts.push(("Tags", Html::text(tags.join(", "))));
    if mime.is_some() {
        facts.push(("Source", Html::link(&raw, "as it was sent")));
    }
    let mut html = definitions(&facts);
    if let Some(payload) = &message.payload {
        html = html.and(&Html::element(
            "pre",
            "",
            &Html::text(format!("{payload:#}")),
        ));
    }
    if rich.is_some() {
        html = html.and(&frame(message.id));
    }
    if let Some(plain) = plain {
        let heading = Html::literal("<h2>Text</h2>");
        let plain = Html::element("pre", "", &Html::text(plain));
        html = html.and(&heading).and(&plain);
    }
    let title = if message.subject.is_empty() {
        format!("Message {}", message.id)
    } else {
        message.subject.clone()
    };
    page(html, &title)
}

fn frame(id: u64) -> Html {
    let address = format!("/_local/outbox/{id}/html");
    let pictures = format!("{address}?images=1");
    let hint = Html::text(" Pictures are not loaded, because loading them counts as an open: ")
        .and(&Html::link(&pictures, "load them"));
    Html::literal("<h2>As the recipient sees it</h2>")
        .and(&Html::element("p", "quiet", &hint))
        .and(&Html::sandboxed_frame(&address, "The mail"))
}

/// The mail's own HTML, for the frame.
pub fn body(stack: &LocalStack, id: &str, query: Option<&str>) -> Response<Bytes> {
    let mime = find(stack, id).and_then(|message| stack.aws().outbox().mime(message.id));
    let Some(mime) = mime else { return missing() };
    let parsed = MessageParser::default().parse(&mime);
    let Some(html) = parsed.as_ref().and_then(|mail| mail.body_html(0)) else {
        return missing();
    };
    // Links open beside the console, not inside the frame.
    let html = format!("<base target=\"_blank\">{html}");
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", html);
    let pictures = query.is_some_and(|query| query.contains("images=1"));
    let rules = if pictures {
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: http: https:; \
         sandbox allow-popups allow-popups-to-escape-sandbox"
    } else {
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
         sandbox allow-popups allow-popups-to-escape-sandbox"
    };
    policy(&mut response, rules);
    response
}

/// The mail as it was sent.
pub fn raw(stack: &LocalStack, id: &str) -> Response<Bytes> {
    match find(stack, id).and_then(|message| stack.aws().outbox().mime(message.id)) {
        Some(mime) => text(StatusCode::OK, mime),
        None => missing(),
    }
}

fn find(stack: &LocalStack, id: &str) -> Option<OutboxMessage> {
    stack.aws().outbox().get(id.parse().ok()?)
}

fn missing() -> Response<Bytes> {
    text(StatusCode::NOT_FOUND, "There is no such message.\n")
}

fn kind_name(kind: Kind) -> String {
    let name = serde_json::to_value(kind).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

fn instant(ms: i64) -> Html {
    Timestamp::from_millisecond(ms).map_or_else(|_| Html::text(ms), Html::time)
}
