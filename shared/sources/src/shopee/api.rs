//! The API of Shopee Open Platform v2: each call is signed with the partner key.
//!
//! An access token lives four hours. A refresh token lives 30 days and gives one new pair. An error may come with status 200,
//! in the field `error`.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::api::{
    ApiError, Asked, Client, Credentials, FETCHED, Page, Told, done, get, query, read,
};
use crate::{json, signature};

const API: &str = "https://partner.shopeemobile.com";
/// Orders of a page: as many as one call gives the details of.
const PAGE: usize = 50;
/// Longest span of a list.
const SPAN: SignedDuration = SignedDuration::from_hours(15 * 24);
/// How far a back-fill of all orders goes back.
const OLDEST: SignedDuration = SignedDuration::from_hours(3 * 365 * 24);
const FIELDS: &str = "buyer_user_id,buyer_username,recipient_address,item_list,pay_time,total_amount,cancel_by,cancel_reason,payment_method,package_list,actual_shipping_fee,note,shipping_carrier";

/// The signature: hex of HMAC-SHA-256 over partner, path, time, and for a shop the token and the shop.
pub fn sign(key: &str, partner: &str, path: &str, at: i64, token: &str, shop: &str) -> String {
    let text = format!("{partner}{path}{at}{token}{shop}");
    hex::encode(signature::sha256(key.as_bytes(), &[text.as_bytes()]))
}

fn url(
    client: &Client,
    path: &str,
    at: Timestamp,
    of_shop: bool,
    more: &[(&str, String)],
) -> String {
    let own = &client.credentials;
    let (partner, key) = (
        Credentials::text(&own.client_id),
        Credentials::text(&own.client_secret),
    );
    let (token, shop) = if of_shop {
        (client.token(), client.shop.as_deref().unwrap_or_default())
    } else {
        ("", "")
    };
    let at = at.as_second();
    let mut pairs = vec![
        ("partner_id", partner.to_owned()),
        ("timestamp", at.to_string()),
        ("sign", sign(key, partner, path, at, token, shop)),
    ];
    if of_shop {
        pairs.push(("access_token", token.to_owned()));
        pairs.push(("shop_id", shop.to_owned()));
    }
    pairs.extend(more.iter().cloned());
    format!("{API}{path}?{}", query(&pairs))
}

fn ask(
    client: &Client,
    path: &str,
    at: Timestamp,
    more: &[(&str, String)],
) -> Result<Request<Bytes>, ApiError> {
    done(get(&url(client, path, at, true, more)), Bytes::new())
}

fn post(
    client: &Client,
    path: &str,
    at: Timestamp,
    body: &Value,
) -> Result<Request<Bytes>, ApiError> {
    let url = url(client, path, at, false, &[]);
    crate::api::json(Request::builder().method("POST").uri(url), body)
}

/// The page on which the seller gives consent.
pub fn consent(client: &Client, redirect: &str, at: Timestamp) -> String {
    url(
        client,
        "/api/v2/shop/auth_partner",
        at,
        false,
        &[("redirect", redirect.to_owned())],
    )
}

fn number(text: &str) -> Value {
    text.parse::<u64>()
        .map_or_else(|_| text.into(), Value::from)
}

/// Exchanges a code for a pair of tokens.
pub fn exchange(
    client: &Client,
    code: &str,
    shop: &str,
    at: Timestamp,
) -> Result<Request<Bytes>, ApiError> {
    let partner = number(Credentials::text(&client.credentials.client_id));
    let body = json!({ "code": code, "shop_id": number(shop), "partner_id": partner });
    post(client, "/api/v2/auth/token/get", at, &body)
}

/// Exchanges the refresh token for the next pair.
pub fn renewal(client: &Client, at: Timestamp) -> Result<Request<Bytes>, ApiError> {
    let access = client.access.as_ref().ok_or(ApiError::Refused)?;
    let partner = number(Credentials::text(&client.credentials.client_id));
    let shop = number(access.shop.as_deref().unwrap_or_default());
    let body = json!({ "refresh_token": access.refresh, "shop_id": shop, "partner_id": partner });
    post(client, "/api/v2/auth/access_token/get", at, &body)
}

/// Reads an answer: an error may have any status.
pub fn value(answer: &Response<Bytes>) -> Result<Value, ApiError> {
    let parsed: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let error = parsed
        .as_ref()
        .and_then(|value| json::text_at(value, "error"));
    match error.as_deref() {
        None => read(answer),
        Some(error) if error.contains("rate_limit") => Err(ApiError::Busy(Duration::from_secs(5))),
        Some("error_limit") => Err(ApiError::Busy(Duration::from_mins(15))),
        Some(error)
            if error.contains("auth")
                || error.contains("token")
                || error.contains("partner_key_expired") =>
        {
            Err(ApiError::Refused)
        }
        Some(error) if error.contains("not_found") => Err(ApiError::Gone),
        Some(error)
            if error.contains("server") || error.contains("inner") || error.contains("network") =>
        {
            Err(ApiError::Unavailable(error.to_owned()))
        }
        Some(error) => Err(ApiError::Unexpected(error.to_owned())),
    }
}

/// The shop.
pub fn probe(client: &Client, at: Timestamp) -> Result<Request<Bytes>, ApiError> {
    ask(client, "/api/v2/shop/get_shop_info", at, &[])
}

/// A page of the orders that changed in a span of at most 15 days. The cursor is the span's first second, its last second
/// and Shopee's own cursor.
pub fn list(client: &Client, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
    let (from, to, cursor) = span(asked);
    let pairs = [
        ("time_range_field", "update_time".to_owned()),
        ("time_from", from.to_string()),
        ("time_to", to.to_string()),
        ("page_size", PAGE.to_string()),
        ("cursor", cursor),
    ];
    ask(client, "/api/v2/order/get_order_list", asked.now, &pairs)
}

fn span(asked: &Asked<'_>) -> (i64, i64, String) {
    let mut parts = asked.cursor.unwrap_or_default().splitn(3, ':');
    let mut part = || parts.next().unwrap_or_default();
    if let (Ok(from), Ok(to), cursor) = (part().parse(), part().parse(), part()) {
        return (from, to, cursor.to_owned());
    }
    let from = asked.since.unwrap_or(asked.until - OLDEST).as_second();
    (
        from,
        (from + SPAN.as_secs()).min(asked.until.as_second()),
        String::new(),
    )
}

/// Reads a page. After the last page of a span the next span begins.
pub fn page(asked: &Asked<'_>, value: &Value) -> Result<Page, ApiError> {
    let (from, to, _) = span(asked);
    let list = json::at(value, "response.order_list").and_then(Value::as_array);
    let objects = list
        .ok_or_else(|| ApiError::Unexpected("no list".into()))?
        .clone();
    let has_more = json::at(value, "response.more").and_then(Value::as_bool) == Some(true);
    let cursor = json::text_at(value, "response.next_cursor").filter(|_| has_more);
    let end = asked.until.as_second();
    let next = match cursor {
        Some(cursor) => Some(format!("{from}:{to}:{cursor}")),
        None if to < end => Some(format!("{to}:{}:", (to + SPAN.as_secs()).min(end))),
        None => None,
    };
    Ok(Page {
        objects,
        next,
        total: None,
    })
}

/// The details of at most 50 orders.
pub fn details(client: &Client, ids: &[&str], at: Timestamp) -> Result<Request<Bytes>, ApiError> {
    let pairs = [
        ("order_sn_list", ids.join(",")),
        ("response_optional_fields", FIELDS.to_owned()),
    ];
    ask(client, "/api/v2/order/get_order_detail", at, &pairs)
}

/// The orders of an answer.
pub fn detailed(value: &Value) -> Vec<Value> {
    json::list(value, "response.order_list").to_vec()
}

/// A request for each order, marked as one of the API.
pub fn told(objects: &[Value], shop: &str) -> Vec<Told> {
    let one = |value: &Value| {
        let body = json!({ "shop_id": shop, "order": value });
        (vec![(FETCHED, "orders".to_owned())], body.to_string())
    };
    objects.iter().map(one).collect()
}

/// Pushes of the last three days that were not delivered: at most 100.
pub fn lost(client: &Client, at: Timestamp) -> Result<Request<Bytes>, ApiError> {
    let url = url(client, "/api/v2/push/get_lost_push_message", at, false, &[]);
    done(get(&url), Bytes::new())
}

/// The lost pushes as they would have come, each with its shop, the mark of the last one, and whether there are more.
pub fn lost_in(value: &Value) -> (Vec<(String, String)>, Option<i64>, bool) {
    let push = |one: &Value| {
        let data: Value =
            serde_json::from_str(one["data"].as_str().unwrap_or("null")).unwrap_or_default();
        let body = json!({ "data": data, "shop_id": one["shop_id"], "code": one["code"], "timestamp": one["timestamp"] });
        let shop = json::text_at(one, "shop_id").unwrap_or_default();
        (shop, body.to_string())
    };
    let pushes = json::list(value, "response.push_message_list")
        .iter()
        .map(push);
    let last = json::at(value, "response.last_message_id").and_then(Value::as_i64);
    let has_more = json::at(value, "response.has_next_page").and_then(Value::as_bool) == Some(true);
    (pushes.collect(), last, has_more)
}

/// Confirms the lost pushes up to this one.
pub fn confirm(client: &Client, last: i64, at: Timestamp) -> Result<Request<Bytes>, ApiError> {
    post(
        client,
        "/api/v2/push/confirm_consumed_lost_push_message",
        at,
        &json!({ "last_message_id": last }),
    )
}

/// The state of the app's pushes.
pub fn push_state(client: &Client, at: Timestamp) -> Result<Request<Bytes>, ApiError> {
    done(
        get(&url(
            client,
            "/api/v2/push/get_app_push_config",
            at,
            false,
            &[],
        )),
        Bytes::new(),
    )
}

/// Whether Shopee has ended the pushes of the app. Only its owner can begin them again.
pub fn is_suspended(value: &Value) -> bool {
    json::text_at(value, "response.live_push_status").as_deref() == Some("Suspended")
}
