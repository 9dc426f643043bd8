//! The sweep of the due timers: long jumps, idle minutes, too little time.

use std::sync::Arc;
use std::time::Duration;

use super::shop::{DAY, Shop, greeting};
use cloud::Timers;
use serde_json::json;
use tanigo_local::aws::{Call, Fault};

use crate::support::AnyStep;

#[tokio::test]
async fn a_jump_of_days_and_an_outage_are_caught_up() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    for n in 0..8 {
        let contact = shop.contact(&format!("khach{n}@example.vn")).await;
        shop.form(contact, &format!("f{n}")).await;
        shop.run(1).await;
        shop.world.advance(Duration::from_hours(1));
    }
    shop.tick().await;
    shop.world.advance(3 * DAY);
    // SQS takes nothing: the rows and the checkpoint stay.
    shop.world.aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        if call.operation == "SendMessageBatch" {
            Fault::Throttle
        } else {
            Fault::None
        }
    })));
    shop.world.invoke("due-timer", json!({})).await.unwrap_err();
    shop.world.aws.set_fault_hook(None);
    shop.run(1).await;
    assert_eq!(shop.report(&id).await[2], 8);
    // Two hours later, the next successful tick finds all timers.
    shop.world.advance(Duration::from_hours(2));
    shop.tick().await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [8, 0, 0, 8, 0, 0]);
    assert_eq!(shop.messages().len(), 8);
    let timers = Timers::over(&shop.world.resources());
    let now = cloud::timers::minute(shop.world.now());
    assert_eq!(timers.checkpoint().await.unwrap(), Some(now));
}

#[tokio::test]
async fn an_idle_sweep_asks_little() {
    let shop = Shop::new().await;
    let tick = async || {
        let before = shop.world.aws.meter().snapshot();
        shop.tick().await;
        shop.world.aws.meter().since(&before)
    };
    tick().await;
    // Timers of tomorrow, and of minutes that are over, cost nothing today.
    let timers = Timers::over(&shop.world.resources());
    let body = AnyStep(json!({}));
    for n in 0..60 {
        let due = shop.world.now() + jiff::SignedDuration::from_mins(24 * 60 + n);
        let id = format!("t{n}");
        let written = timers.schedule(shop.tenant, &id, due, &body);
        written.await.unwrap();
    }
    for _ in 0..60 {
        shop.world.advance(Duration::from_mins(1));
        let spent = tick().await;
        let (reads, writes) = (spent.read_units(), spent.write_units());
        // The outbox of each of six tables is half a unit.
        assert!(reads <= 6.0, "{reads} read units");
        assert!(writes <= 1.0, "{writes} write units");
    }
    // After an outage each hour costs one more query.
    shop.world.advance(Duration::from_hours(22));
    let spent = tick().await;
    assert!(spent.read_units() <= 28.0, "{} units", spent.read_units());
}

#[tokio::test]
async fn a_sweep_that_runs_out_of_time_goes_on_next_time() {
    let shop = Shop::new().await;
    let timers = Timers::over(&shop.world.resources());
    let due = shop.world.now() + jiff::SignedDuration::from_mins(5);
    let body = json!({ "type": "workflow.step.v1", "enrollment": "enr_x", "token": "t" });
    timers
        .schedule(shop.tenant, "t", due, &AnyStep(body))
        .await
        .unwrap();
    let spec = shop.world.spec("due-timer");
    assert!(spec.timeout > 10);
    shop.world.advance(Duration::from_mins(90));
    // The clock jumps to the end of the invocation at the first read of a bucket.
    let (world, jumped) = (shop.world.clone(), std::sync::Once::new());
    let jump = Duration::from_secs(u64::from(spec.timeout));
    shop.world
        .aws
        .set_fault_hook(Some(Arc::new(move |call: &Call| {
            if call.operation == "Query" {
                jumped.call_once(|| world.advance(jump));
            }
            Fault::None
        })));
    shop.tick().await;
    shop.world.aws.set_fault_hook(None);
    let first = timers.checkpoint().await.unwrap().unwrap();
    assert!(
        first <= cloud::timers::minute(due),
        "the checkpoint stays before what was not done"
    );
    shop.tick().await;
    let queue = shop.world.queue_of("workflow-step");
    assert_eq!(shop.world.aws.sqs().receive(&queue, 10, None).len(), 1);
}
