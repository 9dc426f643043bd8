//! Acts of an owner: a pause, a removal, an archive; and pushes that the provider ends.

use serde_json::{Value, json};
use tanigo_local::providers::Kind;

use super::shop::{Shop, credentials};

#[tokio::test]
async fn a_pause_stops_and_a_resume_continues() {
    let shop = Shop::connected("getfly").await;
    shop.own(|own| own.fill(250, 0, 0));
    assert_eq!(shop.push(Kind::Orders, 9).await, 200);
    shop.begin("all").await;
    let (status, _) = shop
        .api("PATCH", &shop.at(""), Some(&json!({ "paused": true })))
        .await;
    assert_eq!(status, 200);
    shop.world.forget();
    let calls = shop.own(|own| own.calls.len());
    shop.minutes(5).await;
    assert_eq!(shop.own(|own| own.calls.len()), calls);
    assert_eq!(shop.sync().await["finished_at"], Value::Null);

    let (status, _) = shop
        .api("PATCH", &shop.at(""), Some(&json!({ "paused": false })))
        .await;
    assert_eq!(status, 200);
    shop.world.forget();
    shop.minutes(5).await;
    let sync = shop.sync().await;
    assert!(sync["finished_at"].is_string(), "{sync}");
    assert_eq!(shop.contacts().await.len(), 250);
    // The order that arrived before the pause was read by the recovery.
    assert_eq!(shop.counts().await.0, 1);
}

#[tokio::test]
async fn a_removed_source_makes_no_more_calls_and_leaves_no_credentials() {
    let shop = Shop::connected("getfly").await;
    shop.own(|own| own.fill(250, 0, 0));
    shop.begin("all").await;
    shop.world.run_for(1).await;
    assert_eq!(shop.api("DELETE", &shop.at(""), None).await.0, 204);
    let calls = shop.own(|own| own.calls.len());
    shop.next_check().await;
    assert_eq!(shop.own(|own| own.calls.len()), calls);
    let rows = shop.world.dump("Directory").await;
    assert!(
        rows.iter()
            .all(|row| row["sk"] != "LINK" && row["sk"] != "SYNC")
    );
}

#[tokio::test]
async fn an_archived_workspace_makes_no_calls() {
    let shop = Shop::connected("getfly").await;
    let archived = accounts::WorkspaceStatus::Archived;
    shop.world
        .change_workspace(shop.tenant, archived, |_| {})
        .await;
    shop.world.forget();
    let calls = shop.own(|own| own.calls.len());
    shop.next_check().await;
    assert_eq!(shop.own(|own| own.calls.len()), calls);
}

#[tokio::test]
async fn a_back_fill_waits_for_credentials_and_for_their_check() {
    let shop = Shop::of("haravan").await;
    shop.own(|own| own.fill(60, 0, 0));
    let all = json!({ "history": "all" });
    assert_eq!(shop.api("POST", &shop.at("/sync"), Some(&all)).await.0, 409);
    let bad = json!({ "history": "all", "objects": ["customers", "invoices"] });
    let (status, problem) = shop.api("POST", &shop.at("/sync"), Some(&bad)).await;
    assert_eq!(
        (status, problem.to_string().contains("/objects/1")),
        (400, true),
        "{problem}"
    );
    let put = credentials("haravan");
    assert_eq!(
        shop.api("PUT", &shop.at("/credentials"), Some(&put))
            .await
            .0,
        200
    );
    // The first page may come before the check: then the shop's name is not known yet.
    shop.begin("all").await;
    shop.minutes(2).await;
    let sync = shop.sync().await;
    assert!(sync["finished_at"].is_string(), "{sync}");
    assert_eq!(shop.contacts().await.len(), 60);
    let rows = serde_json::to_string(&shop.world.dump("Contacts").await).unwrap();
    assert!(
        rows.contains("haravan:1000101234") || !rows.contains("haravan:src_"),
        "{rows}"
    );
}

#[tokio::test]
async fn wrong_credentials_are_told() {
    for provider in ["kiotviet", "getfly", "haravan", "sapo"] {
        let shop = Shop::of(provider).await;
        let mut wrong = credentials(provider);
        let fields = wrong.as_object_mut().unwrap();
        let names = ["client_secret", "api_key", "access_token"];
        let name = names
            .iter()
            .find(|name| fields.contains_key(**name))
            .unwrap();
        fields.insert((*name).to_owned(), json!("wrong-secret-0123456789"));
        assert_eq!(
            shop.api("PUT", &shop.at("/credentials"), Some(&wrong))
                .await
                .0,
            200
        );
        shop.minutes(1).await;
        let sync = shop.sync().await;
        assert_eq!(sync["status"], "token_expired", "{provider}: {sync}");
        assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
        shop.connect(&credentials(provider)).await;
        assert_eq!(shop.sync().await["status"], "connected", "{provider}");
    }
}

/// Shopee ends the pushes of an app that answers badly. The owner sees it, and the checks read the orders.
#[tokio::test]
async fn ended_pushes_are_shown_and_read_daily() {
    let shop = Shop::connected("shopee").await;
    shop.own(|own| own.fill(0, 5, 0));
    shop.own(|own| own.is_suspended = true);
    let now = shop.world.now().as_second();
    shop.own(|own| {
        own.touch(Kind::Orders, 3, now);
    });
    shop.next_check().await;
    let sync = shop.sync().await;
    let seen = (&sync["status"], &sync["error"]["code"]);
    assert_eq!(seen, (&json!("error"), &json!("suspended")), "{sync}");
    assert_eq!(shop.counts().await.0, 1);
    shop.own(|own| own.is_suspended = false);
    shop.next_check().await;
    assert_eq!(shop.sync().await["status"], "connected");
}
