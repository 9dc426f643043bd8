//! KiotViet: `id.kiotviet.vn` and `public.kiotapi.com`. 5,000 GET requests an hour; a token lives a day.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::shop::{Kind, Shop, local, phone, seconds};
use super::{Asked, SECRET, reply};

/// The retailer's number.
pub const RETAILER: u64 = 500_123;

/// Answers a request.
pub fn answer(shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    if asked.path == "/connect/token" {
        if asked.field("client_secret") != SECRET || asked.field("scopes") != "PublicApi.Access" {
            return reply(400, &json!({ "error": "invalid_client" }));
        }
        let token = shop.grant(asked.now, 86_400);
        return reply(
            200,
            &json!({ "access_token": token, "expires_in": 86_400, "token_type": "Bearer" }),
        );
    }
    let token = asked.header("authorization").trim_start_matches("Bearer ");
    if !shop.admits(token, asked.now) || asked.header("retailer").is_empty() {
        return shop.refused();
    }
    if asked.method == "GET" && !shop.is_within(asked.now, 3_600, 5_000) {
        return shop.busy(1);
    }
    let mut parts = asked.path.trim_matches('/').splitn(2, '/');
    let (first, rest) = (parts.next().unwrap_or_default(), parts.next());
    match (asked.method, first, rest) {
        ("GET", "branches", None) => {
            let branch =
                json!({ "id": 11, "branchName": "Chi nhánh trung tâm", "retailerId": RETAILER });
            reply(200, &json!({ "total": 1, "pageSize": 1, "data": [branch] }))
        }
        ("GET", "webhooks", None) => reply(
            200,
            &json!({ "total": shop.subscriptions.len(), "data": shop.subscriptions }),
        ),
        ("POST", "webhooks", None) => {
            let given = &asked.json()["Webhook"];
            let made = json!({ "id": shop.subscriptions.len() + 1, "type": given["Type"], "url": given["Url"],
                "isActive": given["IsActive"], "retailerId": RETAILER });
            shop.subscriptions.push(made.clone());
            reply(200, &made)
        }
        ("DELETE", "webhooks", Some(id)) => {
            shop.subscriptions
                .retain(|one| one["id"].as_u64() != id.parse().ok());
            reply(200, &json!({ "message": "Xóa dữ liệu thành công" }))
        }
        ("GET", "customers", rest) => objects(shop, Kind::Customers, rest, asked),
        ("GET", "orders", rest) => objects(shop, Kind::Orders, rest, asked),
        ("GET", "products", rest) => objects(shop, Kind::Products, rest, asked),
        ("GET", "invoices", rest) => objects(shop, Kind::Invoices, rest, asked),
        _ => reply(404, &json!({})),
    }
}

fn objects(shop: &mut Shop, kind: Kind, id: Option<&str>, asked: &Asked<'_>) -> Response<Bytes> {
    if let Some(id) = id {
        let found = shop.of(kind).iter().find(|one| one.id.to_string() == id);
        return found.map_or_else(|| reply(404, &json!({})), |one| reply(200, &one.value));
    }
    let since = seconds(asked.pair("lastModifiedFrom"));
    let size = asked.number("pageSize", 20).min(100);
    let all: Vec<&Value> = shop
        .of(kind)
        .iter()
        .filter(|one| one.at >= since)
        .map(|one| &one.value)
        .collect();
    let page: Vec<&Value> = all
        .iter()
        .skip(asked.number("currentItem", 0))
        .take(size)
        .copied()
        .collect();
    reply(
        200,
        &json!({ "total": all.len(), "pageSize": size, "data": page }),
    )
}

/// An object of the API.
pub fn object(kind: Kind, n: u64, at: i64) -> Value {
    let time = format!("{}.0000000", local(at, 'T'));
    let line = json!([{ "productId": 501, "productCode": "AO-TR-M", "productName": "Áo thun trắng M",
        "quantity": 2, "price": 300_000, "discount": 0 }]);
    match kind {
        Kind::Customers => {
            json!({ "id": n, "code": format!("KH{n:06}"), "name": format!("Khách {n}"), "gender": false,
            "contactNumber": phone(n), "address": "12 Lê Lợi", "retailerId": RETAILER, "branchId": 11,
            "locationName": "Hồ Chí Minh - Quận 1", "email": format!("kv{n}@example.vn"), "modifiedDate": time,
            "createdDate": time })
        }
        Kind::Orders => {
            json!({ "id": n, "code": format!("DH{n:06}"), "purchaseDate": time, "branchId": 11,
            "branchName": "Chi nhánh trung tâm", "customerId": n, "customerName": format!("Khách {n}"), "total": 600_000,
            "totalPayment": 0, "status": 1, "statusValue": "Phiếu tạm", "usingCod": true, "modifiedDate": time,
            "retailerId": RETAILER, "orderDetails": line })
        }
        Kind::Products => {
            json!({ "id": n, "code": format!("SP{n:06}"), "name": format!("Áo thun {n}"), "fullName": format!("Áo thun {n}"),
            "categoryName": "Áo", "allowsSale": true, "basePrice": 300_000, "unit": "cái", "modifiedDate": time,
            "inventories": [{ "branchId": 11, "onHand": 12, "cost": 120_000 }], "images": [] })
        }
        Kind::Invoices => {
            json!({ "id": n, "code": format!("HD{n:06}"), "purchaseDate": time, "branchId": 11,
            "branchName": "Chi nhánh trung tâm", "customerId": n, "customerName": format!("Khách {n}"), "total": 600_000,
            "totalPayment": 600_000, "status": 1, "statusValue": "Hoàn thành", "modifiedDate": time,
            "retailerId": RETAILER, "invoiceDetails": line })
        }
    }
}
