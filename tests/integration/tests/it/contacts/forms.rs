//! Forms from the webhook to the timeline.

use serde_json::{Value, json};

use super::shop::{Page, Shop, email, form, person, survives_any_kill};

#[tokio::test]
async fn a_form_becomes_a_contact_with_an_event() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    for query in ["tran", "AN", "thị an", "an.tran@", "0912345", "+84 912"] {
        assert_eq!(shop.found(query).await, ["Trần Thị An"], "{query}");
    }
    assert!(shop.found("binh").await.is_empty());
    let (_, list) = shop.api("GET", "/v1/contacts?query=an.tran", None).await;
    let contact = &list["data"][0];
    assert_eq!(contact["email"], "an.tran@example.vn");
    assert_eq!(contact["phone"], "+84912345678");
    assert_eq!(contact["first_name"], "An");
    assert_eq!(contact["tags"], json!(["ladipage"]));
    // A form that asks for no consent books none.
    assert_eq!(contact["email_status"], "none");
    let path = format!("/v1/contacts/{}/timeline", contact["id"].as_str().unwrap());
    let (status, timeline) = shop.api("GET", &path, None).await;
    assert_eq!((status, timeline["next"].is_null()), (200, true));
    let event = &timeline["data"][0];
    assert_eq!(event["name"], "form.submitted");
    assert_eq!(event["occurred_at"], "2026-03-02T01:15:30.000Z");
    assert_eq!(event["data"]["message"], "Tư vấn size M");
}

#[tokio::test]
async fn a_repeated_form_changes_nothing() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    page.post(&shop, &form()).await;
    shop.world.settle_twice().await;
    let (contacts, timeline) = (
        shop.world.dump("Contacts").await,
        shop.world.dump("Timeline").await,
    );
    page.post(&shop, &form()).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.world.dump("Contacts").await, contacts);
    assert_eq!(shop.world.dump("Timeline").await, timeline);
}

#[tokio::test]
async fn an_event_of_a_known_contact_costs_three_write_units_at_most() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    let before = shop.world.aws.meter().snapshot();
    let mut second = form();
    second["message_time"] = "02/03/2026 09:00:00".into();
    page.post(&shop, &second).await;
    let queued = shop.world.aws.meter().since(&before);
    assert!(queued.write_units() < 0.5, "the webhook writes nothing");
    let requests: u64 = queued.queues.values().map(|queue| queue.requests).sum();
    assert_eq!(requests, 1);
    shop.world.settle().await;
    let spent = shop.world.aws.meter().since(&before).write_units();
    assert!(spent <= 3.0, "{spent}");
}

#[tokio::test]
async fn full_batches_cost_five_quarters_of_an_sqs_request_an_event() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    let before = shop.world.aws.meter().snapshot();
    for second in 0..20 {
        let mut form = form();
        form["message_time"] = format!("02/03/2026 09:00:{second:02}").into();
        page.post(&shop, &form).await;
    }
    for _ in 0..2 {
        let answer = shop.world.deliver("ingest", false).await;
        assert!(answer.is_some_and(|answer| answer.is_ok()));
    }
    let used = shop.world.aws.meter().since(&before);
    let queues = used.queues.iter();
    let ingest: Vec<_> = queues.filter(|(name, _)| name.contains("ingest")).collect();
    assert_eq!(ingest.len(), 1, "nothing is parked: {ingest:?}");
    let (name, queue) = ingest[0];
    let left = shop.world.aws.sqs().depth(name).total();
    assert_eq!(left, 0);
    assert!(queue.requests <= 25, "{} for 20 events", queue.requests);
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call() {
    survives_any_kill("ingest", async |shop: &Shop| {
        Page::of(shop, &["ladipage"])
            .await
            .post(shop, &form())
            .await;
    })
    .await;
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call_for_a_known_contact() {
    survives_any_kill("ingest", async |shop: &Shop| {
        shop.upsert(person("Trần An", &[email("an.tran@example.vn")]))
            .await;
        Page::of(shop, &["ladipage"])
            .await
            .post(shop, &form())
            .await;
    })
    .await;
}

/// The only event on the only contact's timeline.
pub async fn only_event(shop: &Shop) -> Value {
    let (_, list) = shop.api("GET", "/v1/contacts", None).await;
    let path = format!(
        "/v1/contacts/{}/timeline",
        list["data"][0]["id"].as_str().unwrap()
    );
    let (_, timeline) = shop.api("GET", &path, None).await;
    assert_eq!(timeline["data"].as_array().unwrap().len(), 1);
    timeline["data"][0].clone()
}

#[tokio::test]
async fn a_form_of_250_kilobytes_is_kept_within_bounds_and_says_what_is_missing() {
    let shop = Shop::new().await;
    // A workflow subscribes to the event: the entry then holds the form twice.
    contacts::Listeners::over(&shop.world.resources())
        .listen(
            shop.tenant,
            "form.submitted",
            "wfl_00000000001",
            &contacts::Filter::default(),
        )
        .await
        .unwrap();
    let page = Page::of(&shop, &[]).await;
    let mut big = form();
    big["Họ và tên"] = "Trần ".repeat(10_000).into();
    big["message"] = "\u{1}".repeat(10_000).into();
    for n in 0..90 {
        big[format!("field {n}")] = "\"".repeat(600 + n).into();
    }
    assert!(
        (240_000..256 * 1024).contains(&big.to_string().len()),
        "{}",
        big.to_string().len()
    );
    page.post(&shop, &big).await;
    shop.world.settle_twice().await;
    assert!(shop.world.dead_letters().is_empty());
    let event = only_event(&shop).await;
    let data = event["data"].as_object().unwrap();
    // The short ones are whole, the rest is named.
    assert_eq!(data["form_id"], "FORM8");
    assert_eq!(data["field_0"], "\"".repeat(600));
    let missing: Vec<&str> = data["_shortened"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(
        missing.contains(&"message") && missing.contains(&"field_89"),
        "{missing:?}"
    );
    assert!(!missing.contains(&"field_0"));
    let (_, list) = shop.api("GET", "/v1/contacts", None).await;
    let name = list["data"][0]["full_name"].as_str().unwrap();
    assert!(name.starts_with("Trần Trần") && name.chars().count() <= 1_000);
}

#[tokio::test]
async fn a_name_carries_no_link_into_the_shop_s_mails() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let mut spam = form();
    spam["Họ và tên"] = "bạn trúng 5 triệu, nhận tại https://evil.example/nhan-qua".into();
    page.post(&shop, &spam).await;
    shop.world.settle().await;
    let stored = format!(
        "{:?}{:?}",
        shop.world.dump("Contacts").await,
        shop.world.dump("Timeline").await
    );
    assert!(stored.contains("bạn trúng 5 triệu, nhận tại"));
    assert!(!stored.contains("evil.example"), "{stored}");
}
