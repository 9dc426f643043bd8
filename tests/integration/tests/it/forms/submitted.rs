//! Submissions: one contact, one event and a proof of consent, also after every kill.

use std::time::Duration;

use contacts::{Channel, ChannelStatus, Identity, Incoming};
use kernel::Limit;
use serde_json::json;

use super::{Shop, newsletter, text};
use crate::support::{Kill, http_event};

#[tokio::test]
async fn a_submission_is_one_contact_one_event_and_a_proof_of_consent() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let page = shop.page(&format!("/f/{id}")).await;
    assert_eq!(page["statusCode"], 200);
    let policy = text(&page, "content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let html = page["body"].as_str().unwrap();
    assert!(html.contains("<html lang=\"vi\">") && !html.contains(" checked"));
    let token = html.split("name=\"_submission\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let answers = [
        ("_submission", token),
        ("email", "An@Example.vn"),
        ("full_name", "Trần An"),
        ("birthday", "hôm qua"),
        ("consent.email", "yes"),
    ];
    for _ in 0..2 {
        let sent = shop.post(&id, &answers).await;
        assert_eq!(sent["statusCode"], 200, "{sent}");
        shop.world.settle_twice().await;
        shop.world.advance(Duration::from_hours(1));
    }
    let contact = shop.contact().await;
    let events = shop.events(contact).await;
    assert_eq!(events.len(), 1, "a second press changes nothing");
    let data = &events[0].data;
    let said = json!({ "email": "ticked", "sms": "left_empty", "zalo": "not_asked" });
    assert_eq!((&data["consent"], &data["form_id"]), (&said, &json!(id)));
    assert_eq!(data["_not_read"], json!(["birthday"]));
    assert_eq!(
        data["birthday"], "hôm qua",
        "what was mistyped stays in the event"
    );
    assert_eq!(
        shop.status(contact, Channel::Email).await,
        ChannelStatus::Subscribed
    );
    assert_eq!(
        shop.status(contact, Channel::Sms).await,
        ChannelStatus::None
    );
    let history = shop.contacts();
    let history = history.consent_history(shop.tenant, contact, Limit::default(), None);
    let records = serde_json::to_value(history.await.unwrap().data).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 1, "{records}");
    assert_eq!(records[0]["evidence"]["form"], format!("{id}#1"));
    assert_eq!(records[0]["text"], newsletter()["consent"]["email"]["text"]);
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_wrong_answer_shows_the_form_again_with_what_was_typed() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let answers = [
        ("email", "an@"),
        ("full_name", "<b>An"),
        ("consent.sms", "yes"),
    ];
    let again = shop.post(&id, &answers).await;
    assert_eq!(again["statusCode"], 422);
    let html = again["body"].as_str().unwrap();
    assert!(html.contains("value=\"an@\"") && html.contains("value=\"&lt;b&gt;An\""));
    assert!(html.contains("id=\"e-email\"") && html.contains("role=\"alert\""));
    assert!(html.contains("name=\"consent.sms\" value=\"yes\" checked"));
    assert!(!html.contains("name=\"consent.email\" value=\"yes\" checked"));
    let path = format!("/f/{id}?lang=en");
    let event = http_event("POST", &path, Some(&json!({ "full_name": "An" })), None);
    let (status, problem) = shop.world.ask("form-submit", event).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/email"))
    );
    let trapped = shop
        .post(
            &id,
            &[("email", "an@example.vn"), ("_homepage", "http://x")],
        )
        .await;
    assert_eq!(trapped["statusCode"], 422, "a person may empty the box");
    shop.world.settle().await;
    assert!(shop.world.dump("Contacts").await.is_empty());
}

#[tokio::test]
async fn a_public_form_takes_no_address_of_a_known_contact() {
    let shop = Shop::open().await;
    let incoming = Incoming {
        identities: vec![Identity::Phone("0904400001".parse().unwrap())],
        ..Incoming::default()
    };
    let me = shop
        .contacts()
        .upsert(shop.tenant, &incoming)
        .await
        .unwrap()
        .contact;
    let id = shop.form(newsletter()).await;
    let answers = [
        ("phone", "0904400001"),
        ("email", "con@fam.example.vn"),
        ("consent.email", "yes"),
    ];
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
    assert_eq!(shop.contact().await, me);
    let contact = shop.contacts().get(shop.tenant, me).await.unwrap().unwrap();
    assert_eq!((contact.email, contact.unconfirmed_emails.len()), (None, 1));
    assert_eq!(shop.status(me, Channel::Email).await, ChannelStatus::None);
    let events = shop.events(me).await;
    assert_eq!(events[0].data["_not_taken"][0]["reason"], "unconfirmed");
}

#[tokio::test]
async fn a_plain_form_subscribes_nobody_who_left() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let answers = [("email", "an@example.vn"), ("consent.email", "yes")];
    shop.post(&id, &answers).await;
    let an = shop.contact().await;
    let left = contacts::Statement::from_status(Channel::Email, ChannelStatus::Unsubscribed);
    let left = left.unwrap();
    shop.contacts()
        .declare(shop.tenant, an, &left, "left", None)
        .await
        .unwrap();
    shop.world.advance(Duration::from_hours(1));
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
    assert_eq!(shop.contact().await, an);
    assert_eq!(
        shop.status(an, Channel::Email).await,
        ChannelStatus::Unsubscribed
    );
}

#[tokio::test]
async fn a_submission_survives_a_kill_at_each_call() {
    for kill in [Kill::Before, Kill::After] {
        for n in 0..60 {
            let shop = Shop::open().await;
            let id = shop.form(newsletter()).await;
            let answers = [
                ("email", "an@example.vn"),
                ("full_name", "Trần An"),
                ("consent.email", "yes"),
            ];
            assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
            let batch = shop.world.take("ingest").unwrap();
            let run = shop
                .world
                .invoke_and_kill("ingest", batch.event.clone(), kill(n));
            let was_killed = run.await.is_none();
            shop.world.release(&batch);
            shop.world.advance(Duration::from_mins(20));
            let contact = shop.contact().await;
            assert_eq!(shop.events(contact).await.len(), 1, "{:?}", kill(n));
            assert_eq!(
                shop.status(contact, Channel::Email).await,
                ChannelStatus::Subscribed
            );
            if !was_killed {
                assert!(n > 3, "too few calls: {n}");
                break;
            }
            assert!(n < 59, "a run makes fewer calls");
        }
    }
}

/// The first submission makes the contact. A later one of the same person writes its first arrival and its event.
#[tokio::test]
async fn a_known_visitor_costs_two_write_units_and_the_door_one() {
    let shop = Shop::open().await;
    let mut settings = newsletter();
    settings["consent"] = json!({});
    let id = shop.form(settings).await;
    let first = [("email", "an@example.vn"), ("full_name", "Trần An")];
    shop.post(&id, &first).await;
    shop.contact().await;
    shop.world.advance(Duration::from_hours(1));
    let before = shop.world.aws.meter().snapshot();
    assert_eq!(shop.post(&id, &first).await["statusCode"], 200);
    let door = shop.world.aws.meter().since(&before);
    let counted = door.write_units();
    assert!((counted - 1.0).abs() < 0.01, "{counted}");
    let before = shop.world.aws.meter().snapshot();
    shop.world.deliver("ingest", false).await.unwrap().unwrap();
    let used = shop.world.aws.meter().since(&before);
    assert!(
        (used.write_units() - 2.0).abs() < 0.01,
        "{}",
        used.write_units()
    );
}
