//! A source that its owner disconnects: nothing of its secrets stays, its record stays, and it can be connected again.

use serde_json::{Value, json};
use tanigo_local::providers::{Fault, Kind};

use super::shop::{SECRET, Shop, credentials};
use crate::support::Kill;

/// The credentials of the app of a provider: with them the source subscribes by itself.
fn app(provider: &str) -> Value {
    match provider {
        "haravan" => json!({ "client_id": "app-1", "client_secret": SECRET }),
        other => credentials(other),
    }
}

/// The rows of the Directory that belong to the source.
async fn rows(shop: &Shop) -> Vec<Value> {
    let rows = shop.world.dump("Directory").await.into_iter();
    let is_own = |row: &Value| {
        let pk = row["pk"].as_str().unwrap_or_default();
        pk.starts_with("SOURCE#src_")
    };
    rows.filter(is_own).collect()
}

async fn disconnect(shop: &Shop) -> Value {
    let (status, source) = shop.api("POST", &shop.at("/disconnect"), None).await;
    assert_eq!(status, 200, "{source}");
    assert_eq!(source["status"], "disconnected", "{source}");
    source
}

/// One row is left, without a sealed text.
async fn has_no_secrets(shop: &Shop, case: &str) {
    let rows = rows(shop).await;
    assert_eq!(rows.len(), 1, "{case}: {rows:?}");
    assert_eq!(rows[0]["sk"], "SOURCE", "{case}");
    assert!(!rows[0].to_string().contains("sealed"), "{case}: {rows:?}");
}

#[tokio::test]
async fn a_disconnected_source_keeps_its_record_and_connects_again() {
    for (provider, subscriptions) in [
        ("kiotviet", 6),
        ("sapo", 9),
        ("haravan", 1),
        ("getfly", 0),
        ("shopee", 0),
    ] {
        let shop = Shop::of(provider).await;
        shop.connect(&app(provider)).await;
        shop.own(|own| own.fill(30, 5, 0));
        shop.begin("all").await;
        shop.minutes(2).await;
        assert_eq!(
            shop.own(|own| own.subscriptions.len()),
            subscriptions,
            "{provider}"
        );
        let (people, before) = (shop.contacts().await.len(), shop.rows().await);
        assert!(people > 0, "{provider}");

        disconnect(&shop).await;
        disconnect(&shop).await;
        shop.world.settle().await;
        assert_eq!(shop.own(|own| own.subscriptions.len()), 0, "{provider}");
        has_no_secrets(&shop, provider).await;
        assert_eq!(shop.rows().await, before, "{provider}");
        assert_eq!(shop.sync().await["status"], Value::Null, "{provider}");
        let (_, listed) = shop.api("GET", "/v1/sources", None).await;
        assert_eq!(listed["data"][0]["status"], "disconnected", "{listed}");
        let (_, audit) = shop.api("GET", &shop.at("/activity"), None).await;
        assert!(audit.is_object(), "{audit}");
        shop.world.forget();
        assert_eq!(shop.push(Kind::Orders, 3).await, 404, "{provider}");
        let calls = shop.own(|own| own.calls.len());
        shop.next_check().await;
        assert_eq!(shop.own(|own| own.calls.len()), calls, "{provider}");

        let secret = json!({ "secret": SECRET });
        let (status, answer) = shop.api("PUT", &shop.at("/secret"), Some(&secret)).await;
        assert_eq!(status, 200, "{provider}: {answer}");
        shop.connect(&app(provider)).await;
        let (_, source) = shop.api("GET", &shop.at(""), None).await;
        assert_eq!(source["status"], "active", "{provider}: {source}");
        assert_eq!(shop.sync().await["status"], "connected", "{provider}");
        assert_eq!(
            shop.own(|own| own.subscriptions.len()),
            subscriptions,
            "{provider}"
        );
        shop.world.forget();
        assert_eq!(shop.push(Kind::Orders, 3).await, 200, "{provider}");
        shop.minutes(1).await;
        assert_eq!(shop.contacts().await.len(), people, "{provider}: same shop");
        assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
    }
}

/// The credentials connect a source whose secret is missing; it waits for the secret. The order of both is free.
#[tokio::test]
async fn a_secret_that_comes_after_the_credentials_subscribes() {
    let shop = Shop::connected("kiotviet").await;
    disconnect(&shop).await;
    shop.world.settle().await;
    shop.world.forget();
    shop.connect(&credentials("kiotviet")).await;
    let (_, source) = shop.api("GET", &shop.at(""), None).await;
    assert_eq!(source["status"], "waiting", "{source}");
    assert_eq!(shop.push(Kind::Orders, 3).await, 429);
    let secret = json!({ "secret": SECRET });
    let (status, _) = shop.api("PUT", &shop.at("/secret"), Some(&secret)).await;
    assert_eq!(status, 200);
    shop.world.settle().await;
    assert_eq!(shop.own(|own| own.subscriptions.len()), 6);
}

#[tokio::test]
async fn a_provider_that_is_down_delays_the_erasing_by_hours_at_most() {
    let shop = Shop::connected("kiotviet").await;
    shop.own(|own| own.fail(Fault::Down, 5_000));
    disconnect(&shop).await;
    shop.minutes(60 * 24).await;
    has_no_secrets(&shop, "down").await;
    assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
}

/// A late message of an end does not end the connection after it.
#[tokio::test]
async fn a_repeated_message_leaves_a_newer_connection() {
    let shop = Shop::connected("kiotviet").await;
    disconnect(&shop).await;
    let batch = shop.world.take("source-sync").unwrap();
    let event = batch.event.clone();
    let answer = shop.world.invoke("source-sync", event.clone()).await;
    assert!(answer.is_ok());
    shop.world.acknowledge(&batch, &answer);
    shop.world.advance(std::time::Duration::from_secs(20));
    let secret = json!({ "secret": SECRET });
    let (status, _) = shop.api("PUT", &shop.at("/secret"), Some(&secret)).await;
    assert_eq!(status, 200);
    shop.connect(&credentials("kiotviet")).await;
    shop.world.invoke("source-sync", event).await.unwrap();
    shop.world.settle().await;
    let (_, source) = shop.api("GET", &shop.at(""), None).await;
    assert_eq!(source["status"], "active", "{source}");
    assert_eq!(shop.sync().await["status"], "connected");
    assert_eq!(shop.own(|own| own.subscriptions.len()), 6);
}

#[tokio::test]
async fn a_kill_at_any_call_leaves_no_credentials() {
    for n in 0.. {
        let mut was_killed = false;
        for kill in [Kill::Before(n), Kill::After(n)] {
            let shop = Shop::connected("sapo").await;
            disconnect(&shop).await;
            let batch = shop.world.take("source-sync").unwrap();
            let event = batch.event.clone();
            let answer = shop.world.invoke_and_kill("source-sync", event, kill).await;
            if let Some(answer) = answer {
                shop.world.acknowledge(&batch, &answer);
            } else {
                was_killed = true;
                shop.world.release(&batch);
            }
            shop.minutes(60).await;
            let case = format!("{kill:?}");
            has_no_secrets(&shop, &case).await;
            assert_eq!(shop.own(|own| own.subscriptions.len()), 0, "{case}");
        }
        if !was_killed {
            break;
        }
    }
}
