//! The audit log, and what it never holds.

use serde_json::{Value, json};

use super::office::{EMAIL, GUEST, Office, PASSWORD};
use crate::support::http_event;

#[tokio::test]
async fn secrets_are_stored_nowhere_and_changes_are_logged() {
    let office = Office::open().await;
    let admin = office.token().await;
    // The log shows the latest entry first; the account was made in the same millisecond.
    office.world.advance(std::time::Duration::from_secs(1));
    let body = json!({ "name": "Máy chủ", "scopes": ["write"] });
    let mut event = http_event("POST", "/v1/api-keys", Some(&body), None);
    event["headers"]["authorization"] = json!(format!("Bearer {admin}"));
    event["headers"]["x-workspace"] = json!(office.workspace);
    event["headers"]["idempotency-key"] = json!("k");
    let verdict = office
        .world
        .invoke("authorizer", event.clone())
        .await
        .unwrap();
    event["requestContext"]["authorizer"] = json!({ "lambda": verdict["context"] });
    let (status, made) = office.world.ask("api-accounts", event.clone()).await;
    assert_eq!(status, 201, "{made}");
    let (status, again) = office.world.ask("api-accounts", event).await;
    assert_eq!((status, &again["code"]), (409, &json!("already_done")));
    let token = made["token"].as_str().unwrap();
    for table in ["Directory", "Dedupe", "Limits"] {
        let rows = json!(office.world.dump(table).await).to_string();
        for secret in [token, admin.as_str(), PASSWORD] {
            assert!(!rows.contains(secret), "{table} holds a secret");
        }
    }
    let (_, log) = office.ask(&admin, "GET", "/v1/audit-log", None).await;
    let entry = &log["data"][0];
    assert_eq!(entry["action"], "createApiKey");
    assert!(entry["actor_id"].as_str().unwrap().starts_with("usr_"));
    assert_eq!(entry["ip"], "203.0.113.9");
}

#[tokio::test]
async fn the_log_names_what_was_made_and_who_came_in() {
    let office = Office::open().await;
    let admin = office.token().await;
    let (_, me) = office.ask(&admin, "GET", "/v1/me", None).await;
    let new = Some(json!({ "name": "Máy chủ", "scopes": ["read"] }));
    let (_, key) = office.ask(&admin, "POST", "/v1/api-keys", new).await;
    let new = Some(json!({ "name": "Chi nhánh" }));
    let (_, branch) = office.ask(&admin, "POST", "/v1/workspaces", new).await;
    let path = format!("/v1/workspaces/{}", branch["id"].as_str().unwrap());
    let rename = Some(json!({ "name": "Chi nhánh 2" }));
    assert_eq!(office.ask(&admin, "PATCH", &path, rename).await.0, 200);
    let absent = "/v1/api-keys/key_00000000009";
    assert_eq!(office.ask(&admin, "DELETE", absent, None).await.0, 404);
    let invitation = office.invite(GUEST).await;
    office.mail().await;
    let token = office.mailed_token(GUEST).unwrap();
    let (_, guest) = office.accept(&token, "bốn từ không liên quan").await;
    assert!(guest["token"].is_string());
    assert_eq!(office.forgot(EMAIL).await, 202);
    office.mail().await;
    let token = office.mailed_token(EMAIL).unwrap();
    assert_eq!(office.reset(&token, "mật khẩu mới tinh").await, 204);
    let login = office
        .login(EMAIL, "mật khẩu mới tinh", "203.0.113.7")
        .await;
    let admin = login.1["token"].as_str().unwrap();
    let (_, log) = office
        .ask(admin, "GET", "/v1/audit-log?limit=100", None)
        .await;
    let log = log["data"].as_array().unwrap();
    let last = |action: &str| {
        let found = log.iter().find(|entry| entry["action"] == action);
        found.unwrap_or_else(|| panic!("no {action} in {log:?}"))
    };
    let user = &me["user"]["id"];
    for (action, actor, object) in [
        ("setUp", &json!("setup"), &me["account_id"]),
        ("createApiKey", user, &key["id"]),
        ("createWorkspace", user, &branch["id"]),
        ("updateWorkspace", user, &branch["id"]),
        ("createInvitation", user, &invitation["id"]),
        ("acceptInvitation", &guest["user"]["id"], &invitation["id"]),
        ("resetPassword", user, user),
        ("login", user, user),
    ] {
        // An acceptance is noted before there is a user, and again by the user, in one millisecond.
        let named = |entry: &&serde_json::Value| {
            entry["action"] == action
                && entry["actor_id"] == *actor
                && entry["object_id"] == *object
        };
        assert!(log.iter().any(|entry| named(&entry)), "{action}: {log:?}");
    }
    let link = &invitation["id"];
    let by_link = log
        .iter()
        .any(|entry| entry["action"] == "acceptInvitation" && entry["actor_id"] == *link);
    assert!(by_link, "before there was a user");
    for action in ["createWorkspace", "updateWorkspace"] {
        assert_eq!(
            last(action)["workspace_id"],
            branch["id"],
            "not the one they work in"
        );
    }
    let revoked = log.iter().find(|entry| entry["action"] == "revokeApiKey");
    assert_eq!(revoked, None::<&Value>, "nothing was there to revoke");
}

#[tokio::test]
async fn a_stranger_s_attempts_are_one_entry_an_hour() {
    let office = Office::open().await;
    let admin = office.token().await;
    let (_, me) = office.ask(&admin, "GET", "/v1/me", None).await;
    let user = &me["user"]["id"];
    for n in 0..20 {
        let ip = format!("198.51.100.{n}");
        let wrong = office.login(EMAIL, "sai mật khẩu rồi", &ip).await;
        assert_eq!(wrong.0, 401);
    }
    for _ in 0..3 {
        assert_eq!(office.forgot(EMAIL).await, 202);
    }
    office.mail().await;
    let log = async || {
        let (_, log) = office
            .ask(&admin, "GET", "/v1/audit-log?limit=100", None)
            .await;
        log["data"].as_array().unwrap().clone()
    };
    let of = |log: &[Value], action: &str| -> Vec<Value> {
        let by_anybody = log.iter().filter(|entry| entry["actor_id"] == "anybody");
        by_anybody
            .filter(|entry| entry["action"] == action)
            .cloned()
            .collect()
    };
    let found = log().await;
    let refused = of(&found, "login");
    assert_eq!(refused.len(), 1, "{refused:?}");
    let entry = &refused[0];
    assert_eq!(
        (&entry["object_id"], &entry["refused"], &entry["count"]),
        (user, &json!(true), &json!(20))
    );
    assert_eq!(entry["ip"], "198.51.100.19");
    let asked = of(&found, "forgotPassword");
    assert_eq!((asked.len(), &asked[0]["object_id"]), (1, user));
    office.world.advance(super::office::HOUR);
    office
        .login(EMAIL, "sai mật khẩu rồi", "198.51.100.1")
        .await;
    assert_eq!(of(&log().await, "login").len(), 2, "another hour");
}

#[tokio::test]
async fn changes_of_contacts_are_one_entry_an_hour() {
    let office = Office::open().await;
    let admin = office.token().await;
    for n in 0..5 {
        let new = Some(json!({ "email": format!("n{n}@example.vn") }));
        let (status, made) = office.ask(&admin, "POST", "/v1/contacts", new).await;
        assert_eq!(status, 201, "{made}");
    }
    let (_, log) = office
        .ask(&admin, "GET", "/v1/audit-log?limit=100", None)
        .await;
    let entries = log["data"].as_array().unwrap().iter();
    let saved: Vec<_> = entries
        .filter(|entry| entry["action"] == "saveContact")
        .collect();
    assert_eq!(saved.len(), 1, "{saved:?}");
    assert_eq!(saved[0]["workspace_id"], json!(office.workspace));
    assert_eq!(saved[0]["object_id"], "contacts");
}

#[tokio::test]
async fn what_somebody_may_not_do_is_one_entry_an_hour() {
    let office = Office::open().await;
    let admin = office.token().await;
    let viewer = office
        .colleague("xem@example.vn", kernel::Role::Viewer)
        .await;
    let (_, entered) = office
        .login("xem@example.vn", PASSWORD, "203.0.113.4")
        .await;
    let token = entered["token"].as_str().unwrap();
    for path in [
        "/v1/contacts",
        "/v1/contacts",
        "/v1/users",
        "/v1/conversations",
    ] {
        assert_eq!(office.ask(token, "GET", path, None).await.0, 403, "{path}");
    }
    let (_, log) = office
        .ask(&admin, "GET", "/v1/audit-log?limit=100", None)
        .await;
    let entries = log["data"].as_array().unwrap().iter();
    let refused = entries.filter(|entry| entry["refused"] == true);
    let mut actions: Vec<_> = refused
        .map(|entry| {
            assert_eq!(entry["actor_id"], json!(viewer));
            entry["action"].as_str().unwrap()
        })
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        ["listConversations", "listUsers", "searchContacts"]
    );
}
