//! The API of Getfly CRM, version 6.1: a key in a header, lists by offset.
//!
//! Getfly names no rate; two calls a second are made. <https://developer.getfly.vn/en/docs/6.0/order/list> lists the fields.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::api::{
    ApiError, Asked, Client, Credentials, FETCHED, Object, Page, Told, done, get, local, query,
};

/// Objects of a page.
const PAGE: usize = 100;
const ACCOUNT: &str = "id,account_code,account_name,email,phone_office,billing_address_street,birthday,gender,account_type,created_at,updated_at";
const ORDER: &str = "id,order_code,real_amount,f_amount,discount_amount,vat_amount,account_id,account_code,account_name,account_email,account_phone,account_address,order_date,created_at,updated_at,status,status_label,payment_status,order_details";

/// The host of the company, as webhooks have it.
pub fn host(client: &Client) -> String {
    format!("{}.getflycrm.com", client.host_name())
}

fn ask(client: &Client, path: &str) -> Result<Request<Bytes>, ApiError> {
    let key = Credentials::text(&client.credentials.api_key);
    let builder = get(&format!("https://{}/api/v6.1/{path}", host(client)));
    done(builder.header("X-API-KEY", key), Bytes::new())
}

/// One account.
pub fn probe(client: &Client) -> Result<Request<Bytes>, ApiError> {
    ask(client, "accounts?limit=1&fields=id")
}

/// A page of a list, by its offset.
pub fn list(client: &Client, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
    let (path, fields) = match asked.object {
        Object::Customers => ("accounts", ACCOUNT),
        Object::Orders | Object::Invoices | Object::Products => ("sale_orders", ORDER),
    };
    let mut pairs = vec![
        ("fields", fields.to_owned()),
        ("limit", PAGE.to_string()),
        ("offset", asked.cursor.unwrap_or("0").to_owned()),
        ("sort", "id".to_owned()),
        ("direction", "asc".to_owned()),
    ];
    if let Some(since) = asked.since {
        pairs.push(("filtering[updated_at:gte]", local(since, ' ')));
    }
    ask(client, &format!("{path}?{}", query(&pairs)))
}

/// Reads a page.
pub fn page(asked: &Asked<'_>, value: &Value) -> Result<Page, ApiError> {
    let data = value.get("data").and_then(Value::as_array);
    let objects = data
        .ok_or_else(|| ApiError::Unexpected("no list".into()))?
        .clone();
    let start: usize = asked.cursor.and_then(|text| text.parse().ok()).unwrap_or(0);
    let has_more = value.get("has_more").and_then(Value::as_bool);
    let has_more = has_more.unwrap_or(objects.len() >= PAGE) && !objects.is_empty();
    Ok(Page {
        next: has_more.then(|| (start + objects.len()).to_string()),
        total: value.get("total").and_then(Value::as_u64),
        objects,
    })
}

/// One account by its id, or one order by its code.
pub fn one(client: &Client, object: Object, id: &str) -> Result<Request<Bytes>, ApiError> {
    match object {
        Object::Customers if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => ask(
            client,
            &format!("account/{id}?{}", query(&[("fields", ACCOUNT.to_owned())])),
        ),
        Object::Customers => Err(ApiError::Gone),
        Object::Orders | Object::Invoices | Object::Products => {
            let pairs = [("order_code", id.to_owned()), ("fields", ORDER.to_owned())];
            ask(client, &format!("sale_order?{}", query(&pairs)))
        }
    }
}

/// The object of an answer, which may be under `data`.
pub fn single(value: Value) -> Value {
    match value.get("data") {
        Some(data) if data.is_object() => data.clone(),
        _ => value,
    }
}

/// A request for each object, marked as one of the API.
pub fn told(object: Object, objects: &[Value], shop: &str) -> Vec<Told> {
    let one = |value: &Value| {
        let body = json!({ "domain": shop, "object": value });
        (vec![(FETCHED, object.name().to_owned())], body.to_string())
    };
    objects.iter().map(one).collect()
}
