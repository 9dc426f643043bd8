//! Push campaigns: one send for all devices of a contact, devices that are gone, throttling, crashes, clicks, units.

use std::collections::BTreeSet;
use std::time::Duration;

use contacts::ChannelStatus;
use serde_json::json;
use tanigo_local::aws::Kind;
use tanigo_local::providers::Fault;

use super::{Shop, ended, note};
use crate::support::{Kill, http_event};

#[tokio::test]
async fn a_contact_gets_one_send_on_all_its_devices_and_its_click_counts() {
    let shop = Shop::open().await;
    let (an, binh) = (
        shop.person(1, ChannelStatus::Subscribed).await,
        shop.person(2, ChannelStatus::Subscribed).await,
    );
    shop.person(3, ChannelStatus::Subscribed).await;
    let refused = shop.person(4, ChannelStatus::Unsubscribed).await;
    for (contact, name) in [(an, "an"), (an, "an-home"), (refused, "no")] {
        shop.browser(contact, name).await;
    }
    shop.app(an, "app-an").await;
    shop.app(binh, "app-binh").await;
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.shown(), ["an", "an-home"]);
    let shown = shop.world.providers.browsers().shown();
    assert_eq!((shown[0].ttl.as_str(), shown[0].topic.len()), ("3600", 32));
    let payload = &shown[0].payload;
    assert_eq!(
        (&payload["title"], &payload["body"]),
        (&json!("Chào An1"), &json!("Giảm 50%"))
    );
    assert_eq!(payload["data"], json!({ "sale": "tet" }));
    let apps = shop.world.providers.fcm().sent();
    assert_eq!(apps.len(), 2);
    assert_eq!(
        shop.world.providers.fcm().grants(),
        2,
        "one to prove it, one for the sender"
    );
    let message = &apps[0].message;
    assert_eq!(message["android"]["ttl"], "3600s");
    assert_eq!(message["data"]["sale"], "tet");
    let outbox = shop.world.aws.outbox().all(Kind::Push);
    assert_eq!(outbox.len(), 4);

    let report = shop.report(&campaign).await;
    assert_eq!(
        (&report["status"], &report["sent"]),
        (&json!("sent"), &json!(2)),
        "{report}"
    );
    assert_eq!(
        report["skipped"],
        json!({ "no_address": 1, "unsubscribed": 1 }),
        "{report}"
    );
    // The service worker opens the tracked link.
    let link = payload["link"].as_str().unwrap();
    let path = format!("/c/{}", link.rsplit('/').next().unwrap());
    shop.world.advance(Duration::from_secs(5));
    let mut event = http_event("GET", &path, None, None);
    event["headers"]["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0".into();
    event["requestContext"]["http"]["userAgent"] = event["headers"]["user-agent"].clone();
    let answer = shop.world.invoke("link-tracker", event).await.unwrap();
    assert_eq!(
        answer["headers"]["location"], "https://shop.example/sale?a=1",
        "{answer}"
    );
    shop.world.settle().await;
    let report = shop.report(&campaign).await;
    assert_eq!(report["clicked"], 1, "{report}");
}

#[tokio::test]
async fn devices_that_are_gone_are_forgotten_and_one_that_takes_it_is_enough() {
    let shop = Shop::open().await;
    let (an, binh) = (
        shop.person(1, ChannelStatus::Subscribed).await,
        shop.person(2, ChannelStatus::Subscribed).await,
    );
    for name in ["an", "old"] {
        shop.browser(an, name).await;
    }
    shop.app(binh, "app-gone").await;
    shop.app(binh, "not-a-token").await;
    shop.world.providers.browsers().end("old");
    shop.world.providers.fcm().end("app-gone");
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    shop.world.settle().await;
    let report = shop.report(&campaign).await;
    assert_eq!(report["sent"], 1, "{report}");
    assert_eq!(report["failed"], json!({ "device_gone": 1 }), "{report}");
    assert_eq!((shop.devices(an).await, shop.devices(binh).await), (1, 0));
    // The next campaign finds no device.
    let second = shop.campaign(&note()).await;
    shop.launch(&second).await;
    shop.world.settle().await;
    let report = shop.report(&second).await;
    assert_eq!(report["skipped"], json!({ "no_address": 1 }), "{report}");
}

/// Anybody may name the address of a push service. One that always asks for a pause must not hold the campaign.
#[tokio::test]
async fn a_push_service_that_always_asks_for_a_pause_does_not_hold_the_others() {
    let shop = Shop::open().await;
    let person = shop.person(1, ChannelStatus::Subscribed).await;
    shop.browser(person, "busy").await;
    shop.world.providers.browsers().fail(Fault::Busy, 1_000);
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    for _ in 0..15 {
        shop.world.settle().await;
        shop.world.advance(std::time::Duration::from_mins(3));
    }
    let report = shop.report(&campaign).await;
    assert_eq!(
        (&report["status"], &report["failed"]),
        (&json!("sent"), &json!({ "provider_busy": 1 })),
        "{report}"
    );
    assert_eq!(shop.world.providers.browsers().calls().0, 10);
}

#[tokio::test]
async fn a_push_service_that_asks_for_a_pause_is_not_called_before_its_end() {
    let shop = Shop::open().await;
    for n in 0..6 {
        let person = shop.person(n, ChannelStatus::Subscribed).await;
        shop.browser(person, &format!("b{n}")).await;
    }
    shop.world.providers.browsers().fail(Fault::Busy, 1);
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    shop.world.settle().await;
    // The fake asks for 90 seconds.
    let (asked, _) = shop.world.providers.browsers().calls();
    shop.world.run_for(80).await;
    assert_eq!(
        shop.world.providers.browsers().calls().0,
        asked,
        "called before the end of the pause"
    );
    shop.world.run_for(400).await;
    shop.world.settle().await;
    let report = shop.report(&campaign).await;
    assert_eq!(
        (&report["status"], &report["sent"]),
        (&json!("sent"), &json!(6)),
        "{report}"
    );
    assert_eq!(shop.shown().len(), 6);
}

#[tokio::test]
async fn a_token_that_ends_early_is_asked_for_again() {
    let shop = Shop::open().await;
    let person = shop.person(1, ChannelStatus::Subscribed).await;
    shop.app(person, "app-1").await;
    shop.world.providers.fcm().fail(Fault::Refuse, 1);
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    shop.world.settle().await;
    shop.world.run_for(120).await;
    let report = shop.report(&campaign).await;
    assert_eq!(report["sent"], 1, "{report}");
    assert_eq!(shop.world.providers.fcm().sent().len(), 1);
}

#[tokio::test]
async fn a_crash_at_any_call_shows_nobody_a_second_notification() {
    let mut crashes = 0;
    for after in [false, true] {
        for call in 0.. {
            let shop = Shop::open().await;
            for n in 0..4 {
                let person = shop.person(n, ChannelStatus::Subscribed).await;
                shop.browser(person, &format!("b{n}")).await;
            }
            let old = shop.person(9, ChannelStatus::Subscribed).await;
            shop.browser(old, "old").await;
            shop.world.providers.browsers().end("old");
            let campaign = shop.campaign(&note()).await;
            shop.launch(&campaign).await;
            while shop.world.relay().await > 0 {
                while shop
                    .world
                    .deliver("campaign-planner", false)
                    .await
                    .is_some()
                {}
            }
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let batch = shop.world.take("campaign-sender-push").expect("a chunk");
            let run = shop
                .world
                .invoke_and_kill("campaign-sender-push", batch.event.clone(), kill);
            let survived = run.await;
            if let Some(answer) = &survived {
                shop.world.acknowledge(&batch, answer);
            }
            shop.world.advance(Duration::from_secs(400));
            shop.world.settle().await;
            let shown = shop.shown();
            let distinct: BTreeSet<&String> = shown.iter().collect();
            assert_eq!(
                distinct.len(),
                shown.len(),
                "{kill:?}: somebody got it twice"
            );
            let report = shop.report(&campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            assert_eq!(ended(&report), 5, "{kill:?}: {report}");
            if survived.is_some() {
                break;
            }
            crashes += 1;
        }
    }
    assert!(crashes >= 8, "only {crashes} crash points");
}

/// scale.md 7.5.2: 2.05 write units and 2 read units a contact, with all its devices.
#[tokio::test]
async fn a_send_costs_two_write_units_for_all_devices() {
    let shop = Shop::open().await;
    let people = 60;
    for n in 0..people {
        let person = shop.person(n, ChannelStatus::Subscribed).await;
        for device in 0..2 {
            shop.browser(person, &format!("b{n}-{device}")).await;
        }
    }
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    while shop.world.relay().await > 0 {
        while shop
            .world
            .deliver("campaign-planner", false)
            .await
            .is_some()
        {}
    }
    let before = shop.world.aws.meter().snapshot();
    shop.world.settle().await;
    let each = |table: &str| {
        let (written, read) = shop.world.units(table, &before);
        (read / f64::from(people), written / f64::from(people))
    };
    let (ledger, contacts) = (each("SendLedger"), each("Contacts"));
    assert!(ledger.1 <= 2.05, "{ledger:?}");
    assert!(contacts.0 <= 2.0 && contacts.1 < 0.01, "{contacts:?}");
    assert_eq!(shop.shown().len(), 2 * people as usize);
}
