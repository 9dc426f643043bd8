//! Signing in, and how sessions end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::Verdict;
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};

use super::office::{EMAIL, Office, PASSWORD};

#[tokio::test]
async fn signing_in_costs_the_same_for_every_address() {
    let office = Office::open().await;
    let mut made = Vec::new();
    for email in [EMAIL, "khong-ai@example.vn"] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let calls = seen.clone();
        office
            .world
            .aws
            .set_fault_hook(Some(Arc::new(move |call: &Call| {
                let named = format!("{} {}", call.operation, call.table_or_queue);
                calls.lock().unwrap().push(named);
                Fault::None
            })));
        let (status, _) = office.login(email, "sai mật khẩu rồi", "203.0.113.2").await;
        office.world.aws.set_fault_hook(None);
        assert_eq!(status, 401);
        made.push(seen.lock().unwrap().clone());
    }
    assert!(made[0].len() >= 4, "{made:?}");
    assert_eq!(made[0], made[1]);
}

#[tokio::test]
async fn a_stopped_ip_locks_nobody_out() {
    let office = Office::open().await;
    for n in 0..50 {
        let email = format!("n{n}@example.vn");
        let ip = format!("2001:db8:1:2::{n}");
        assert_eq!(office.login(&email, "sai mật khẩu rồi", &ip).await.0, 401);
    }
    for n in 0..20 {
        let ip = format!("2001:db8:1:2:{n}::1");
        assert_eq!(office.login(EMAIL, "sai mật khẩu rồi", &ip).await.0, 429);
    }
    assert_eq!(office.login(EMAIL, PASSWORD, "203.0.113.2").await.0, 200);
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

const WRONG: &str = "sai mật khẩu rồi";

#[tokio::test]
async fn wrong_passwords_are_throttled_by_address_and_by_ip() {
    let office = Office::open().await;
    for email in [EMAIL, "khong-ai@example.vn"] {
        for _ in 0..10 {
            assert_eq!(office.login(email, WRONG, "198.51.100.1").await.0, 401);
        }
        let (status, body) = office.login(email, PASSWORD, "198.51.100.1").await;
        assert_eq!(
            (status, &body["code"]),
            (429, &json!("rate_limited")),
            "{email}"
        );
    }
    for n in 0..50 {
        let email = format!("n{n}@example.vn");
        assert_eq!(office.login(&email, WRONG, "192.0.2.1").await.0, 401);
    }
    let over = office.login("n51@example.vn", WRONG, "192.0.2.1").await;
    assert_eq!(over.0, 429);
    office.world.advance(Duration::from_mins(15));
    assert_eq!(office.login(EMAIL, PASSWORD, "192.0.2.1").await.0, 200);
}

#[tokio::test]
async fn strangers_lock_nobody_out_where_they_signed_in_before() {
    let office = Office::open().await;
    let (home, elsewhere) = ("203.0.113.1", "203.0.113.200");
    assert_eq!(office.login(EMAIL, PASSWORD, home).await.0, 200);
    // A botnet: each address is within its own limit.
    for n in 0..100 {
        let ip = format!("198.51.100.{n}");
        assert_eq!(office.login(EMAIL, WRONG, &ip).await.0, 401, "{n}");
    }
    assert_eq!(office.login(EMAIL, PASSWORD, "198.51.100.200").await.0, 429);
    assert_eq!(office.login(EMAIL, PASSWORD, home).await.0, 200);
    // From anywhere else the mailbox proves the person.
    assert_eq!(office.login(EMAIL, PASSWORD, elsewhere).await.0, 429);
    assert_eq!(office.forgot(EMAIL).await, 202);
    office.mail().await;
    let token = office.mailed_token(EMAIL).unwrap();
    let body = json!({ "token": token, "password": "mật khẩu mới tinh" });
    let mut event =
        crate::support::http_event("POST", "/v1/auth/password/reset", Some(&body), None);
    event["requestContext"]["http"]["sourceIp"] = json!(elsewhere);
    assert_eq!(office.world.ask("api-accounts", event).await.0, 204);
    let entered = office.login(EMAIL, "mật khẩu mới tinh", elsewhere).await;
    assert_eq!(entered.0, 200);
}

#[tokio::test]
async fn the_password_is_changed_while_strangers_guess_and_guesses_of_a_session_end() {
    let office = Office::open().await;
    let token = office.token().await;
    for _ in 0..11 {
        office.login(EMAIL, WRONG, "203.0.113.9").await;
    }
    let change = async |current: &str, new: &str| {
        let body = Some(json!({ "current": current, "new": new }));
        let path = "/v1/auth/password";
        office.ask(&token, "POST", path, body).await.0
    };
    for n in 0..10 {
        assert_eq!(change(WRONG, "mật khẩu khác hẳn").await, 400, "{n}");
    }
    assert_eq!(change(PASSWORD, "mật khẩu khác hẳn").await, 429);
    office.world.advance(Duration::from_mins(15));
    for expected in ["1234567890123456", "chu@example.vn!", "Cửa hàng 123456789"] {
        assert_eq!(change(PASSWORD, expected).await, 400, "{expected}");
    }
    assert_eq!(change(PASSWORD, "mật khẩu khác hẳn").await, 204);
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
    let admins_only = json!({ "role": "account_admin", "workspace_ids": [] });
    let ways: [(&str, &str, Value, bool); 5] = [
        ("POST", "/v1/auth/logout", json!(null), true),
        ("PATCH", &path, json!({ "role": "account_manager" }), false),
        ("PATCH", &path, json!({ "chat_role": "agent" }), false),
        ("PATCH", &path, admins_only, false),
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
    // A person whose access is restored later must sign in again.
    let token = office.login("dong-nghiep@example.vn", "mật khẩu khác hẳn", "203.0.113.3");
    let token = token.await.1["token"].as_str().unwrap().to_owned();
    for status in ["disabled", "active"] {
        let change = Some(json!({ "status": status }));
        assert_eq!(office.ask(&admin, "PATCH", &path, change).await.0, 200);
        assert_eq!(
            office.ask(&token, "GET", "/v1/me", None).await.0,
            401,
            "{status}"
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
