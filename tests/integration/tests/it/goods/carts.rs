//! Carts that are left behind.

use serde_json::{Value, json};

use super::shop::{Door, Shop};

/// A cart of an own system. The world begins at 2026-03-02T08:00:00Z.
fn cart(email: &str, total: u32) -> Value {
    json!({
        "id": "C-1", "started_at": "2026-03-02T08:00:00Z", "total": total, "url": "https://shop.example.vn/gio-hang/C-1",
        "customer": { "email": email, "name": "Trần Thị An" },
        "items": [{ "sku": "AO-TR-M", "name": "Áo thun", "quantity": 2, "price": 285_000 }],
    })
}

const AN: &str = "an@example.vn";
const BEGUN: &str = "2026-03-02T08:00:00Z";

impl Shop {
    async fn told(&self) -> Vec<Value> {
        let rows = self.world.dump("Timeline").await.into_iter();
        rows.filter(|row| row["name"] == "cart.abandoned").collect()
    }

    async fn own(&self) -> Door {
        self.door("custom", json!({})).await
    }

    async fn order(&self, door: &Door, at: &str, data: Value) {
        let mut order = json!({ "id": "W-1", "total": 570_000, "ordered_at": at });
        for (name, value) in data.as_object().unwrap() {
            order[name] = value.clone();
        }
        self.say(door, "order.created", at, order).await;
    }

    async fn contact(&self) -> String {
        let rows = self.world.dump("Contacts").await.into_iter();
        let mut profiles = rows.filter(|row| row["sk"] == "PROFILE");
        profiles.next().unwrap()["contact"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

#[tokio::test]
async fn a_cart_that_is_left_behind_is_told_once_after_its_minutes() {
    let shop = Shop::open().await;
    let door = shop.door("custom", json!({ "cart_minutes": 20 })).await;
    shop.say(&door, "cart.updated", BEGUN, cart(AN, 285_000))
        .await;
    shop.wait(10).await;
    shop.say(
        &door,
        "cart.updated",
        "2026-03-02T08:10:00Z",
        cart(AN, 570_000),
    )
    .await;
    // The wait of the first version ends and tells nothing.
    shop.wait(15).await;
    assert!(shop.told().await.is_empty());
    shop.wait(10).await;
    let told = shop.told().await;
    let [event] = told.as_slice() else {
        panic!("{told:?}");
    };
    let data = &event["data"];
    assert_eq!(
        (&data["total"], &data["products"]),
        (&json!(570_000), &json!(["AO-TR-M"]))
    );
    assert_eq!(data["url"], "https://shop.example.vn/gio-hang/C-1");
    // A later change, and another wait.
    shop.say(
        &door,
        "cart.updated",
        "2026-03-02T08:40:00Z",
        cart(AN, 285_000),
    )
    .await;
    shop.wait(45).await;
    assert_eq!(shop.told().await.len(), 1);
}

#[tokio::test]
async fn a_cart_that_the_system_found_left_behind_is_told_at_once() {
    let shop = Shop::open().await;
    let door = shop.own().await;
    shop.say(&door, "cart.abandoned", BEGUN, cart(AN, 570_000))
        .await;
    shop.wait(2).await;
    assert_eq!(shop.told().await.len(), 1);
}

#[tokio::test]
async fn a_cart_that_became_an_order_tells_nothing() {
    // By the contact; by the cart's id, of another buyer; by the cart itself.
    let of_contact = json!({ "customer": { "email": AN } });
    let of_cart = json!({ "customer": { "email": "binh@example.vn" }, "cart_id": "C-1" });
    for order in [of_contact, of_cart] {
        let shop = Shop::open().await;
        let door = shop.own().await;
        shop.say(&door, "cart.updated", BEGUN, cart(AN, 570_000))
            .await;
        shop.order(&door, "2026-03-02T08:05:00Z", order.clone())
            .await;
        shop.wait(65).await;
        assert!(shop.told().await.is_empty(), "{order}");
    }
    let shop = Shop::open().await;
    let door = shop.own().await;
    shop.say(&door, "cart.updated", BEGUN, cart(AN, 570_000))
        .await;
    shop.say(
        &door,
        "cart.ordered",
        "2026-03-02T08:05:00Z",
        cart(AN, 570_000),
    )
    .await;
    shop.wait(65).await;
    assert!(shop.told().await.is_empty());
}

#[tokio::test]
async fn an_order_of_before_the_cart_does_not_end_its_wait() {
    let shop = Shop::open().await;
    let door = shop.own().await;
    let of_contact = json!({ "customer": { "email": AN } });
    shop.order(&door, "2026-03-02T07:59:00Z", of_contact).await;
    shop.say(&door, "cart.updated", BEGUN, cart(AN, 570_000))
        .await;
    shop.wait(62).await;
    assert_eq!(shop.told().await.len(), 1);
}

#[tokio::test]
async fn a_cart_of_nobody_or_of_long_ago_tells_nothing_until_somebody_is_known() {
    let shop = Shop::open().await;
    let door = shop.own().await;
    let mut nobody = cart(AN, 570_000);
    nobody.as_object_mut().unwrap().remove("customer");
    shop.say(&door, "cart.updated", BEGUN, nobody).await;
    let mut old = cart(AN, 570_000);
    (old["id"], old["started_at"]) = ("C-0".into(), "2026-02-20T08:00:00Z".into());
    shop.say(&door, "cart.updated", "2026-02-20T08:00:00Z", old)
        .await;
    shop.wait(65).await;
    assert!(shop.told().await.is_empty());
    shop.say(
        &door,
        "cart.updated",
        "2026-03-02T09:06:00Z",
        cart(AN, 570_000),
    )
    .await;
    shop.wait(65).await;
    assert_eq!(shop.told().await.len(), 1);
}

#[tokio::test]
async fn the_checkout_of_haravan_is_a_cart() {
    let shop = Shop::open().await;
    let door = shop.door("haravan", json!({})).await;
    let checkout = |minute: u32, completed: Value| {
        json!({ "token": "5b0e77c1a2d94f60", "email": AN, "created_at": BEGUN, "completed_at": completed,
            "updated_at": format!("2026-03-02T08:{minute:02}:00Z"), "total_price": 570_000.0,
            "abandoned_checkout_url": "https://ao-dai.example.vn/checkouts/5b0e",
            "line_items": [{ "product_id": 1, "sku": "AO-TR-M", "title": "Áo thun", "quantity": 2, "price": 285_000.0 }] })
    };
    shop.tell(&door, "checkouts/create", &checkout(0, Value::Null))
        .await;
    shop.wait(62).await;
    let told = shop.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["source"], "haravan");

    let shop = Shop::open().await;
    let door = shop.door("haravan", json!({})).await;
    for version in [
        checkout(0, Value::Null),
        checkout(5, "2026-03-02T08:05:00Z".into()),
    ] {
        shop.tell(&door, "checkouts/update", &version).await;
    }
    shop.wait(65).await;
    assert!(shop.told().await.is_empty());
}

#[tokio::test]
async fn the_cart_of_an_erased_contact_tells_nothing() {
    let shop = Shop::open().await;
    let door = shop.own().await;
    shop.say(&door, "cart.updated", BEGUN, cart(AN, 570_000))
        .await;
    let path = format!("/v1/contacts/{}", shop.contact().await);
    assert_eq!(shop.ask("DELETE", &path, None).await.0, 204);
    shop.wait(65).await;
    assert!(shop.told().await.is_empty());
}

/// Each delivery of the cart and of its due message is killed once at each of its calls.
#[tokio::test]
async fn a_cart_killed_at_any_call_and_delivered_again_is_told_once() {
    use crate::support::Kill;
    for n in 0.. {
        let shop = Shop::open().await;
        let door = shop.own().await;
        let body = json!({ "type": "cart.updated", "timestamp": BEGUN, "data": cart(AN, 570_000) });
        let event = shop.call(&door, "", &body);
        assert_eq!(shop.world.ask("webhook-custom", event).await.0, 200);
        let mut survived = true;
        for minutes in [0, 61] {
            shop.world.advance(std::time::Duration::from_mins(minutes));
            shop.world.invoke("due-timer", json!({})).await.unwrap();
            let Some(batch) = shop.world.take("ingest") else {
                panic!("killed after {n}: nothing to deliver");
            };
            let killed = shop
                .world
                .invoke_and_kill("ingest", batch.event.clone(), Kill::After(n));
            survived &= killed.await.is_some();
            shop.world.release(&batch);
            shop.world.settle().await;
        }
        shop.wait(2).await;
        assert_eq!(shop.told().await.len(), 1, "killed after {n}");
        assert!(shop.world.dead_letters().is_empty(), "killed after {n}");
        if survived {
            assert!(n > 4, "only {n} calls");
            break;
        }
    }
}

#[tokio::test]
async fn a_cart_costs_its_budget() {
    let shop = Shop::open().await;
    let door = shop.own().await;
    shop.say(&door, "cart.updated", BEGUN, cart(AN, 285_000))
        .await;
    let later = "2026-03-02T08:05:00Z";
    let before = shop.world.aws.meter().snapshot();
    shop.say(&door, "cart.updated", later, cart(AN, 570_000))
        .await;
    let version = shop.writes(&before);
    // The cart and its timer; the contact's time of the last activity may move.
    assert!(version <= 3.0, "{version}");
    let before = shop.world.aws.meter().snapshot();
    shop.say(&door, "cart.updated", later, cart(AN, 570_000))
        .await;
    shop.say(&door, "cart.updated", BEGUN, cart(AN, 285_000))
        .await;
    let again = shop.writes(&before);
    assert!(again <= 0.0, "{again}");
}
