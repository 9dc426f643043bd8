//! Tokens: renewed by one worker, never lost after they are stored, refused, and entered again; consents are valid once.

use std::time::Duration;

use serde_json::{Value, json};
use tanigo_local::providers::{Fault, Kind};

use super::shop::{SECRET, Shop, credentials};
use crate::support::{Kill, World, grant_of, http_event};

const TOKEN: Duration = Duration::from_hours(4);

/// A shop of Shopee whose token has ended, with the fetch of an order in the queue.
async fn stale() -> Shop {
    let shop = Shop::connected("shopee").await;
    shop.own(|own| own.fill(0, 5, 0));
    shop.world.advance(TOKEN);
    assert_eq!(shop.push(Kind::Orders, 2).await, 200);
    shop.world.deliver("ingest", false).await.unwrap().unwrap();
    shop
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_by_one_worker() {
    let mut places = 0;
    for at in 0.. {
        let shop = stale().await;
        assert_eq!(shop.push(Kind::Orders, 3).await, 200);
        shop.world.deliver("ingest", false).await.unwrap().unwrap();
        let batch = shop.world.take("source-sync").unwrap();
        let halves = [0_usize, 1].map(|n| json!({ "Records": [batch.event["Records"][n]] }));
        let run = |event: &Value| shop.world.invoke("source-sync", event.clone());
        let (first, second) = (run(&halves[0]), run(&halves[1]));
        let (_, _, calls) = shop.world.interleave(at, first, second).await;
        assert_eq!(shop.own(|own| (own.token, own.reused)), (2, 0), "{at}");
        shop.world.release(&batch);
        shop.minutes(5).await;
        assert_eq!(shop.counts().await.0, 2, "{at}");
        if calls.is_none() {
            break;
        }
        places += 1;
    }
    assert!(places > 5, "{places}");
}

/// A worker that is killed between the provider's answer and our write loses the pair: then the owner gives consent again,
/// and the recovery reads what was not fetched.
#[tokio::test]
async fn a_kill_at_any_call_of_a_renewal_loses_no_order() {
    let mut refused = 0;
    for n in 0.. {
        let mut was_killed = false;
        for kill in [Kill::Before(n), Kill::After(n)] {
            let shop = stale().await;
            let batch = shop.world.take("source-sync").unwrap();
            let event = batch.event.clone();
            if let Some(answer) = shop.world.invoke_and_kill("source-sync", event, kill).await {
                shop.world.acknowledge(&batch, &answer);
            } else {
                was_killed = true;
                shop.world.release(&batch);
            }
            shop.minutes(10).await;
            if shop.sync().await["status"] == "token_expired" {
                refused += 1;
                assert_eq!(shop.counts().await.0, 0);
                shop.connect(&credentials("shopee")).await;
                shop.minutes(5).await;
            }
            let sync = shop.sync().await;
            assert_eq!(sync["status"], "connected", "{kill:?}: {sync}");
            assert_eq!(shop.counts().await.0, 1, "{kill:?}: {sync}");
            assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
        }
        if !was_killed {
            break;
        }
    }
    // Only one write stands between the answer of the provider and the stored pair.
    assert_eq!(refused, 1);
}

/// The provider gives a new token in the middle of a back-fill: the old one is refused, and the page is read again.
#[tokio::test]
async fn a_token_that_is_replaced_in_a_back_fill_is_renewed() {
    let shop = Shop::connected("kiotviet").await;
    shop.own(|own| own.fill(150, 20, 0));
    shop.begin("all").await;
    shop.world.run_for(2).await;
    shop.own(|own| own.token += 1);
    shop.minutes(2).await;
    let sync = shop.sync().await;
    assert!(sync["finished_at"].is_string(), "{sync}");
    assert_eq!(shop.contacts().await.len(), 150);
}

/// A token without a renewal is refused: nothing is fetched until new credentials are there, then all that changed.
#[tokio::test]
async fn what_changes_while_credentials_are_refused_is_read_afterwards() {
    for provider in ["getfly", "shopee", "kiotviet"] {
        let shop = Shop::connected(provider).await;
        shop.own(|own| own.fill(5, 0, 0));
        shop.own(|own| own.fail(Fault::Refuse, 1_000));
        assert_eq!(shop.push(Kind::Orders, 2).await, 200);
        shop.minutes(5).await;
        let sync = shop.sync().await;
        assert_eq!(sync["status"], "token_expired", "{provider}: {sync}");
        assert_eq!(sync["error"]["code"], "refused");
        let calls = shop.own(|own| own.calls.len());
        assert_eq!(shop.push(Kind::Orders, 3).await, 200);
        shop.minutes(5).await;
        assert_eq!(
            shop.own(|own| own.calls.len()),
            calls,
            "{provider}: no calls"
        );

        shop.own(tanigo_local::providers::Shop::heal);
        shop.connect(&credentials(provider)).await;
        shop.minutes(10).await;
        let sync = shop.sync().await;
        assert_eq!(
            (&sync["status"], &sync["error"]),
            (&json!("connected"), &Value::Null)
        );
        assert!(sync["finished_at"].is_string(), "{provider}: {sync}");
        assert_eq!(shop.counts().await.0, 2, "{provider}: {sync}");
        let rows = serde_json::to_string(&shop.world.dump("Contacts").await).unwrap();
        assert!(
            provider == "shopee" || rows.contains("84910000003"),
            "{provider}"
        );
        // Nothing is missing: the next check begins no recovery.
        let began = sync["started_at"].clone();
        shop.next_check().await;
        assert_eq!(shop.sync().await["started_at"], began, "{provider}");
    }
}

#[tokio::test]
async fn the_daily_check_sees_refused_credentials_and_reads_lost_pushes() {
    let shop = Shop::connected("shopee").await;
    shop.own(|own| own.fill(0, 5, 0));
    let now = shop.world.now().as_second();
    shop.own(|own| own.lose_push(4, now));
    shop.next_check().await;
    assert_eq!(shop.counts().await.0, 1);
    assert!(shop.own(|own| own.lost.is_empty()));

    // Pushes of the app's other shop stay for the source of that shop.
    let now = shop.world.now().as_second();
    shop.own(|own| {
        own.lose_push(5, now);
        let mut other = own.lost[0].clone();
        other["shop_id"] = json!(99);
        own.lost.push(other);
    });
    shop.next_check().await;
    assert_eq!(shop.counts().await.0, 2);
    assert_eq!(shop.own(|own| own.lost.len()), 2);

    shop.own(|own| own.token += 1);
    shop.next_check().await;
    assert_eq!(shop.sync().await["status"], "token_expired");
}

#[tokio::test]
async fn a_consent_is_valid_once_for_a_quarter_of_an_hour_and_for_its_source() {
    let shop = Shop::of("shopee").await;
    let body = credentials("shopee");
    assert_eq!(shop.api("POST", &shop.at("/authorize"), None).await.0, 409);
    assert_eq!(
        shop.api("PUT", &shop.at("/credentials"), Some(&body))
            .await
            .0,
        200
    );
    let ask = async || {
        let (status, asked) = shop.api("POST", &shop.at("/authorize"), None).await;
        assert_eq!(status, 200);
        shop.agree(asked["url"].as_str().unwrap())
    };
    let late = ask().await;
    shop.world.advance(Duration::from_mins(16));
    assert_eq!(shop.back(late).await.0, 400);
    let good = ask().await;
    let mut forged = good.clone();
    let query = forged["rawQueryString"]
        .as_str()
        .unwrap()
        .replace("state=", "state=x");
    forged["rawQueryString"] = query.into();
    assert_eq!(shop.back(forged).await.0, 400);
    assert_eq!(shop.back(good.clone()).await.0, 200);
    assert_eq!(shop.back(good).await.0, 400);
    shop.world.settle().await;
    assert_eq!(shop.sync().await["status"], "connected");
}

/// The redirect of Sapo is signed, and a shop's name is a label of the provider's host.
#[tokio::test]
async fn forged_redirects_and_hosts_are_refused() {
    let shop = Shop::of("sapo").await;
    let app = json!({ "shop": "ao-dai", "client_id": "app-1", "client_secret": SECRET });
    assert_eq!(
        shop.api("PUT", &shop.at("/credentials"), Some(&app))
            .await
            .0,
        200
    );
    let (_, asked) = shop.api("POST", &shop.at("/authorize"), None).await;
    let mut event = shop.agree(asked["url"].as_str().unwrap());
    let query = event["rawQueryString"]
        .as_str()
        .unwrap()
        .replace("code=", "code=x");
    event["rawQueryString"] = query.into();
    assert_eq!(shop.back(event).await.0, 400);

    for name in ["evil.example/", "a.b", "127.0.0.1", "acme@x", "ACME", ""] {
        for provider in ["sapo", "getfly", "kiotviet"] {
            let shop = Shop::of(provider).await;
            let mut bad = credentials(provider);
            bad["shop"] = name.into();
            let (status, problem) = shop.api("PUT", &shop.at("/credentials"), Some(&bad)).await;
            assert_eq!(status, 400, "{provider}: {name}");
            assert!(problem.to_string().contains("/shop"), "{problem}");
        }
    }
}

/// Another workspace sees neither the connection nor the back-fill, and cannot begin one.
#[tokio::test]
async fn another_workspace_does_not_see_the_connection() {
    let shop = Shop::connected("getfly").await;
    let other = shop.world.workspace().await;
    let grant = grant_of(other.workspace(), "admin");
    let ask = async |world: &World, method: &str, more: &str, body: Option<Value>| {
        let event = http_event(method, &shop.at(more), body.as_ref(), Some(&grant));
        world.ask("api-sources", event).await.0
    };
    let world = &shop.world;
    let own = Some(credentials("getfly"));
    assert_eq!(ask(world, "GET", "/sync", None).await, 404);
    assert_eq!(
        ask(world, "POST", "/sync", Some(json!({ "history": "all" }))).await,
        404
    );
    assert_eq!(ask(world, "PUT", "/credentials", own).await, 404);
    assert_eq!(ask(world, "POST", "/authorize", None).await, 404);
    let rows = serde_json::to_string(&world.dump("Directory").await).unwrap();
    assert!(!rows.contains(SECRET));
}
