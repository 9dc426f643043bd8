//! The APIs of providers, through the public doors: connections, back-fills, details of thin requests, faults, refusals, ends.

mod endings;
mod faults;
pub mod shop;
mod states;
mod tokens;

use serde_json::{Value, json};
use tanigo_local::providers::Kind;

use self::shop::{SECRET, Shop};

/// Every way to connect: provider, credentials, kinds of objects with their numbers, contacts.
fn ways() -> Vec<(&'static str, Value, Value, usize)> {
    let app = json!({ "client_id": "app-1", "client_secret": SECRET });
    let store = json!({ "customers": 120, "orders": 60, "products": 5 });
    let with = |shop: &str, mut value: Value| {
        value["shop"] = shop.into();
        value
    };
    vec![
        (
            "kiotviet",
            with("gom-bat-trang", app.clone()),
            json!({ "customers": 120, "orders": 60, "invoices": 60, "products": 5 }),
            120,
        ),
        (
            "getfly",
            json!({ "shop": "acme", "api_key": SECRET }),
            json!({ "customers": 120, "orders": 60 }),
            120,
        ),
        (
            "haravan",
            json!({ "access_token": SECRET }),
            store.clone(),
            120,
        ),
        ("haravan", app.clone(), store.clone(), 120),
        (
            "sapo",
            json!({ "shop": "ao-dai", "api_key": "key-1", "client_secret": SECRET }),
            store.clone(),
            120,
        ),
        (
            "sapo",
            with("ao-dai", json!({ "access_token": SECRET })),
            store.clone(),
            120,
        ),
        ("sapo", with("ao-dai", app), store, 120),
        (
            "shopee",
            json!({ "client_id": "2001234", "client_secret": SECRET }),
            json!({ "orders": 60 }),
            60,
        ),
    ]
}

#[tokio::test]
async fn each_provider_connects_and_its_history_is_read_once() {
    for (provider, credentials, objects, people) in ways() {
        let shop = Shop::of(provider).await;
        shop.own(|own| own.fill(120, 60, 5));
        shop.connect(&credentials).await;
        let sync = shop.sync().await;
        assert_eq!(sync["status"], "connected", "{provider}: {sync}");
        assert_eq!(sync["error"], Value::Null);
        assert!(sync["shop"].is_string(), "{provider}: {sync}");
        assert!(shop.contacts().await.is_empty());

        let begun = shop.begin("all").await;
        assert_eq!(begun["finished_at"], Value::Null);
        shop.minutes(3).await;
        let sync = shop.sync().await;
        assert!(sync["finished_at"].is_string(), "{provider}: {sync}");
        for (object, count) in objects.as_object().unwrap() {
            let progress = &sync["objects"][object];
            assert_eq!(progress["done"], *count, "{provider}: {object}: {sync}");
            assert_eq!(progress["is_finished"], true);
            if provider != "shopee" && provider != "getfly" {
                assert_eq!(progress["total"], *count, "{provider}: {object}");
            }
        }
        let wanted = objects.as_object().unwrap();
        assert_eq!(sync["objects"].as_object().unwrap().len(), wanted.len());
        assert_eq!(shop.contacts().await.len(), people, "{provider}");
        let of = |name: &str| objects[name].as_u64().unwrap_or(0);
        let counts = shop.counts().await;
        let expected = (of("orders") + of("invoices"), of("products"));
        assert_eq!(counts, expected, "{provider}");

        // All of it again changes nothing.
        let before = shop.rows().await;
        shop.begin("all").await;
        shop.minutes(3).await;
        let sync = shop.sync().await;
        assert!(sync["finished_at"].is_string(), "{provider}: {sync}");
        assert_eq!(shop.rows().await, before, "{provider}");
        assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
        assert_eq!(shop.failed().await, json!([]), "{provider}");
    }
}

#[tokio::test]
async fn only_what_changed_since_is_read() {
    let shop = Shop::connected("kiotviet").await;
    shop.own(|own| own.fill(50, 0, 0));
    shop.minutes(60 * 24 * 40).await;
    let now = shop.world.now().as_second();
    shop.own(|own| {
        own.touch(Kind::Customers, 7, now);
    });
    shop.begin("last_30d").await;
    shop.minutes(1).await;
    assert_eq!(shop.sync().await["objects"]["customers"]["done"], 1);
    assert_eq!(shop.contacts().await.len(), 1);
    let begun = shop.begin("none").await;
    assert!(begun["finished_at"].is_string());
}

/// The push of Shopee and the webhooks of Getfly hold ids; the order of KiotViet holds no number of its buyer.
#[tokio::test]
async fn the_objects_of_thin_requests_are_fetched() {
    for provider in ["shopee", "getfly", "kiotviet"] {
        let shop = Shop::connected(provider).await;
        shop.own(|own| own.fill(10, 0, 0));
        assert_eq!(shop.push(Kind::Orders, 4).await, 200, "{provider}");
        shop.minutes(1).await;
        assert_eq!(shop.counts().await.0, 1, "{provider}");
        let contacts = shop.contacts().await;
        assert_eq!(contacts.len(), 1, "{provider}: {contacts:?}");
        let rows = serde_json::to_string(&shop.world.dump("Contacts").await).unwrap();
        assert!(rows.contains("84910000004"), "{provider}: {rows}");
        assert_eq!(shop.failed().await, json!([]), "{provider}");
        // The same push again fetches again, and changes nothing.
        let before = shop.rows().await;
        let calls = shop.own(|own| own.calls.len());
        assert_eq!(shop.push_again(Kind::Orders, 4).await, 200);
        shop.minutes(1).await;
        assert_eq!(shop.rows().await, before, "{provider}");
        assert!(shop.own(|own| own.calls.len()) > calls, "{provider}");
    }
}

#[tokio::test]
async fn subscriptions_are_made_and_made_again() {
    for (provider, count) in [("kiotviet", 6), ("sapo", 9), ("haravan", 1)] {
        let shop = Shop::of(provider).await;
        let mut ways = ways().into_iter();
        let app = |(of, way, _, _): &(&str, Value, Value, usize)| {
            *of == provider && way["client_id"] == "app-1"
        };
        shop.connect(&ways.find(app).unwrap().1).await;
        assert_eq!(shop.own(|own| own.subscriptions.len()), count, "{provider}");
        if provider != "haravan" {
            let path = shop.path().to_owned();
            let text = shop.own(|own| json!(own.subscriptions).to_string());
            assert!(
                text.contains(&format!("https://shop.example.vn{path}")),
                "{text}"
            );
        }
        shop.own(|own| own.subscriptions.clear());
        shop.next_check().await;
        assert_eq!(shop.own(|own| own.subscriptions.len()), count, "{provider}");
    }
}
