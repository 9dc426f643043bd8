//! One contact through its life: edits, tags and lists, the archive.

use std::collections::BTreeSet;

use contacts::{Incoming, Trust};
use kernel::ContactId;
use serde_json::{Value, json};

use super::shop::{Shop, compares, email, essence, members, person, phone, told};
use crate::support::{Kill, http_event};

async fn made(shop: &Shop) -> ContactId {
    let incoming = Incoming {
        tags: vec!["VIP".into()],
        custom: [("hạng".to_owned(), json!("vàng"))].into(),
        consent: told(
            contacts::ChannelStatus::Unsubscribed,
            &[contacts::Channel::Email],
        ),
        ..person(
            "Trần Thị An",
            &[email("an@example.vn"), phone("0912345678")],
        )
    };
    shop.upsert(incoming).await.contact
}

async fn list(shop: &Shop) -> String {
    let body = json!({ "name": "Khách quen" });
    let (_, list) = shop.api("POST", "/v1/lists", Some(&body)).await;
    list["id"].as_str().unwrap().to_owned()
}

async fn patch(shop: &Shop, id: ContactId, body: Value) -> (u64, Value) {
    let path = format!("/v1/contacts/{id}");
    shop.api("PATCH", &path, Some(&body)).await
}

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap().iter();
    errors.map(|e| e["pointer"].as_str().unwrap()).collect()
}

/// Makes the request after it was killed at each of its AWS calls in turn. The rows are those of an undisturbed one.
pub async fn survives_kills(
    method: &str,
    prepare: impl AsyncFn(&Shop) -> (String, Option<Value>),
    least: u64,
) {
    let outcome = async |kill: Option<Kill>| {
        let shop = Shop::new().await;
        let (path, body) = prepare(&shop).await;
        let mut grant = shop.grant();
        grant.role = Some(kernel::Role::AccountAdmin);
        let event = http_event(method, &path, body.as_ref(), Some(&grant));
        let mut finished = true;
        if let Some(kill) = kill {
            let run = shop
                .world
                .invoke_and_kill("api-contacts", event.clone(), kill);
            finished = run.await.is_some();
        }
        let (status, answer) = shop.world.ask("api-contacts", event).await;
        assert!(status < 300, "{kill:?}: {answer}");
        shop.world.settle_twice().await;
        shop.world.run_for(400).await;
        assert!(shop.world.dead_letters().is_empty());
        let state = (
            essence(&shop.world, "Contacts").await,
            essence(&shop.world, "Timeline").await,
        );
        (finished, without_marks(state))
    };
    compares(outcome, least).await;
}

/// The rows without what differs between runs: marks of updates, versions and times.
pub fn without_marks(
    (contacts, timeline): (Vec<String>, Vec<String>),
) -> (Vec<String>, Vec<String>) {
    let plain = |rows: Vec<String>| {
        let rows = rows.into_iter().map(|row| {
            let mut row: Value = serde_json::from_str(&row).unwrap();
            for name in [
                "update_id",
                "identity_version",
                "name_version",
                "fields_version",
                "overwritten_at",
                "archived_at",
                "erased_at",
            ] {
                row.as_object_mut().unwrap().remove(name);
            }
            row.to_string()
        });
        rows.collect()
    };
    (plain(contacts), plain(timeline))
}

#[tokio::test]
async fn an_edit_sets_and_clears_fields_names_and_addresses() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    let body = json!({
        "first_name": "Bình", "company": "Gốm Chu Đậu", "gender": "nữ",
        "custom": { "Hạng": null, "size": "M" }, "email": "binh@example.vn", "phone": null, "external_id": "K7",
    });
    let (status, edited) = patch(&shop, id, body.clone()).await;
    assert_eq!(status, 200, "{edited}");
    assert_eq!(edited["full_name"], "Trần Thị Bình");
    assert_eq!(
        (&edited["gender"], &edited["company"]),
        (&json!("female"), &json!("Gốm Chu Đậu"))
    );
    assert_eq!(edited["custom"], json!({ "size": "M" }));
    assert_eq!(
        (&edited["phone"], &edited["external_id"]),
        (&Value::Null, &json!("K7"))
    );
    // A refusal belongs to the person.
    assert_eq!(edited["email_status"], "unsubscribed");
    assert_eq!(edited["not_taken"], json!([]));
    assert_eq!(shop.owner(&email("binh@example.vn")).await, Some(id));
    assert_eq!(shop.owner(&email("an@example.vn")).await, None);
    assert_eq!(shop.owner(&phone("0912345678")).await, None);
    assert_eq!(shop.found("an tran").await, Vec::<String>::new());
    assert_eq!(shop.found("bình").await, ["Trần Thị Bình"]);
    // The next owner of the address is not mailed either.
    let next = shop
        .upsert(person("Lê Hà", &[email("an@example.vn")]))
        .await;
    let next = shop.contact(next.contact).await;
    assert_eq!(next.email_status, contacts::ChannelStatus::Unsubscribed);
    let before = shop.world.aws.meter().snapshot();
    let (status, _) = patch(&shop, id, body).await;
    assert_eq!(status, 200);
    let (written, read) = shop.world.units("Contacts", &before);
    assert!(
        written == 0.0 && read <= 6.0,
        "an edit that changes nothing: {written} {read}"
    );
    let (_, edited) = patch(&shop, id, json!({ "full_name": null, "company": null })).await;
    assert_eq!(
        (&edited["full_name"], &edited["company"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(shop.found("bình").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_edit_names_each_of_its_faults() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    let body = json!({
        "gender": "x", "birthday": "hôm qua", "external_id": " ",
        "custom": { "": "a", "n": 1e300 },
    });
    let (status, problem) = patch(&shop, id, body).await;
    assert_eq!(status, 400, "{problem}");
    let named: BTreeSet<&str> = pointers(&problem).into_iter().collect();
    let expected = [
        "/gender",
        "/birthday",
        "/external_id",
        "/custom/",
        "/custom/n",
    ];
    assert_eq!(named, expected.into());
    for strange in [
        json!({ "tags": ["a"] }),
        json!({ "list_ids": [] }),
        json!({ "email": "x" }),
    ] {
        let (status, problem) = patch(&shop, id, strange.clone()).await;
        assert_eq!((status, pointers(&problem).len()), (400, 1), "{strange}");
    }
    let (status, _) = patch(&shop, "con_00000000009".parse().unwrap(), json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn an_address_of_another_contact_stays_there() {
    let shop = Shop::new().await;
    let id = made(&shop).await;
    let other = shop
        .upsert(person("Lê Hà", &[phone("0987654321")]))
        .await
        .contact;
    let (status, edited) = patch(&shop, id, json!({ "phone": "0987654321" })).await;
    assert_eq!(status, 200);
    let expected = json!([{
        "pointer": "/phone", "reason": "belongs_to_another", "kept": "shared", "owner_id": other,
    }]);
    assert_eq!(edited["not_taken"], expected);
    assert_eq!(edited["phone"], "+84912345678");
    assert_eq!(edited["shared_phones"], json!(["+84987654321"]));
    assert_eq!(shop.owner(&phone("0987654321")).await, Some(other));
}

#[tokio::test]
async fn an_unconfirmed_address_that_staff_enter_is_the_contacts_own() {
    let shop = Shop::new().await;
    let id = shop
        .upsert(person("An", &[phone("0912345678")]))
        .await
        .contact;
    let form = Incoming {
        trust: Trust::Anybody,
        ..person("An", &[phone("0912345678"), email("moi@example.vn")])
    };
    shop.upsert(form).await;
    assert_eq!(shop.contact(id).await.unconfirmed_emails.len(), 1);
    let (_, edited) = patch(&shop, id, json!({ "email": "moi@example.vn" })).await;
    assert_eq!(
        (&edited["email"], &edited["unconfirmed_emails"]),
        (&json!("moi@example.vn"), &json!([]))
    );
}

#[tokio::test]
async fn tags_and_lists_are_added_and_removed() {
    let shop = Shop::new().await;
    let (id, list) = (made(&shop).await, list(&shop).await);
    let path = format!("/v1/contacts/{id}/tags");
    let (status, contact) = shop
        .api("POST", &path, Some(&json!({ "tags": ["sỉ", "vip"] })))
        .await;
    assert_eq!((status, &contact["tags"]), (200, &json!(["VIP", "sỉ"])));
    for _ in 0..2 {
        let (status, _) = shop.api("DELETE", &format!("{path}/vIp"), None).await;
        assert_eq!(status, 204);
    }
    assert_eq!(
        shop.contact(id).await.tags,
        BTreeSet::from(["sỉ".to_owned()])
    );
    let many: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
    for part in 0..3 {
        let tags: Vec<String> = many.iter().map(|tag| format!("{part}{tag}")).collect();
        assert_eq!(
            shop.api("POST", &path, Some(&json!({ "tags": tags })))
                .await
                .0,
            200
        );
    }
    let (status, problem) = shop
        .api("POST", &path, Some(&json!({ "tags": many })))
        .await;
    assert_eq!((status, pointers(&problem)), (422, vec!["/tags"]));
    assert_eq!(shop.contact(id).await.tags.len(), 151);
    let lists = format!("/v1/contacts/{id}/lists");
    shop.api("POST", &lists, Some(&json!({ "list_id": list })))
        .await;
    assert_eq!(members(&shop, list.parse().unwrap()).await.len(), 1);
    for _ in 0..2 {
        assert_eq!(
            shop.api("DELETE", &format!("{lists}/{list}"), None).await.0,
            204
        );
    }
    assert!(members(&shop, list.parse().unwrap()).await.is_empty());
    assert!(shop.contact(id).await.lists.is_empty());
}

async fn listed(shop: &Shop, query: &str) -> usize {
    let (status, page) = shop.api("GET", &format!("/v1/contacts{query}"), None).await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_archived_contact_is_kept_and_shown_nowhere_else() {
    let shop = Shop::new().await;
    let (id, list, gone) = (made(&shop).await, list(&shop).await, list(&shop).await);
    let lists = format!("/v1/contacts/{id}/lists");
    for one in [&list, &gone] {
        shop.api("POST", &lists, Some(&json!({ "list_id": one })))
            .await;
    }
    let (archive, restore) = (
        format!("/v1/contacts/{id}/archive"),
        format!("/v1/contacts/{id}/restore"),
    );
    for _ in 0..2 {
        let (status, contact) = shop.api("POST", &archive, None).await;
        assert_eq!((status, &contact["status"]), (200, &json!("archived")));
    }
    for (query, count) in [
        ("", 0),
        ("?query=trần", 0),
        ("?status=archived", 1),
        ("?status=archived&query=trần", 1),
    ] {
        assert_eq!(listed(&shop, query).await, count, "{query}");
    }
    assert!(members(&shop, list.parse().unwrap()).await.is_empty());
    let archived = shop.contact(id).await;
    let terms = channels::Terms {
        class: channels::Class::Transactional,
        is_strict: false,
    };
    let refusal = channels::consent::refusal(Some(&archived), contacts::Channel::Email, terms);
    assert_eq!(refusal, Some(channels::SkipReason::Archived));
    // A form adds to the archived contact; no second one is made.
    let form = person("Trần Thị An", &[email("an@example.vn")]);
    assert_eq!(shop.upsert(form).await.contact, id);
    shop.api("DELETE", &format!("/v1/lists/{gone}"), None).await;
    shop.world.settle_twice().await;
    for _ in 0..2 {
        let (status, contact) = shop.api("POST", &restore, None).await;
        assert_eq!((status, &contact["status"]), (200, &json!("active")));
        assert_eq!(contact["list_ids"], json!([list]));
    }
    assert_eq!(
        (
            listed(&shop, "").await,
            listed(&shop, "?status=archived").await
        ),
        (1, 0)
    );
    assert_eq!(
        members(&shop, list.parse().unwrap()).await,
        BTreeSet::from([id])
    );
}

#[tokio::test]
async fn an_edit_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        let id = made(shop).await;
        let body = json!({
            "full_name": "Lê Hà", "email": "ha@example.vn", "phone": null, "custom": { "hạng": null },
        });
        (format!("/v1/contacts/{id}"), Some(body))
    };
    survives_kills("PATCH", prepare, 6).await;
}

#[tokio::test]
async fn the_archive_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        let (id, list) = (made(shop).await, list(shop).await);
        let body = json!({ "list_id": list });
        shop.api("POST", &format!("/v1/contacts/{id}/lists"), Some(&body))
            .await;
        (format!("/v1/contacts/{id}/archive"), None)
    };
    survives_kills("POST", prepare, 3).await;
    let prepare = async |shop: &Shop| {
        let (path, _) = prepare(shop).await;
        shop.api("POST", &path, None).await;
        (path.replace("archive", "restore"), None)
    };
    survives_kills("POST", prepare, 3).await;
}
