//! Changes of many contacts: jobs, the vocabulary of tags, and the removal of lists.

use std::collections::BTreeSet;
use std::time::Duration;

use contacts::Incoming;
use kernel::ContactId;
use serde_json::{Value, json};

use super::shop::{Shop, email, members, person};
use crate::support::{Kill, http_event};

async fn made(shop: &Shop, count: usize, tags: &[&str], list: Option<&str>) -> Vec<ContactId> {
    let mut ids = Vec::new();
    for n in 0..count {
        let address = format!("khach{n}@example.vn");
        let upserted = shop.upsert(Incoming {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            lists: list.into_iter().map(|id| id.parse().unwrap()).collect(),
            ..person("Khách", &[email(&address)])
        });
        ids.push(upserted.await.contact);
    }
    ids
}

async fn list(shop: &Shop) -> String {
    let body = json!({ "name": "Khách quen" });
    let (_, list) = shop.api("POST", "/v1/lists", Some(&body)).await;
    list["id"].as_str().unwrap().to_owned()
}

async fn start(shop: &Shop, change: Value, selection: Value) -> (u64, Value) {
    let body = json!({ "change": change, "selection": selection });
    let answer = shop.api("POST", "/v1/contacts/bulk", Some(&body)).await;
    shop.world.relay().await;
    answer
}

async fn job(shop: &Shop, started: &Value) -> Value {
    let id = started["id"].as_str().unwrap();
    let path = format!("/v1/contacts/bulk/{id}");
    let (status, job) = shop.api("GET", &path, None).await;
    assert_eq!(status, 200, "{job}");
    job
}

async fn tags(shop: &Shop) -> Vec<String> {
    let (_, page) = shop.api("GET", "/v1/tags", None).await;
    let tags = page["data"].as_array().unwrap();
    tags.iter()
        .map(|tag| tag["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn tagged(shop: &Shop, ids: &[ContactId], tag: &str) -> usize {
    let mut count = 0;
    for id in ids {
        count += usize::from(shop.contact(*id).await.tags.contains(tag));
    }
    count
}

#[tokio::test]
async fn each_selection_is_changed_and_counted() {
    let shop = Shop::new().await;
    let list_id = list(&shop).await;
    let mut ids = made(&shop, 210, &[], Some(&list_id)).await;
    let strange: ContactId = "con_00000000000".parse().unwrap();
    ids.truncate(205);
    let mut named = ids.clone();
    named.push(strange);
    let cases = [
        (json!({ "contact_ids": named }), 205, 1),
        (json!({ "list_id": list_id }), 210, 0),
        (json!({ "everybody": true }), 210, 0),
    ];
    for (n, (selection, changed, missing)) in cases.into_iter().enumerate() {
        let tag = format!("t{n}");
        let (status, started) = start(&shop, json!({ "add_tags": [tag] }), selection).await;
        assert_eq!(
            (status, started["status"].as_str()),
            (202, Some("processing"))
        );
        shop.world.settle_twice().await;
        let job = job(&shop, &started).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(
            (&job["changed"], &job["missing"]),
            (&json!(changed), &json!(missing))
        );
        assert_eq!(tagged(&shop, &ids, &tag).await, 205);
    }
    let (_, page) = shop.api("GET", "/v1/contacts/bulk", None).await;
    assert_eq!(page["data"].as_array().unwrap().len(), 3);
    let remove = json!({ "remove_from_list_id": list_id });
    let (_, started) = start(&shop, remove, json!({ "tag": "t0" })).await;
    shop.world.settle_twice().await;
    assert_eq!(job(&shop, &started).await["changed"], 205);
    assert_eq!(members(&shop, list_id.parse().unwrap()).await.len(), 5);
    assert_eq!(tags(&shop).await, ["t0", "t1", "t2"]);
}

#[tokio::test]
async fn a_wrong_job_is_refused_with_all_of_its_faults() {
    let shop = Shop::new().await;
    let (status, problem) = start(
        &shop,
        json!({ "add_tags": [], "remove_tags": [" "] }),
        json!({ "contact_ids": [], "tag": "" }),
    )
    .await;
    let errors = problem["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    let expected = [
        "/change/add_tags",
        "/change/remove_tags/0",
        "/change",
        "/selection/contact_ids",
        "/selection/tag",
        "/selection",
    ];
    assert_eq!((status, pointers), (400, expected.to_vec()));
}

#[tokio::test]
async fn a_fifth_job_is_refused_until_one_ends() {
    let shop = Shop::new().await;
    made(&shop, 1, &[], None).await;
    for n in 0..5 {
        let change = json!({ "add_tags": [format!("t{n}")] });
        let (status, _) = start(&shop, change, json!({ "everybody": true })).await;
        assert_eq!(status, if n < 4 { 202 } else { 409 });
    }
    shop.world.settle_twice().await;
    let change = json!({ "add_tags": ["t5"] });
    let (status, _) = start(&shop, change, json!({ "everybody": true })).await;
    assert_eq!(status, 202);
}

#[tokio::test]
async fn a_job_whose_request_was_interrupted_runs_and_gives_its_turn_back() {
    for call in 0.. {
        let shop = Shop::new().await;
        let ids = made(&shop, 1, &[], None).await;
        let body =
            json!({ "change": { "add_tags": ["vip"] }, "selection": { "contact_ids": ids } });
        let event = http_event(
            "POST",
            "/v1/contacts/bulk",
            Some(&body),
            Some(&shop.grant()),
        );
        let killed = shop
            .world
            .invoke_and_kill("api-contacts", event, Kill::Before(call));
        let is_over = killed.await.is_some();
        // The client never asks again.
        shop.world.settle_twice().await;
        let (_, page) = shop.api("GET", "/v1/contacts/bulk", None).await;
        for job in page["data"].as_array().unwrap() {
            assert_eq!(job["status"], "completed", "{call}: {job}");
        }
        for n in 0..4 {
            let change = json!({ "add_tags": [format!("t{n}")] });
            let (status, _) = start(&shop, change, json!({ "everybody": true })).await;
            assert_eq!(status, 202, "{call}");
        }
        if is_over {
            assert_eq!(tagged(&shop, &ids, "vip").await, 1);
            break;
        }
    }
}

#[tokio::test]
async fn a_tag_is_renamed_and_removed_everywhere() {
    let shop = Shop::new().await;
    let ids = made(&shop, 3, &["VIP", "sỉ"], None).await;
    let other = [shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact];
    assert_eq!(tags(&shop).await, ["sỉ", "VIP"]);
    shop.world.advance(Duration::from_secs(1));
    let body = json!({ "name": "Khách VIP" });
    let (status, started) = shop.api("POST", "/v1/tags/VIP/rename", Some(&body)).await;
    assert_eq!((status, &started["action"]), (202, &json!("rename_tag")));
    shop.world.settle_twice().await;
    assert_eq!(job(&shop, &started).await["changed"], 3);
    assert_eq!(tags(&shop).await, ["Khách VIP", "sỉ"]);
    assert_eq!(tagged(&shop, &ids, "VIP").await, 0);
    assert_eq!(tagged(&shop, &ids, "Khách VIP").await, 3);
    assert_eq!(tagged(&shop, &other, "Khách VIP").await, 0);
    let taken = json!({ "name": "sỉ" });
    let path = "/v1/tags/Kh%C3%A1ch%20VIP";
    let rename = format!("{path}/rename");
    assert_eq!(shop.api("POST", &rename, Some(&taken)).await.0, 409);
    let (status, _) = shop.api("DELETE", path, None).await;
    assert_eq!(status, 202);
    assert_eq!(shop.api("DELETE", path, None).await.0, 404);
    shop.world.settle_twice().await;
    assert_eq!(tagged(&shop, &ids, "Khách VIP").await, 0);
    assert_eq!(tags(&shop).await, ["sỉ"]);
}

#[tokio::test]
async fn a_tag_has_a_colour_and_a_description() {
    let shop = Shop::new().await;
    let body = json!({ "name": " VIP ", "description": "Mua từ 3 lần" });
    let (status, tag) = shop.api("POST", "/v1/tags", Some(&body)).await;
    assert_eq!(
        (status, &tag["name"], &tag["colour"]),
        (201, &json!("VIP"), &json!("#1f93ff"))
    );
    shop.world.advance(Duration::from_secs(1));
    assert_eq!(shop.api("POST", "/v1/tags", Some(&body)).await.0, 409);
    let change = json!({ "colour": "#f0b400", "description": null });
    let (status, tag) = shop.api("PATCH", "/v1/tags/VIP", Some(&change)).await;
    assert_eq!((status, &tag["description"]), (200, &Value::Null));
    assert_eq!(shop.api("GET", "/v1/tags/VIP", None).await.1, tag);
    let wrong = json!({ "name": "", "colour": "red" });
    let (status, problem) = shop.api("POST", "/v1/tags", Some(&wrong)).await;
    assert_eq!(
        (status, problem["errors"].as_array().unwrap().len()),
        (400, 2)
    );
}

#[tokio::test]
async fn a_removed_list_has_no_members() {
    let shop = Shop::new().await;
    let id = list(&shop).await;
    let ids = made(&shop, 5, &[], Some(&id)).await;
    let path = format!("/v1/lists/{id}");
    let (status, started) = shop.api("DELETE", &path, None).await;
    assert_eq!(status, 202, "{started}");
    assert_eq!(shop.api("GET", &path, None).await.0, 404);
    shop.world.settle_twice().await;
    assert_eq!(job(&shop, &started).await["changed"], 5);
    assert_eq!(members(&shop, id.parse().unwrap()).await, BTreeSet::new());
    assert!(shop.contact(ids[0]).await.lists.is_empty());
}

/// Kills the worker at each of its AWS calls in turn and lets redelivery finish. The contact has the expected tags, and
/// the job has ended.
async fn survives_kills(prepare: impl AsyncFn(&Shop) -> (ContactId, Value), expected: &[&str]) {
    for call in 0.. {
        let mut finished = true;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let shop = Shop::new().await;
            let (contact, started) = prepare(&shop).await;
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
            let tags: Vec<String> = shop.contact(contact).await.tags.into_iter().collect();
            assert_eq!(tags, expected, "{kill:?}");
            assert_eq!(
                job(&shop, &started).await["status"],
                "completed",
                "{kill:?}"
            );
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

#[tokio::test]
async fn contact_bulk_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        let ids = made(shop, 1, &["cũ"], None).await;
        let change = json!({ "add_tags": ["VIP"] });
        let (_, started) = start(shop, change, json!({ "contact_ids": ids })).await;
        (ids[0], started)
    };
    survives_kills(prepare, &["VIP", "cũ"]).await;
}

#[tokio::test]
async fn the_renaming_of_a_tag_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        let ids = made(shop, 1, &["VIP"], None).await;
        let body = json!({ "name": "Khách VIP" });
        let (status, started) = shop.api("POST", "/v1/tags/VIP/rename", Some(&body)).await;
        assert_eq!(status, 202);
        (ids[0], started)
    };
    survives_kills(prepare, &["Khách VIP"]).await;
}
