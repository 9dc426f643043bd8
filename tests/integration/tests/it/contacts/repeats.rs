//! Forms without a time: the same form redelivered, and a new form with the same fields.

use std::time::Duration;

use serde_json::{Value, json};

use super::shop::{Page, Shop, form, survives_any_kill};

/// Just before the hour's next ten minutes.
const BEFORE_TEN_PAST: Duration = Duration::from_secs(599);

fn without_time() -> Value {
    let mut form = form();
    form.as_object_mut().unwrap().remove("message_time");
    form
}

/// How many events the only contact has.
async fn events(shop: &Shop) -> usize {
    let (_, list) = shop.api("GET", "/v1/contacts", None).await;
    let id = list["data"][0]["id"].as_str().unwrap();
    let (_, timeline) = shop
        .api("GET", &format!("/v1/contacts/{id}/timeline"), None)
        .await;
    timeline["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_form_that_is_sent_again_is_one_event_and_one_that_is_sent_anew_another() {
    let mut unreadable = form();
    unreadable["message_time"] = "hôm qua".into();
    let (seconds, minutes) = (Duration::from_secs, Duration::from_mins);
    for (form, waits, expected) in [
        (without_time(), vec![seconds(2)], 1),
        (without_time(), vec![minutes(9)], 1),
        (without_time(), vec![minutes(11)], 2),
        (without_time(), vec![minutes(11), seconds(2)], 2),
        (unreadable, vec![seconds(2), minutes(11)], 1),
    ] {
        let shop = Shop::new().await;
        let page = Page::of(&shop, &[]).await;
        shop.world.advance(BEFORE_TEN_PAST);
        page.post(&shop, &form).await;
        shop.world.settle_twice().await;
        for wait in &waits {
            shop.world.advance(*wait);
            page.post(&shop, &form).await;
            shop.world.settle_twice().await;
        }
        assert_eq!(events(&shop).await, expected, "{waits:?} {form}");
    }
}

#[tokio::test]
async fn forms_that_are_handled_at_once_or_late_are_the_same_events() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    shop.world.advance(BEFORE_TEN_PAST);
    page.post(&shop, &without_time()).await;
    shop.world.advance(Duration::from_secs(2));
    page.post(&shop, &without_time()).await;
    let batch = shop.world.take("ingest").unwrap();
    let invoke = || shop.world.invoke("ingest", batch.event.clone());
    invoke().await.unwrap();
    shop.world.release(&batch);
    shop.world.settle().await;
    assert_eq!(events(&shop).await, 1);
    // A later form does not make the first two look new.
    shop.world.advance(Duration::from_hours(1));
    page.post(&shop, &without_time()).await;
    shop.world.settle().await;
    assert_eq!(invoke().await.unwrap(), json!({ "batchItemFailures": [] }));
    assert_eq!(events(&shop).await, 2);
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call_for_a_form_that_says_no_time() {
    survives_any_kill("ingest", async |shop: &Shop| {
        Page::of(shop, &[]).await.post(shop, &without_time()).await;
    })
    .await;
}

#[tokio::test]
async fn a_form_that_says_no_time_costs_three_write_units_at_most() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &without_time()).await;
    shop.world.settle().await;
    shop.world.advance(Duration::from_hours(1));
    let before = shop.world.aws.meter().snapshot();
    page.post(&shop, &without_time()).await;
    shop.world.settle().await;
    let spent = shop.world.aws.meter().since(&before).write_units();
    assert!(spent <= 3.0, "{spent}");
    assert_eq!(events(&shop).await, 2);
}
