//! Haravan and Sapo Web: lists by `since_id`, objects of one family.
//!
//! Haravan: a bucket of 80 calls that leaks 4 a second, told in `X-Haravan-Api-Call-Limit`; pages of at most 50.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::shop::{Kind, Shop, phone, seconds, utc};
use super::{Asked, SECRET, reply};

/// The shop's id at Haravan.
pub const ORG: u64 = 1_000_101_234;
/// A token that does not end within a test.
const LONG: i64 = 10 * 365 * 86_400;

/// Answers a request to a host of Haravan.
pub fn haravan(shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    match (asked.method, asked.path) {
        ("GET", "/connect/authorize") => {
            let code = consented(shop);
            let fields = [
                ("code", code.as_str()),
                ("state", asked.pair("state")),
                ("id_token", "local"),
            ];
            return form_post(asked.pair("redirect_uri"), &fields);
        }
        ("POST", "/connect/token") => {
            let is_right =
                asked.field("client_secret") == SECRET && take_code(shop, &asked.field("code"));
            return token(shop, asked, is_right);
        }
        _ => {}
    }
    let given = asked.header("authorization").trim_start_matches("Bearer ");
    if !shop.admits(given, asked.now) && given != SECRET {
        return shop.refused();
    }
    // 80 at once, then 4 a second: 20 seconds empty the bucket.
    if !shop.is_within(asked.now, 20, 80) {
        return shop.busy(2);
    }
    match (asked.method, asked.path) {
        ("GET", "/com/shop.json") => {
            reply(200, &json!({ "shop": { "id": ORG, "name": "Cửa hàng" } }))
        }
        ("GET", "/api/subscribe") => reply(200, &json!(shop.subscriptions)),
        ("POST", "/api/subscribe") => {
            shop.subscriptions.push(json!({ "id": 1, "event": "all" }));
            reply(200, &json!({}))
        }
        ("DELETE", "/api/subscribe") => {
            shop.subscriptions.clear();
            reply(200, &json!({}))
        }
        ("GET", path) => lists(
            shop,
            path.trim_start_matches("/com/"),
            asked.pair("updated_at_min"),
            asked,
        ),
        _ => reply(404, &json!({})),
    }
}

/// Answers a request to a shop of Sapo.
pub fn sapo(shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    match (asked.method, asked.path) {
        ("GET", "/admin/oauth/authorize") => return sent_back(shop, asked),
        ("POST", "/admin/oauth/access_token") => {
            let body = asked.json();
            let code = body["code"].as_str().unwrap_or_default();
            let is_right = body["client_secret"] == SECRET && take_code(shop, code);
            return token(shop, asked, is_right);
        }
        _ => {}
    }
    let given = asked.header("x-sapo-access-token");
    let is_private = given == SECRET || asked.header("authorization").starts_with("Basic ");
    if !shop.admits(given, asked.now) && !is_private {
        return shop.refused();
    }
    match (asked.method, asked.path) {
        ("GET", "/admin/store.json") => {
            reply(200, &json!({ "store": { "id": 9, "domain": asked.host } }))
        }
        ("GET", "/admin/webhooks.json") => reply(200, &json!({ "webhooks": shop.subscriptions })),
        ("POST", "/admin/webhooks.json") => {
            let mut made = asked.json()["webhook"].clone();
            made["id"] = (shop.subscriptions.len() + 1).into();
            shop.subscriptions.push(made.clone());
            reply(201, &json!({ "webhook": made }))
        }
        ("DELETE", path) => {
            let id = path
                .trim_start_matches("/admin/webhooks/")
                .trim_end_matches(".json");
            shop.subscriptions
                .retain(|one| one["id"].as_u64() != id.parse().ok());
            reply(200, &json!({}))
        }
        ("GET", path) => lists(
            shop,
            path.trim_start_matches("/admin/"),
            asked.pair("modified_on_min"),
            asked,
        ),
        _ => reply(404, &json!({})),
    }
}

/// The code of a person's consent.
fn consented(shop: &mut Shop) -> String {
    let code = format!("{}-code-{}", shop.provider, shop.calls.len());
    shop.code = Some(code.clone());
    code
}

fn take_code(shop: &mut Shop, code: &str) -> bool {
    shop.code.take_if(|held| held == code).is_some()
}

fn token(shop: &mut Shop, asked: &Asked<'_>, is_right: bool) -> Response<Bytes> {
    if !is_right {
        return reply(400, &json!({ "error": "invalid_grant" }));
    }
    let token = shop.grant(asked.now, LONG);
    reply(
        200,
        &json!({ "access_token": token, "scope": "read_customers,read_orders" }),
    )
}

/// A page that posts a form at once, as `response_mode=form_post` does.
fn form_post(to: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;")
    };
    let inputs = fields
        .iter()
        .map(|(name, text)| format!("<input type=hidden name={name} value=\"{}\">", escape(text)));
    let page = format!(
        "<form method=post action=\"{}\">{}<button>Cài đặt ứng dụng</button></form>",
        escape(to),
        inputs.collect::<String>()
    );
    let mut response = Response::new(Bytes::from(page));
    let kind = header::HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The signed redirect of Sapo.
fn sent_back(shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    let code = consented(shop);
    let Ok(mut to) = url::Url::parse(asked.pair("redirect_uri")) else {
        return reply(400, &json!({}));
    };
    let time = asked.now.to_string();
    let more = [
        ("code", code.as_str()),
        ("store", asked.host),
        ("timestamp", time.as_str()),
    ];
    to.query_pairs_mut().extend_pairs(more);
    let mut signed: Vec<String> = to
        .query_pairs()
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    signed.sort_unstable();
    let hmac = super::push::hmac_hex(SECRET, &signed.join("&"));
    to.query_pairs_mut().append_pair("hmac", &hmac);
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(to) = header::HeaderValue::from_str(to.as_str()) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

fn lists(shop: &mut Shop, path: &str, changed: &str, asked: &Asked<'_>) -> Response<Bytes> {
    let name = path.split(['.', '/']).next().unwrap_or_default();
    let kind = match name {
        "customers" => Kind::Customers,
        "orders" => Kind::Orders,
        "products" => Kind::Products,
        _ => return reply(404, &json!({})),
    };
    let (since, after) = (seconds(changed), asked.number("since_id", 0) as u64);
    let changed: Vec<_> = shop.of(kind).iter().filter(|one| one.at >= since).collect();
    if path.ends_with("count.json") {
        return reply(200, &json!({ "count": changed.len() }));
    }
    let size = asked.number("limit", 50).min(50);
    let id = |one: &super::shop::Object| one.value["id"].as_u64().unwrap_or(one.id);
    let mut page: Vec<_> = changed.into_iter().filter(|one| id(one) > after).collect();
    page.sort_unstable_by_key(|one| one.id);
    let page: Vec<&Value> = page.into_iter().take(size).map(|one| &one.value).collect();
    reply(200, &json!({ name: page }))
}

/// An object of the API.
pub fn object(provider: &str, kind: Kind, n: u64, at: i64) -> Value {
    let (created, updated) = if provider == "sapo" {
        ("created_on", "modified_on")
    } else {
        ("created_at", "updated_at")
    };
    if kind == Kind::Products {
        let mut product = json!({ "id": n, "title": format!("Áo thun {n}"), "body_html": "<p>Vải cotton</p>", "vendor": "Gốm",
            "product_type": "Áo", "tags": "hè", "published_at": utc(at), "published_on": utc(at), "images": [],
            "variants": [{ "id": 10 * n, "sku": format!("AO-{n}"), "price": 285_000.0, "inventory_quantity": 4,
                "option1": "Default Title" }] });
        product[created] = utc(at).into();
        product[updated] = utc(at).into();
        return product;
    }
    let mut customer = json!({ "id": n, "email": format!("{provider}{n}@example.vn"), "phone": phone(n),
        "first_name": format!("Khách {n}"), "last_name": null, "accepts_marketing": false, "tags": "vip",
        "default_address": { "address1": "12 Lê Lợi", "province": "Hồ Chí Minh", "country": "Vietnam" } });
    customer[created] = utc(at).into();
    customer[updated] = utc(at).into();
    if kind == Kind::Customers {
        return customer;
    }
    let mut order = json!({ "id": 1_000_000 + n, "name": format!("#{n}"), "order_number": format!("#{n}"), "number": n,
        "email": customer["email"], "financial_status": "paid", "fulfillment_status": "fulfilled", "gateway": "cod",
        "currency": "VND", "subtotal_price": 570_000.0, "total_discounts": 0.0, "total_price": 580_000.0,
        "line_items": [{ "id": n, "product_id": 301, "variant_id": 401, "sku": "AO-TR-M", "title": "Áo thun",
            "name": "Áo thun - Trắng / M", "quantity": 1, "price": 570_000.0 }],
        "customer": customer, "source_name": "web" });
    order[created] = utc(at).into();
    order[updated] = utc(at).into();
    order
}
