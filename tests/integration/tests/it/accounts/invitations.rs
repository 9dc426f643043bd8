//! Invitations, from the API to the mail and back.

use kernel::Role;
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault, Kind};

use super::office::{EMAIL, GUEST, HOUR, Office, PASSWORD};
use crate::support::{Kill, http_event};

#[tokio::test]
async fn an_invitation_makes_a_user_once() {
    let office = Office::open().await;
    let made = office.invite(GUEST).await;
    assert_eq!(
        (&made["status"], &made["mailed_at"]),
        (&json!("pending"), &Value::Null)
    );
    office.mail().await;
    assert_eq!(
        office
            .world
            .aws
            .outbox()
            .all(tanigo_local::aws::Kind::Mail)
            .len(),
        1
    );
    let token = office.mailed_token(GUEST).unwrap();
    let (status, session) = office.accept(&token, "bốn từ không liên quan").await;
    assert_eq!(status, 200, "{session}");
    assert_eq!(session["user"]["role"], "contributor");
    assert_eq!(session["workspaces"][0]["id"], office.workspace);
    let guest = session["token"].as_str().unwrap();
    assert_eq!(office.ask(guest, "GET", "/v1/contacts", None).await.0, 200);
    assert_eq!(
        office.ask(guest, "GET", "/v1/invitations", None).await.0,
        403
    );

    // The user exists: the link no longer works, even with the right password.
    assert_eq!(office.accept(&token, "bốn từ không liên quan").await.0, 409);
    assert_eq!(office.accept(&token, "một mật khẩu khác").await.0, 409);
    let path = format!("/v1/invitations/{}", made["id"].as_str().unwrap());
    let admin = office.token().await;
    let (_, shown) = office.ask(&admin, "GET", &path, None).await;
    assert_eq!(shown["status"], "accepted");
    assert!(shown["mailed_at"].is_string());
    let revoke = format!("{path}/revoke");
    assert_eq!(office.ask(&admin, "POST", &revoke, None).await.0, 409);
    let (_, users) = office.ask(&admin, "GET", "/v1/users", None).await;
    assert_eq!(users["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_invitation_ends_and_only_its_newest_link_works() {
    let office = Office::open().await;
    let made = office.invite(GUEST).await;
    office.mail().await;
    let first = office.mailed_token(GUEST).unwrap();
    office.world.advance(71 * HOUR);
    let admin = office.token().await;
    let path = format!("/v1/invitations/{}", made["id"].as_str().unwrap());
    let resend = format!("{path}/resend");
    assert_eq!(office.ask(&admin, "POST", &resend, None).await.0, 200);
    office.mail().await;
    let second = office.mailed_token(GUEST).unwrap();
    assert_ne!(first, second);
    assert_eq!(office.accept(&first, "bốn từ không liên quan").await.0, 400);

    office.world.advance(73 * HOUR);
    let (_, shown) = office.ask(&admin, "GET", &path, None).await;
    assert_eq!(shown["status"], "expired");
    assert_eq!(
        office.accept(&second, "bốn từ không liên quan").await.0,
        400
    );
    assert_eq!(office.ask(&admin, "POST", &resend, None).await.0, 200);
    office.mail().await;
    let third = office.mailed_token(GUEST).unwrap();
    let revoke = format!("{path}/revoke");
    assert_eq!(office.ask(&admin, "POST", &revoke, None).await.0, 200);
    assert_eq!(office.accept(&third, "bốn từ không liên quan").await.0, 400);
    assert_eq!(office.ask(&admin, "POST", &resend, None).await.0, 409);
}

#[tokio::test]
async fn an_invitation_gives_only_what_the_account_has() {
    let office = Office::open().await;
    let admin = office.token().await;
    for (body, pointer) in [
        (
            json!({ "email": GUEST, "role": "viewer", "workspace_ids": ["ws_00000000009"] }),
            "/workspace_ids/0",
        ),
        (
            json!({ "email": GUEST, "role": "viewer", "workspace_ids": [] }),
            "/workspace_ids",
        ),
        (
            json!({ "email": GUEST, "role": "owner", "workspace_ids": [office.workspace] }),
            "/role",
        ),
    ] {
        let (status, problem) = office
            .ask(&admin, "POST", "/v1/invitations", Some(body))
            .await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer))
        );
    }
    let own = json!({ "email": EMAIL, "role": "viewer", "workspace_ids": [office.workspace] });
    let (status, _) = office
        .ask(&admin, "POST", "/v1/invitations", Some(own))
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn an_acceptance_killed_at_any_call_is_finished_by_the_next() {
    for at in 0.. {
        let office = Office::open().await;
        office.invite(GUEST).await;
        office.mail().await;
        let token = office.mailed_token(GUEST).unwrap();
        let body = json!({ "token": token, "name": "Khách", "password": "bốn từ không liên quan" });
        let event = http_event("POST", "/v1/auth/invitations/accept", Some(&body), None);
        let mut survived = true;
        for kill in [Kill::Before(at), Kill::After(at)] {
            let answer = office
                .world
                .invoke_and_kill("api-accounts", event.clone(), kill)
                .await;
            survived &= answer.is_some();
        }
        // If the user was made before the crash, the person signs in.
        let (status, session) = office.accept(&token, "bốn từ không liên quan").await;
        assert!([200, 409].contains(&status), "{at}: {session}");
        let login = office.login(GUEST, "bốn từ không liên quan", "203.0.113.1");
        assert_eq!(login.await.0, 200, "{at}");
        let admin = office.token().await;
        let (_, users) = office.ask(&admin, "GET", "/v1/users", None).await;
        assert_eq!(users["data"].as_array().unwrap().len(), 2, "{at}");
        if survived {
            assert!(at > 3, "only {at} calls were killed");
            break;
        }
    }
}

#[tokio::test]
async fn a_throttled_mail_is_sent_by_the_next_delivery() {
    let office = Office::open().await;
    office.invite(GUEST).await;
    assert_eq!(office.forgot(EMAIL).await, 202);
    let throttled = |call: &Call| match call.service {
        "ses" => Fault::Throttle,
        _ => Fault::None,
    };
    office
        .world
        .aws
        .set_fault_hook(Some(std::sync::Arc::new(throttled)));
    let batch = office.world.take("account-mailer").unwrap();
    let answer = office
        .world
        .invoke("account-mailer", batch.event.clone())
        .await;
    let failed = answer.unwrap()["batchItemFailures"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(failed, 2, "both come again");
    office.world.aws.set_fault_hook(None);
    for _ in 0..2 {
        let answer = office
            .world
            .invoke("account-mailer", batch.event.clone())
            .await;
        assert_eq!(answer.unwrap().to_string(), r#"{"batchItemFailures":[]}"#);
    }
    let mails = office.world.aws.outbox().all(Kind::Mail);
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to.join(",")).collect();
    to.sort_unstable();
    assert_eq!(to, [EMAIL, GUEST]);
    assert!(office.world.dead_letters().is_empty());
}

#[tokio::test]
async fn an_invitation_that_made_nobody_can_be_taken_back() {
    let office = Office::open().await;
    let made = office.invite(GUEST).await;
    office.mail().await;
    let token = office.mailed_token(GUEST).unwrap();
    let path = format!("/v1/invitations/{}", made["id"].as_str().unwrap());
    let revoke = format!("{path}/revoke");
    let admin = office.token().await;
    let body = json!({ "token": token, "name": "Khách", "password": "bốn từ không liên quan" });
    let event = http_event("POST", "/v1/auth/invitations/accept", Some(&body), None);
    for at in 0.. {
        let kill = Kill::Before(at);
        let killed = office
            .world
            .invoke_and_kill("api-accounts", event.clone(), kill);
        assert!(killed.await.is_none());
        let (_, shown) = office.ask(&admin, "GET", &path, None).await;
        if shown["status"] == "accepted" {
            break;
        }
    }
    // The call may still be running; a minute later it cannot.
    assert_eq!(office.ask(&admin, "POST", &revoke, None).await.0, 409);
    office.world.advance(std::time::Duration::from_mins(1));
    assert_eq!(office.ask(&admin, "POST", &revoke, None).await.0, 200);
    assert_eq!(office.accept(&token, "bốn từ không liên quan").await.0, 400);
    let (_, users) = office.ask(&admin, "GET", "/v1/users", None).await;
    assert_eq!(users["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_accepted_link_ends_with_its_time() {
    let office = Office::open().await;
    office.invite(GUEST).await;
    office.mail().await;
    let token = office.mailed_token(GUEST).unwrap();
    assert_eq!(office.accept(&token, "bốn từ không liên quan").await.0, 200);
    office.world.advance(73 * HOUR);
    assert_eq!(office.accept(&token, "bốn từ không liên quan").await.0, 400);
}

#[tokio::test]
async fn an_address_of_another_account_leaves_the_invitation_open() {
    let office = Office::open().await;
    let made = office.invite(GUEST).await;
    office.mail().await;
    let token = office.mailed_token(GUEST).unwrap();
    let resources = office.world.resources();
    let other = accounts::Accounts::over(&resources).create("Khác").await;
    let theirs = accounts::NewUser {
        email: GUEST.parse().unwrap(),
        name: "Khách".into(),
        role: Role::Viewer,
        chat_role: None,
        workspaces: Vec::new(),
        password: "bốn từ không liên quan".into(),
    };
    let users = accounts::Users::over(&resources);
    assert!(
        users
            .create(other.unwrap(), theirs)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(office.accept(&token, "bốn từ không liên quan").await.0, 409);
    let path = format!("/v1/invitations/{}", made["id"].as_str().unwrap());
    let admin = office.token().await;
    let (_, shown) = office.ask(&admin, "GET", &path, None).await;
    assert_eq!(shown["status"], "pending");
}

#[tokio::test]
async fn the_address_is_no_password() {
    let office = Office::open().await;
    office.invite(GUEST).await;
    office.mail().await;
    let token = office.mailed_token(GUEST).unwrap();
    assert_eq!(office.accept(&token, GUEST).await.0, 400);
}

#[tokio::test]
async fn an_invitation_ends_with_its_givers_role() {
    let office = Office::open().await;
    let second = office.colleague("hai@example.vn", Role::AccountAdmin).await;
    let (_, entered) = office
        .login("hai@example.vn", PASSWORD, "203.0.113.4")
        .await;
    let body = json!({ "email": GUEST, "role": "account_admin", "workspace_ids": [] });
    let theirs = entered["token"].as_str().unwrap();
    let (status, made) = office
        .ask(theirs, "POST", "/v1/invitations", Some(body))
        .await;
    assert_eq!((status, &made["invited_by"]), (201, &json!(second)));
    office.mail().await;
    let token = office.mailed_token(GUEST).unwrap();
    let admin = office.token().await;
    let path = format!("/v1/users/{second}");
    let down = Some(json!({ "role": "viewer" }));
    assert_eq!(office.ask(&admin, "PATCH", &path, down).await.0, 200);
    assert_eq!(office.accept(&token, "bốn từ không liên quan").await.0, 400);
    // After an admin resends the invitation, it is valid again.
    let resend = format!("/v1/invitations/{}/resend", made["id"].as_str().unwrap());
    assert_eq!(office.ask(&admin, "POST", &resend, None).await.0, 200);
    office.mail().await;
    let token = office.mailed_token(GUEST).unwrap();
    assert_eq!(office.accept(&token, "bốn từ không liên quan").await.0, 200);
}

#[tokio::test]
async fn an_address_has_one_invitation() {
    let office = Office::open().await;
    let made = office.invite(GUEST).await;
    let again = office.invite(GUEST).await;
    assert_eq!(made["id"], again["id"], "the mail is on the way");
    office.mail().await;
    assert_eq!(office.world.aws.outbox().all(Kind::Mail).len(), 1);
    let admin = office.token().await;
    let invite = async |email: &str| {
        let body = json!({ "email": email, "role": "viewer", "workspace_ids": [office.workspace] });
        office
            .ask(&admin, "POST", "/v1/invitations", Some(body))
            .await
            .0
    };
    assert_eq!(invite(GUEST).await, 409);
    let path = format!("/v1/invitations/{}", made["id"].as_str().unwrap());
    assert_eq!(
        office
            .ask(&admin, "POST", &format!("{path}/revoke"), None)
            .await
            .0,
        200
    );
    assert_eq!(invite(GUEST).await, 201);

    let colleague = office.colleague("nghi@example.vn", Role::Viewer).await;
    let disable = Some(json!({ "status": "disabled" }));
    let path = format!("/v1/users/{colleague}");
    assert_eq!(office.ask(&admin, "PATCH", &path, disable).await.0, 200);
    assert_eq!(invite("nghi@example.vn").await, 409);
}

#[tokio::test]
async fn mails_of_invitations_are_few() {
    let office = Office::open().await;
    let made = office.invite(GUEST).await;
    let admin = office.token().await;
    let resend = format!("/v1/invitations/{}/resend", made["id"].as_str().unwrap());
    for n in 1..7 {
        let expected = if n < 5 { 200 } else { 429 };
        assert_eq!(
            office.ask(&admin, "POST", &resend, None).await.0,
            expected,
            "{n}"
        );
    }
}

#[tokio::test]
async fn an_invitation_killed_at_any_call_is_mailed_once_it_is_asked_for_again() {
    let mut at = 0;
    loop {
        let office = Office::open().await;
        let account = office.account().await;
        let (_, me) = office
            .ask(&office.token().await, "GET", "/v1/me", None)
            .await;
        let grant = kernel::Grant {
            account,
            role: Some(Role::AccountAdmin),
            actor: me["user"]["id"].as_str().unwrap().into(),
            ..crate::support::grant_of(office.workspace.parse().unwrap(), "")
        };
        let body =
            json!({ "email": GUEST, "role": "contributor", "workspace_ids": [office.workspace] });
        let event = http_event("POST", "/v1/invitations", Some(&body), Some(&grant));
        let kill = Kill::After(at);
        let answer = office
            .world
            .invoke_and_kill("api-accounts", event, kill)
            .await;
        office.invite(GUEST).await;
        office.mail().await;
        assert_eq!(office.world.aws.outbox().all(Kind::Mail).len(), 1, "{at}");
        let admin = office.token().await;
        let (_, all) = office.ask(&admin, "GET", "/v1/invitations", None).await;
        assert_eq!(all["data"].as_array().unwrap().len(), 1, "{at}");
        if answer.is_some() {
            assert!(at > 5);
            break;
        }
        at += 1;
    }
}

#[tokio::test]
async fn an_account_invites_few_people_in_a_day() {
    let office = Office::open().await;
    let admin = office.token().await;
    let invite = async |n: u32| {
        let body = json!({
            "email": format!("n{n}@example.vn"), "role": "viewer", "workspace_ids": [office.workspace],
        });
        let answer = office.ask(&admin, "POST", "/v1/invitations", Some(body));
        answer.await.0
    };
    for n in 0..50 {
        assert_eq!(invite(n).await, 201, "{n}");
    }
    assert_eq!(invite(50).await, 429);
    office.world.advance(HOUR * 24);
    assert_eq!(invite(50).await, 201);
}
