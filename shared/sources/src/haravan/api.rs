//! The API of Haravan: a token by OAuth or of a private app. A bucket of 80 calls that leaks 4 a second; pages of 50.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::{SHOP, TOPIC};
use crate::api::{ApiError, Asked, Client, Credentials, Object, Told, done, form, get, query};
use crate::json;
use crate::storefront::api as storefront;

const API: &str = "https://apis.haravan.com/com";
const ACCOUNTS: &str = "https://accounts.haravan.com/connect";
const SUBSCRIPTIONS: &str = "https://webhook.haravan.com/api/subscribe";
const SCOPES: &str = "openid profile email org userinfo grant_service wh_api offline_access com.read_customers com.read_orders com.read_products";

/// The page on which the shop's owner gives consent.
pub fn consent(client: &Client, redirect: &str, state: &str) -> String {
    let pairs = [
        ("response_type", "code id_token".to_owned()),
        ("response_mode", "form_post".to_owned()),
        (
            "client_id",
            Credentials::text(&client.credentials.client_id).to_owned(),
        ),
        ("redirect_uri", redirect.to_owned()),
        ("scope", SCOPES.to_owned()),
        ("state", state.to_owned()),
        ("nonce", state.to_owned()),
    ];
    format!("{ACCOUNTS}/authorize?{}", query(&pairs))
}

/// Exchanges a code for a token.
pub fn exchange(client: &Client, code: &str, redirect: &str) -> Result<Request<Bytes>, ApiError> {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        (
            "client_id",
            Credentials::text(&client.credentials.client_id),
        ),
        (
            "client_secret",
            Credentials::text(&client.credentials.client_secret),
        ),
    ];
    form(&format!("{ACCOUNTS}/token"), &pairs)
}

fn ask(client: &Client, url: &str) -> Result<Request<Bytes>, ApiError> {
    let builder = get(url).header("Authorization", format!("Bearer {}", client.token()));
    done(builder, storefront::nothing())
}

/// The shop.
pub fn probe(client: &Client) -> Result<Request<Bytes>, ApiError> {
    ask(client, &format!("{API}/shop.json"))
}

/// The shop's id, as webhooks have it.
pub fn shop(value: &Value) -> Option<String> {
    json::text_at(value, "shop.id")
}

/// A page of a list.
pub fn list(client: &Client, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
    ask(
        client,
        &format!("{API}/{}", storefront::path(asked, "updated_at_min")),
    )
}

/// The number of objects of a list.
pub fn count(client: &Client, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
    ask(
        client,
        &format!("{API}/{}", storefront::count(asked, "updated_at_min")),
    )
}

/// The subscription of the shop to the webhooks of the app.
pub fn subscriptions(client: &Client) -> Result<Request<Bytes>, ApiError> {
    ask(client, SUBSCRIPTIONS)
}

/// Whether the shop is subscribed.
pub fn is_subscribed(value: &Value) -> bool {
    let list = value
        .as_array()
        .or(value.get("data").and_then(Value::as_array));
    list.is_some_and(|list| !list.is_empty())
}

/// Subscribes the shop.
pub fn subscribe(client: &Client) -> Result<Request<Bytes>, ApiError> {
    let builder = Request::builder().method("POST").uri(SUBSCRIPTIONS);
    let builder = builder.header("Authorization", format!("Bearer {}", client.token()));
    crate::api::json(builder, &json!({}))
}

/// Ends the subscription of the shop.
pub fn unsubscribe(client: &Client) -> Result<Request<Bytes>, ApiError> {
    let builder = Request::builder().method("DELETE").uri(SUBSCRIPTIONS);
    let builder = builder.header("Authorization", format!("Bearer {}", client.token()));
    done(builder, Bytes::new())
}

/// Requests as the webhook has them.
pub fn told(object: Object, objects: &[Value], shop: &str) -> Vec<Told> {
    storefront::told(object, objects, TOPIC, (SHOP, shop))
}
