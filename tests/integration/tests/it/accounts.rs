//! People, workspaces and keys, as clients meet them: through the authorizer and the API.

mod issuer;
pub mod office;
mod people;

use std::time::Duration;

use kernel::Verdict;
use serde_json::{Value, json};

use crate::support::{Kill, World, http_event};
use office::{EMAIL, Office, PASSWORD, answer, setup};

#[tokio::test]
async fn the_first_account_is_made_once_by_whoever_has_the_token() {
    let office = Office::open().await;
    assert_eq!(setup(&office.world, "ke-den-sau@example.vn").await.0, 409);
    let wrong = json!({
        "token": "x", "account_name": "a", "workspace_name": "b", "name": "c",
        "email": "d@example.vn", "password": PASSWORD,
    });
    let event = http_event("POST", "/v1/setup", Some(&wrong), None);
    assert_eq!(
        answer(&office.world.invoke("api-accounts", event).await.unwrap()).0,
        401
    );
    let (status, me) = office
        .ask(&office.token().await, "GET", "/v1/me", None)
        .await;
    assert_eq!(
        (status, &me["user"]["role"]),
        (200, &json!("account_admin"))
    );
    assert_eq!(me["workspaces"][0]["id"], office.workspace.as_str());
}

#[tokio::test]
async fn a_setup_killed_at_any_call_is_finished_by_the_next() {
    for kill in [Kill::Before, Kill::After] {
        for call in 0.. {
            let world = World::new();
            let body = json!({
                "token": world.spec("api-accounts").environment["SETUP_TOKEN"],
                "account_name": "Công ty", "workspace_name": "Cửa hàng", "name": "Chủ",
                "email": EMAIL, "password": PASSWORD,
            });
            let event = http_event("POST", "/v1/setup", Some(&body), None);
            let survived = world
                .invoke_and_kill("api-accounts", event, kill(call))
                .await;
            let (status, made) = setup(&world, EMAIL).await;
            assert!([201, 409].contains(&status), "{made}");
            let office = Office {
                world,
                workspace: String::new(),
            };
            let (_, me) = office
                .ask(&office.token().await, "GET", "/v1/me", None)
                .await;
            assert_eq!(me["user"]["role"], "account_admin", "call {call}");
            assert_eq!(
                me["workspaces"].as_array().unwrap().len(),
                1,
                "call {call}: {me}"
            );
            if survived.is_some() {
                assert!(call > 6);
                break;
            }
        }
    }
}

#[tokio::test]
async fn whoever_may_not_sign_in_learns_nothing() {
    let office = Office::open().await;
    let colleague = office
        .colleague("nghi@example.vn", kernel::Role::Viewer)
        .await;
    let path = format!("/v1/users/{colleague}");
    let disable = Some(json!({ "status": "disabled" }));
    assert_eq!(
        office
            .ask(&office.token().await, "PATCH", &path, disable)
            .await
            .0,
        200
    );
    let mut answers = Vec::new();
    for (email, password) in [
        (EMAIL, "sai mật khẩu rồi"),
        ("khong-ai@example.vn", PASSWORD),
        ("nghi@example.vn", PASSWORD),
    ] {
        let (status, mut body) = office.login(email, password, "203.0.113.2").await;
        assert_eq!(status, 401);
        body["request_id"].take();
        answers.push(body);
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn wrong_passwords_are_throttled_by_address_and_by_ip() {
    let office = Office::open().await;
    for email in [EMAIL, "khong-ai@example.vn"] {
        for n in 0..10 {
            let ip = format!("198.51.100.{n}");
            assert_eq!(office.login(email, "sai mật khẩu rồi", &ip).await.0, 401);
        }
        let (status, body) = office.login(email, PASSWORD, "198.51.100.99").await;
        assert_eq!(
            (status, &body["code"]),
            (429, &json!("rate_limited")),
            "{email}"
        );
    }
    for n in 0..50 {
        let email = format!("n{n}@example.vn");
        assert_eq!(
            office
                .login(&email, "sai mật khẩu rồi", "192.0.2.1")
                .await
                .0,
            401
        );
    }
    assert_eq!(
        office
            .login("n51@example.vn", "sai mật khẩu rồi", "192.0.2.1")
            .await
            .0,
        429
    );
    office.world.advance(Duration::from_mins(15));
    assert_eq!(office.login(EMAIL, PASSWORD, "192.0.2.1").await.0, 200);
}

#[tokio::test]
async fn right_passwords_are_not_counted() {
    let office = Office::open().await;
    for _ in 0..30 {
        office.token().await;
    }
}

#[tokio::test]
async fn a_session_ends_at_once() {
    let office = Office::open().await;
    let admin = office.token().await;
    let id = office
        .colleague("dong-nghiep@example.vn", kernel::Role::Contributor)
        .await;
    let path = format!("/v1/users/{id}");
    let enter = async || {
        let (_, body) = office
            .login("dong-nghiep@example.vn", PASSWORD, "203.0.113.3")
            .await;
        body["token"].as_str().unwrap().to_owned()
    };
    let ways: [(&str, &str, Value, bool); 5] = [
        ("POST", "/v1/auth/logout", json!(null), true),
        ("PATCH", &path, json!({ "role": "account_manager" }), false),
        ("PATCH", &path, json!({ "chat_role": "agent" }), false),
        ("PATCH", &path, json!({ "workspace_ids": [] }), false),
        (
            "POST",
            "/v1/auth/password",
            json!({ "current": PASSWORD, "new": "mật khẩu khác hẳn" }),
            true,
        ),
    ];
    for (method, way, body, own) in ways {
        let token = enter().await;
        assert_eq!(office.ask(&token, "GET", "/v1/me", None).await.0, 200);
        let by = if own { &token } else { &admin };
        let (status, answer) = office.ask(by, method, way, Some(body.clone())).await;
        assert!(status < 300, "{way} {body}: {status} {answer}");
        let (status, problem) = office.ask(&token, "GET", "/v1/me", None).await;
        assert_eq!(
            (status, &problem["code"]),
            (401, &json!("unauthenticated")),
            "{way} {body}"
        );
    }
    office.world.advance(Duration::from_hours(30 * 24));
    assert_eq!(
        office.ask(&admin, "GET", "/v1/me", None).await.0,
        401,
        "30 days are over"
    );
}

#[tokio::test]
async fn the_last_admin_stays() {
    let office = Office::open().await;
    let admin = office.token().await;
    let (_, me) = office.ask(&admin, "GET", "/v1/me", None).await;
    let first = format!("/v1/users/{}", me["user"]["id"].as_str().unwrap());
    for change in [json!({ "role": "viewer" }), json!({ "status": "disabled" })] {
        let (status, problem) = office.ask(&admin, "PATCH", &first, Some(change)).await;
        assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
    }
    let second = office
        .colleague("hai@example.vn", kernel::Role::AccountAdmin)
        .await;
    let second = format!("/v1/users/{second}");
    let (_, body) = office
        .login("hai@example.vn", PASSWORD, "203.0.113.4")
        .await;
    let other = body["token"].as_str().unwrap();
    let down = || Some(json!({ "role": "viewer" }));
    let (one, two) = tokio::join!(
        office.ask(&admin, "PATCH", &second, down()),
        office.ask(other, "PATCH", &first, down()),
    );
    let lost = [one.0, two.0]
        .iter()
        .filter(|&&status| status == 200)
        .count();
    assert_eq!(lost, 1, "each took the other's role: {one:?} {two:?}");
}

#[tokio::test]
async fn a_workspace_is_entered_by_its_people_only() {
    let office = Office::open().await;
    let admin = office.token().await;
    let body = Some(json!({ "name": "Chi nhánh" }));
    let (status, branch) = office
        .ask(&admin, "POST", "/v1/workspaces", body.clone())
        .await;
    assert_eq!(status, 201, "{branch}");
    assert_eq!(
        office.ask(&admin, "POST", "/v1/workspaces", body).await.0,
        409,
        "the name is taken"
    );
    let branch = branch["id"].as_str().unwrap().to_owned();
    office
        .colleague("mot@example.vn", kernel::Role::AccountManager)
        .await;
    let (_, entered) = office
        .login("mot@example.vn", PASSWORD, "203.0.113.5")
        .await;
    assert_eq!(entered["workspaces"].as_array().unwrap().len(), 1);
    let manager = entered["token"].as_str().unwrap();
    let contacts = async |workspace: &str, token: &str| {
        office
            .ask_in(workspace, token, "GET", "/v1/contacts", None)
            .await
            .0
    };
    assert_eq!(contacts(&office.workspace, manager).await, 200);
    for unknown in [branch.as_str(), "ws_00000000009", "x", ""] {
        assert_eq!(contacts(unknown, manager).await, 404, "{unknown}");
    }
    assert_eq!(contacts(&branch, &admin).await, 200);
    let path = format!("/v1/workspaces/{branch}");
    assert_eq!(office.ask(manager, "GET", &path, None).await.0, 404);
    let archive = format!("{path}/archive");
    let wrong = Some(json!({ "name": "chi nhánh" }));
    assert_eq!(office.ask(&admin, "POST", &archive, wrong).await.0, 400);
    let right = Some(json!({ "name": "Chi nhánh" }));
    assert_eq!(office.ask(&admin, "POST", &archive, right).await.0, 200);
    assert_eq!(contacts(&branch, &admin).await, 403);
    let restore = format!("{path}/restore");
    assert_eq!(office.ask(&admin, "POST", &restore, None).await.0, 200);
    assert_eq!(contacts(&branch, &admin).await, 200);
}

#[tokio::test]
async fn settings_are_checked_kept_and_cleared() {
    let office = Office::open().await;
    let admin = office.token().await;
    let path = format!("/v1/workspaces/{}", office.workspace);
    for (field, value) in [
        ("time_zone", json!("Asia/Saigon_City")),
        ("permission_reminder", json!("quá ngắn")),
        ("default_sender", json!({ "name": "Shop", "email": "shop" })),
        ("frequency_cap", json!({ "messages": 0, "days": 7 })),
        ("quiet_hours", json!({ "from": "25:00", "until": "07:00" })),
        ("colour", json!("red")),
    ] {
        let (status, problem) = office
            .ask(&admin, "PATCH", &path, Some(json!({ field: value })))
            .await;
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{field}: {problem}");
        assert!(
            pointer.starts_with(&format!("/{field}")),
            "{field}: {problem}"
        );
    }
    let change = json!({
        "quiet_hours": { "from": "21:00:00", "until": "07:30:00" },
        "default_sender": { "name": "Shop", "email": "shop@example.vn" },
    });
    let (status, after) = office
        .ask(&admin, "PATCH", &path, Some(change.clone()))
        .await;
    assert_eq!(
        (status, &after["quiet_hours"]),
        (200, &change["quiet_hours"]),
        "{after}"
    );
    let clear = json!({ "quiet_hours": null, "name": "Tên mới" });
    let (_, after) = office.ask(&admin, "PATCH", &path, Some(clear)).await;
    assert_eq!(
        (&after["quiet_hours"], &after["name"]),
        (&Value::Null, &json!("Tên mới"))
    );
    assert_eq!(after["default_sender"], change["default_sender"]);
    let reuse = Some(json!({ "name": "Cửa hàng" }));
    assert_eq!(
        office.ask(&admin, "POST", "/v1/workspaces", reuse).await.0,
        201,
        "the old name is free"
    );
}

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
async fn secrets_are_stored_nowhere_and_changes_are_logged() {
    let office = Office::open().await;
    let admin = office.token().await;
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
    let (status, made) = answer(
        &office
            .world
            .invoke("api-accounts", event.clone())
            .await
            .unwrap(),
    );
    assert_eq!(status, 201, "{made}");
    let (status, again) = answer(&office.world.invoke("api-accounts", event).await.unwrap());
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
    assert!(entry["actor"].as_str().unwrap().starts_with("usr_"));
    assert_eq!(entry["ip"], "203.0.113.9");
}

#[tokio::test]
async fn what_is_no_credential_opens_nothing() {
    let office = Office::open().await;
    let admin = office.token().await;
    let long = "x".repeat(5000);
    let half = &admin[..40];
    for token in ["", "tnu_", half, "tng_0", &long, "tnu_%00", "é"] {
        assert_eq!(
            office.ask(token, "GET", "/v1/me", None).await.0,
            401,
            "{}",
            token.len()
        );
    }
    let refused = serde_json::to_value(Verdict::refused()).unwrap();
    let answer = office
        .world
        .invoke("authorizer", json!({ "version": "2.0" }))
        .await
        .unwrap();
    assert_eq!(answer["context"], refused);
}
