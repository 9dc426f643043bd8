//! API keys.

use std::sync::Arc;

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
    let (_, made) = office.ask(&admin, "POST", "/v1/api-keys", public).await;
    let public = made["token"].as_str().unwrap();
    assert!(public.starts_with("tngp_"), "{made}");
    for path in [
        "/v1/contacts",
        "/v1/me",
        "/v1/conversations",
        "/v1/api-keys",
    ] {
        assert_eq!(office.ask(public, "GET", path, None).await.0, 403, "{path}");
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
