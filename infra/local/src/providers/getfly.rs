//! Getfly CRM, version 6.1: a key in a header, lists by offset.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::shop::{Kind, Shop, local, phone, seconds};
use super::{Asked, SECRET, reply};

/// Answers a request.
pub fn answer(shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    if asked.header("x-api-key") != SECRET {
        return shop.refused();
    }
    let path = asked.path.trim_start_matches("/api/v6.1/");
    match path {
        "accounts" => list(shop, Kind::Customers, asked),
        "sale_orders" => list(shop, Kind::Orders, asked),
        "sale_order" => {
            let code = asked.pair("order_code");
            one(shop, Kind::Orders, |value| value["order_code"] == code)
        }
        _ => match path.strip_prefix("account/") {
            Some(id) => one(shop, Kind::Customers, |value| value["id"] == id),
            None => reply(404, &json!({})),
        },
    }
}

fn one(shop: &mut Shop, kind: Kind, is_it: impl Fn(&Value) -> bool) -> Response<Bytes> {
    let found = shop.of(kind).iter().find(|one| is_it(&one.value));
    found.map_or_else(
        || reply(404, &json!({ "message": "not found" })),
        |one| reply(200, &one.value),
    )
}

fn list(shop: &mut Shop, kind: Kind, asked: &Asked<'_>) -> Response<Bytes> {
    let since = seconds(asked.pair("filtering[updated_at:gte]"));
    let (limit, offset) = (
        asked.number("limit", 20).min(100),
        asked.number("offset", 0),
    );
    let all: Vec<&Value> = shop
        .of(kind)
        .iter()
        .filter(|one| one.at >= since)
        .map(|one| &one.value)
        .collect();
    let page: Vec<&Value> = all.iter().skip(offset).take(limit).copied().collect();
    let has_more = offset + page.len() < all.len();
    reply(
        200,
        &json!({ "data": page, "limit": limit, "offset": offset, "has_more": has_more }),
    )
}

/// An object of the API.
pub fn object(kind: Kind, n: u64, at: i64) -> Value {
    let time = local(at, ' ');
    match kind {
        Kind::Customers => {
            json!({ "id": n, "account_code": format!("KH{n:06}"), "account_name": format!("Khách {n}"),
            "email": format!("gf{n}@example.vn"), "phone_office": phone(n), "billing_address_street": "12 Lê Lợi",
            "created_at": time, "updated_at": time })
        }
        Kind::Orders | Kind::Invoices | Kind::Products => {
            json!({ "id": n, "order_code": format!("DH{n:04}"), "real_amount": 350_000,
            "f_amount": 0, "discount_amount": 0, "vat_amount": 0, "account_id": n, "account_name": format!("Khách {n}"),
            "account_email": format!("gf{n}@example.vn"), "account_phone": phone(n), "order_date": &time[..10],
            "created_at": time, "updated_at": time, "status": 2, "status_label": "Đã duyệt",
            "order_details": [{ "product_id": 31, "product_code": "AO-TR-M", "product_name": "Áo thun trắng M",
                "quantity": 1, "price": 350_000 }] })
        }
    }
}
