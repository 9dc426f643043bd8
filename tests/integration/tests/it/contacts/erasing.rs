//! Erased contacts: nothing is left but the refusal of messages, after every kill.

use std::time::Duration;

use channels::{Fact, Feedback, Ledger, LedgerKey};
use contacts::consent::Stated;
use contacts::{Channel, ChannelStatus, Event, Identity, Incoming, Note, Notes};
use kernel::{ContactId, NoteId};
use serde_json::{Value, json};

use super::life::survives_kills;
use super::shop::{Page, Shop, email, person, phone, told};
use crate::support::{Kill, http_event};

/// A contact that has a row of every kind, and has unsubscribed.
async fn made(shop: &Shop) -> ContactId {
    let visitor = Identity::Visitor {
        inbox: "inb_0000000000a".parse().unwrap(),
        visitor: "khach".into(),
    };
    let list = json!({ "name": "Khách quen" });
    let (_, list) = shop.api("POST", "/v1/lists", Some(&list)).await;
    let own = [email("an@example.vn"), phone("0912345678"), visitor];
    let incoming = Incoming {
        tags: vec!["VIP".into()],
        lists: vec![list["id"].as_str().unwrap().parse().unwrap()],
        custom: [("hạng".to_owned(), json!("vàng"))].into(),
        consent: told(ChannelStatus::Unsubscribed, &[Channel::Email]),
        ..person("Trần Thị An", &own)
    };
    let id = shop.upsert(incoming).await.contact;
    // An address of another contact, beside the own one.
    shop.upsert(person("Lê Hà", &[email("ha@example.vn")]))
        .await;
    let beside = json!({ "email": "ha@example.vn" });
    shop.api("PATCH", &format!("/v1/contacts/{id}"), Some(&beside))
        .await;
    let note = Note {
        id: NoteId::new(&shop.world.clock(), shop.world.table("Contacts").entropy()),
        text: "Thích màu xanh".into(),
        author_id: "usr_1".into(),
        created_at: shop.world.now(),
        updated_at: shop.world.now(),
    };
    let notes = Notes::over(&shop.world.resources());
    notes.add(shop.tenant, id, &note).await.unwrap();
    for n in 0..3 {
        let event = Event {
            id: format!("e{n}"),
            name: "form.submitted".into(),
            at: shop.world.now(),
            source: "api".into(),
            data: json!({ "n": n }),
        };
        shop.contacts()
            .record(shop.tenant, id, &event)
            .await
            .unwrap();
    }
    shop.world.settle().await;
    id
}

fn delete(shop: &Shop, id: ContactId) -> Value {
    let mut grant = shop.grant();
    grant.role = Some(kernel::Role::AccountAdmin);
    http_event("DELETE", &format!("/v1/contacts/{id}"), None, Some(&grant))
}

async fn erase(shop: &Shop, id: ContactId) {
    let (status, answer) = shop.world.ask("api-contacts", delete(shop, id)).await;
    assert_eq!(status, 204, "{answer}");
}

/// The rows that name the contact or its address, but for the tombstone.
async fn traces(shop: &Shop, id: ContactId) -> Vec<String> {
    let mut traces = Vec::new();
    for table in ["Contacts", "Timeline", "Segments"] {
        for row in shop.world.dump(table).await {
            let text = row.to_string();
            let marks = [
                &id.to_string(),
                "an@example.vn",
                "912345678",
                "khach",
                "Trần",
                "tran thi",
            ];
            if marks.iter().any(|mark| text.contains(*mark)) {
                traces.push(text);
            }
        }
    }
    traces
}

/// Whether one row is left: a tombstone without a value of the person.
fn is_bare(traces: &[String], id: ContactId) -> bool {
    let [only] = traces else { return false };
    let row: Value = serde_json::from_str(only).unwrap();
    let mut names: Vec<&str> = row
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.retain(|name| *name != "update_id" && *name != "updated_at");
    names
        == [
            "contact",
            "erased_at",
            "identity_version",
            "pk",
            "sk",
            "ttl",
        ]
        && only.contains(&id.to_string())
}

#[tokio::test]
async fn an_erased_contact_leaves_its_refusal_only() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    erase(&shop, id).await;
    // At once.
    let path = format!("/v1/contacts/{id}");
    assert_eq!(shop.api("GET", &path, None).await.0, 404);
    assert_eq!(shop.found("an").await, Vec::<String>::new());
    assert_eq!(
        shop.api("PATCH", &path, Some(&json!({ "company": "A" })))
            .await
            .0,
        404
    );
    shop.contacts()
        .add_tags(shop.tenant, id, &["VIP".into()])
        .await
        .unwrap();
    shop.world.settle_twice().await;
    let left = traces(&shop, id).await;
    assert!(is_bare(&left, id), "{left:#?}");
    erase(&shop, id).await;
    shop.world.advance(Duration::from_secs(1));
    let next = shop
        .upsert(person(
            "Lê Bình",
            &[email("an@example.vn"), phone("0912345678")],
        ))
        .await;
    assert!(next.created && next.contact != id);
    let next = shop.contact(next.contact).await;
    assert_eq!(next.email_status, ChannelStatus::Unsubscribed);
    assert_eq!(next.sms_status, ChannelStatus::None);
    let (_, log) = (0, shop.world.dump("Directory").await);
    assert!(log.iter().any(|row| row["action"] == "eraseContact"));
}

#[tokio::test]
async fn a_late_refusal_leaves_no_record_beside_an_erased_contact() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    erase(&shop, id).await;
    shop.world.settle_twice().await;
    let left = told(ChannelStatus::Unsubscribed, &[Channel::Email]).remove(0);
    let stated = shop
        .contacts()
        .declare(shop.tenant, id, &left, "mail", None)
        .await;
    assert_eq!(stated.unwrap(), Stated::NoContact);
    let traces = traces(&shop, id).await;
    assert!(is_bare(&traces, id), "{traces:#?}");
}

#[tokio::test]
async fn an_address_of_a_contact_that_is_being_erased_is_free_and_stays_refused() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    erase(&shop, id).await;
    // Before the worker.
    let next = shop
        .upsert(person("Lê Bình", &[email("an@example.vn")]))
        .await;
    assert!(next.created && next.contact != id);
    assert_eq!(
        shop.contact(next.contact).await.email_status,
        ChannelStatus::Unsubscribed
    );
    shop.world.settle_twice().await;
    assert_eq!(
        shop.owner(&email("an@example.vn")).await,
        Some(next.contact)
    );
    assert_eq!(shop.owner(&phone("0912345678")).await, None);
    let rows = shop.world.dump("Contacts").await;
    assert!(
        rows.iter()
            .all(|row| !row.to_string().contains("912345678")),
        "{rows:#?}"
    );
}

#[tokio::test]
async fn the_erasure_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| (format!("/v1/contacts/{}", made(shop).await), None);
    survives_kills("DELETE", prepare, 2).await;
    for call in 0.. {
        let mut finished = true;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let shop = Shop::new().await;
            let id = made(&shop).await;
            erase(&shop, id).await;
            shop.world.relay().await;
            let batch = shop.world.take("contact-bulk").unwrap();
            let event = batch.event.clone();
            let run = shop.world.invoke_and_kill("contact-bulk", event, kill);
            finished &= run.await.is_some();
            shop.world.release(&batch);
            shop.world.settle_twice().await;
            assert!(shop.world.dead_letters().is_empty());
            let left = traces(&shop, id).await;
            assert!(is_bare(&left, id), "{kill:?}: {left:#?}");
            let next = shop
                .upsert(person("Lê Bình", &[email("an@example.vn")]))
                .await;
            let next = shop.contact(next.contact).await;
            assert_eq!(next.email_status, ChannelStatus::Unsubscribed, "{kill:?}");
        }
        if finished {
            assert!(call >= 8, "the function made {call} calls");
            return;
        }
    }
}

#[tokio::test]
async fn what_a_mail_s_reader_does_after_the_erasure_leaves_no_event() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    let resources = shop.world.resources();
    let key = LedgerKey {
        scope: "cmp_0000000000a".into(),
        contact: id,
        channel: contacts::Channel::Email,
        step: "0".into(),
    };
    let ledger = Ledger::over(&resources);
    ledger.claim(shop.tenant, &key).await.unwrap();
    shop.world.advance(Duration::from_mins(5));
    let feedback = Feedback::over(&resources);
    erase(&shop, id).await;
    shop.world.settle_twice().await;
    let address = "an@example.vn".parse().unwrap();
    for fact in [Fact::HardBounced, Fact::Complained] {
        let told = feedback.provider(shop.tenant, &key, &address, fact, shop.world.now(), None);
        told.await.unwrap();
    }
    for _ in 0..2 {
        let opened = feedback.opened(shop.tenant, &key, channels::Agent::Person);
        assert!(opened.await.unwrap().is_some());
        let clicked = feedback.clicked(shop.tenant, &key, "https://a.vn", channels::Agent::Person);
        assert!(clicked.await.unwrap().is_some());
        let left = feedback.unsubscribed(shop.tenant, &key);
        assert!(left.await.unwrap().is_some());
    }
    let traces = traces(&shop, id).await;
    assert!(is_bare(&traces, id), "{traces:#?}");
}

#[tokio::test]
async fn a_form_that_comes_again_after_the_erasure_makes_no_contact() {
    for timed in [false, true] {
        let shop = Shop::new().await;
        let page = Page::of(&shop, &[]).await;
        let mut typed = json!({ "form_id": "f1", "name": "An", "email": "an@example.vn" });
        if timed {
            typed["message_time"] = json!("02/03/2026 08:15:30");
        }
        page.post(&shop, &typed).await;
        let batch = shop.world.take("ingest").unwrap();
        let answer = shop.world.invoke("ingest", batch.event.clone()).await;
        assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }));
        let id = shop.owner(&email("an@example.vn")).await.unwrap();
        erase(&shop, id).await;
        shop.world.settle_twice().await;
        // The queue delivers the message again, days later.
        shop.world.advance(Duration::from_hours(50));
        let answer = shop.world.invoke("ingest", batch.event.clone()).await;
        assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }));
        assert_eq!(shop.owner(&email("an@example.vn")).await, None, "{timed}");
        // The person fills in the form again.
        typed["name"] = json!("Trần An");
        if timed {
            typed["message_time"] = json!("04/03/2026 10:15:30");
        }
        page.post(&shop, &typed).await;
        shop.world.settle().await;
        assert!(
            shop.owner(&email("an@example.vn")).await.is_some(),
            "{timed}"
        );
    }
}
