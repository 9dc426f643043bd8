//! The time from which a workflow takes events, whatever the processes have cached.

use std::time::Duration;

use cloud::Key;
use cloud::recent::{BELIEVED, LEAD};
use contacts::{Contacts, Event, Filter, Listeners};
use jiff::Timestamp;
use kernel::ContactId;
use serde_json::{Value, json};

use super::shop::{SECOND, Shop, greeting};

const MILLISECOND: Duration = Duration::from_millis(1);

async fn record(contacts: &Contacts, shop: &Shop, contact: ContactId, id: &str) {
    let event = Event {
        id: id.into(),
        name: "form.submitted".into(),
        at: shop.world.now(),
        source: "ladipage".into(),
        data: json!({ "form_id": "FORM8" }),
    };
    assert!(contacts.record(shop.tenant, contact, &event).await.unwrap());
}

async fn ask(shop: &Shop, id: &str, change: &str) -> Value {
    let path = format!("/v1/workflows/{id}/{change}");
    let (status, answer) = shop.api("POST", &path, None).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn every_time() -> Value {
    let mut draft = greeting();
    draft["entry"] = json!("every_time");
    draft
}

#[tokio::test]
async fn a_workflow_takes_in_what_is_recorded_since_it_is_active_whatever_was_remembered() {
    let shop = Shop::new().await;
    let contact = shop.contact("an@example.vn").await;
    // One process writes all events; until just before, it has cached that no workflow subscribes.
    let writer = shop.contacts();
    let id = shop.create(every_time()).await;
    for change in ["activate", "pause", "activate"] {
        let before = shop.report(&id).await[0];
        record(&writer, &shop, contact, &format!("{change} {before} known")).await;
        shop.run(1).await;
        let answer = ask(&shop, &id, change).await;
        assert_eq!(
            shop.report(&id).await[0],
            before + u64::from(change == "pause")
        );
        if change == "pause" {
            // In force for events 15 seconds later, whatever a process has cached.
            shop.world.lead();
            record(&writer, &shop, contact, "paused").await;
            shop.run(1).await;
            assert_eq!(shop.report(&id).await[0], before + 1);
            continue;
        }
        let since: Timestamp = answer["active_since"].as_str().unwrap().parse().unwrap();
        assert_eq!(since, shop.world.now() + LEAD);
        shop.world
            .advance(LEAD.unsigned_abs().checked_sub(MILLISECOND).unwrap());
        record(&writer, &shop, contact, &format!("{before} early")).await;
        shop.world.advance(MILLISECOND);
        record(&writer, &shop, contact, &format!("{before} in time")).await;
        // Both messages come late, after the workflow is active.
        shop.world.advance(SECOND);
        shop.run(2).await;
        assert_eq!(shop.report(&id).await[0], before + 1, "{change}");
    }
    assert!(BELIEVED + jiff::SignedDuration::from_secs(3) < LEAD);
}

#[tokio::test]
async fn workflows_that_begin_and_cease_to_listen_at_once_are_all_seen() {
    let mut calls = 0;
    for at in 0.. {
        let shop = Shop::new().await;
        let (one, two) = (
            Listeners::over(&shop.world.resources()),
            Listeners::over(&shop.world.resources()),
        );
        let (tenant, event, all) = (shop.tenant, "form.submitted", Filter::default());
        let gone = "wfl_00000000009";
        assert!(one.listen(tenant, event, gone, &all).await.unwrap());
        let first = one.listen(tenant, event, "wfl_00000000001", &all);
        let second = async {
            two.unlisten(tenant, event, gone).await.unwrap();
            two.listen(tenant, event, "wfl_00000000002", &all).await
        };
        let (first, second, made) = shop.world.interleave(at, first, second).await;
        assert!(first.unwrap() && second.unwrap());
        let seen = Listeners::over(&shop.world.resources());
        let listening = seen.of(tenant, event, &json!({})).await.unwrap();
        assert_eq!(listening, ["wfl_00000000001", "wfl_00000000002"], "{at}");
        assert!(
            !seen
                .any(tenant, "message.opened", &json!({}))
                .await
                .unwrap()
        );
        match made {
            Some(made) => calls = made,
            None => break,
        }
    }
    assert!(calls > 10, "{calls}");
}

#[tokio::test]
async fn an_interest_set_that_is_full_refuses_an_activation_until_a_workflow_is_archived() {
    let shop = Shop::new().await;
    let rows: Vec<(Key, Value)> = (0..6_280)
        .map(|n| {
            let workflow = format!("wfl_{n:011}");
            let sk = format!("message.opened#{workflow}");
            let key = Key::new(format!("{}#TRIGGER", shop.tenant), sk);
            (
                key,
                json!({ "event": "message.opened", "workflow": workflow }),
            )
        })
        .collect();
    let directory = shop.world.table("Directory");
    directory.put_many(&rows).await.unwrap();
    let id = shop.create(greeting()).await;
    let path = format!("/v1/workflows/{id}/activate");
    let (status, problem) = shop.api("POST", &path, None).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("conflict")),
        "{problem}"
    );
    let (_, shown) = shop.api("GET", &format!("/v1/workflows/{id}"), None).await;
    assert_eq!(shown["status"], "draft");
    let keys: Vec<Key> = rows.into_iter().map(|(key, _)| key).take(100).collect();
    directory.delete_many(&keys).await.unwrap();
    shop.change(&id, "activate").await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await[0], 1);
}
