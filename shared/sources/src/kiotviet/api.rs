//! The API of KiotViet: a token by client credentials, lists by offset. 5,000 requests an hour.
//!
//! The API writes names as `modifiedDate`, the webhook as `ModifiedDate`. An object of the API becomes one of the webhook.

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};

use crate::api::{
    ApiError, Asked, Client, Credentials, Object, Page, Told, done, form, get, local, query,
};
use crate::json;

const TOKENS: &str = "https://id.kiotviet.vn/connect/token";
const API: &str = "https://public.kiotapi.com";
/// Objects of a page.
const PAGE: usize = 100;
/// Objects of a request: far below the bytes of a message.
const TOGETHER: usize = 20;
/// The types that are subscribed to: one registration each.
pub const TYPES: [&str; 6] = [
    "customer.update",
    "order.update",
    "invoice.update",
    "product.update",
    "product.delete",
    "stock.update",
];

/// A new token.
pub fn renewal(client: &Client) -> Result<Request<Bytes>, ApiError> {
    let own = &client.credentials;
    let pairs = [
        ("scopes", "PublicApi.Access"),
        ("grant_type", "client_credentials"),
        ("client_id", Credentials::text(&own.client_id)),
        ("client_secret", Credentials::text(&own.client_secret)),
    ];
    form(TOKENS, &pairs)
}

fn with_token(client: &Client, builder: http::request::Builder) -> http::request::Builder {
    let builder = builder.header("Retailer", client.host_name());
    builder.header("Authorization", format!("Bearer {}", client.token()))
}

fn ask(client: &Client, path: &str) -> Result<Request<Bytes>, ApiError> {
    done(
        with_token(client, get(&format!("{API}{path}"))),
        Bytes::new(),
    )
}

/// The branches of the shop: each names the retailer's number, which webhooks have too.
pub fn probe(client: &Client) -> Result<Request<Bytes>, ApiError> {
    ask(client, "/branches?pageSize=1")
}

/// The retailer's number.
pub fn shop(value: &Value) -> Option<String> {
    json::text(json::list(value, "data").first()?.get("retailerId")?)
}

/// A page of a list, by its offset.
pub fn list(client: &Client, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
    let mut pairs = vec![
        ("pageSize", PAGE.to_string()),
        ("currentItem", place(asked).0.to_string()),
        ("orderBy", "id".to_owned()),
        ("orderDirection", "ASC".to_owned()),
    ];
    match asked.object {
        Object::Customers => {}
        Object::Orders => pairs.push(("includePayment", "true".to_owned())),
        Object::Invoices => {
            pairs.push(("includePayment", "true".to_owned()));
            pairs.push(("includeInvoiceDelivery", "true".to_owned()));
        }
        Object::Products => pairs.push(("includeInventory", "true".to_owned())),
    }
    if let Some(since) = asked.since {
        pairs.push(("lastModifiedFrom", local(since, 'T')));
    }
    ask(
        client,
        &format!("/{}?{}", asked.object.name(), query(&pairs)),
    )
}

/// The offset of a page, and the number of all objects when the page before was read.
fn place(asked: &Asked<'_>) -> (usize, Option<u64>) {
    let cursor = asked.cursor.unwrap_or_default();
    let (offset, total) = cursor.split_once(':').unwrap_or((cursor, ""));
    (offset.parse().unwrap_or(0), total.parse().ok())
}

/// Reads a page. The list is by offset: after a deletion the next page begins as many places earlier, so that no object is
/// skipped.
pub fn page(asked: &Asked<'_>, value: &Value) -> Result<Page, ApiError> {
    let data = value.get("data").and_then(Value::as_array);
    let objects = data
        .ok_or_else(|| ApiError::Unexpected("no list".into()))?
        .clone();
    let total = value.get("total").and_then(Value::as_u64);
    let (start, before) = place(asked);
    let deleted = before
        .zip(total)
        .map_or(0, |(before, now)| before.saturating_sub(now));
    let end = if deleted > 0 {
        start.saturating_sub(usize::try_from(deleted).unwrap_or(usize::MAX))
    } else {
        start + objects.len()
    };
    let is_empty = objects.is_empty() && deleted == 0;
    let is_last = is_empty || total.is_some_and(|total| end as u64 >= total);
    let count = total.map_or_else(String::new, |total| format!(":{total}"));
    Ok(Page {
        next: (!is_last).then(|| format!("{end}{count}")),
        objects,
        total,
    })
}

/// One object, by its id.
pub fn one(client: &Client, object: Object, id: &str) -> Result<Request<Bytes>, ApiError> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::Gone);
    }
    ask(client, &format!("/{}/{id}", object.name()))
}

/// The registered webhooks.
pub fn subscriptions(client: &Client) -> Result<Request<Bytes>, ApiError> {
    ask(client, "/webhooks")
}

/// The types that no active registration sends to this address.
pub fn missing(value: &Value, address: &str) -> Vec<&'static str> {
    let listed = json::list(value, "data");
    let is_live = |kind: &str| {
        listed.iter().any(|one| {
            let is_active = one["isActive"].as_bool() == Some(true);
            is_active && one["type"] == kind && one["url"] == address
        })
    };
    TYPES.into_iter().filter(|kind| !is_live(kind)).collect()
}

/// The ids of the registrations that send to this address.
pub fn own(value: &Value, address: &str) -> Vec<String> {
    let listed = json::list(value, "data").iter();
    let own = listed.filter(|one| one["url"] == address);
    own.filter_map(|one| json::text(one.get("id")?)).collect()
}

/// Deletes a registration.
pub fn unsubscribe(client: &Client, id: &str) -> Result<Request<Bytes>, ApiError> {
    let builder = Request::builder()
        .method("DELETE")
        .uri(format!("{API}/webhooks/{id}"));
    done(with_token(client, builder), Bytes::new())
}

/// Registers one type.
pub fn subscribe(
    client: &Client,
    kind: &str,
    address: &str,
    secret: &str,
) -> Result<Request<Bytes>, ApiError> {
    let webhook = json!({ "Webhook": { "Type": kind, "Url": address, "IsActive": true,
        "Description": "Tanigo", "Secret": secret } });
    let builder = Request::builder()
        .method("POST")
        .uri(format!("{API}/webhooks"));
    crate::api::json(with_token(client, builder), &webhook)
}

/// Envelopes as the webhook has them.
pub fn told(object: Object, objects: &[Value], shop: &str) -> Vec<Told> {
    let kind = match object {
        Object::Customers => "customer",
        Object::Orders => "order",
        Object::Invoices => "invoice",
        Object::Products => "product",
    };
    let envelope = |part: &[Value]| {
        let data: Vec<Value> = part.iter().map(pascal).collect();
        let action = format!("{kind}.update.{shop}");
        let body = json!({ "Notifications": [{ "Action": action, "Data": data }] });
        (Vec::new(), body.to_string())
    };
    objects.chunks(TOGETHER).map(envelope).collect()
}

/// The value with names that begin with a capital letter.
fn pascal(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let named = object.iter().map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                let name: String = first.into_iter().chain(letters).collect();
                (name, pascal(value))
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.iter().map(pascal).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_deletion_between_two_pages_skips_nothing() {
        let asked = |cursor| Asked {
            object: Object::Customers,
            since: None,
            cursor,
            until: Timestamp::UNIX_EPOCH,
            now: Timestamp::UNIX_EPOCH,
        };
        let of = |cursor, total: u64, count: usize| {
            let value = json!({ "total": total, "data": vec![json!({}); count] });
            page(&asked(cursor), &value).unwrap().next
        };
        assert_eq!(of(None, 250, 100).as_deref(), Some("100:250"));
        assert_eq!(of(Some("100:250"), 250, 100).as_deref(), Some("200:250"));
        assert_eq!(of(Some("200:250"), 250, 50), None);
        // Three of the first 100 were deleted.
        assert_eq!(of(Some("100:250"), 247, 100).as_deref(), Some("97:247"));
        assert_eq!(of(Some("200:250"), 200, 0).as_deref(), Some("150:200"));
        assert_eq!(of(Some("0:0"), 0, 0), None);
    }
}
