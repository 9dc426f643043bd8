//! The timeline tells what staff and workflows change in a contact, once for each change.

use std::time::Duration;

use kernel::ContactId;
use serde_json::{Value, json};

use super::life::survives_kills;
use super::shop::{Page, Shop, email, form, person};

const MINUTE: Duration = Duration::from_mins(1);

async fn made(shop: &Shop) -> ContactId {
    let new = person("Trần Thị An", &[email("an@example.vn")]);
    shop.upsert(new).await.contact
}

/// The data of the entries, newest first.
async fn told(shop: &Shop, id: ContactId) -> Vec<Value> {
    let path = format!("/v1/contacts/{id}/timeline");
    let (status, page) = shop.api("GET", &path, None).await;
    assert_eq!(status, 200, "{page}");
    let entries = page["data"].as_array().unwrap().iter();
    let told = entries.filter(|one| one["name"] == "contact.updated");
    told.map(|one| one["data"].clone()).collect()
}

#[tokio::test]
async fn each_change_is_told_once() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    assert_eq!(told(&shop, id).await, Vec::<Value>::new(), "a new contact");
    let (_, list) = shop
        .api("POST", "/v1/lists", Some(&json!({ "name": "Khách quen" })))
        .await;
    let list = list["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/contacts/{id}");
    let tags = json!({ "tags": ["VIP", "sỉ"] });
    let edit = json!({ "company": "Gốm Chu Đậu", "custom": { "size": "M" } });
    let steps = [
        (
            "POST",
            format!("{path}/tags"),
            Some(tags),
            json!({ "tags_added": ["VIP", "sỉ"] }),
        ),
        (
            "DELETE",
            format!("{path}/tags/vip"),
            None,
            json!({ "tags_removed": ["VIP"] }),
        ),
        (
            "POST",
            format!("{path}/lists"),
            Some(json!({ "list_id": list })),
            json!({ "lists_joined": [list] }),
        ),
        (
            "DELETE",
            format!("{path}/lists/{list}"),
            None,
            json!({ "lists_left": [list] }),
        ),
        (
            "PATCH",
            path.clone(),
            Some(edit),
            json!({
                "fields": { "company": { "old": null, "new": "Gốm Chu Đậu" } },
                "custom_fields": ["size"],
            }),
        ),
        (
            "PATCH",
            path.clone(),
            Some(json!({ "company": null })),
            json!({
                "fields": { "company": { "old": "Gốm Chu Đậu", "new": null } },
                "custom_fields": [],
            }),
        ),
    ];
    for (n, (method, path, body, expected)) in steps.into_iter().enumerate() {
        for _ in 0..2 {
            let (status, answer) = shop.api(method, &path, body.as_ref()).await;
            assert!(status < 300, "{answer}");
            let all = told(&shop, id).await;
            assert_eq!(all.len(), n + 1, "{all:?}");
            assert!(all.contains(&expected), "{all:?}");
        }
    }
    // Made, undone and made again in one instant: three entries more.
    let (one, store) = (["x".to_owned()], shop.contacts());
    store.add_tags(shop.tenant, id, &one).await.unwrap();
    store.remove_tags(shop.tenant, id, &one).await.unwrap();
    store.add_tags(shop.tenant, id, &one).await.unwrap();
    assert_eq!(told(&shop, id).await.len(), 9);
}

/// The doors and the data of the entries, newest first.
async fn told_by(shop: &Shop, id: ContactId) -> Vec<(String, Value)> {
    let path = format!("/v1/contacts/{id}/timeline");
    let (_, page) = shop.api("GET", &path, None).await;
    let entries = page["data"].as_array().unwrap().iter();
    let told = entries.filter(|one| one["name"] == "contact.updated");
    let door = |one: &Value| one["source"].as_str().unwrap().to_owned();
    told.map(|one| (door(one), one["data"].clone())).collect()
}

#[tokio::test]
async fn every_door_tells_what_it_changes() {
    let shop = Shop::new().await;
    let an = [email("an.tran@example.vn")];
    let id = shop.upsert(person("Trần Thị An", &an)).await.contact;
    let body = json!({ "email": "an.tran@example.vn", "company": "Gốm", "tags": ["A"] });
    for _ in 0..2 {
        assert_eq!(shop.api("POST", "/v1/contacts", Some(&body)).await.0, 200);
    }
    let what = json!({
        "fields": { "company": { "old": null, "new": "Gốm" } }, "custom_fields": [],
        "tags_added": ["A"],
    });
    assert_eq!(told_by(&shop, id).await, [("api".to_owned(), what)]);
    shop.world.advance(MINUTE);
    let page = Page::of(&shop, &["B"]).await;
    for _ in 0..2 {
        page.post(&shop, &form()).await;
        shop.world.settle().await;
    }
    let (door, what) = told_by(&shop, id).await.remove(0);
    assert_eq!(
        (door.as_str(), &what["tags_added"]),
        ("ladipage", &json!(["B"]))
    );
    shop.world.advance(MINUTE);
    let job = json!({ "change": { "add_tags": ["C"] }, "selection": { "everybody": true } });
    assert_eq!(
        shop.api("POST", "/v1/contacts/bulk", Some(&job)).await.0,
        202
    );
    shop.world.settle_twice().await;
    let (door, what) = told_by(&shop, id).await.remove(0);
    assert_eq!(
        (door.as_str(), &what["tags_added"]),
        ("bulk", &json!(["C"]))
    );
    shop.world.advance(MINUTE);
    let chat = contacts::Incoming {
        identities: an.to_vec(),
        person: contacts::Person {
            job_title: Some("Thợ gốm".into()),
            ..contacts::Person::default()
        },
        source: contacts::Source::Chat,
        ..contacts::Incoming::default()
    };
    shop.upsert(chat).await;
    let (door, what) = told_by(&shop, id).await.remove(0);
    assert_eq!(
        (door.as_str(), &what["fields"]["job_title"]["new"]),
        ("chat", &json!("Thợ gốm"))
    );
    let row = contacts::Incoming {
        tags: vec!["D".into()],
        source: contacts::Source::Import,
        operation: Some("imp_1#1".into()),
        at: Some(shop.world.now()),
        ..person("Trần Thị An", &an)
    };
    let count = told_by(&shop, id).await.len();
    let before = shop.world.aws.meter().snapshot();
    shop.upsert(row.clone()).await;
    let (timeline, _) = shop.world.units("Timeline", &before);
    assert!(timeline <= 1.0, "{timeline}");
    shop.upsert(row).await;
    let told = told_by(&shop, id).await;
    assert_eq!(told.len(), count + 1);
    let entry = told.iter().find(|(door, _)| door == "import").unwrap();
    assert_eq!(
        entry.1,
        json!({ "tags_added": ["D"], "import_id": "imp_1" })
    );
}

#[tokio::test]
async fn a_form_that_changes_nothing_costs_no_entry() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["B"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    let mut again = form();
    again["message_time"] = "05/03/2026 08:15:30".into();
    let before = shop.world.aws.meter().snapshot();
    page.post(&shop, &again).await;
    shop.world.settle().await;
    let (contacts, _) = shop.world.units("Contacts", &before);
    let (timeline, _) = shop.world.units("Timeline", &before);
    assert!(contacts + timeline <= 3.0, "{contacts} {timeline}");
}

#[tokio::test]
async fn a_change_of_tags_costs_four_units() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    shop.contacts()
        .add_tags(shop.tenant, id, &["VIP".into()])
        .await
        .unwrap();
    let before = shop.world.aws.meter().snapshot();
    shop.contacts()
        .remove_tags(shop.tenant, id, &["VIP".into()])
        .await
        .unwrap();
    let (contacts, _) = shop.world.units("Contacts", &before);
    let (timeline, _) = shop.world.units("Timeline", &before);
    assert!(contacts <= 2.0 && timeline <= 2.0, "{contacts} {timeline}");
    // Nothing to remove.
    let before = shop.world.aws.meter().snapshot();
    shop.contacts()
        .remove_tags(shop.tenant, id, &["VIP".into()])
        .await
        .unwrap();
    let (nothing, _) = shop.world.units("Contacts", &before);
    assert!(nothing < 0.5, "{nothing}");
}

#[tokio::test]
async fn a_change_of_tags_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        let id = made(shop).await;
        (
            format!("/v1/contacts/{id}/tags"),
            Some(json!({ "tags": ["VIP"] })),
        )
    };
    survives_kills("POST", prepare, 4).await;
}
