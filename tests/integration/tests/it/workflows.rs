//! Workflows from the event to the message: the API, the trigger, the step worker, the timer sweep and
//! the relay, over the templates' tables and queues.

mod api;
mod interest;
mod kills;
mod pushes;
mod reads;
mod relay;
mod shop;
mod sweep;
mod texts;
mod time;
mod units;

use std::sync::Arc;
use std::time::Duration;

use contacts::Event;
use serde_json::{Value, json};
use sources::{NewSource, Provider, Sources};

use crate::support::{World, http_event};
use shop::{DAY, SECOND, Shop, greeting, sends};

#[tokio::test]
async fn a_form_leads_to_one_mail_a_day_later() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [1, 0, 1, 0, 0, 0]);
    let tagged = shop
        .contacts()
        .get(shop.tenant, contact)
        .await
        .unwrap()
        .unwrap();
    assert!(tagged.tags.contains("khách mới"));

    // The sweep dispatches the timer ten seconds early, and the queue delays the message until it is due.
    shop.world.advance(DAY.checked_sub(10 * SECOND).unwrap());
    shop.tick().await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await[2], 1);
    shop.world.advance(10 * SECOND);
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [1, 0, 0, 1, 0, 0]);
    let messages = shop.messages();
    assert_eq!(messages.len(), 1);
    let body = &messages[0]["body"];
    assert_eq!(
        (&body["type"], &body["step"]),
        (&json!("send.v1"), &json!("mail"))
    );
    assert_eq!(body["contact"], json!(contact));
    assert_eq!(body["data"]["trigger"]["message"], "Tư vấn size M");

    shop.world.advance(DAY);
    shop.tick().await;
    shop.run(1).await;
    assert!(shop.messages().is_empty());
    let timers = shop.world.dump("Timers").await;
    let is_timer = |row: &&Value| row.get("effect").is_some();
    assert_eq!(
        timers.iter().filter(is_timer).count(),
        0,
        "sent timers are deleted"
    );
}

#[tokio::test]
async fn twice_and_out_of_order_ends_the_same() {
    let (once, twice) = (Shop::new().await, Shop::new().await);
    let mut ends = Vec::new();
    for (shop, times) in [(&once, 1), (&twice, 2)] {
        let id = shop.active(greeting()).await;
        for n in 0..12 {
            let contact = shop.contact(&format!("khach{n}@example.vn")).await;
            shop.form(contact, &format!("f{n}")).await;
        }
        let mut events = shop.run(times).await;
        shop.world.advance(DAY);
        shop.tick().await;
        events.extend(shop.run(times).await);
        let messages = shop.messages();
        if times == 2 {
            // Everything once more, the latest first.
            for (worker, event) in events.into_iter().rev() {
                let answer = shop.world.invoke(worker, event).await;
                assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
            }
            shop.run(2).await;
            assert!(shop.messages().is_empty(), "nothing new was sent");
        }
        assert_eq!(sends(&messages).len(), 12);
        assert_eq!(messages.len(), 12);
        assert_eq!(shop.report(&id).await, [12, 0, 0, 12, 0, 0]);
        ends.push(shop.state().await);
    }
    assert_eq!(ends[0], ends[1]);
}

#[tokio::test]
async fn tenants_do_not_meet() {
    let one = Shop::new().await;
    let two = Shop::in_world(one.world.clone()).await;
    let id = one.active(greeting()).await;
    let contact = two.contact("an@example.vn").await;
    two.form(contact, "f1").await;
    one.run(1).await;
    assert_eq!(one.report(&id).await[0], 0);
    for (method, path) in [
        ("GET", ""),
        ("GET", "/report"),
        ("POST", "/activate"),
        ("POST", "/archive"),
    ] {
        let (status, _) = two
            .api(method, &format!("/v1/workflows/{id}{path}"), None)
            .await;
        assert_eq!(status, 404, "{method} {path}");
    }
    let (_, list) = two.api("GET", "/v1/workflows", None).await;
    assert_eq!(list, json!({ "data": [], "next": null }));

    // A step message that names another tenant's enrollment changes nothing.
    let contact = one.contact("an@example.vn").await;
    one.form(contact, "f1").await;
    one.world.relay().await;
    one.world.deliver("workflow-trigger", false).await;
    one.world.relay().await;
    let batch = one.world.take("workflow-step").unwrap();
    let mut event = batch.event.clone();
    let body = event["Records"][0]["body"].as_str().unwrap().to_owned();
    event["Records"][0]["body"] =
        json!(body.replace(&one.tenant.to_string(), &two.tenant.to_string()));
    let before = one.state().await;
    one.world.invoke("workflow-step", event).await.unwrap();
    assert_eq!(one.state().await, before);
    one.world.release(&batch);
    one.run(1).await;
    assert_eq!(one.report(&id).await, [1, 0, 1, 0, 0, 0]);
}

#[tokio::test]
async fn entry_rule_and_activation_decide_who_comes_in() {
    let shop = Shop::new().await;
    let mut every = greeting();
    every["entry"] = json!("every_time");
    let (once, every) = (shop.create(greeting()).await, shop.create(every).await);
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "draft").await;
    shop.run(1).await;
    shop.world.advance(SECOND);
    shop.change(&once, "activate").await;
    shop.change(&every, "activate").await;
    for n in 0..3 {
        shop.world.advance(SECOND);
        shop.form(contact, &format!("f{n}")).await;
        shop.form(contact, &format!("f{n}")).await;
        shop.run(2).await;
    }
    assert_eq!(shop.report(&once).await[0], 1);
    assert_eq!(shop.report(&every).await[0], 3);

    // The time given by the source does not matter: forms carry times of any age.
    let late = Event {
        id: "late".into(),
        name: "form.submitted".into(),
        at: shop.world.now() - jiff::SignedDuration::from_hours(300),
        source: "ladipage".into(),
        data: json!({ "form_id": "FORM8" }),
    };
    shop.contacts()
        .record(shop.tenant, contact, &late)
        .await
        .unwrap();
    shop.run(1).await;
    assert_eq!(shop.report(&every).await[0], 4);

    // An event that was under way when a workflow became active does not start it.
    let young = shop.create(greeting()).await;
    shop.form(contact, "before").await;
    shop.world.relay().await;
    shop.world.advance(SECOND);
    shop.change(&young, "activate").await;
    shop.run(1).await;
    assert_eq!(shop.report(&young).await[0], 0);
    assert_eq!(shop.report(&every).await[0], 5);
}

#[tokio::test]
async fn paused_contacts_stay_and_go_on_when_resumed() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    shop.change(&id, "pause").await;
    let other = shop.contact("binh@example.vn").await;
    shop.form(other, "f2").await;
    shop.run(1).await;
    shop.world.advance(DAY);
    for _ in 0..30 {
        shop.tick().await;
        shop.run(2).await;
        shop.world.advance(Duration::from_mins(1));
    }
    assert_eq!(
        shop.report(&id).await,
        [1, 0, 1, 0, 0, 0],
        "nobody enters, nobody moves"
    );
    let timers = shop.world.dump("Timers").await;
    let parked = timers
        .iter()
        .filter(|row| row.get("effect").is_some())
        .count();
    assert_eq!(parked, 0, "a contact that is stopped costs nothing");
    shop.change(&id, "activate").await;
    for _ in 0..3 {
        shop.tick().await;
        shop.run(1).await;
        shop.world.advance(Duration::from_mins(1));
    }
    assert_eq!(shop.report(&id).await, [1, 0, 0, 1, 0, 0]);
    assert_eq!(sends(&shop.messages()).len(), 1);
}

#[tokio::test]
async fn an_archived_workflow_lets_its_contacts_go() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    shop.change(&id, "archive").await;
    shop.change(&id, "archive").await;
    let (status, _) = shop
        .api("POST", &format!("/v1/workflows/{id}/activate"), None)
        .await;
    assert_eq!(status, 409);
    shop.world.advance(DAY);
    shop.tick().await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [1, 0, 0, 0, 1, 0]);
    assert!(shop.messages().is_empty());
}

#[tokio::test]
async fn a_form_at_the_webhook_starts_the_workflow_of_its_form() {
    let world = Arc::new(World::new());
    let shop = Shop {
        tenant: world.workspace().await,
        world,
    };
    let mut other = greeting();
    other["trigger"]["form_id"] = json!("FORM9");
    let (wanted, other) = (shop.active(greeting()).await, shop.active(other).await);
    let sources = Sources::over(&shop.world.resources());
    let new = NewSource::of(Provider::Ladipage);
    let (source, token) = sources.create(shop.tenant, new, "x-token").await.unwrap();
    let form = json!({ "email": "an@example.vn", "ladi_form_id": "FORM8", "message": "Size M" });
    let mut event = http_event("POST", &format!("/w/ladipage/{source}"), Some(&form), None);
    event["headers"]["x-token"] = json!(token);
    let answer = shop.world.invoke("webhook-ladipage", event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    shop.world.settle().await;
    assert_eq!(shop.report(&wanted).await[0], 1);
    assert_eq!(shop.report(&other).await[0], 0);
}

#[tokio::test]
async fn a_stranger_s_forms_start_a_workflow_for_an_address_three_times_an_hour() {
    let shop = Shop::new().await;
    let mut every = greeting();
    every["entry"] = json!("every_time");
    let id = shop.active(every).await;
    let sources = Sources::over(&shop.world.resources());
    let new = || NewSource::of(Provider::Ladipage);
    let source = sources.create(shop.tenant, new(), "x-token").await.unwrap();
    let second = sources.create(shop.tenant, new(), "x-token").await.unwrap();
    let post = async |source: &(kernel::SourceId, String), address: &str, n: u32| {
        let form = json!({ "email": address, "ladi_form_id": "FORM8", "message": n });
        let path = format!("/w/ladipage/{}", source.0);
        let mut event = http_event("POST", &path, Some(&form), None);
        event["headers"]["x-token"] = json!(source.1);
        let answer = shop.world.invoke("webhook-ladipage", event).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
    };
    for n in 0..61 {
        // One client may post 25 forms a second.
        shop.world.advance(Duration::from_millis(40));
        post(&source, "nan.nhan@example.vn", n).await;
    }
    shop.world.settle_twice().await;
    assert_eq!(
        shop.report(&id).await[0],
        3,
        "of 61 forms, each handled twice"
    );
    let events = shop.world.dump("Timeline").await.into_iter();
    let forms: Vec<Value> = events
        .filter(|row| row["name"] == "form.submitted")
        .collect();
    assert_eq!(forms.len(), 61, "every form is recorded");
    let marked = |row: &&Value| row["data"]["_not_triggered"] == "too_many_forms";
    assert_eq!(forms.iter().filter(marked).count(), 58);
    // Other forms do not count for this limit: another address, another source, the next hour.
    post(&source, "khac@example.vn", 0).await;
    post(&second, "nan.nhan@example.vn", 61).await;
    shop.world.advance(Duration::from_hours(1));
    post(&source, "nan.nhan@example.vn", 62).await;
    shop.world.settle().await;
    assert_eq!(shop.report(&id).await[0], 6);
}

#[tokio::test]
async fn contacts_of_an_archived_workspace_wait_for_its_restoration() {
    let world = Arc::new(World::new());
    let shop = Shop {
        tenant: world.workspace().await,
        world,
    };
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    let archived = accounts::WorkspaceStatus::Archived;
    shop.world
        .change_workspace(shop.tenant, archived, |_| ())
        .await;
    for _ in 0..6 {
        shop.world.advance(DAY / 2);
        shop.tick().await;
        shop.run(2).await;
    }
    assert_eq!(shop.report(&id).await, [1, 0, 1, 0, 0, 0]);
    let timers = shop.world.dump("Timers").await;
    let parked = timers.iter().filter(|row| row.get("effect").is_some());
    assert_eq!(parked.count(), 0);
    let active = accounts::WorkspaceStatus::Active;
    let timers = cloud::Timers::over(&shop.world.resources());
    workflows::restore_later(&timers, shop.tenant)
        .await
        .unwrap();
    shop.world
        .change_workspace(shop.tenant, active, |_| ())
        .await;
    for _ in 0..3 {
        shop.world.advance(Duration::from_mins(1));
        shop.tick().await;
        shop.run(2).await;
    }
    assert_eq!(shop.report(&id).await, [1, 0, 0, 1, 0, 0]);
    assert_eq!(sends(&shop.messages()).len(), 1);
}

#[tokio::test]
async fn a_transactional_mail_is_counted_once_by_its_reason() {
    let shop = Shop::new().await;
    let mut order = greeting();
    order["graph"]["nodes"]["mail"]["class"] = json!("transactional");
    order["graph"]["nodes"]["mail"]["reason"] = json!("order");
    let id = shop.active(order).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    shop.world.advance(DAY);
    shop.tick().await;
    shop.run(1).await;
    let batch = shop.world.take("message-sender").expect("the mail");
    for _ in 0..2 {
        let sent = shop.world.invoke("message-sender", batch.event.clone());
        assert_eq!(sent.await, Ok(json!({ "batchItemFailures": [] })));
    }
    let path = format!("/v1/workflows/{id}/report");
    let (_, report) = shop.api("GET", &path, None).await;
    let expected = json!({ "order": 1, "account": 0, "booking": 0, "form_answer": 0 });
    assert_eq!(report["transactional_mails"], expected);
}
