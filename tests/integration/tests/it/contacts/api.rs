//! Contacts over the API: search, lists, keys, and another tenant.

use std::collections::BTreeSet;

use accounts::ApiKeys;
use contacts::Incoming;
use kernel::Scope;
use serde_json::{Value, json};

use super::shop::{Shop, email, members, person};
use crate::support::{ACCOUNT, grant_of, http_event};

#[tokio::test]
async fn pages_of_a_search_show_each_contact_once() {
    let shop = Shop::new().await;
    for n in 0..23 {
        let address = format!("tran{n}@example.vn");
        shop.upsert(person(&format!("Trần Trần {n}"), &[email(&address)]))
            .await;
    }
    for query in ["tran", ""] {
        let mut seen = Vec::new();
        let mut path = format!("/v1/contacts?query={query}&limit=5");
        loop {
            let (status, page) = shop.api("GET", &path, None).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().unwrap();
            assert!(data.len() <= 5);
            seen.extend(
                data.iter()
                    .map(|one| one["id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("/v1/contacts?query={query}&limit=5&cursor={next}");
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (23, 23), "{query:?}");
    }
    let (status, problem) = shop.api("GET", "/v1/contacts?cursor=x", None).await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (400, Some("?cursor"))
    );
}

#[tokio::test]
async fn the_api_tells_what_is_wrong_and_where() {
    let shop = Shop::new().await;
    let body = json!({ "email": "an@example.vn", "full_name": "Trần An" });
    let (status, created) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!((status, created["first_name"].as_str()), (201, Some("An")));
    assert_eq!(shop.api("POST", "/v1/contacts", Some(&body)).await.0, 200);
    for (body, pointer) in [
        (json!({ "email": "an" }), "/email"),
        (json!({ "phone": "123" }), "/phone"),
        (
            json!({ "email": "an@example.vn", "list_ids": ["lst_00000000000"] }),
            "/list_ids/0",
        ),
        (json!({ "email": "an@example.vn", "tags": [""] }), "/tags/0"),
        (
            json!({ "email": "an@example.vn", "custom": { "a": "x".repeat(4000) } }),
            "/custom/a",
        ),
        (json!({ "full_name": "An" }), ""),
    ] {
        let (status, problem) = shop.api("POST", "/v1/contacts", Some(&body)).await;
        let found = problem["errors"][0]["pointer"].as_str();
        assert_eq!((status, found), (400, Some(pointer)), "{problem}");
    }
    let unknown = json!({ "email": "an@example.vn", "colour": "red" });
    let (status, problem) = shop.api("POST", "/v1/contacts", Some(&unknown)).await;
    assert_eq!(status, 400);
    assert!(problem.to_string().contains("colour"), "{problem}");
    let mut anonymous = http_event("GET", "/v1/contacts", None, None);
    anonymous["requestContext"]["authorizer"] = Value::Null;
    assert_eq!(shop.world.ask("api-contacts", anonymous).await.0, 401);
}

#[tokio::test]
async fn lists_are_joined_and_read_by_shard() {
    let shop = Shop::new().await;
    let (status, list) = shop
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    assert_eq!(status, 201);
    let list_id: kernel::ListId = list["id"].as_str().unwrap().parse().unwrap();
    let mut expected = BTreeSet::new();
    for n in 0..20 {
        let incoming = Incoming {
            lists: vec![list_id],
            ..person("An", &[email(&format!("an{n}@example.vn"))])
        };
        expected.insert(shop.upsert(incoming).await.contact);
    }
    let late = shop
        .upsert(person("Bình", &[email("binh@example.vn")]))
        .await
        .contact;
    let path = format!("/v1/contacts/{late}/lists");
    let (status, contact) = shop
        .api("POST", &path, Some(&json!({ "list_id": list_id })))
        .await;
    assert_eq!((status, &contact["list_ids"]), (200, &json!([list_id])));
    expected.insert(late);
    assert_eq!(members(&shop, list_id).await, expected);
    shop.contacts()
        .leave_list(shop.tenant, late, list_id)
        .await
        .unwrap();
    expected.remove(&late);
    assert_eq!(members(&shop, list_id).await, expected);
    assert!(shop.contact(late).await.lists.is_empty());
    let (_, lists) = shop.api("GET", "/v1/lists", None).await;
    assert_eq!(lists["data"][0]["name"], "Tết");
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let ours = Shop::new().await;
    let theirs = Shop::in_world(&ours.world).await;
    let id = ours
        .upsert(person("Trần An", &[email("an@example.vn")]))
        .await
        .contact;
    for path in [
        format!("/v1/contacts/{id}"),
        format!("/v1/contacts/{id}/timeline"),
    ] {
        assert_eq!(ours.api("GET", &path, None).await.0, 200);
        assert_eq!(theirs.api("GET", &path, None).await.0, 404);
    }
    let (_, list) = ours
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    let join = format!("/v1/contacts/{id}/lists");
    let body = json!({ "list_id": list["id"] });
    assert_eq!(theirs.api("POST", &join, Some(&body)).await.0, 404);
    let (_, own) = theirs
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    let body = json!({ "list_id": own["id"] });
    assert_eq!(theirs.api("POST", &join, Some(&body)).await.0, 404);
    assert!(theirs.found("tran").await.is_empty() && theirs.found("").await.is_empty());
    let other = theirs
        .upsert(person("Trần An", &[email("an@example.vn")]))
        .await;
    assert!(other.created && other.contact != id);
    let job = ours.upload("/v1/imports", "email\nb@example.vn\n").await;
    assert_eq!(
        theirs
            .api("GET", &format!("/v1/imports/{job}"), None)
            .await
            .0,
        404
    );
    let (_, page) = ours
        .api("GET", "/v1/contacts?limit=1&query=tran", None)
        .await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_opens_its_workspace_until_it_is_revoked() {
    let shop = Shop::new().await;
    let keys = ApiKeys::over(&shop.world.resources());
    let key = keys
        .create(
            ACCOUNT.parse().unwrap(),
            shop.tenant,
            "test",
            &[Scope::Read],
        )
        .await
        .unwrap();
    let ask = async |header: &str| {
        let event = json!({ "version": "2.0", "headers": { "authorization": header } });
        shop.world.invoke("authorizer", event).await.unwrap()
    };
    let bearer = format!("Bearer {}", key.token);
    let answer = ask(&bearer).await;
    assert_eq!(answer["isAuthorized"], true);
    assert_eq!(
        answer["context"]["workspace"],
        json!(shop.tenant.workspace())
    );
    assert_eq!(answer["context"]["scopes"], "read");
    let refused = json!({ "refused": "unauthenticated" });
    let other = format!("Bearer tng_{}", "0".repeat(64));
    for wrong in [key.token.as_str(), "Bearer x", &other, "Basic eDp5"] {
        assert_eq!(ask(wrong).await["context"], refused, "{wrong}");
    }
    assert!(keys.revoke(shop.tenant, key.key.id).await.unwrap());
    assert_eq!(ask(&bearer).await["context"], refused);
}

#[tokio::test]
async fn a_long_query_is_refused_with_its_place_and_never_breaks() {
    let shop = Shop::new().await;
    // Four bytes each, the longest accepted characters; in some scripts folding and lower case need more bytes.
    for (letter, count) in [
        ("%F0%9F%98%80", 255),
        ("%C4%B0", 255),
        ("%EF%B7%BA", 255),
        ("1", 255),
    ] {
        let path = format!("/v1/contacts?query={}", letter.repeat(count));
        let (status, page) = shop.api("GET", &path, None).await;
        assert_eq!((status, &page["data"]), (200, &json!([])), "{letter}");
    }
    let path = format!("/v1/contacts?query={}", "a".repeat(256));
    let (status, problem) = shop.api("GET", &path, None).await;
    let pointer = problem["errors"][0]["pointer"].as_str();
    assert_eq!((status, pointer), (400, Some("?query")), "{problem}");
}

/// The places of a problem's errors.
fn places(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().unwrap().iter();
    let mut places: Vec<_> = errors
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect();
    places.sort();
    places
}

#[tokio::test]
async fn one_answer_names_every_fault() {
    let shop = Shop::new().await;
    let body = json!({
        "email": "sai", "phone": "+1 415 555 2671", "lists": ["lst_zzz"], "list_ids": ["lst_zzz"],
        "email_status": "yes", "overwrite": 1,
    });
    let (status, problem) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(status, 400, "{problem}");
    assert_eq!(
        places(&problem),
        [
            "/email",
            "/email_status",
            "/list_ids/0",
            "/lists",
            "/overwrite",
            "/phone"
        ],
        "{problem}"
    );
    assert!(
        problem.to_string().contains("Vietnamese mobile number"),
        "{problem}"
    );
    for word in ["variant", "integer", "invalid type", "`"] {
        assert!(!problem.to_string().contains(word), "{word}: {problem}");
    }
    let body = json!({
        "full_name": " ", "tags": ["a", "", " "], "custom": { "": 1, "a": "x".repeat(4000) },
        "list_ids": ["lst_00000000009"],
    });
    let (status, problem) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(status, 400, "{problem}");
    assert_eq!(
        places(&problem),
        [
            "",
            "/custom/",
            "/custom/a",
            "/full_name",
            "/list_ids/0",
            "/tags/1",
            "/tags/2"
        ],
        "{problem}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_csv_is_refused_at_once() {
    let shop = Shop::new().await;
    let csv = "email\na@example.vn";
    for (content_type, file, expected) in [
        ("application/json", csv, 400),
        ("application/xml", csv, 415),
        ("multipart/form-data; boundary=x", csv, 415),
        ("text/csv", "PK\u{3}\u{4}...", 415),
        ("text/csv", "%PDF-1.7", 415),
        ("text/csv; charset=utf-8", csv, 202),
        ("application/vnd.ms-excel", csv, 202),
    ] {
        let grant = grant_of(shop.tenant.workspace(), "write");
        let mut event = http_event("POST", "/v1/imports", None, Some(&grant));
        event["headers"]["content-type"] = content_type.into();
        event["body"] = file.into();
        let (status, answer) = shop.world.ask("api-contacts", event).await;
        assert_eq!(status, expected, "{content_type} {file}: {answer}");
    }
}

#[tokio::test]
async fn every_plain_field_is_taken_and_shown() {
    let shop = Shop::new().await;
    let mut body = json!({ "email": "an@example.vn" });
    for field in contacts::person::FIELDS {
        body[field.name()] = match field.name() {
            "gender" => "nữ".into(),
            "birthday" => "02/03/1990".into(),
            "avatar_url" => "https://shop.example.vn/an.png".into(),
            "language" => "vi".into(),
            "timezone" => "Asia/Ho_Chi_Minh".into(),
            name => format!("{name} của An").into(),
        };
    }
    let (status, contact) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(status, 201, "{contact}");
    assert_eq!(
        (&contact["gender"], &contact["birthday"]),
        (&json!("female"), &json!("1990-03-02"))
    );
    for field in contacts::person::FIELDS {
        let name = field.name();
        if !["gender", "birthday"].contains(&name) {
            assert_eq!(contact[name], body[name], "{name}");
        }
    }
    for (name, bad) in [
        ("gender", "xanh"),
        ("birthday", "hôm qua"),
        ("avatar_url", "http://a.vn"),
    ] {
        let (status, problem) = shop
            .api(
                "POST",
                "/v1/contacts",
                Some(&json!({ "email": "an@example.vn", name: bad })),
            )
            .await;
        assert_eq!(
            (status, places(&problem)),
            (400, vec![format!("/{name}")]),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn composed_and_decomposed_labels_are_one() {
    let shop = Shop::new().await;
    let (composed, decomposed) = ("Hà Nội", "Ha\u{300} No\u{323}\u{302}i");
    let body = json!({
        "email": "nfd@example.vn", "full_name": decomposed, "tags": [composed, decomposed, " hà nội"],
        "custom": { "tỉnh": composed, "ti\u{309}nh": decomposed },
    });
    let (status, contact) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(status, 201, "{contact}");
    assert_eq!(contact["tags"], json!([composed]));
    assert_eq!(contact["custom"], json!({ "tỉnh": composed }));
    assert_eq!(contact["full_name"], composed);
    let id = contact["id"].as_str().unwrap().parse().unwrap();
    let store = shop.contacts();
    store
        .add_tags(shop.tenant, id, &["HÀ NỘI".into()])
        .await
        .unwrap();
    assert_eq!(shop.contact(id).await.tags.len(), 1);
    store
        .remove_tags(shop.tenant, id, &["hà nội".into()])
        .await
        .unwrap();
    assert!(shop.contact(id).await.tags.is_empty());
}
