//! Requests that the API refuses, and the callers that it refuses.

use std::collections::BTreeSet;

use super::shop::{SECOND, Shop, greeting};
use serde_json::json;

#[tokio::test]
async fn the_api_names_every_flaw() {
    let shop = Shop::new().await;
    let before = shop.world.dump("Directory").await;
    let mut bad = greeting();
    bad["graph"]["nodes"]["mail"]["html"] = json!("{% if %}");
    bad["graph"]["nodes"]["tag"]["next"] = json!("nowhere");
    bad["trigger"]["form"] = json!("FORM8");
    let (status, problem) = shop.api("POST", "/v1/workflows", Some(bad)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid")));
    let errors = problem["errors"].as_array().unwrap();
    let pointers: BTreeSet<&str> = errors
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    let expected = [
        "/graph/nodes/mail",
        "/graph/nodes/mail/html",
        "/graph/nodes/tag/next",
        "/graph/nodes/wait",
        "/trigger/form",
    ];
    assert_eq!(pointers, BTreeSet::from(expected));
    let mut bad = greeting();
    bad["folder"] = json!("Tết");
    let (status, problem) = shop.api("POST", "/v1/workflows", Some(bad)).await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (400, Some("/folder"))
    );
    assert_eq!(
        shop.world.dump("Directory").await,
        before,
        "nothing half-written"
    );
}

#[tokio::test]
async fn the_api_asks_for_scopes_and_pages() {
    let shop = Shop::new().await;
    let (status, _) = shop
        .api_as("read", "POST", "/v1/workflows", Some(greeting()))
        .await;
    assert_eq!(status, 403);
    for _ in 0..5 {
        shop.create(greeting()).await;
        shop.world.advance(SECOND);
    }
    let (mut ids, mut path) = (Vec::new(), "/v1/workflows?limit=2".to_owned());
    loop {
        let (status, page) = shop.api_as("read", "GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        let rows = page["data"].as_array().unwrap();
        ids.extend(
            rows.iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/workflows?limit=2&cursor={next}");
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
    let (status, problem) = shop.api("GET", "/v1/workflows?cursor=abc", None).await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (400, Some("?cursor"))
    );
    let (status, _) = shop.api("GET", "/v1/workflows/wfl_zzzz", None).await;
    assert_eq!(status, 404);
    let (_, one) = shop
        .api("GET", &format!("/v1/workflows/{}", ids[0]), None)
        .await;
    assert_eq!(
        one["graph"]["nodes"]["wait"],
        json!({ "type": "wait_duration", "seconds": 86_400, "next": "mail" })
    );
    assert_eq!(one["status"], "draft");
}

#[tokio::test]
async fn what_nothing_records_cannot_start_a_workflow() {
    let shop = Shop::new().await;
    let mut draft = greeting();
    draft["trigger"] = json!({ "type": "message.forwarded" });
    let (status, problem) = shop.api("POST", "/v1/workflows", Some(draft)).await;
    let error = &problem["errors"][0];
    assert_eq!((status, &error["pointer"]), (400, &json!("/trigger/type")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("form.submitted") && message.contains("conversation.created"));
}

#[tokio::test]
async fn marketing_needs_what_stands_at_the_foot_of_its_mails() {
    let shop = Shop::new().await;
    let active = accounts::WorkspaceStatus::Active;
    let clear = |settings: &mut accounts::WorkspaceSettings| settings.postal_address.clear();
    shop.world
        .change_workspace(shop.tenant, active, clear)
        .await;
    let mut order = greeting();
    for node in order["graph"]["nodes"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        if node["type"] == "send_email" {
            node["class"] = json!("transactional");
            node["reason"] = json!("order");
        }
    }
    let none = |settings: &mut accounts::WorkspaceSettings| {
        settings.transactional_reasons = vec![kernel::TransactionalReason::Account];
    };
    let all = |settings: &mut accounts::WorkspaceSettings| {
        settings.transactional_reasons = kernel::TransactionalReason::ALL.into();
    };
    let id = shop.create(order.clone()).await;
    shop.world.change_workspace(shop.tenant, active, none).await;
    let activate = format!("/v1/workflows/{id}/activate");
    for (path, body) in [("/v1/workflows", Some(order.clone())), (&activate, None)] {
        let (status, refusal) = shop.api("POST", path, body).await;
        assert_eq!(
            (status, &refusal["code"]),
            (422, &json!("unprocessable")),
            "{refusal}"
        );
        let place = refusal["errors"][0]["pointer"].as_str().unwrap();
        assert!(place.ends_with("/reason"), "{place}");
    }
    shop.world.change_workspace(shop.tenant, active, all).await;
    shop.active(order).await;
    let id = shop.create(greeting()).await;
    let path = format!("/v1/workflows/{id}/activate");
    let (status, refusal) = shop.api("POST", &path, None).await;
    assert_eq!(
        (status, &refusal["code"], &refusal["errors"][0]["pointer"]),
        (409, &json!("settings_missing"), &json!("/postal_address"))
    );
    let (_, shown) = shop.api("GET", &format!("/v1/workflows/{id}"), None).await;
    assert_eq!(shown["status"], "draft", "{shown}");
}

/// A trigger that nothing can ever fire is refused when it is made.
#[tokio::test]
async fn triggers_name_what_exists() {
    let shop = Shop::new().await;
    for (trigger, pointer) in [
        (
            json!({ "type": "message.opened", "campaign_id": "x" }),
            "/trigger/campaign_id",
        ),
        (
            json!({ "type": "message.clicked", "campaign_id": "cmp_00000000009", "url": "https://a.vn" }),
            "/trigger/campaign_id",
        ),
        (
            json!({ "type": "conversation.created", "inbox_id": "inb_00000000009" }),
            "/trigger/inbox_id",
        ),
        (
            json!({ "type": "event.performed", "name": "order.refunded" }),
            "/trigger/name",
        ),
    ] {
        let mut draft = greeting();
        draft["trigger"] = trigger.clone();
        let (status, problem) = shop.api("POST", "/v1/workflows", Some(draft)).await;
        assert_eq!(
            (status, problem["errors"][0]["pointer"].as_str()),
            (400, Some(pointer)),
            "{trigger}: {problem}"
        );
    }
    let inboxes = chat::Inboxes::over(&shop.world.resources());
    let id = "inb_00000000001".parse().unwrap();
    let settings = serde_json::from_value(json!({ "name": "Website" })).unwrap();
    let now = shop.world.clock().now();
    let made = inboxes.create(shop.tenant, id, now, &settings).await;
    assert!(made.unwrap().is_some());
    for trigger in [
        json!({ "type": "conversation.created", "inbox_id": id }),
        json!({ "type": "event.performed", "name": "form.submitted", "properties": { "a": 1 } }),
    ] {
        let mut draft = greeting();
        draft["trigger"] = trigger.clone();
        let (status, made) = shop.api("POST", "/v1/workflows", Some(draft)).await;
        assert_eq!(status, 201, "{trigger}: {made}");
    }
}
