//! Definitions of fields, views, notes and lists over the API.

use std::time::Duration;

use contacts::{Incoming, Notes};
use kernel::Limit;
use serde_json::{Value, json};

use super::shop::{Shop, email, person};
use crate::support::{Kill, grant_of, http_event};

async fn admin(shop: &Shop, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let event = http_event(method, path, body, Some(&grant));
    shop.world.ask("api-contacts", event).await
}

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect()
}

fn rank() -> Value {
    json!({
        "key": "hang", "label": "Hạng", "type": "choice", "required": true,
        "options": [{ "key": "vang", "label": "Vàng" }, { "key": "bac", "label": "Bạc" }],
    })
}

#[tokio::test]
async fn a_defined_field_takes_its_values_only() {
    let shop = Shop::new().await;
    let (status, field) = admin(&shop, "POST", "/v1/fields", Some(&rank())).await;
    assert_eq!(status, 201, "{field}");
    assert_eq!(field["merge_tag"], "{{ contact.custom.hang }}");
    shop.world.advance(Duration::from_secs(1));
    let (status, _) = admin(&shop, "POST", "/v1/fields", Some(&rank())).await;
    assert_eq!(status, 409);
    let age = json!({ "key": "tuoi", "label": "Tuổi", "type": "number", "format": { "min": 0 } });
    assert_eq!(admin(&shop, "POST", "/v1/fields", Some(&age)).await.0, 201);
    let body = json!({
        "email": "an@example.vn",
        "custom": { "hang": "VÀNG", "tuoi": "31", "khac": { "a": 1 } },
    });
    let (status, contact) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    let stored = json!({ "hang": "vang", "tuoi": 31, "khac": { "a": 1 } });
    assert_eq!((status, &contact["custom"]), (201, &stored));
    let body = json!({
        "email": "an", "custom": { "hang": "kim cương", "tuoi": -1 },
    });
    let (status, problem) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(status, 400, "{problem}");
    let body = json!({ "email": "an@example.vn", "custom": { "hang": "kim cương", "tuoi": -1 } });
    let (status, problem) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(
        (status, pointers(&problem)),
        (400, vec!["/custom/hang", "/custom/tuoi"])
    );
}

async fn workflow_that_prints(shop: &Shop, field: &str) -> String {
    let draft = json!({
        "name": "Chào mừng",
        "trigger": { "type": "form.submitted" },
        "graph": { "start": "mail", "nodes": { "mail": {
            "type": "send_email",
            "sender": { "from_name": "Cửa hàng", "from_email": "shop@example.vn" },
            "subject": "Chào",
            "html": format!("<p>Hạng: {{{{ contact.custom.{field} }}}}</p>"),
        }}},
    });
    let event = http_event("POST", "/v1/workflows", Some(&draft), Some(&shop.grant()));
    let (status, workflow) = shop.world.ask("api-workflows", event).await;
    assert_eq!(status, 201, "{workflow}");
    workflow["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_definition_is_checked_as_a_whole_and_changes_by_the_rules() {
    let shop = Shop::new().await;
    let wrong = json!({
        "key": "Hạng", "label": "", "type": "choice", "unique": true, "format": { "min": 1 },
    });
    let (status, problem) = admin(&shop, "POST", "/v1/fields", Some(&wrong)).await;
    let expected = vec!["/key", "/label", "/options", "/unique", "/format/min"];
    assert_eq!((status, pointers(&problem)), (400, expected));
    admin(&shop, "POST", "/v1/fields", Some(&rank())).await;
    let path = "/v1/fields/hang";
    let text = json!({ "type": "text" });
    let (status, problem) = admin(&shop, "PATCH", path, Some(&text)).await;
    assert_eq!((status, pointers(&problem)), (400, vec!["/options"]));
    let text = json!({ "type": "multi_choice", "options": [{ "key": "vang", "label": "Gold" }] });
    let (status, field) = admin(&shop, "PATCH", path, Some(&text)).await;
    assert_eq!(status, 200, "{field}");
    assert_eq!(field["options"][1]["key"], "bac");
    assert_eq!(field["options"][1]["archived"], true);
    let workflow = workflow_that_prints(&shop, "hang").await;
    let (status, problem) = admin(&shop, "DELETE", path, None).await;
    let message = problem["errors"][0]["message"].as_str();
    let user = format!("workflow {workflow}: Chào mừng");
    assert_eq!((status, message), (409, Some(user.as_str())));
    let archive = format!("/v1/workflows/{workflow}/archive");
    let event = http_event("POST", &archive, None, Some(&shop.grant()));
    assert_eq!(shop.world.ask("api-workflows", event).await.0, 200);
    assert_eq!(admin(&shop, "DELETE", path, None).await.0, 204);
    assert_eq!(admin(&shop, "DELETE", path, None).await.0, 404);
    let (_, all) = admin(&shop, "GET", "/v1/fields", None).await;
    assert_eq!(all["data"], json!([]));
}

#[tokio::test]
async fn a_workspace_has_at_most_a_hundred_fields() {
    let shop = Shop::new().await;
    let mut last = 0;
    for n in 0..=100 {
        let body = json!({ "key": format!("f{n}"), "label": "F", "type": "text" });
        let (status, _) = admin(&shop, "POST", "/v1/fields", Some(&body)).await;
        assert!(n == 100 || status == 201, "{n}: {status}");
        last = status;
    }
    assert_eq!(last, 422);
}

#[tokio::test]
async fn notes_are_written_changed_and_removed_and_have_a_limit() {
    let shop = Shop::new().await;
    let an = shop.upsert(person("An", &[email("an@example.vn")])).await;
    let path = format!("/v1/contacts/{}/notes", an.contact);
    let text = |text: &str| json!({ "text": text });
    let (status, first) = shop.api("POST", &path, Some(&text(" Gọi sau 17h "))).await;
    assert_eq!((status, first["text"].as_str()), (201, Some("Gọi sau 17h")));
    shop.world.advance(Duration::from_secs(1));
    let (_, second) = shop.api("POST", &path, Some(&text("Thích màu xanh"))).await;
    let (_, page) = shop.api("GET", &path, None).await;
    assert_eq!(page["data"], json!([second, first]));
    let one = format!("{path}/{}", first["id"].as_str().unwrap());
    let (status, edited) = shop.api("PATCH", &one, Some(&text("Gọi sau 18h"))).await;
    assert_eq!(
        (status, edited["text"].as_str()),
        (200, Some("Gọi sau 18h"))
    );
    assert_eq!(shop.api("PATCH", &one, Some(&text(" "))).await.0, 400);
    assert_eq!(shop.api("DELETE", &one, None).await.0, 204);
    assert_eq!(shop.api("DELETE", &one, None).await.0, 404);
    assert_eq!(shop.api("PATCH", &one, Some(&text("x"))).await.0, 404);
    let (_, page) = shop.api("GET", &path, None).await;
    assert_eq!(page["data"], json!([second]));
}

/// The count of a contact's notes and the notes are written together, so a killed request neither loses nor
/// repeats one.
#[tokio::test]
async fn a_note_is_written_once_wherever_its_request_is_killed() {
    for call in 0.. {
        let mut finished = false;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let shop = Shop::new().await;
            let an = shop.upsert(person("An", &[email("an@example.vn")])).await;
            let path = format!("/v1/contacts/{}/notes", an.contact);
            let body = json!({ "text": "Gọi sau 17h" });
            let mut event = http_event("POST", &path, Some(&body), Some(&shop.grant()));
            event["headers"]["idempotency-key"] = "note-1".into();
            let killed = shop
                .world
                .invoke_and_kill("api-contacts", event.clone(), kill);
            finished = killed.await.is_some();
            shop.world.advance(Duration::from_mins(5));
            let (status, answer) = shop.world.ask("api-contacts", event).await;
            assert_eq!(status, 201, "{kill:?}: {answer}");
            let notes = Notes::over(&shop.world.resources());
            let page = notes.page(shop.tenant, an.contact, Limit::default(), None);
            assert_eq!(page.await.unwrap().data.len(), 1, "{kill:?}");
            let rows = shop.world.dump("Contacts").await;
            let header = rows.iter().find(|row| row["sk"] == "NOTES");
            assert_eq!(header.unwrap()["count"], 1, "{kill:?}");
        }
        if finished {
            assert!(call > 4, "the request made {call} calls");
            return;
        }
    }
}

#[tokio::test]
async fn a_view_is_private_or_shared_and_one_opens_first() {
    let shop = Shop::new().await;
    let view = |name: &str, more: Value| {
        let mut view = json!({ "name": name, "columns": [{ "field": "full_name" }] });
        for (key, value) in more.as_object().unwrap() {
            view[key] = value.clone();
        }
        view
    };
    let body = view(
        "VIP",
        json!({ "default": true, "filter": { "tag": "VIP" } }),
    );
    let (status, own) = shop.api("POST", "/v1/views", Some(&body)).await;
    assert_eq!((status, &own["filter"]), (201, &json!({ "tag": "VIP" })));
    let body = view("Mới", json!({ "default": true }));
    shop.api("POST", "/v1/views", Some(&body)).await;
    let body = view("Chung", json!({ "shared": true }));
    let (_, shared) = shop.api("POST", "/v1/views", Some(&body)).await;
    let names = |page: Value| -> Vec<(String, bool)> {
        let data = page["data"].as_array().unwrap().clone();
        let one = |view: &Value| {
            let name = view["name"].as_str().unwrap().to_owned();
            (name, view["default"].as_bool().unwrap())
        };
        data.iter().map(one).collect()
    };
    let (_, page) = shop.api("GET", "/v1/views", None).await;
    let expected = [("Chung", false), ("VIP", false), ("Mới", true)];
    let expected = expected.map(|(name, default)| (name.to_owned(), default));
    assert_eq!(names(page), expected);
    let mut other = shop.grant();
    other.actor = "usr_00000000077".into();
    let ask = async |method: &str, path: &str, body: Option<&Value>| {
        let event = http_event(method, path, body, Some(&other));
        shop.world.ask("api-contacts", event).await
    };
    let (_, page) = ask("GET", "/v1/views", None).await;
    assert_eq!(names(page), [("Chung".to_owned(), false)]);
    let path = format!("/v1/views/{}", own["id"].as_str().unwrap());
    assert_eq!(ask("DELETE", &path, None).await.0, 404);
    let path = format!("/v1/views/{}", shared["id"].as_str().unwrap());
    let body = view("Riêng", json!({}));
    let (status, problem) = shop.api("PUT", &path, Some(&body)).await;
    assert_eq!((status, pointers(&problem)), (400, vec!["/shared"]));
    let body = json!({ "name": "", "columns": [], "page_size": 101, "filter": 7, "shared": true });
    let (status, problem) = shop.api("PUT", &path, Some(&body)).await;
    let expected = vec!["/name", "/columns", "/page_size", "/filter"];
    assert_eq!((status, pointers(&problem)), (400, expected));
    assert_eq!(shop.api("DELETE", &path, None).await.0, 204);
    assert_eq!(shop.api("DELETE", &path, None).await.0, 404);
}

#[tokio::test]
async fn a_list_shows_its_members_and_their_number() {
    let shop = Shop::new().await;
    let body = json!({ "name": "Khách quen" });
    let (_, list) = shop.api("POST", "/v1/lists", Some(&body)).await;
    let id = list["id"].as_str().unwrap().to_owned();
    for n in 0..7 {
        let address = format!("khach{n}@example.vn");
        shop.upsert(Incoming {
            lists: vec![id.parse().unwrap()],
            ..person("Khách", &[email(&address)])
        })
        .await;
    }
    let path = format!("/v1/lists/{id}");
    let change = json!({ "name": " Khách VIP ", "description": "Mua từ 3 lần" });
    let (status, shown) = shop.api("PATCH", &path, Some(&change)).await;
    assert_eq!((status, shown["name"].as_str()), (200, Some("Khách VIP")));
    let (_, shown) = shop.api("GET", &path, None).await;
    assert_eq!(shown["contacts_count"], 7);
    assert_eq!(shown["description"], "Mua từ 3 lần");
    let mut seen = std::collections::BTreeSet::new();
    let mut next = format!("{path}/contacts?limit=3");
    loop {
        let (status, page) = shop.api("GET", &next, None).await;
        assert_eq!(status, 200, "{page}");
        for contact in page["data"].as_array().unwrap() {
            assert!(seen.insert(contact["id"].as_str().unwrap().to_owned()));
        }
        let Some(cursor) = page["next"].as_str() else {
            break;
        };
        next = format!("{path}/contacts?limit=3&cursor={cursor}");
    }
    assert_eq!(seen.len(), 7);
    let (status, _) = shop
        .api("PATCH", &path, Some(&json!({ "name": " " })))
        .await;
    assert_eq!(status, 400);
    let (status, _) = shop.api("GET", "/v1/lists/lst_00000000000", None).await;
    assert_eq!(status, 404);
}
