//! The API of the inbox for staff.

use contacts::Identity;
use serde_json::json;

use super::shop::{SECOND, Shop};
use crate::support::{grant_of, http_event};

#[tokio::test]
async fn lists_are_newest_first_by_status_and_inbox() {
    let shop = Shop::new().await;
    let mut browsers = Vec::new();
    for n in 0..5 {
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", &format!("khách {n}")).await;
        shop.run(1).await;
        shop.world.advance(SECOND);
        browsers.push(browser);
    }
    shop.say(&browsers[0], "c-2", "lại là khách 0").await;
    shop.run(1).await;
    let inbox = shop.inbox;
    let mut orders = Vec::new();
    for filter in [String::new(), format!("&inbox_id={inbox}")] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop
                .get(&format!("/v1/conversations?limit=2{filter}{cursor}"))
                .await;
            let rows = page["data"].as_array().unwrap();
            assert!(rows.len() <= 2);
            found.extend(
                rows.iter()
                    .map(|row| row["contact_id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        orders.push(found);
    }
    let mut expected = Vec::new();
    for n in [0, 4, 3, 2, 1] {
        let visitor = browsers[n].visitor.clone();
        let identity = Identity::Visitor { inbox, visitor };
        let contact = shop
            .contacts()
            .find_identity(shop.tenant, &identity)
            .await
            .unwrap();
        expected.push(contact.unwrap().to_string());
    }
    assert!(
        orders.iter().all(|order| *order == expected),
        "{orders:?} {expected:?}"
    );
    let newest = shop.get("/v1/conversations?limit=1").await["data"][0]["id"].clone();
    shop.set_status(newest.as_str().unwrap(), "pending").await;
    let pending = shop.get("/v1/conversations?status=pending").await;
    assert_eq!(pending["data"][0]["id"], newest);
    assert_eq!(
        shop.get("/v1/conversations").await["data"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn a_conversation_has_the_fields_that_the_shop_defines() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let path = format!("/v1/conversations/{}", shop.conversation().await);
    let topic = json!({ "target": "conversation", "key": "chu_de", "label": "Chủ đề", "type": "choice",
        "options": [{ "key": "doi_tra", "label": "Đổi trả" }] });
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let event = http_event("POST", "/v1/fields", Some(&topic), Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", event).await.0, 201);
    let wrong = json!({ "custom": { "chu_de": "giá", "la": 1 } });
    let (status, problem) = shop.api("PATCH", &path, Some(wrong)).await;
    let places = problem["errors"].as_array().unwrap().iter();
    let places: Vec<&str> = places.map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        (status, &places[..]),
        (400, &["/custom/chu_de", "/custom/la"][..])
    );
    let long = json!({ "custom": { "chu_de": "Đổi trả" } });
    let (status, changed) = shop.api("PATCH", &path, Some(long)).await;
    assert_eq!(
        (status, &changed["custom"]),
        (200, &json!({ "chu_de": "doi_tra" }))
    );
    // A message does not pay for the values, and lists do not show them.
    shop.say(&browser, "c-2", "Còn đó không").await;
    shop.run(1).await;
    assert_eq!(
        shop.get(&path).await["custom"],
        json!({ "chu_de": "doi_tra" })
    );
    let page = shop.get("/v1/conversations").await;
    assert_eq!(page["data"][0]["custom"], json!(null));
    let cleared = json!({ "custom": { "chu_de": null } });
    let (_, changed) = shop.api("PATCH", &path, Some(cleared)).await;
    assert_eq!(changed["custom"], json!({}));
}

#[tokio::test]
async fn an_inbox_made_over_the_api_opens_its_widget() {
    let shop = Shop::new().await;
    let new = json!({ "name": "Cửa hàng", "allowed_origins": ["https://shop.example.vn"] });
    let (status, _) = shop.api("POST", "/v1/inboxes", Some(new.clone())).await;
    assert_eq!(status, 403);
    let (status, inbox) = shop.api_as("admin", "POST", "/v1/inboxes", Some(new)).await;
    assert_eq!(
        (status, &inbox["channel"]),
        (201, &"website".into()),
        "{inbox}"
    );
    let made = Shop {
        inbox: inbox["id"].as_str().unwrap().parse().unwrap(),
        world: shop.world.clone(),
        tenant: shop.tenant,
    };
    let browser = made.browser().await;
    made.say(&browser, "c-1", "Shop ơi").await;
    made.run(1).await;
    let inboxes = shop.get("/v1/inboxes").await;
    assert_eq!(inboxes["data"].as_array().unwrap().len(), 2);
    let first = shop.get("/v1/inboxes?limit=1").await;
    let cursor = first["next"].as_str().unwrap();
    let second = shop
        .get(&format!("/v1/inboxes?limit=1&cursor={cursor}"))
        .await;
    assert_eq!(
        (&first["data"][0], &second["data"][0]),
        (&inboxes["data"][0], &inboxes["data"][1])
    );
    let page = shop
        .get(&format!("/v1/conversations?inbox_id={}", made.inbox))
        .await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    let bad = json!({ "name": "x", "allowed_origins": ["*"] });
    let (status, problem) = shop.api_as("admin", "POST", "/v1/inboxes", Some(bad)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &"/allowed_origins".into())
    );
}

#[tokio::test]
async fn bad_requests_are_named() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let long = "ơ".repeat(20_001);
    for (body, pointer) in [
        (json!({ "client_msg_id": "c", "content": " " }), "/content"),
        (json!({ "client_msg_id": "c", "content": long }), "/content"),
        (
            json!({ "client_msg_id": "", "content": "x" }),
            "/client_msg_id",
        ),
        (
            json!({ "client_msg_id": "c", "content": "x", "email": "x" }),
            "/email",
        ),
        (
            json!({ "client_msg_id": "c", "content": "x", "phone": "123" }),
            "/phone",
        ),
    ] {
        let (status, problem) = shop.post(&browser, body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &pointer.into())
        );
    }
    assert!(shop.world.take("chat-inbound").is_none());
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = format!("/v1/conversations/{}", shop.conversation().await);
    let past = json!({ "status": "snoozed", "snoozed_until": "2020-01-01T00:00:00Z" });
    for (tail, body) in [
        ("messages", json!({ "content": "" })),
        ("messages", json!({ "content": "x", "privat": true })),
        ("status", json!({ "status": "closed" })),
        (
            "status",
            json!({ "status": "open", "snoozed_until": "2030-01-01T00:00:00Z" }),
        ),
        ("status", past),
    ] {
        let (status, problem) = shop
            .api(
                "POST",
                &format!("{conversation}/{tail}"),
                Some(body.clone()),
            )
            .await;
        assert_eq!(status, 400, "{body}: {problem}");
        assert!(
            problem["errors"][0]["pointer"].is_string(),
            "{body}: {problem}"
        );
    }
    for query in [
        "cursor=x",
        "limit=0",
        "limit=101",
        "status=closed",
        "color=red",
        "assignee_id=none",
    ] {
        let (status, problem) = shop
            .api("GET", &format!("/v1/conversations?{query}"), None)
            .await;
        assert_eq!(status, 400, "{query}: {problem}");
    }
    let write = Some(json!({ "content": "x" }));
    let (status, _) = shop
        .api_as("read", "POST", &format!("{conversation}/messages"), write)
        .await;
    assert_eq!(status, 403);
}
