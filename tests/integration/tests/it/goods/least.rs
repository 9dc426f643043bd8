//! Workflows that wait for carts and orders of at least a total.

use serde_json::{Value, json};

use super::shop::Shop;

impl Shop {
    async fn workflows(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let event = self.request(method, path, body.as_ref());
        let (status, answer) = self.world.ask("api-workflows", event).await;
        assert!(status < 300, "{answer}");
        answer
    }

    /// An active workflow with this trigger; its id.
    async fn listens(&self, trigger: Value) -> String {
        let draft = json!({
            "name": "Giỏ lớn", "trigger": trigger, "entry": "every_time",
            "graph": { "start": "end", "nodes": { "end": { "type": "exit" } } },
        });
        let made = self.workflows("POST", "/v1/workflows", Some(draft)).await;
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/workflows/{id}/activate");
        self.workflows("POST", &path, None).await;
        id
    }

    async fn starts(&self, id: &str) -> Value {
        let path = format!("/v1/workflows/{id}/report");
        self.workflows("GET", &path, None).await["entered"].clone()
    }
}

#[tokio::test]
async fn only_a_cart_or_an_order_of_the_least_total_starts_the_workflow() {
    let shop = Shop::open().await;
    let carts = shop
        .listens(json!({ "type": "cart.abandoned", "min_total": 500_000 }))
        .await;
    let orders = shop
        .listens(json!({ "type": "order.created", "min_total": 500_000 }))
        .await;
    shop.world.lead();
    let door = shop.door("custom", json!({})).await;
    for (n, total) in [(1, 499_999), (2, 500_000), (3, 750_000)] {
        let at = format!("2026-03-02T08:0{n}:00Z");
        let customer = json!({ "email": format!("khach{n}@example.vn") });
        let items = json!([{ "sku": "AO-TR-M", "name": "Áo thun", "quantity": 1, "price": total }]);
        let cart = json!({
            "id": format!("C-{n}"), "started_at": at, "total": total, "customer": customer, "items": items,
        });
        shop.say(&door, "cart.abandoned", &at, cart).await;
        let order = json!({
            "id": format!("W-{n}"), "total": total, "ordered_at": at, "items": items,
            "customer": { "email": format!("nguoi{n}@example.vn") },
        });
        shop.say(&door, "order.created", &at, order).await;
    }
    shop.wait(5).await;
    assert_eq!(shop.starts(&carts).await, json!(2));
    assert_eq!(shop.starts(&orders).await, json!(2));
}
