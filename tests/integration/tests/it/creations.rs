//! A POST that is repeated with its `Idempotency-Key`, after a crash at any call, makes one object.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel::{Grant, Role};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Kill, World, grant_of, http_event};

const WORKSPACE: &str = "ws_00000000001";

/// A creation: function, path, body.
type Creation = (&'static str, &'static str, Value);

fn creations() -> Vec<Creation> {
    let graph = json!({ "start": "end", "nodes": { "end": { "type": "add_tag", "tags": ["x"] } } });
    vec![
        (
            "api-accounts",
            "/v1/api-keys",
            json!({ "name": "K", "scopes": ["read"] }),
        ),
        (
            "api-accounts",
            "/v1/invitations",
            json!({ "email": "moi@example.vn", "role": "account_admin", "workspace_ids": [] }),
        ),
        ("api-accounts", "/v1/workspaces", json!({ "name": "Mới" })),
        (
            "api-chat",
            "/v1/inboxes",
            json!({ "name": "Website", "allowed_origins": [] }),
        ),
        ("api-contacts", "/v1/lists", json!({ "name": "A" })),
        (
            "api-forms",
            "/v1/forms",
            json!({ "name": "F", "fields": [{ "key": "email", "required": true }] }),
        ),
        (
            "api-privacy",
            "/v1/privacy-requests",
            json!({ "type": "erase", "requester": "An" }),
        ),
        (
            "api-sources",
            "/v1/sources",
            json!({ "name": "S", "provider": "ladipage" }),
        ),
        (
            "api-workflows",
            "/v1/workflows",
            json!({ "name": "W", "trigger": { "type": "form.submitted" }, "graph": graph }),
        ),
    ]
}

fn grant(actor: &str) -> Grant {
    Grant {
        actor: actor.to_owned(),
        role: Some(Role::AccountAdmin),
        chat_role: Some(kernel::ChatRole::Administrator),
        ..grant_of(WORKSPACE.parse().unwrap(), "")
    }
}

fn post(actor: &str, path: &str, body: &Value) -> Value {
    let mut event = http_event("POST", path, Some(body), Some(&grant(actor)));
    event["headers"]["idempotency-key"] = json!("k");
    event
}

/// Ids of the objects in the list of their kind.
async fn ids(world: &World, actor: &str, function: &str, path: &str) -> BTreeSet<String> {
    if path == "/v1/workspaces" {
        // The list shows a user's own workspaces.
        let rows = world.dump("Directory").await.into_iter();
        let names = rows.map(|row| row["pk"].as_str().unwrap().to_owned());
        return names
            .filter(|pk| pk.starts_with("ws_") && !pk.contains('#'))
            .collect();
    }
    let event = http_event("GET", path, None, Some(&grant(actor)));
    let (status, page) = world.ask(function, event).await;
    assert_eq!(status, 200, "{page}");
    let data = page["data"].as_array().unwrap().iter();
    data.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

/// One run that is killed at a call, and its repetition; whether the first run ended by itself.
async fn killed_once((function, path, body): &Creation, kill: Kill) -> bool {
    let what = format!("{path} {kill:?}");
    let world = World::new();
    let actor = crate::cursors::user(&world, 0).await;
    let before = ids(&world, &actor, function, path).await;
    let killed = world.invoke_and_kill(function, post(&actor, path, body), kill);
    let first = killed.await;
    world.settle().await;
    // The lease of the first run ends.
    world.advance(Duration::from_secs(61));
    let (status, made) = world.ask(function, post(&actor, path, body)).await;
    // The answer with a secret is given once, also if it was lost after it was stored.
    let is_done = made["code"] == "already_done";
    assert!(is_done || status == 201, "{what}: {status} {made}");
    world.settle().await;
    let after = ids(&world, &actor, function, path).await;
    let new: Vec<_> = after.difference(&before).collect();
    assert_eq!(new.len(), 1, "{what}: {new:?}");
    if status == 201 {
        assert_eq!(made["id"], **new[0], "{what}");
    }
    if let Some(token) = made["token"].as_str().filter(|_| *path == "/v1/api-keys") {
        // The token of the answer works, and no other does.
        let rows = world.dump("Directory").await;
        let keys: Vec<_> = rows.iter().filter(|row| row["sk"] == "KEY").collect();
        assert_eq!(keys.len(), 1, "{what}");
        let hash = hex::encode(Sha256::digest(token));
        assert_eq!(keys[0]["pk"], format!("KEY#{hash}"), "{what}");
        assert_eq!(keys[0]["id"], **new[0], "{what}");
    }
    first.is_some()
}

#[tokio::test]
async fn a_creation_killed_at_any_call_makes_one_object_with_its_key() {
    for creation in creations() {
        for kill in [Kill::Before, Kill::After] {
            let mut call = 0;
            while !killed_once(&creation, kill(call)).await {
                call += 1;
            }
            assert!(call > 2, "{} makes more calls than that", creation.1);
        }
    }
}
