//! The dispatcher is killed at each of its calls: an event is still delivered under one id, and a webhook whose endpoint is
//! gone is still disabled.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::Shop;
use crate::support::Kill;

const DISPATCHER: &str = "webhook-dispatcher";

/// A shop with an event whose message is on the dispatcher's queue.
async fn happened() -> Shop {
    let shop = Shop::new().await;
    shop.contact("lan@example.vn").await;
    shop.world.relay().await;
    shop
}

/// A shop whose receiver gives this answer so often, with the message of the first attempt on the queue.
async fn attempted(status: u16, times: Option<u32>) -> Shop {
    let shop = happened().await;
    shop.answers(status, times);
    let begun = shop.world.deliver(DISPATCHER, false).await;
    begun.expect("a message").expect("an answer");
    shop
}

/// A shop whose webhook was resumed, with the message that begins the held delivery again on the queue.
async fn resumed() -> Shop {
    let shop = Shop::new().await;
    let status = async |status: &str| {
        let change = json!({ "status": status });
        assert_eq!(shop.api("PATCH", &shop.own(""), Some(change)).await.0, 200);
    };
    status("paused").await;
    shop.world.forget();
    shop.contact("lan@example.vn").await;
    shop.world.settle().await;
    status("active").await;
    shop.world.lead();
    shop
}

/// Kills the dispatcher at its n-th call of the next message, before and after it, until the message makes no such call.
/// Then all work is done, and `check` looks at the shop.
async fn at_each_call(make: impl AsyncFn() -> Shop, check: impl AsyncFn(&Shop, Kill)) {
    for n in 0.. {
        let mut was_killed = false;
        for kill in [Kill::Before(n), Kill::After(n)] {
            let shop = make().await;
            let batch = shop.world.take(DISPATCHER).expect("a message");
            let event = batch.event.clone();
            if let Some(answer) = shop.world.invoke_and_kill(DISPATCHER, event, kill).await {
                shop.world.acknowledge(&batch, &answer);
            } else {
                was_killed = true;
                shop.world.release(&batch);
            }
            shop.pass(Duration::from_mins(8)).await;
            assert_eq!(shop.world.dead_letters(), Vec::<String>::new(), "{kill:?}");
            check(&shop, kill).await;
        }
        if !was_killed {
            assert!(n > 1, "the message makes {n} calls");
            return;
        }
    }
}

async fn delivered(shop: &Shop, kill: Kill) {
    let received = shop.received();
    let ids: BTreeSet<&str> = received.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), 1, "{kill:?}: {received:?}");
    assert_eq!(received.last().unwrap().answered, Some(200), "{kill:?}");
    let deliveries = shop.deliveries("").await;
    assert_eq!(deliveries.len(), 1, "{kill:?}: {deliveries:?}");
    assert_eq!(deliveries[0]["status"], "succeeded", "{kill:?}");
    assert!(ids.contains(deliveries[0]["id"].as_str().unwrap()));
}

#[tokio::test]
async fn a_kill_while_deliveries_are_made_loses_no_event() {
    at_each_call(happened, delivered).await;
}

#[tokio::test]
async fn a_kill_around_an_attempt_loses_no_event() {
    at_each_call(async || attempted(200, None).await, delivered).await;
}

#[tokio::test]
async fn a_kill_around_a_failed_attempt_loses_no_event() {
    at_each_call(async || attempted(500, Some(1)).await, delivered).await;
}

#[tokio::test]
async fn a_kill_while_held_deliveries_are_begun_again_loses_none() {
    at_each_call(resumed, delivered).await;
}

#[tokio::test]
async fn a_kill_while_a_webhook_is_disabled_leaves_it_disabled() {
    let check = async |shop: &Shop, kill: Kill| {
        let shown = shop.show().await;
        let state = (&shown["status"], &shown["disabled_reason"]);
        assert_eq!(state, (&json!("disabled"), &json!("gone")), "{kill:?}");
        let failed = shop.deliveries("?failed=true").await;
        assert_eq!(failed.len(), 1, "{kill:?}: {failed:?}");
        assert_eq!(failed[0]["failure_reason"], "webhook_disabled", "{kill:?}");
    };
    at_each_call(async || attempted(410, None).await, check).await;
}
