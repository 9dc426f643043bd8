//! Faults of providers in the middle of a back-fill and of a fetch, and kills at each call: nothing is lost.

use serde_json::json;
use tanigo_local::providers::{Fault, Kind};

use super::shop::{Shop, credentials};
use crate::support::Kill;

const PROVIDERS: [&str; 5] = ["kiotviet", "getfly", "haravan", "sapo", "shopee"];
const FAULTS: [Fault; 5] = [
    Fault::Timeout,
    Fault::Lost,
    Fault::Html,
    Fault::Down,
    Fault::Busy,
];

#[tokio::test]
async fn a_back_fill_survives_each_fault_of_a_provider() {
    for provider in PROVIDERS {
        for fault in FAULTS {
            let shop = Shop::connected(provider).await;
            shop.own(|own| own.fill(130, 60, 0));
            shop.begin("all").await;
            shop.world.run_for(2).await;
            shop.own(|own| own.fail(fault, 4));
            shop.world.run_for(4).await;
            // The back-fill goes on after the waits of the queue.
            for _ in 0..60 {
                shop.world.advance(std::time::Duration::from_mins(1));
                shop.world.settle().await;
            }
            let sync = shop.sync().await;
            let case = format!("{provider}: {fault:?}: {sync}");
            assert!(sync["finished_at"].is_string(), "{case}");
            assert_eq!(sync["status"], "connected", "{case}");
            let people = if provider == "shopee" { 60 } else { 130 };
            assert_eq!(shop.contacts().await.len(), people, "{case}");
            assert_eq!(shop.world.dead_letters(), Vec::<String>::new(), "{case}");
        }
    }
}

/// A provider that is down for a day: the fetch is left to the recovery, and no message becomes a dead letter.
#[tokio::test]
async fn an_outage_of_a_day_loses_nothing() {
    let shop = Shop::connected("shopee").await;
    shop.own(|own| own.fill(0, 3, 0));
    shop.own(|own| own.fail(Fault::Down, 5_000));
    assert_eq!(shop.push(Kind::Orders, 2).await, 200);
    shop.minutes(60 * 24).await;
    let sync = shop.sync().await;
    assert_eq!(
        (&sync["status"], &sync["error"]["code"]),
        (&json!("error"), &json!("unavailable")),
        "{sync}"
    );
    assert_eq!(shop.counts().await.0, 0);
    shop.own(tanigo_local::providers::Shop::heal);
    shop.next_check().await;
    let sync = shop.sync().await;
    assert_eq!(sync["status"], "connected", "{sync}");
    assert_eq!(shop.counts().await.0, 1, "{sync}");
    assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
}

/// The task of a page, of a fetch and of a check, killed before and after each of their calls.
#[tokio::test]
async fn a_kill_at_any_call_loses_nothing_and_counts_nothing_twice() {
    for task in ["page", "fetch", "check"] {
        let mut kills = 0;
        for n in 0.. {
            let mut was_killed = false;
            for kill in [Kill::Before(n), Kill::After(n)] {
                let shop = prepared(task).await;
                let batch = shop.world.take("source-sync").unwrap();
                let event = batch.event.clone();
                let answer = shop.world.invoke_and_kill("source-sync", event, kill).await;
                if let Some(answer) = answer {
                    shop.world.acknowledge(&batch, &answer);
                } else {
                    was_killed = true;
                    kills += 1;
                    shop.world.release(&batch);
                }
                shop.minutes(5).await;
                let sync = shop.sync().await;
                let case = format!("{task}: {kill:?}: {sync}");
                assert_eq!(sync["status"], "connected", "{case}");
                match task {
                    "page" => {
                        assert!(sync["finished_at"].is_string(), "{case}");
                        assert_eq!(sync["objects"]["customers"]["done"], 150, "{case}");
                        assert_eq!(shop.contacts().await.len(), 150, "{case}");
                    }
                    "fetch" => assert_eq!(shop.counts().await.0, 1, "{case}"),
                    _ => assert_eq!(shop.own(|own| own.subscriptions.len()), 6, "{case}"),
                }
                assert_eq!(shop.world.dead_letters(), Vec::<String>::new(), "{case}");
            }
            if !was_killed {
                break;
            }
        }
        assert!(kills > 8, "{task}: {kills} kills");
    }
}

/// A world whose next message of source-sync is this task.
async fn prepared(task: &str) -> Shop {
    match task {
        "page" => {
            let shop = Shop::connected("kiotviet").await;
            shop.own(|own| own.fill(150, 0, 0));
            shop.begin("all").await;
            shop
        }
        "fetch" => {
            let shop = Shop::connected("getfly").await;
            shop.own(|own| own.fill(5, 0, 0));
            assert_eq!(shop.push(Kind::Orders, 2).await, 200);
            shop.world.deliver("ingest", false).await.unwrap().unwrap();
            shop
        }
        _ => {
            let shop = Shop::of("kiotviet").await;
            let (status, _) = shop
                .api(
                    "PUT",
                    &shop.at("/credentials"),
                    Some(&credentials("kiotviet")),
                )
                .await;
            assert_eq!(status, 200);
            shop
        }
    }
}
