//! Receipts of Zalo: in any order, repeated, forged, and before the send is recorded.

use serde_json::{Value, json};
use tanigo_local::providers::zalo::Posted;

use super::shop::Shop;
use crate::support::{Kill, World, http_event};

fn request(posted: &Posted) -> Value {
    let mut event = http_event("POST", "/w/zalo", None, None);
    event["body"] = posted.body.clone().into();
    for (name, text) in &posted.headers {
        event["headers"][*name] = text.clone().into();
    }
    event
}

async fn post(world: &World, posted: &Posted) -> u64 {
    world.ask("webhook-zalo", request(posted)).await.0
}

#[tokio::test]
async fn receipts_count_once_in_any_order() {
    let shop = Shop::open(4).await;
    let campaign = shop.begin(false).await;
    shop.world.settle().await;
    let zalo = shop.world.providers.zalo();
    let now = shop.world.now().as_millisecond();
    let mut events = Vec::new();
    for (n, message) in zalo.sent().iter().enumerate() {
        if n % 2 == 0 {
            events.push(zalo.event(message, "user_seen_message", now + 9_000));
        }
        if n > 0 {
            events.push(zalo.event(message, "user_received_message", now + 5_000));
        }
    }
    for posted in events.iter().chain(events.iter().rev()) {
        assert_eq!(post(&shop.world, posted).await, 200);
    }
    shop.world.settle_twice().await;
    let report = shop.report(&campaign).await;
    // A message that was seen has arrived, also without the receipt of its delivery.
    assert_eq!(
        (&report["delivered"], &report["opened"]),
        (&json!(4), &json!(2)),
        "{report}"
    );
    assert_eq!(report["sent"], 4);
}

#[tokio::test]
async fn forged_receipts_change_nothing() {
    let shop = Shop::open(1).await;
    let campaign = shop.begin(false).await;
    shop.world.settle().await;
    let zalo = shop.world.providers.zalo();
    let message = zalo.sent().remove(0);
    let good = zalo.event(&message, "user_received_message", 1_772_438_500_000);
    let mut forged = good.clone();
    forged.body = forged.body.replace("received", "seen");
    assert_eq!(post(&shop.world, &forged).await, 401);
    let mut unsigned = good.clone();
    unsigned
        .headers
        .retain(|(name, _)| *name != "x-zevent-signature");
    assert_eq!(post(&shop.world, &unsigned).await, 401);
    // Signed, with a tracking id that is not ours, and an event of the chat.
    let body = good
        .body
        .replace(&message.tracking_id, "t01-DH000123-shipped");
    assert_eq!(
        post(&shop.world, &zalo.signed(&body, "ZNS", "1772438500000")).await,
        200
    );
    let chat = zalo.signed(&good.body, "OA OpenAPI", "1772438500000");
    assert_eq!(post(&shop.world, &chat).await, 200);
    shop.world.settle().await;
    assert_eq!(shop.report(&campaign).await["delivered"], 0);
    assert_eq!(post(&shop.world, &good).await, 200);
    shop.world.settle().await;
    assert_eq!(shop.report(&campaign).await["delivered"], 1);
}

/// The sender is killed after Zalo's answer and before our write: the receipt proves the send.
#[tokio::test]
async fn a_receipt_before_the_send_is_recorded_proves_it() {
    for call in 0.. {
        let shop = Shop::open(1).await;
        let campaign = shop.begin(false).await;
        while shop.world.relay().await > 0 {
            while shop
                .world
                .deliver("campaign-planner", false)
                .await
                .is_some()
            {}
        }
        let batch = shop.world.take("campaign-sender-zns").expect("a chunk");
        let kill = Kill::Before(call);
        let answer = shop
            .world
            .invoke_and_kill("campaign-sender-zns", batch.event.clone(), kill)
            .await;
        assert!(answer.is_none(), "no call after the send");
        let sent = shop.world.providers.zalo().sent();
        let Some(message) = sent.first() else {
            continue;
        };
        let now = shop.world.now().as_millisecond();
        let posted = shop
            .world
            .providers
            .zalo()
            .event(message, "user_received_message", now);
        assert_eq!(post(&shop.world, &posted).await, 200);
        shop.world.settle().await;
        shop.world.advance(std::time::Duration::from_secs(400));
        shop.world.settle().await;
        let report = shop.report(&campaign).await;
        assert_eq!(
            (&report["status"], &report["sent"], &report["delivered"]),
            (&json!("sent"), &json!(1), &json!(1)),
            "{report}"
        );
        assert_eq!(shop.world.providers.zalo().sent().len(), 1);
        return;
    }
}
