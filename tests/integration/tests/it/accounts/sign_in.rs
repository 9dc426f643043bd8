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
