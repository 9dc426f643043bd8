//! The shops over HTTP: `/_local/providers/<host>/…` is the provider, `/_local/providers/<name>` the person at this machine.
//!
//! - `GET /_local/providers/<name>` shows the shop.
//! - `POST /_local/providers/<name>` with `{"customers": 250, "orders": 100, "products": 20}` fills the shop, with `{"fault": "html", "times": 3}`
//!   the next calls fail: `timeout`, `lost`, `html`, `down`, `busy`, `refuse`.
//! - `POST /_local/providers/<name>/push` with `{"path": "/w/…", "secret": "…", "kind": "orders", "id": 7}` changes an object and
//!   posts its webhook, signed, to the source.
//! - `POST /_local/providers/esms` with `{"api_key": "k", "balance": 0}`, `{"phone": "84912345678", "code": "99"}`,
//!   `{"unknown_brandname": "ACME"}`, `{"least": 1}` or `{"fault": "lost"}` changes the provider of text messages.
//! - `POST /_local/providers/esms/reports` makes the delivery reports of all accepted text messages.
//! - `POST /_local/providers/zalo` with `{"oa_id": "34…2"}` (who agrees next), `{"phone": "84912345678", "code": -118}`,
//!   `{"every": -144}`, `{"quota": 10}`, `{"templates": 250}` or `{"fault": "lost"}` changes Zalo; `POST /_local/providers/zalo/receipts` posts
//!   the receipts of the messages that have none yet.
//! - `POST /_local/providers/browsers` with `{"subscribe": "an", "key": "…"}` makes a push subscription for a VAPID key, with `{"gone": "an"}`
//!   it ends. `GET /_local/providers/fcm` shows the service account to connect; `POST` with `{"gone": "app-1"}` removes an app.

use bytes::Bytes;
use http::{Request, Response, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::zalo::{self, Posted};
use super::{Browsers, Esms, Fault, Fcm, Kind, NAMES, browsers, esms, fcm, reply};
use crate::runtime::LocalStack;

/// A change of a shop.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    customers: Option<u64>,
    orders: Option<u64>,
    products: Option<u64>,
    fault: Option<Fault>,
    times: Option<usize>,
}

/// A webhook to send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    path: String,
    secret: String,
    kind: String,
    id: u64,
}

/// Answers a request under `/_local/providers/`.
pub async fn serve(stack: &LocalStack, request: Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path().to_owned();
    let rest = path.trim_start_matches("/_local/providers/");
    let (first, more) = rest.split_once('/').unwrap_or((rest, ""));
    let providers = stack.providers();
    if first == esms::NAME && more == "reports" {
        return report(stack).await;
    }
    if first == esms::NAME {
        return esms_of(providers.esms(), &request);
    }
    if first == zalo::NAME {
        return zalo_of(stack, more, &request).await;
    }
    if first == fcm::NAME {
        return fcm_of(providers.fcm(), &request);
    }
    if first == browsers::NAME {
        let base = format!(
            "{}/_local/providers/{}",
            stack.addresses().api,
            browsers::HOST
        );
        return browsers_of(providers.browsers(), &request, &base);
    }
    if !NAMES.contains(&first) {
        let answer = providers.answer(first, &format!("/{more}"), &request);
        // On a real wire a call without an answer ends with the gateway's own.
        return answer.unwrap_or_else(|error| reply(504, &json!({ "error": error.to_string() })));
    }
    if request.method() == http::Method::GET {
        let shown = providers.with(first, |shop| {
            json!({ "customers": shop.customers.len(), "orders": shop.orders.len(), "invoices": shop.invoices.len(), "products": shop.products.len(),
                "subscriptions": shop.subscriptions, "lost_pushes": shop.lost.len(), "calls": shop.calls.len() })
        });
        return reply(200, &shown.unwrap_or_default());
    }
    match more {
        "" => match serde_json::from_slice::<Change>(request.body()) {
            Ok(change) => {
                providers.with(first, |shop| {
                    let counts = [change.customers, change.orders, change.products];
                    if counts.iter().any(Option::is_some) {
                        let [customers, orders, products] = counts.map(|count| count.unwrap_or(0));
                        shop.fill(customers, orders, products);
                    }
                    if let Some(fault) = change.fault {
                        shop.fail(fault, change.times.unwrap_or(1));
                    }
                });
                reply(200, &json!({}))
            }
            Err(error) => reply(400, &json!({ "error": error.to_string() })),
        },
        "push" => match serde_json::from_slice::<Send>(request.body()) {
            Ok(send) => push(stack, first, &send).await,
            Err(error) => reply(400, &json!({ "error": error.to_string() })),
        },
        _ => reply(404, &json!({})),
    }
}

fn esms_of(provider: &Esms, request: &Request<Bytes>) -> Response<Bytes> {
    if request.method() == http::Method::GET {
        return reply(200, &provider.shown());
    }
    match provider.change(request.body()) {
        Ok(()) => reply(200, &json!({})),
        Err(error) => reply(400, &json!({ "error": error.to_string() })),
    }
}

/// Makes the reports of all accepted messages.
async fn report(stack: &LocalStack) -> Response<Bytes> {
    let mut statuses = Vec::new();
    for address in stack.providers().esms().take_reports() {
        let Ok(uri) = address.parse::<http::Uri>() else {
            continue;
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path).header(header::HOST, "127.0.0.1");
        if let Ok(request) = request.body(Bytes::new()) {
            let answer = Box::pin(stack.http(request)).await;
            statuses.push(answer.status().as_u16());
        }
    }
    reply(200, &json!({ "statuses": statuses }))
}

async fn zalo_of(stack: &LocalStack, more: &str, request: &Request<Bytes>) -> Response<Bytes> {
    let zalo = stack.providers().zalo();
    if request.method() == http::Method::GET {
        return reply(200, &zalo.shown());
    }
    if more == "receipts" {
        let events = zalo.receipts(stack.providers().clock().now_ms());
        let count = events.len();
        for event in events {
            let answer = Box::pin(post_event(stack, event)).await;
            if !answer.status().is_success() {
                return answer;
            }
        }
        return reply(200, &json!({ "posted": count }));
    }
    match zalo.change(request.body()) {
        Ok(()) => reply(200, &json!({})),
        Err(error) => reply(400, &json!({ "error": error.to_string() })),
    }
}

fn fcm_of(provider: &Fcm, request: &Request<Bytes>) -> Response<Bytes> {
    if request.method() == http::Method::GET {
        return reply(200, &provider.shown());
    }
    match provider.change(request.body()) {
        Ok(()) => reply(200, &json!({})),
        Err(error) => reply(400, &json!({ "error": error.to_string() })),
    }
}

async fn post_event(stack: &LocalStack, event: Posted) -> Response<Bytes> {
    let mut builder = Request::post("/w/zalo").header(header::HOST, "127.0.0.1");
    for (name, text) in &event.headers {
        builder = builder.header(*name, text);
    }
    match builder.body(Bytes::from(event.body)) {
        Ok(request) => stack.http(request).await,
        Err(error) => reply(400, &json!({ "error": error.to_string() })),
    }
}

fn browsers_of(browsers: &Browsers, request: &Request<Bytes>, base: &str) -> Response<Bytes> {
    if request.method() == http::Method::GET {
        return reply(200, &browsers.state_shown());
    }
    match browsers.change(request.body(), base) {
        Ok(answer) => reply(200, &answer),
        Err(error) => reply(400, &json!({ "error": error.to_string() })),
    }
}

async fn push(stack: &LocalStack, provider: &str, send: &Send) -> Response<Bytes> {
    let kind = match send.kind.as_str() {
        "customers" => Kind::Customers,
        "orders" => Kind::Orders,
        "invoices" => Kind::Invoices,
        "products" => Kind::Products,
        _ => {
            return reply(
                400,
                &json!({ "error": "kind: customers, orders, invoices or products" }),
            );
        }
    };
    let providers = stack.providers();
    let url = format!("{}{}", stack.addresses().api, send.path);
    let now = providers.now();
    let push = providers.with(provider, |shop| {
        shop.push(kind, send.id, now, &send.secret, &url)
    });
    let Some(push) = push else {
        return reply(404, &Value::Null);
    };
    let mut builder = Request::post(&send.path).header(header::HOST, "127.0.0.1");
    for (name, text) in &push.headers {
        builder = builder.header(*name, text);
    }
    match builder.body(Bytes::from(push.body)) {
        Ok(request) => Box::pin(stack.http(request)).await,
        Err(error) => reply(400, &json!({ "error": error.to_string() })),
    }
}
