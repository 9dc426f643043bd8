//! Forgotten passwords, the checklist and what is stored, from the API to the mail and back.

use std::time::Duration;

use kernel::Role;
use serde_json::json;

use super::office::{EMAIL, GUEST, HOUR, Office, PASSWORD};
use crate::support::fixture;

#[tokio::test]
async fn a_forgotten_password_is_reset_once_and_ends_sessions() {
    let office = Office::open().await;
    let session = office.token().await;
    assert_eq!(office.forgot(EMAIL).await, 202);
    office.mail().await;
    let token = office.mailed_token(EMAIL).unwrap();
    assert_eq!(office.reset(&token, "ngắn").await, 400);
    assert_eq!(office.reset(&token, "mật khẩu mới tinh").await, 204);
    assert_eq!(office.reset(&token, "mật khẩu mới nữa").await, 400);
    assert_eq!(office.ask(&session, "GET", "/v1/me", None).await.0, 401);
    assert_eq!(office.login(EMAIL, PASSWORD, "203.0.113.1").await.0, 401);
    let fresh = office
        .login(EMAIL, "mật khẩu mới tinh", "203.0.113.1")
        .await;
    assert_eq!(fresh.0, 200);

    assert_eq!(office.forgot(EMAIL).await, 202);
    office.mail().await;
    let late = office.mailed_token(EMAIL).unwrap();
    office.world.advance(HOUR + Duration::from_secs(1));
    assert_eq!(office.reset(&late, "mật khẩu mới nữa").await, 400);
}

#[tokio::test]
async fn forgetting_tells_nothing_and_mails_little() {
    let office = Office::open().await;
    for email in [EMAIL, "khong-co@example.vn"] {
        for n in 0..5 {
            let expected = if n < 3 { 202 } else { 429 };
            assert_eq!(office.forgot(email).await, expected, "{email} {n}");
        }
    }
    office.mail().await;
    let mails = office.world.aws.outbox().all(tanigo_local::aws::Kind::Mail);
    assert_eq!(mails.len(), 3);
    assert!(mails.iter().all(|mail| mail.to == [EMAIL]));
}

#[tokio::test]
async fn tokens_and_secrets_of_people_are_stored_nowhere() {
    let office = Office::open().await;
    office.invite(GUEST).await;
    office.mail().await;
    assert_eq!(office.forgot(EMAIL).await, 202);
    office.mail().await;
    let secrets = [
        office.mailed_token(GUEST).unwrap(),
        office.mailed_token(EMAIL).unwrap(),
    ];
    let (app, recovery) = office.second_factor().await;
    let url = app.to_url().unwrap();
    let (_, secret) = url.split_once("secret=").unwrap();
    let secret = secret.split('&').next().unwrap().to_owned();
    for table in ["Directory", "Dedupe", "Limits"] {
        let rows = json!(office.world.dump(table).await).to_string();
        for secret in secrets.iter().chain(&recovery).chain([&secret]) {
            assert!(!rows.contains(secret.as_str()), "{table}");
        }
    }
}

#[tokio::test]
async fn the_checklist_shows_what_is_there() {
    let office = Office::open().await;
    let admin = office.token().await;
    let done = async || {
        let (status, list) = office.ask(&admin, "GET", "/v1/onboarding", None).await;
        assert_eq!(status, 200, "{list}");
        let steps = list["steps"].as_array().unwrap().iter();
        let done = steps.filter(|step| step["done"] == true);
        done.map(|step| step["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(done().await, ["workspace"]);
    let path = format!("/v1/workspaces/{}", office.workspace);
    let settings = json!({
        "default_sender": { "name": "Cửa hàng", "email": "shop@example.vn" },
        "postal_address": "1 Tràng Tiền, Hà Nội",
        "permission_reminder": "Bạn nhận thư này vì đã mua hàng ở cửa hàng.",
    });
    assert_eq!(
        office.ask(&admin, "PATCH", &path, Some(settings)).await.0,
        200
    );
    let contact = json!({ "email": GUEST });
    assert_eq!(
        office
            .ask(&admin, "POST", "/v1/contacts", Some(contact))
            .await
            .0,
        201
    );
    let inbox = json!({ "name": "Website" });
    assert_eq!(
        office
            .ask(&admin, "POST", "/v1/inboxes", Some(inbox))
            .await
            .0,
        201
    );
    let without_staff = ["workspace", "data", "sending_channel", "sender_details"];
    assert_eq!(done().await, without_staff);
    let id = office.colleague("tra-loi@example.vn", Role::Viewer).await;
    let agent = Some(json!({ "chat_role": "agent" }));
    let user = format!("/v1/users/{id}");
    assert_eq!(office.ask(&admin, "PATCH", &user, agent).await.0, 200);
    assert_eq!(done().await.last().unwrap(), "chat");
    // A completed step stays completed, with the time at which it was first seen.
    let first = office.world.now();
    office.world.advance(HOUR);
    let back = json!({ "default_sender": null });
    assert_eq!(office.ask(&admin, "PATCH", &path, Some(back)).await.0, 200);
    let (_, list) = office.ask(&admin, "GET", "/v1/onboarding", None).await;
    let channel = &list["steps"][2];
    assert_eq!(channel["done_at"], kernel::clock::sortable(first), "{list}");
    let (_, list) = office
        .ask(&admin, "POST", "/v1/onboarding/dismiss", None)
        .await;
    assert!(list["dismissed_at"].is_string());
}

#[tokio::test]
async fn sample_events_do_what_their_names_say() {
    let office = Office::open().await;
    for (name, dead) in [("ok", 0), ("duplicate", 0), ("malformed", 1), ("mixed", 3)] {
        let event = fixture(&format!("account-mailer/{name}.json"));
        let answer = office.world.invoke("account-mailer", event).await.unwrap();
        assert_eq!(answer.to_string(), r#"{"batchItemFailures":[]}"#, "{name}");
        assert_eq!(office.world.dead_letters().len(), dead, "{name}");
    }
    // One request in all of them: one mail.
    let mails = office.world.aws.outbox().all(tanigo_local::aws::Kind::Mail);
    assert_eq!(mails.len(), 1);
    assert!(
        office
            .colleague("an@example.vn", Role::Viewer)
            .await
            .starts_with("usr_")
    );
}
