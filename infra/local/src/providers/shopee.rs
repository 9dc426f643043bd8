//! Shopee Open Platform v2: signed calls, a token of four hours, a refresh token that is valid once.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::push::hmac_hex;
use super::shop::{Shop, phone};
use super::{Asked, SECRET, reply};

/// The shop's number.
pub const SHOP: u64 = 336_001;
/// Seconds that a signature is valid.
const SIGNED: i64 = 300;

fn error(name: &str) -> Response<Bytes> {
    reply(
        403,
        &json!({ "error": name, "message": name, "request_id": "1" }),
    )
}

fn fine(response: &Value) -> Response<Bytes> {
    reply(
        200,
        &json!({ "error": "", "message": "", "request_id": "1", "response": response }),
    )
}

/// Answers a request.
pub fn answer(shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    let partner = asked.pair("partner_id");
    let at: i64 = asked.pair("timestamp").parse().unwrap_or(0);
    let (token, shop_id) = (asked.pair("access_token"), asked.pair("shop_id"));
    let text = format!("{partner}{}{at}{token}{shop_id}", asked.path);
    if asked.pair("sign") != hmac_hex(SECRET, &text) || (asked.now - at).abs() > SIGNED {
        return error("error_sign");
    }
    match asked.path.trim_start_matches("/api/v2/") {
        "shop/auth_partner" => consent(shop, asked),
        "auth/token/get" => {
            let code = asked.json()["code"].as_str().unwrap_or_default().to_owned();
            if shop.code.take_if(|held| *held == code).is_none() {
                return error("error_auth");
            }
            pair(shop, asked.now)
        }
        "auth/access_token/get" => {
            let given = asked.json()["refresh_token"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if shop.token == 0 || given != refresh(shop) {
                shop.reused += 1;
                return error("error_auth");
            }
            pair(shop, asked.now)
        }
        "push/get_lost_push_message" => {
            let list: Vec<&Value> = shop.lost.iter().take(100).collect();
            fine(
                &json!({ "push_message_list": list, "has_next_page": shop.lost.len() > 100, "last_message_id": list.len() }),
            )
        }
        "push/confirm_consumed_lost_push_message" => {
            let last = asked.json()["last_message_id"].as_u64().unwrap_or(0);
            let count = usize::try_from(last).unwrap_or(0).min(shop.lost.len());
            shop.lost.drain(..count);
            fine(&json!({}))
        }
        "push/get_app_push_config" => {
            let state = if shop.is_suspended {
                "Suspended"
            } else {
                "Normal"
            };
            fine(&json!({ "live_push_status": state }))
        }
        _ if !shop.admits(token, asked.now) => shop.refused(),
        "shop/get_shop_info" => reply(
            200,
            &json!({ "error": "", "message": "", "shop_name": "Cửa hàng", "region": "VN" }),
        ),
        "order/get_order_list" => list(shop, asked),
        "order/get_order_detail" => {
            let ids: Vec<&str> = asked.pair("order_sn_list").split(',').collect();
            let found = shop
                .orders
                .iter()
                .filter(|one| ids.iter().any(|id| one.value["order_sn"] == *id));
            fine(&json!({ "order_list": found.map(|one| &one.value).collect::<Vec<_>>() }))
        }
        _ => error("error_not_found"),
    }
}

fn refresh(shop: &Shop) -> String {
    format!("shopee-refresh-{}", shop.token)
}

fn pair(shop: &mut Shop, now: i64) -> Response<Bytes> {
    let token = shop.grant(now, 4 * 3_600);
    let refresh = refresh(shop);
    reply(
        200,
        &json!({ "error": "", "message": "", "access_token": token, "refresh_token": refresh,
        "expire_in": 14_400, "request_id": "1" }),
    )
}

fn consent(shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    let code = format!("shopee-code-{}", shop.calls.len());
    shop.code = Some(code.clone());
    let Ok(mut to) = url::Url::parse(asked.pair("redirect")) else {
        return error("error_param");
    };
    to.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("shop_id", &SHOP.to_string());
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(to) = header::HeaderValue::from_str(to.as_str()) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

fn list(shop: &Shop, asked: &Asked<'_>) -> Response<Bytes> {
    let (from, to) = (
        asked.number("time_from", 0) as i64,
        asked.number("time_to", 0) as i64,
    );
    if to - from > 15 * 86_400 {
        return error("error_param");
    }
    let (size, start) = (
        asked.number("page_size", 20).min(100),
        asked.number("cursor", 0),
    );
    let all: Vec<_> = shop
        .orders
        .iter()
        .filter(|one| (from..=to).contains(&one.at))
        .collect();
    let page: Vec<Value> = all
        .iter()
        .skip(start)
        .take(size)
        .map(|one| json!({ "order_sn": one.value["order_sn"] }))
        .collect();
    let end = start + page.len();
    let more = end < all.len();
    let next = if more { end.to_string() } else { String::new() };
    fine(&json!({ "more": more, "next_cursor": next, "order_list": page }))
}

/// The details of an order.
pub fn object(n: u64, at: i64) -> Value {
    json!({ "order_sn": format!("260302SP{n:06}"), "region": "VN", "currency": "VND", "cod": true, "total_amount": 350_000,
        "order_status": "READY_TO_SHIP", "create_time": at, "update_time": at, "pay_time": at, "buyer_user_id": 7_000 + n,
        "buyer_username": format!("khach_{n}"), "payment_method": "Cash on Delivery",
        "recipient_address": { "name": "T****n", "phone": if n.is_multiple_of(2) { phone(n) } else { "******78".to_owned() },
            "state": "Hồ Chí Minh", "region": "VN", "full_address": "1* L** L**" },
        "item_list": [{ "item_id": 31, "item_name": "Áo thun", "item_sku": "AO-TR", "model_id": 41, "model_sku": "AO-TR-M",
            "model_name": "Trắng, M", "model_quantity_purchased": 1, "model_original_price": 360_000,
            "model_discounted_price": 350_000 }] })
}
