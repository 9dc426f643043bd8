//! Invitations, forgotten passwords and second factors, from the API to the mail and back.

use std::time::Duration;

use kernel::Role;
use serde_json::{Value, json};

use super::office::{EMAIL, Office, PASSWORD};
use crate::support::{Kill, fixture, http_event};

const GUEST: &str = "khach@example.vn";
const HOUR: Duration = Duration::from_hours(1);

impl Office {
    async fn invite(&self, email: &str) -> Value {
        let body =
            json!({ "email": email, "role": "contributor", "workspace_ids": [self.workspace] });
        let (status, made) = self
            .ask(&self.token().await, "POST", "/v1/invitations", Some(body))
            .await;
        assert_eq!(status, 201, "{made}");
        made
    }

    async fn accept(&self, token: &str, password: &str) -> (u64, Value) {
        let body = json!({ "token": token, "name": "Khách", "password": password });
        self.ask_openly("/v1/auth/invitations/accept", &body).await
    }

    async fn forgot(&self, email: &str) -> u64 {
        let body = json!({ "email": email });
        self.ask_openly("/v1/auth/password/forgot", &body).await.0
    }

    async fn reset(&self, token: &str, password: &str) -> u64 {
        let body = json!({ "token": token, "password": password });
        self.ask_openly("/v1/auth/password/reset", &body).await.0
    }

    async fn login_with(&self, password: &str, code: &str) -> (u64, Value) {
        let body = json!({ "email": EMAIL, "password": password, "code": code });
        self.ask_openly("/v1/auth/login", &body).await
    }

    /// Draws and confirms a second factor; the authenticator app and the recovery codes.
    async fn second_factor(&self) -> (totp_rs::Totp, Vec<String>) {
        let token = self.token().await;
        let (status, drawn) = self.ask(&token, "POST", "/v1/auth/totp", None).await;
        assert_eq!(status, 201, "{drawn}");
        let app = totp_rs::Totp::from_url(drawn["otpauth_url"].as_str().unwrap()).unwrap();
        let body = json!({ "code": self.code(&app) });
        let path = "/v1/auth/totp/confirm";
        let (status, confirmed) = self.ask(&token, "POST", path, Some(body)).await;
        assert_eq!(status, 200, "{confirmed}");
        assert_eq!(self.ask(&token, "GET", "/v1/me", None).await.0, 401);
        let codes = confirmed["recovery_codes"].as_array().unwrap().iter();
        let codes = codes.map(|code| code.as_str().unwrap().to_owned());
        (app, codes.collect())
    }

    fn code(&self, app: &totp_rs::Totp) -> String {
        let now = u64::try_from(self.world.now().as_second()).unwrap();
        app.generate(now).to_string()
    }
}

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
    let (status, session) = office.accept(&token, "mật khẩu của khách").await;
    assert_eq!(status, 200, "{session}");
    assert_eq!(session["user"]["role"], "contributor");
    assert_eq!(session["workspaces"][0]["id"], office.workspace);
    let guest = session["token"].as_str().unwrap();
    assert_eq!(office.ask(guest, "GET", "/v1/contacts", None).await.0, 200);
    assert_eq!(
        office.ask(guest, "GET", "/v1/invitations", None).await.0,
        403
    );

    // The same once more signs in; another password is not this invitation's.
    assert_eq!(office.accept(&token, "mật khẩu của khách").await.0, 200);
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
    assert_eq!(office.accept(&first, "mật khẩu của khách").await.0, 400);

    office.world.advance(73 * HOUR);
    let (_, shown) = office.ask(&admin, "GET", &path, None).await;
    assert_eq!(shown["status"], "expired");
    assert_eq!(office.accept(&second, "mật khẩu của khách").await.0, 400);
    assert_eq!(office.ask(&admin, "POST", &resend, None).await.0, 200);
    office.mail().await;
    let third = office.mailed_token(GUEST).unwrap();
    let revoke = format!("{path}/revoke");
    assert_eq!(office.ask(&admin, "POST", &revoke, None).await.0, 200);
    assert_eq!(office.accept(&third, "mật khẩu của khách").await.0, 400);
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
        let body = json!({ "token": token, "name": "Khách", "password": "mật khẩu của khách" });
        let event = http_event("POST", "/v1/auth/invitations/accept", Some(&body), None);
        let mut survived = true;
        for kill in [Kill::Before(at), Kill::After(at)] {
            let answer = office
                .world
                .invoke_and_kill("api-accounts", event.clone(), kill)
                .await;
            survived &= answer.is_some();
        }
        let (status, session) = office.accept(&token, "mật khẩu của khách").await;
        assert_eq!(status, 200, "{at}: {session}");
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
async fn a_mailer_killed_at_any_call_mails_once_at_most() {
    for at in 0.. {
        let office = Office::open().await;
        office.invite(GUEST).await;
        let batch = office.world.take("account-mailer").unwrap();
        let mut survived = true;
        for kill in [Kill::Before(at), Kill::After(at)] {
            let event = batch.event.clone();
            let answer = office
                .world
                .invoke_and_kill("account-mailer", event, kill)
                .await;
            survived &= answer.is_some();
        }
        let last = office
            .world
            .invoke("account-mailer", batch.event.clone())
            .await;
        assert_eq!(last.unwrap().to_string(), r#"{"batchItemFailures":[]}"#);
        let mails = office.world.aws.outbox().all(tanigo_local::aws::Kind::Mail);
        assert!(mails.len() <= 1, "{at}: {} mails", mails.len());
        if survived {
            assert_eq!(mails.len(), 1);
            break;
        }
    }
}

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
async fn a_second_factor_is_asked_for_and_each_code_opens_once() {
    let office = Office::open().await;
    let (app, recovery) = office.second_factor().await;
    let (status, problem) = office.login(EMAIL, PASSWORD, "203.0.113.1").await;
    assert_eq!((status, &problem["code"]), (401, &json!("totp_required")));
    // A wrong password does not tell that there is a second factor.
    let (_, problem) = office.login(EMAIL, "mật khẩu sai rồi", "203.0.113.1").await;
    assert_eq!(problem["code"], "unauthenticated");
    // The code that confirmed it was used.
    assert_eq!(office.login_with(PASSWORD, &office.code(&app)).await.0, 401);
    office.world.advance(Duration::from_secs(30));
    let code = office.code(&app);
    let (status, session) = office.login_with(PASSWORD, &code).await;
    assert_eq!(
        (status, &session["user"]["second_factor"]),
        (200, &json!(true))
    );
    assert_eq!(office.login_with(PASSWORD, &code).await.0, 401);
    assert_eq!(office.login_with(PASSWORD, &recovery[0]).await.0, 200);
    assert_eq!(office.login_with(PASSWORD, &recovery[0]).await.0, 401);

    // Neither a reset nor an acceptance gets around it.
    assert_eq!(office.forgot(EMAIL).await, 202);
    office.mail().await;
    let token = office.mailed_token(EMAIL).unwrap();
    assert_eq!(office.reset(&token, "mật khẩu mới tinh").await, 204);
    let (status, problem) = office
        .login(EMAIL, "mật khẩu mới tinh", "203.0.113.1")
        .await;
    assert_eq!((status, &problem["code"]), (401, &json!("totp_required")));

    office.world.advance(Duration::from_secs(30));
    let (_, session) = office
        .login_with("mật khẩu mới tinh", &office.code(&app))
        .await;
    let session = session["token"].as_str().unwrap();
    let path = "/v1/auth/totp/disable";
    let body = json!({ "password": "mật khẩu mới tinh", "code": recovery[1] });
    let wrong = json!({ "password": "mật khẩu mới tinh", "code": "000000" });
    assert_eq!(office.ask(session, "POST", path, Some(wrong)).await.0, 400);
    assert_eq!(office.ask(session, "POST", path, Some(body)).await.0, 204);
    assert_eq!(office.ask(session, "GET", "/v1/me", None).await.0, 401);
    assert_eq!(
        office
            .login(EMAIL, "mật khẩu mới tinh", "203.0.113.1")
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn codes_are_not_guessed() {
    let office = Office::open().await;
    office.second_factor().await;
    for _ in 0..10 {
        assert_eq!(office.login_with(PASSWORD, "000000").await.0, 401);
        // A right password between the guesses does not forgive them.
        assert_eq!(
            office.login(EMAIL, PASSWORD, "203.0.113.1").await.0 / 100,
            4
        );
    }
    assert_eq!(office.login_with(PASSWORD, "000000").await.0, 429);
}

#[tokio::test]
async fn two_sign_ins_with_one_code_are_one() {
    let office = Office::open().await;
    let (app, _) = office.second_factor().await;
    office.world.advance(Duration::from_secs(30));
    let code = office.code(&app);
    let (one, two) = tokio::join!(
        office.login_with(PASSWORD, &code),
        office.login_with(PASSWORD, &code)
    );
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
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
    assert_eq!(
        done().await,
        [
            "workspace",
            "data",
            "sending_channel",
            "sender_details",
            "chat"
        ]
    );
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
