//! Jobs over a segment or conditions: the archive, the erasure, their end by a person, and every kill.

use contacts::Event;
use kernel::{ContactId, Role};
use serde_json::{Value, json};

use super::shop::{Shop, email, person};
use crate::support::{Kill, grant_of, http_event};

pub fn tagged(tag: &str) -> Value {
    json!({ "all": [{ "family": "tag", "operator": "has_any", "values": [tag] }] })
}

/// An administrator asks.
pub async fn admin(shop: &Shop, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
    let mut grant = grant_of(shop.tenant.workspace(), "");
    grant.role = Some(Role::AccountAdmin);
    grant.actor = "usr_00000000001".into();
    let function = if path.starts_with("/v1/segments") {
        "api-segments"
    } else {
        "api-contacts"
    };
    let event = http_event(method, path, body, Some(&grant));
    shop.world.ask(function, event).await
}

/// A segment whose members are found.
pub async fn segment(shop: &Shop, conditions: &Value) -> String {
    let body = json!({ "name": "Khách VIP", "conditions": conditions });
    let (status, made) = admin(shop, "POST", "/v1/segments", Some(&body)).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/v1/segments/{}", made["id"].as_str().unwrap());
    for _ in 0..20 {
        shop.world.run_for(30).await;
        if admin(shop, "GET", &path, None).await.1["status"] == "ready" {
            return made["id"].as_str().unwrap().to_owned();
        }
    }
    panic!("the build does not end");
}

/// Contacts with the tag VIP, then one without it.
async fn made(shop: &Shop, count: usize) -> Vec<ContactId> {
    let mut ids = Vec::new();
    for n in 0..=count {
        let mut one = person(
            &format!("Khách {n}"),
            &[email(&format!("k{n}@ex.example.vn"))],
        );
        if n < count {
            one.tags = vec!["VIP".into()];
        }
        ids.push(shop.upsert(one).await.contact);
    }
    ids
}

async fn start(shop: &Shop, change: Value, selection: Value) -> (u64, Value) {
    let body = json!({ "change": change, "selection": selection });
    admin(shop, "POST", "/v1/contacts/bulk", Some(&body)).await
}

/// Starts a job and lets it end.
async fn done(shop: &Shop, change: Value, selection: Value) -> Value {
    let (status, started) = start(shop, change, selection).await;
    assert_eq!(status, 202, "{started}");
    shop.world.settle_twice().await;
    let job = job(shop, &started).await;
    assert_eq!(
        (&job["status"], &job["progress"]),
        (&json!("completed"), &json!(100)),
        "{job}"
    );
    job
}

async fn job(shop: &Shop, started: &Value) -> Value {
    let path = format!("/v1/contacts/bulk/{}", started["id"].as_str().unwrap());
    admin(shop, "GET", &path, None).await.1
}

async fn archived(shop: &Shop, ids: &[ContactId]) -> Vec<bool> {
    let mut archived = Vec::new();
    for id in ids {
        archived.push(shop.contact(*id).await.is_archived());
    }
    archived
}

async fn details(shop: &Shop) -> Vec<String> {
    let account = grant_of(shop.tenant.workspace(), "").account;
    let audit = accounts::Audit::over(&shop.world.resources());
    let log = audit.page(account, kernel::Limit::default(), None).await;
    let entries = log.unwrap().data.into_iter();
    entries.filter_map(|entry| entry.detail).collect()
}

#[tokio::test]
async fn conditions_choose_who_is_archived_and_restored() {
    let shop = Shop::new().await;
    let ids = made(&shop, 3).await;
    let vip = json!({ "conditions": tagged("vip") });
    let job = done(&shop, json!({ "archive": true }), vip.clone()).await;
    assert_eq!(
        (&job["changed"], &job["action"]),
        (&json!(3), &json!("archive"))
    );
    assert_eq!(job["selection"]["conditions"], tagged("vip"));
    assert_eq!(archived(&shop, &ids).await, [true, true, true, false]);
    // An archived contact is in no selection but that of a restoration.
    assert_eq!(
        done(&shop, json!({ "archive": true }), vip.clone()).await["changed"],
        0
    );
    assert_eq!(
        done(&shop, json!({ "restore": true }), vip).await["changed"],
        3
    );
    assert_eq!(archived(&shop, &ids).await, [false; 4]);
    done(&shop, json!({ "archive": true }), json!({ "tag": "VIP" })).await;
    let tag = json!({ "everybody": true });
    assert_eq!(
        done(&shop, json!({ "restore": true }), tag).await["changed"],
        3
    );
    let text = format!("archive: conditions {}", tagged("vip"));
    assert!(details(&shop).await.contains(&text));
}

#[tokio::test]
async fn a_segment_is_erased_by_an_administrator_only() {
    let shop = Shop::new().await;
    let ids = made(&shop, 2).await;
    let id = segment(&shop, &tagged("vip")).await;
    let (change, selection) = (json!({ "delete": true }), json!({ "segment_id": id }));
    let body = json!({ "change": change, "selection": selection });
    let (status, _) = shop.api("POST", "/v1/contacts/bulk", Some(&body)).await;
    assert_eq!(status, 403, "a key may not");
    let (status, started) = start(&shop, change, selection).await;
    assert_eq!(status, 202, "{started}");
    let path = format!("/v1/segments/{id}");
    let (status, problem) = admin(&shop, "DELETE", &path, None).await;
    assert_eq!(status, 409, "{problem}");
    shop.world.settle_twice().await;
    assert_eq!(job(&shop, &started).await["changed"], 2);
    for (n, id) in ids.iter().enumerate() {
        let (status, _) = shop.api("GET", &format!("/v1/contacts/{id}"), None).await;
        assert_eq!(status, if n < 2 { 404 } else { 200 });
    }
    assert_eq!(admin(&shop, "DELETE", &path, None).await.0, 204);
    assert!(
        details(&shop)
            .await
            .contains(&format!("delete: segment {id}"))
    );
}

#[tokio::test]
async fn named_contacts_are_erased_once_and_strange_ones_are_missing() {
    let shop = Shop::new().await;
    let ids = made(&shop, 1).await;
    let selection = json!({ "contact_ids": [ids[0], "con_00000000000"] });
    let job = done(&shop, json!({ "delete": true }), selection).await;
    assert_eq!((&job["changed"], &job["missing"]), (&json!(1), &json!(1)));
    assert_eq!(job["selection"]["contacts_count"], 2);
}

#[tokio::test]
async fn events_count_without_a_segment_that_counts_them() {
    let shop = Shop::new().await;
    let ids = made(&shop, 2).await;
    let event = Event {
        id: "f1".into(),
        name: "form.submitted".into(),
        at: shop.world.now(),
        source: "api".into(),
        data: json!({}),
    };
    let recorded = shop.contacts().record(shop.tenant, ids[1], &event).await;
    recorded.unwrap();
    let conditions = json!({ "all": [
        { "family": "event", "event": "form.submitted", "operator": "at_least", "times": 1,
          "within": { "last_days": 7 } },
    ] });
    done(
        &shop,
        json!({ "archive": true }),
        json!({ "conditions": conditions }),
    )
    .await;
    assert_eq!(archived(&shop, &ids).await, [false, true, false]);
}

#[tokio::test]
async fn conditions_may_name_a_segment() {
    let shop = Shop::new().await;
    let ids = made(&shop, 1).await;
    let id = segment(&shop, &tagged("vip")).await;
    let named = |operator: &str| {
        json!({ "conditions": { "all": [
            { "family": "segment", "operator": operator, "segment_ids": [id] },
        ] } })
    };
    let (status, answer) = start(&shop, json!({ "archive": true }), named("not_in")).await;
    assert_eq!(status, 202, "{answer}");
    shop.world.settle_twice().await;
    assert_eq!(archived(&shop, &ids).await, [false, true]);
}

#[tokio::test]
async fn a_job_ends_when_a_person_ends_it() {
    let shop = Shop::new().await;
    let ids = made(&shop, 2).await;
    let everybody = json!({ "everybody": true });
    let (_, started) = start(&shop, json!({ "archive": true }), everybody).await;
    let path = format!(
        "/v1/contacts/bulk/{}/cancel",
        started["id"].as_str().unwrap()
    );
    for _ in 0..2 {
        assert_eq!(admin(&shop, "POST", &path, None).await.0, 202);
    }
    shop.world.settle_twice().await;
    let job = job(&shop, &started).await;
    assert_eq!(
        (&job["status"], &job["changed"]),
        (&json!("cancelled"), &json!(0))
    );
    assert_eq!(archived(&shop, &ids).await, [false; 3]);
    assert_eq!(admin(&shop, "POST", &path, None).await.0, 409);
    let body = json!({ "name": "Khách VIP" });
    let (_, renaming) = shop.api("POST", "/v1/tags/VIP/rename", Some(&body)).await;
    let path = format!(
        "/v1/contacts/bulk/{}/cancel",
        renaming["id"].as_str().unwrap()
    );
    assert_eq!(admin(&shop, "POST", &path, None).await.0, 409);
    let strange = "/v1/contacts/bulk/blk_00000000000/cancel";
    assert_eq!(admin(&shop, "POST", strange, None).await.0, 404);
}

#[tokio::test]
async fn wrong_choices_are_refused_with_their_places() {
    let shop = Shop::new().await;
    let wrong = json!({ "all": [{ "family": "tag", "operator": "like", "values": ["x"] }] });
    let selection = json!({ "segment_id": "seg_00000000000", "conditions": wrong });
    let (status, problem) = start(&shop, json!({ "archive": false }), selection).await;
    let errors = problem["errors"].as_array().unwrap();
    let pointers = errors.iter().map(|one| one["pointer"].as_str().unwrap());
    let pointers: Vec<&str> = pointers.collect();
    assert_eq!(status, 400, "{problem}");
    for pointer in [
        "/change/archive",
        "/selection/segment_id",
        "/selection/conditions/all/0/operator",
        "/selection",
    ] {
        assert!(pointers.contains(&pointer), "{pointers:?}");
    }
}

#[tokio::test]
async fn a_removed_tag_leaves_archived_contacts_too() {
    let shop = Shop::new().await;
    let ids = made(&shop, 2).await;
    let one = json!({ "contact_ids": [ids[0]] });
    done(&shop, json!({ "archive": true }), one).await;
    let body = json!({ "name": "Khách VIP" });
    let (status, started) = shop.api("POST", "/v1/tags/VIP/rename", Some(&body)).await;
    assert_eq!(status, 202, "{started}");
    shop.world.settle_twice().await;
    assert_eq!(job(&shop, &started).await["changed"], 2);
    let tags = |id: ContactId| {
        let shop = shop.clone();
        async move { shop.contact(id).await.tags.into_iter().collect::<Vec<_>>() }
    };
    assert_eq!(tags(ids[0]).await, ["Khách VIP"]);
    shop.api("DELETE", "/v1/tags/Kh%C3%A1ch%20VIP", None).await;
    shop.world.settle_twice().await;
    assert!(tags(ids[0]).await.is_empty() && tags(ids[1]).await.is_empty());
}

/// Kills the worker at each AWS call of a message of a job, and lets redelivery finish. The job ends as without a kill.
/// `prepare` starts it and delivers the messages before; `check` gets what `prepare` returned and the job at its end.
pub async fn survives<T>(
    prepare: impl AsyncFn(&Shop) -> (T, Value),
    check: impl AsyncFn(&Shop, T, Value, Kill),
) {
    for call in 0.. {
        let mut finished = true;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let shop = Shop::new().await;
            let (made, started) = prepare(&shop).await;
            shop.world.relay().await;
            let batch = shop.world.take("contact-bulk").unwrap();
            let event = batch.event.clone();
            let answer = shop
                .world
                .invoke_and_kill("contact-bulk", event, kill)
                .await;
            finished &= answer.is_some();
            shop.world.release(&batch);
            shop.world.settle_twice().await;
            // A repeated message waits until no other attempt is about to send the next one.
            shop.world.run_for(400).await;
            assert!(shop.world.dead_letters().is_empty());
            let job = job(&shop, &started).await;
            assert_eq!(job["status"], "completed", "{kill:?}");
            check(&shop, made, job, kill).await;
            let rows = shop.world.dump("Contacts").await;
            let running = rows.iter().find(|row| row["sk"] == "RUNNING").unwrap();
            assert_eq!(running["items"], json!([]), "{kill:?}");
        }
        if finished {
            assert!(call >= 4, "the function made {call} calls");
            return;
        }
    }
}

/// The message number `nth` of a job over two contacts, killed at any call.
async fn changes_two(change: &Value, nth: usize) {
    let prepare = async |shop: &Shop| {
        made(shop, 2).await;
        let vip = json!({ "conditions": tagged("vip") });
        let (_, started) = start(shop, change.clone(), vip).await;
        shop.world.relay().await;
        for _ in 0..nth {
            let delivered = shop.world.deliver("contact-bulk", false).await;
            delivered.unwrap().unwrap();
        }
        ((), started)
    };
    let check = async |_: &Shop, (), job: Value, kill: Kill| {
        let counts = (&job["changed"], &job["missing"]);
        assert_eq!(counts, (&json!(2), &json!(0)), "{change} {nth} {kill:?}");
    };
    survives(prepare, check).await;
}

#[tokio::test]
async fn an_archiving_may_be_killed_at_any_call() {
    for nth in 0..2 {
        changes_two(&json!({ "archive": true }), nth).await;
    }
}

#[tokio::test]
async fn an_erasure_of_many_may_be_killed_at_any_call() {
    changes_two(&json!({ "delete": true }), 1).await;
}

#[tokio::test]
async fn a_job_unsubscribes_by_the_word_of_staff() {
    use contacts::ChannelStatus::{Subscribed, Unsubscribed};

    let shop = Shop::new().await;
    let ids = made(&shop, 3).await;
    for id in &ids {
        let body = json!({
            "decision": "granted", "method": "paper", "channels": ["email", "sms"], "text": "Tôi đồng ý",
        });
        let path = format!("/v1/contacts/{id}/consent");
        assert_eq!(shop.api("POST", &path, Some(&body)).await.0, 200);
    }
    shop.world.advance(std::time::Duration::from_secs(1));
    let change = json!({ "unsubscribe": { "channels": ["email"], "reason": "Khách gọi đến" } });
    let before = shop.world.aws.meter().snapshot();
    let job = done(&shop, change.clone(), json!({ "tag": "VIP" })).await;
    eprintln!(
        "units of a job for three: {}",
        shop.world.writes_since(&before, "Contacts")
    );
    assert_eq!(
        (&job["changed"], &job["action"]),
        (&json!(3), &json!("unsubscribe"))
    );
    let statuses = async || {
        let mut all = Vec::new();
        for id in &ids {
            let contact = shop.contact(*id).await;
            all.push((contact.email_status, contact.sms_status));
        }
        all
    };
    let expected = [
        (Unsubscribed, Subscribed),
        (Unsubscribed, Subscribed),
        (Unsubscribed, Subscribed),
        (Subscribed, Subscribed),
    ];
    assert_eq!(statuses().await, expected);
    let path = format!("/v1/contacts/{}/consent", ids[0]);
    let (_, consent) = shop.api("GET", &path, None).await;
    let record = &consent["data"][0];
    assert_eq!(
        (&record["method"], &record["decision"]),
        (&json!("staff"), &json!("withdrawn"))
    );
    assert_eq!(record["evidence"]["statement"], "Khách gọi đến");
    assert_eq!(record["actor"], "usr_00000000001");
    // Again: nothing changes. A paper consent does not end it, as by hand.
    done(&shop, change, json!({ "contact_ids": ids })).await;
    assert_eq!(statuses().await[3], (Unsubscribed, Subscribed));
    for wrong in [
        json!({ "channels": [] }),
        json!({ "channels": ["email"], "purposes": [] }),
        json!({ "channels": ["email"], "reason": "" }),
    ] {
        let (status, problem) = start(
            &shop,
            json!({ "unsubscribe": wrong }),
            json!({ "everybody": true }),
        )
        .await;
        assert_eq!(status, 400, "{problem}");
    }
}
