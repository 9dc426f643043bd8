//! Changes of many orders, and the filters of their list.

use serde_json::{Value, json};

use super::shop::Shop;

impl Shop {
    /// Enters an order; gives its id.
    async fn entered(&self, contact: &str, more: Value) -> String {
        let mut body = json!({ "contact_id": contact, "items": [{ "sku": "AO", "name": "Áo", "quantity": 1, "price": 285_000 }] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, order) = self.ask("POST", "/v1/orders", Some(body)).await;
        assert_eq!(status, 201, "{order}");
        order["id"].as_str().unwrap().to_owned()
    }

    async fn somebody(&self) -> String {
        let body = json!({ "email": "an@example.vn" });
        let (status, made) = self.ask("POST", "/v1/contacts", Some(body)).await;
        assert!(status < 300, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    async fn codes(&self, query: &str) -> Vec<Value> {
        let (status, page) = self.ask("GET", &format!("/v1/orders{query}"), None).await;
        assert_eq!(status, 200, "{query}: {page}");
        let data = page["data"].as_array().unwrap().iter();
        data.map(|one| one["code"].clone()).collect()
    }
}

#[tokio::test]
async fn many_orders_change_their_status_each_with_its_outcome() {
    let shop = Shop::open().await;
    let an = shop.somebody().await;
    let first = shop.entered(&an, json!({ "code": "DH-1" })).await;
    let sent = json!({ "code": "DH-2", "status": "shipping" });
    let second = shop.entered(&an, sent).await;
    let door = shop.door("haravan", json!({})).await;
    let theirs = json!({ "id": 7, "name": "#7", "email": "an@example.vn", "updated_at": "2026-03-02T01:12:11.500Z" });
    shop.tell(&door, "orders/create", &theirs).await;
    let (_, page) = shop.ask("GET", "/v1/orders?source=haravan", None).await;
    let third = page["data"][0]["id"].as_str().unwrap().to_owned();
    let body =
        json!({ "order_ids": [first, second, third, "ord_00000000009"], "status": "confirmed" });
    for _ in 0..2 {
        let (status, answer) = shop
            .ask("POST", "/v1/orders/bulk", Some(body.clone()))
            .await;
        assert_eq!(status, 200, "{answer}");
        let data = answer["data"].as_array().unwrap().iter();
        let outcomes: Vec<&Value> = data.map(|one| &one["outcome"]).collect();
        assert_eq!(outcomes, ["changed", "backwards", "read_only", "missing"]);
    }
    let events = shop.world.dump("Timeline").await.into_iter();
    let confirmed = events.filter(|row| row["name"] == "order.confirmed");
    assert_eq!(confirmed.count(), 1);

    let cancel =
        json!({ "order_ids": [first, second], "status": "cancelled", "cancel_reason": "Hết hàng" });
    assert_eq!(
        shop.ask("POST", "/v1/orders/bulk", Some(cancel)).await.0,
        200
    );
    assert_eq!(shop.codes("").await, ["#7"]);
    assert_eq!(shop.codes("?status=cancelled").await.len(), 2);
    for wrong in [
        json!({ "order_ids": [], "status": "confirmed" }),
        json!({ "order_ids": [first, first], "status": "confirmed" }),
        json!({ "order_ids": [first], "status": "confirmed", "cancel_reason": "x" }),
    ] {
        assert_eq!(
            shop.ask("POST", "/v1/orders/bulk", Some(wrong)).await.0,
            400
        );
    }
}

#[tokio::test]
async fn each_filter_of_orders_narrows_the_list_and_its_sums() {
    let shop = Shop::open().await;
    let an = shop.somebody().await;
    shop.entered(&an, json!({ "code": "DH-1", "payment_method": "cash" }))
        .await;
    shop.world.advance(std::time::Duration::from_hours(24));
    let items = json!([{ "sku": "BAT", "name": "Bát", "quantity": 2, "price": 95_000 }]);
    shop.entered(
        &an,
        json!({ "code": "DH-2", "items": items, "payment_status": "paid" }),
    )
    .await;
    for (query, codes) in [
        ("", &["DH-2", "DH-1"][..]),
        ("?product=BAT", &["DH-2"]),
        ("?payment_method=cash", &["DH-1"]),
        ("?payment_status=paid", &["DH-2"]),
        ("?from=2026-03-03T00:00:00Z", &["DH-2"]),
        ("?before=2026-03-03T00:00:00Z", &["DH-1"]),
        (
            "?from=2026-03-01T00:00:00Z&before=2026-03-03T00:00:00Z",
            &["DH-1"],
        ),
        ("?before=-009999-01-02T01:59:59Z", &[]),
        ("?max_total=190000", &["DH-2"]),
        ("?staff_id=usr_00000000009", &[]),
        ("?source=sapo", &[]),
        ("?source=manual", &["DH-2", "DH-1"]),
        ("?phone=0912345678", &[]),
    ] {
        assert_eq!(shop.codes(query).await, codes, "{query}");
        if query.contains("phone") {
            continue;
        }
        let (status, sums) = shop
            .ask("GET", &format!("/v1/orders/totals{query}"), None)
            .await;
        assert_eq!(
            (status, &sums["orders"]),
            (200, &json!(codes.len())),
            "{query}"
        );
    }
    let phone = json!({ "email": "an@example.vn", "phone": "0912345678" });
    shop.ask("POST", "/v1/contacts", Some(phone)).await;
    assert_eq!(shop.codes("?phone=0912%20345%20678").await.len(), 2);
    let wrong = shop.ask("GET", "/v1/orders?phone=12", None).await;
    assert_eq!(wrong.0, 400);
}
