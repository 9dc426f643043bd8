//! API keys.

use std::sync::Arc;
use std::time::Duration;

use accounts::ApiKeys;
use kernel::Scope;
use serde_json::json;
use tanigo_local::aws::{Call, Fault};

use super::office::Office;
use crate::support::World;

#[tokio::test]
async fn a_key_is_shown_once_and_ends_at_once() {
    let office = Office::open().await;
    let admin = office.token().await;
    let new = Some(json!({ "name": "Máy chủ", "scopes": ["read"] }));
    let (status, made) = office.ask(&admin, "POST", "/v1/api-keys", new).await;
    assert_eq!(status, 201, "{made}");
    let token = made["token"].as_str().unwrap();
    assert_eq!(office.ask(token, "GET", "/v1/contacts", None).await.0, 200);
    let (_, keys) = office.ask(&admin, "GET", "/v1/api-keys", None).await;
    assert!(!keys.to_string().contains(token));
    let (_, me) = office.ask(&admin, "GET", "/v1/me", None).await;
    assert_eq!(keys["data"][0]["created_by"], me["user"]["id"]);
    assert!(keys["data"][0]["last_used_at"].is_string(), "{keys}");
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    assert_eq!(office.ask(&admin, "DELETE", &path, None).await.0, 204);
    assert_eq!(office.ask(token, "GET", "/v1/contacts", None).await.0, 401);
    let public = Some(json!({ "name": "Trang web", "scopes": ["track"] }));
    let (status, made) = office.ask(&admin, "POST", "/v1/api-keys", public).await;
    assert_eq!((status, &made["public"]), (201, &json!(true)), "{made}");
    let token = made["token"].as_str().unwrap();
    assert_eq!(office.ask(token, "GET", "/v1/contacts", None).await.0, 403);
}

/// Whether the token opens anything.
async fn works(office: &Office, token: &str) -> bool {
    match office.ask(token, "GET", "/v1/contacts", None).await.0 {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn keys_stop_with_the_person_who_answers_for_them_and_go_on_with_another() {
    let office = Office::open().await;
    let admin = office.token().await;
    let manager = office
        .colleague("quan-ly@example.vn", kernel::Role::AccountAdmin)
        .await;
    let (_, entered) = office
        .login("quan-ly@example.vn", super::office::PASSWORD, "203.0.113.4")
        .await;
    let session = entered["token"].as_str().unwrap();
    let new = Some(json!({ "name": "Máy chủ", "scopes": ["admin"] }));
    let (_, first) = office
        .ask(session, "POST", "/v1/api-keys", new.clone())
        .await;
    let first_token = first["token"].as_str().unwrap();
    // The list is in the order of the ids, which are of the millisecond.
    office.world.advance(Duration::from_millis(1));
    // A key that a key made has the person behind that key.
    let (_, second) = office.ask(first_token, "POST", "/v1/api-keys", new).await;
    let second_token = second["token"].as_str().unwrap();
    assert_eq!(second["created_by"], first["id"]);
    assert_eq!(second["owner_id"], json!(manager));
    office.world.advance(Duration::from_millis(1));
    let (_, third) = office
        .ask(
            &admin,
            "POST",
            "/v1/api-keys",
            Some(json!({ "name": "Khác", "scopes": ["read"] })),
        )
        .await;
    let path = format!("/v1/users/{manager}");
    let disable = Some(json!({ "status": "disabled" }));
    let (status, disabled) = office.ask(&admin, "PATCH", &path, disable).await;
    assert_eq!(status, 200, "{disabled}");
    let named: Vec<_> = disabled["api_keys"].as_array().unwrap().iter().collect();
    assert_eq!(named.len(), 2, "{disabled}");
    assert_eq!(named[0]["workspace_id"], json!(office.workspace));
    assert!(!works(&office, first_token).await && !works(&office, second_token).await);
    assert!(works(&office, third["token"].as_str().unwrap()).await);
    let statuses = async || {
        let (_, keys) = office.ask(&admin, "GET", "/v1/api-keys", None).await;
        let keys = keys["data"].as_array().unwrap().clone();
        keys.iter()
            .map(|key| key["status"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses().await, ["suspended", "suspended", "active"]);
    office.world.advance(Duration::from_millis(1));
    let take = format!("/v1/api-keys/{}/take-over", first["id"].as_str().unwrap());
    let (status, taken) = office.ask(&admin, "POST", &take, None).await;
    assert_eq!(
        (status, &taken["status"]),
        (200, &json!("active")),
        "{taken}"
    );
    assert!(works(&office, first_token).await && !works(&office, second_token).await);
    assert_eq!(statuses().await, ["active", "suspended", "active"]);
    let (_, log) = office.ask(&admin, "GET", "/v1/audit-log", None).await;
    assert_eq!(log["data"][0]["action"], "takeOverApiKey");
    assert_eq!(log["data"][0]["object_id"], first["id"]);
    let revoke = format!("/v1/api-keys/{}", first["id"].as_str().unwrap());
    assert_eq!(office.ask(&admin, "DELETE", &revoke, None).await.0, 204);
    assert_eq!(office.ask(&admin, "POST", &take, None).await.0, 409);
}

#[tokio::test]
async fn nobody_takes_over_more_than_they_may_do() {
    let office = Office::open().await;
    let admin = office.token().await;
    let new = Some(json!({ "name": "Máy chủ", "scopes": ["admin"] }));
    let (_, key) = office.ask(&admin, "POST", "/v1/api-keys", new).await;
    let take = format!("/v1/api-keys/{}/take-over", key["id"].as_str().unwrap());
    office
        .colleague("quan-ly@example.vn", kernel::Role::AccountManager)
        .await;
    let (_, entered) = office
        .login("quan-ly@example.vn", super::office::PASSWORD, "203.0.113.4")
        .await;
    for token in [&entered["token"], &key["token"]] {
        let token = token.as_str().unwrap();
        assert_eq!(office.ask(token, "POST", &take, None).await.0, 403);
    }
}

#[tokio::test]
async fn a_key_is_good_though_its_use_cannot_be_noted() {
    let office = Office::open().await;
    let admin = office.token().await;
    let new = Some(json!({ "name": "Máy chủ", "scopes": ["read"] }));
    let (_, made) = office.ask(&admin, "POST", "/v1/api-keys", new).await;
    let throttled = |call: &Call| match call.operation.as_str() {
        "UpdateItem" if call.table_or_queue.contains("irectory") => Fault::Throttle,
        _ => Fault::None,
    };
    office.world.aws.set_fault_hook(Some(Arc::new(throttled)));
    let token = made["token"].as_str().unwrap();
    let (status, _) = office.ask(token, "GET", "/v1/contacts", None).await;
    office.world.aws.set_fault_hook(None);
    assert_eq!(status, 200);
}

#[tokio::test]
async fn of_many_uses_at_once_one_is_noted() {
    let world = World::new();
    let tenant = world.workspace().await;
    let keys = ApiKeys::over(&world.resources());
    let account = "acc_00000000001".parse().unwrap();
    let made = keys
        .create(account, tenant, "k", &[Scope::Read])
        .await
        .unwrap();
    // The second request runs completely after the first has read the row: three calls of the second, two of the
    // first.
    let (a, b, calls) = world
        .interleave(
            1,
            keys.authenticate(&made.token),
            keys.authenticate(&made.token),
        )
        .await;
    assert!(a.unwrap().is_some() && b.unwrap().is_some());
    assert_eq!(calls, Some(5));
}
