//! The API of Sapo Web: a token by OAuth that does not end, or the keys of a private app.
//!
//! Sapo names no rate; two calls a second are made, as of the older shop system whose API Sapo took over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::{SHOP, TOPIC};
use crate::api::{ApiError, Asked, Client, Credentials, Object, Told, done, get, query};
use crate::storefront::api as storefront;
use crate::{json, signature};

const SCOPES: &str = "read_customers,read_orders,read_products";
/// The topics that are subscribed to.
pub const TOPICS: [&str; 9] = [
    "customers/create",
    "customers/update",
    "orders/create",
    "orders/updated",
    "orders/paid",
    "orders/cancelled",
    "products/create",
    "products/update",
    "products/delete",
];

/// The shop's host, as webhooks have it.
pub fn host(client: &Client) -> String {
    format!("{}.mysapo.net", client.host_name())
}

/// The page on which the shop's owner gives consent.
pub fn consent(client: &Client, redirect: &str) -> String {
    let pairs = [
        (
            "client_id",
            Credentials::text(&client.credentials.client_id).to_owned(),
        ),
        ("scope", SCOPES.to_owned()),
        ("redirect_uri", redirect.to_owned()),
    ];
    format!(
        "https://{}/admin/oauth/authorize?{}",
        host(client),
        query(&pairs)
    )
}

/// Whether Sapo signed the query of the redirect: hex of HMAC-SHA-256 over its other pairs, sorted by name.
pub fn is_signed(secret: &str, pairs: &[(String, String)]) -> bool {
    let given = pairs.iter().find(|(name, _)| name == "hmac");
    let given = signature::hex(given.map_or("", |(_, text)| text.as_str()));
    let signed = |with_state: bool| {
        let mut others: Vec<String> = pairs
            .iter()
            .filter(|(name, _)| name != "hmac" && (with_state || name != "state"))
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        others.sort_unstable();
        signature::sha256(secret.as_bytes(), &[others.join("&").as_bytes()])
    };
    // The state is a part of our address, which Sapo may leave out of its own query.
    signature::same(&given, &signed(true)) || signature::same(&given, &signed(false))
}

/// Exchanges a code for a token.
pub fn exchange(client: &Client, code: &str) -> Result<Request<Bytes>, ApiError> {
    let body = json!({
        "client_id": Credentials::text(&client.credentials.client_id),
        "client_secret": Credentials::text(&client.credentials.client_secret),
        "code": code,
    });
    let url = format!("https://{}/admin/oauth/access_token", host(client));
    crate::api::json(Request::builder().method("POST").uri(url), &body)
}

fn with_token(client: &Client, builder: http::request::Builder) -> http::request::Builder {
    let own = &client.credentials;
    match &own.api_key {
        Some(key) => {
            let pair = format!("{key}:{}", Credentials::text(&own.client_secret));
            builder.header("Authorization", format!("Basic {}", STANDARD.encode(pair)))
        }
        None => builder.header("X-Sapo-Access-Token", client.token()),
    }
}

fn ask(client: &Client, path: &str) -> Result<Request<Bytes>, ApiError> {
    let builder = get(&format!("https://{}/admin/{path}", host(client)));
    done(with_token(client, builder), storefront::nothing())
}

/// The shop.
pub fn probe(client: &Client) -> Result<Request<Bytes>, ApiError> {
    ask(client, "store.json")
}

/// A page of a list.
pub fn list(client: &Client, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
    ask(client, &storefront::path(asked, "modified_on_min"))
}

/// The number of objects of a list.
pub fn count(client: &Client, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
    ask(client, &storefront::count(asked, "modified_on_min"))
}

/// The registered webhooks.
pub fn subscriptions(client: &Client) -> Result<Request<Bytes>, ApiError> {
    ask(client, "webhooks.json?limit=250")
}

/// The topics that are not sent to this address.
pub fn missing(value: &Value, address: &str) -> Vec<&'static str> {
    let listed = json::list(value, "webhooks");
    let is_live = |topic: &str| {
        let mut listed = listed.iter();
        listed.any(|one| one["topic"] == topic && one["address"] == address)
    };
    TOPICS.into_iter().filter(|topic| !is_live(topic)).collect()
}

/// The ids of the registrations that send to this address.
pub fn own(value: &Value, address: &str) -> Vec<String> {
    let listed = json::list(value, "webhooks").iter();
    let own = listed.filter(|one| one["address"] == address);
    own.filter_map(|one| json::text(one.get("id")?)).collect()
}

/// Deletes a registration.
pub fn unsubscribe(client: &Client, id: &str) -> Result<Request<Bytes>, ApiError> {
    let url = format!("https://{}/admin/webhooks/{id}.json", host(client));
    let builder = Request::builder().method("DELETE").uri(url);
    done(with_token(client, builder), storefront::nothing())
}

/// Registers one topic.
pub fn subscribe(client: &Client, topic: &str, address: &str) -> Result<Request<Bytes>, ApiError> {
    let body = json!({ "webhook": { "topic": topic, "address": address, "format": "json" } });
    let url = format!("https://{}/admin/webhooks.json", host(client));
    let builder = with_token(client, Request::builder().method("POST").uri(url));
    crate::api::json(builder, &body)
}

/// Requests as the webhook has them.
pub fn told(object: Object, objects: &[Value], shop: &str) -> Vec<Told> {
    storefront::told(object, objects, TOPIC, (SHOP, shop))
}
