//! A snoozed conversation reopens at its time, once, and only if nobody changed its status meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::shop::{Browser, SECOND, Shop};
use crate::support::Kill;

const HOUR: Duration = Duration::from_hours(1);

struct Snoozed {
    shop: Shop,
    browser: Browser,
    path: String,
}

impl Snoozed {
    async fn new() -> Self {
        let shop = Shop::new().await;
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", "Shop ơi").await;
        shop.run(1).await;
        let path = format!("/v1/conversations/{}", shop.conversation().await);
        let snoozed = Self {
            shop,
            browser,
            path,
        };
        snoozed.snooze(2).await;
        snoozed.shop.world.relay().await;
        snoozed
    }

    /// Snoozes the conversation for this number of hours.
    async fn snooze(&self, hours: i64) {
        let until = self.shop.world.now() + jiff::SignedDuration::from_hours(hours);
        let body = json!({ "status": "snoozed", "snoozed_until": until });
        let path = format!("{}/status", self.path);
        let (status, body) = self.shop.api("POST", &path, Some(body)).await;
        assert_eq!(
            (status, &body["status"]),
            (200, &"snoozed".into()),
            "{body}"
        );
    }

    /// Runs the sweep and then the messages that it sent, each batch this number of times.
    async fn sweep(&self, times: usize) {
        self.shop
            .world
            .invoke("due-timer", json!({}))
            .await
            .unwrap();
        self.shop.run(times).await;
    }

    async fn status(&self) -> Value {
        self.shop.get(&self.path).await["status"].clone()
    }

    async fn lines(&self) -> usize {
        let id = self.path.rsplit('/').next().unwrap();
        let talk = self.shop.talk(id).await;
        talk.iter().filter(|(kind, _)| kind == "activity").count()
    }
}

#[tokio::test]
async fn it_comes_back_at_its_time() {
    let snoozed = Snoozed::new().await;
    snoozed.shop.world.advance(HOUR);
    snoozed.sweep(1).await;
    assert_eq!(snoozed.status().await, "snoozed");
    snoozed.shop.world.advance(HOUR);
    snoozed.sweep(2).await;
    let shown = snoozed.shop.get(&snoozed.path).await;
    assert_eq!(
        (&shown["status"], &shown["snoozed_until"]),
        (&"open".into(), &Value::Null)
    );
    // One line for the snooze and one for its end.
    assert_eq!(snoozed.lines().await, 2);
}

#[tokio::test]
async fn a_snooze_that_was_moved_ends_at_its_new_time() {
    let snoozed = Snoozed::new().await;
    snoozed.snooze(5).await;
    snoozed.shop.world.relay().await;
    snoozed.shop.world.advance(2 * HOUR);
    snoozed.sweep(1).await;
    assert_eq!(snoozed.status().await, "snoozed");
    snoozed.shop.world.advance(3 * HOUR);
    snoozed.sweep(1).await;
    assert_eq!(snoozed.status().await, "open");
}

#[tokio::test]
async fn nor_does_the_old_timer_end_one_that_is_moved_while_it_rings() {
    for at in 0.. {
        let snoozed = Snoozed::new().await;
        let world = &snoozed.shop.world;
        world.advance(2 * HOUR);
        world.invoke("due-timer", json!({})).await.unwrap();
        let batch = world.take("chat-inbound").unwrap();
        let rings = world.invoke("chat-inbound", batch.event.clone());
        let (_, (), reached) = world.interleave(at, rings, snoozed.snooze(5)).await;
        assert_eq!(snoozed.status().await, "snoozed", "at {at}");
        if reached.is_none() {
            assert!(at > 1, "only {at} calls were tried");
            break;
        }
    }
}

#[tokio::test]
async fn one_that_was_closed_meanwhile_stays_closed() {
    let snoozed = Snoozed::new().await;
    let id = snoozed.path.rsplit('/').next().unwrap().to_owned();
    snoozed.shop.set_status(&id, "resolved").await;
    snoozed.shop.world.relay().await;
    snoozed.shop.world.advance(2 * HOUR);
    snoozed.sweep(2).await;
    assert_eq!(snoozed.status().await, "resolved");
}

#[tokio::test]
async fn a_customer_who_writes_first_opens_it_and_the_timer_finds_nothing_to_do() {
    let snoozed = Snoozed::new().await;
    snoozed.shop.world.advance(SECOND);
    snoozed.shop.say(&snoozed.browser, "c-2", "Alo").await;
    snoozed.shop.run(1).await;
    assert_eq!(snoozed.status().await, "open");
    let lines = snoozed.lines().await;
    snoozed.shop.world.advance(2 * HOUR);
    snoozed.sweep(1).await;
    assert_eq!(
        (snoozed.status().await, snoozed.lines().await),
        ("open".into(), lines)
    );
}

#[tokio::test]
async fn its_end_may_be_killed_at_any_call() {
    for kill in [Kill::Before, Kill::After] {
        for n in 0.. {
            let snoozed = Snoozed::new().await;
            let world = &snoozed.shop.world;
            world.advance(2 * HOUR);
            world.invoke("due-timer", json!({})).await.unwrap();
            let batch = world.take("chat-inbound").unwrap();
            let event = batch.event.clone();
            let killed = world
                .invoke_and_kill("chat-inbound", event, kill(n))
                .await
                .is_none();
            world.release(&batch);
            snoozed.shop.run(1).await;
            assert_eq!(snoozed.status().await, "open", "{:?}", kill(n));
            assert_eq!(snoozed.lines().await, 2, "{:?}", kill(n));
            if !killed {
                assert!(n > 1, "too few calls: {n}");
                break;
            }
        }
    }
}
