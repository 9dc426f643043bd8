//! Double opt-in: the confirmation, its reminder and its end.

use std::time::Duration;

use contacts::{Channel, ChannelStatus, Identity, Incoming};
use kernel::Limit;
use serde_json::json;

use super::{BOTH, Shop, double};
use crate::support::{Kill, World, http_event};

#[tokio::test]
async fn a_confirmed_address_becomes_the_contacts_own_and_is_subscribed_again() {
    let shop = Shop::open().await;
    let incoming = Incoming {
        identities: vec![Identity::Phone("0904400001".parse().unwrap())],
        ..Incoming::default()
    };
    let contacts = shop.contacts();
    let me = contacts
        .upsert(shop.tenant, &incoming)
        .await
        .unwrap()
        .contact;
    let left = contacts::Statement::from_status(Channel::Email, ChannelStatus::Unsubscribed);
    let left = left.unwrap();
    contacts
        .declare(shop.tenant, me, &left, "left", None)
        .await
        .unwrap();
    shop.world.advance(Duration::from_mins(1));
    let id = shop.double().await;
    let page = shop.post(&id, &BOTH).await;
    assert!(page["body"].as_str().unwrap().contains("hãy mở thư"));
    shop.world.settle_twice().await;
    assert_eq!(shop.contact().await, me);
    assert_eq!(
        shop.status(me, Channel::Email).await,
        ChannelStatus::Unsubscribed
    );
    let mails = shop.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].0, "con@fam.example.vn");
    assert!(mails[0].1.contains("Áo dài {{ Mai }}"), "{}", mails[0].1);
    assert!(mails[0].1.contains("mỗi tuần một lần"), "{}", mails[0].1);

    let link = shop.link();
    let asked = shop.page(&link).await;
    assert_eq!(asked["statusCode"], 200);
    shop.world.settle().await;
    let contact = contacts.get(shop.tenant, me).await.unwrap().unwrap();
    assert_eq!(
        (contact.email, contact.unconfirmed_emails.len()),
        (None, 1),
        "a GET confirms nothing"
    );
    let forged = link.replace("/confirm/", "/confirm/A");
    assert_eq!(shop.press(&forged).await["statusCode"], 404);
    for _ in 0..2 {
        assert_eq!(shop.press(&link).await["statusCode"], 200);
        shop.world.advance(Duration::from_mins(1));
    }
    let contact = contacts.get(shop.tenant, me).await.unwrap().unwrap();
    assert_eq!(contact.email.unwrap().as_str(), "con@fam.example.vn");
    assert!(contact.unconfirmed_emails.is_empty());
    assert_eq!(
        shop.status(me, Channel::Email).await,
        ChannelStatus::Subscribed
    );
    let history = contacts.consent_history(shop.tenant, me, Limit::default(), None);
    let records = serde_json::to_value(history.await.unwrap().data).unwrap();
    let given = &records[0];
    assert_eq!(
        (&given["method"], &given["decision"]),
        (&json!("double_opt_in"), &json!("granted"))
    );
    assert_eq!(given["evidence"]["ip"], "203.0.113.9");
    assert_eq!(given["evidence"]["form"], format!("{id}#1"));
    assert_eq!(
        records.as_array().unwrap().len(),
        3,
        "a second press is the same act: {records}"
    );
    shop.world.advance(Duration::from_hours(25));
    shop.world.run_for(2).await;
    tick(&shop.world).await;
    assert_eq!(shop.mails().len(), 1, "no reminder after the answer");
    assert!(
        shop.world.dead_letters().is_empty(),
        "{:?}",
        shop.world.dead_letters()
    );
}

/// Lets the timers that are due be sent.
async fn tick(world: &World) {
    world.invoke("due-timer", json!({})).await.unwrap();
    world.settle().await;
}

#[tokio::test]
async fn one_reminder_follows_and_the_link_ends_after_a_week() {
    let shop = Shop::open().await;
    let id = shop.double().await;
    shop.post(&id, &BOTH).await;
    shop.world.settle().await;
    let an = shop.contact().await;
    assert_eq!(
        shop.status(an, Channel::Email).await,
        ChannelStatus::Pending
    );
    shop.world.advance(Duration::from_hours(25));
    for _ in 0..2 {
        tick(&shop.world).await;
        shop.world.advance(Duration::from_mins(2));
    }
    let mails = shop.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let link = shop.link();
    shop.world.advance(Duration::from_hours(6 * 24));
    assert_eq!(shop.page(&link).await["statusCode"], 404);
    assert_eq!(shop.press(&link).await["statusCode"], 404);
    assert_eq!(
        shop.status(an, Channel::Email).await,
        ChannelStatus::Pending
    );
}

#[tokio::test]
async fn a_stranger_cannot_flood_an_address_with_confirmations() {
    let shop = Shop::open().await;
    let id = shop.double().await;
    for n in 0..5 {
        let name = format!("{n}");
        let answers = [BOTH[0], BOTH[1], BOTH[2], ("utm_term", name.as_str())];
        shop.post(&id, &answers).await;
        shop.world.settle().await;
        shop.world.advance(Duration::from_mins(1));
    }
    assert_eq!(shop.mails().len(), 2);
}

#[tokio::test]
async fn a_sender_that_is_not_proven_is_refused() {
    let shop = Shop::open().await;
    let mut settings = double();
    settings["double_opt_in"]["from_email"] = json!("khac@example.vn");
    let (status, problem) = shop.ask("POST", "/v1/forms", Some(settings)).await;
    let pointer = &problem["errors"][0]["pointer"];
    assert_eq!(
        (status, pointer),
        (400, &json!("/double_opt_in/from_email"))
    );
}

#[tokio::test]
async fn a_request_and_its_confirmation_survive_a_kill_at_each_call() {
    let (mut step, mut n) = (0, 0);
    while step < 2 {
        let shop = Shop::open().await;
        let id = shop.double().await;
        shop.post(&id, &BOTH).await;
        if step == 1 {
            shop.world.settle().await;
            let event = http_event("POST", &shop.link(), None, None);
            shop.world.invoke("form-submit", event).await.unwrap();
        }
        let Some(batch) = shop.world.take("ingest") else {
            panic!("no message")
        };
        let run = shop
            .world
            .invoke_and_kill("ingest", batch.event.clone(), Kill::After(n));
        let answer = run.await;
        if let Some(answer) = &answer {
            shop.world.acknowledge(&batch, answer);
        } else {
            shop.world.release(&batch);
            shop.world.advance(Duration::from_mins(20));
        }
        shop.world.settle().await;
        assert_eq!(shop.mails().len(), 1, "{step} {n}");
        let an = shop.contact().await;
        let wanted = [ChannelStatus::Pending, ChannelStatus::Subscribed][step];
        assert_eq!(shop.status(an, Channel::Email).await, wanted, "{step} {n}");
        n += 1;
        if answer.is_some() {
            assert!(n > 4, "too few calls: {n}");
            (step, n) = (step + 1, 0);
        }
    }
}
