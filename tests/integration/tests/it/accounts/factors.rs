//! Second factors.

use std::time::Duration;

use kernel::Role;
use serde_json::json;

use super::office::{EMAIL, HOUR, Office, PASSWORD};

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_opens_once() {
    let office = Office::open().await;
    let (app, recovery) = office.second_factor().await;
    let (status, problem) = office.login(EMAIL, PASSWORD, "203.0.113.1").await;
    assert_eq!((status, &problem["code"]), (401, &json!("totp_required")));
    // The answer to a wrong password does not show that there is a second factor.
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

    // Neither a password reset nor an accepted invitation bypasses the second factor.
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
        // A right password between the guesses does not reset the count of wrong codes.
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
async fn a_session_alone_plants_no_second_factor() {
    let office = Office::open().await;
    let token = office.token().await;
    for body in [json!({}), json!({ "password": "mật khẩu sai rồi" })] {
        let (status, _) = office
            .ask(&token, "POST", "/v1/auth/totp", Some(body))
            .await;
        assert_eq!(status, 400);
    }
}

#[tokio::test]
async fn codes_are_not_guessed_in_a_day_either() {
    let office = Office::open().await;
    let (app, _) = office.second_factor().await;
    for n in 0..50 {
        if n % 10 == 0 {
            office.world.advance(Duration::from_mins(15));
        }
        assert_eq!(office.login_with(PASSWORD, "000000").await.0, 401, "{n}");
    }
    office.world.advance(Duration::from_mins(15));
    assert_eq!(office.login_with(PASSWORD, &office.code(&app)).await.0, 429);
    office.world.advance(24 * HOUR);
    assert_eq!(office.login_with(PASSWORD, &office.code(&app)).await.0, 200);
}

#[tokio::test]
async fn recovery_codes_are_drawn_anew_for_whoever_has_the_password() {
    let office = Office::open().await;
    let (app, old) = office.second_factor().await;
    office.world.advance(Duration::from_secs(30));
    let (_, session) = office.login_with(PASSWORD, &office.code(&app)).await;
    let session = session["token"].as_str().unwrap();
    let path = "/v1/auth/totp/recovery-codes";
    let wrong = Some(json!({ "password": "mật khẩu sai rồi" }));
    assert_eq!(office.ask(session, "POST", path, wrong).await.0, 400);
    let right = Some(json!({ "password": PASSWORD }));
    let (status, drawn) = office.ask(session, "POST", path, right).await;
    assert_eq!(status, 200, "{drawn}");
    assert_eq!(office.login_with(PASSWORD, &old[0]).await.0, 401);
    let new = drawn["recovery_codes"][0].as_str().unwrap();
    assert_eq!(office.login_with(PASSWORD, new).await.0, 200);
}

#[tokio::test]
async fn an_admin_takes_a_lost_second_factor_away() {
    let office = Office::open().await;
    office.colleague("hai@example.vn", Role::AccountAdmin).await;
    office.second_factor().await;
    let (_, entered) = office
        .login("hai@example.vn", PASSWORD, "203.0.113.4")
        .await;
    let other = entered["token"].as_str().unwrap();
    let (_, users) = office.ask(other, "GET", "/v1/users", None).await;
    let users = users["data"].as_array().unwrap();
    let id = |email: &str| {
        let user = users.iter().find(|user| user["email"] == email).unwrap();
        user["id"].as_str().unwrap().to_owned()
    };
    let reset = |id: &str| format!("/v1/users/{id}/second-factor/reset");
    let own = reset(&id("hai@example.vn"));
    assert_eq!(
        office.ask(other, "POST", &own, None).await.0,
        409,
        "not one's own"
    );
    let (status, user) = office.ask(other, "POST", &reset(&id(EMAIL)), None).await;
    assert_eq!((status, &user["second_factor"]), (200, &json!(false)));
    assert_eq!(office.login(EMAIL, PASSWORD, "203.0.113.1").await.0, 200);
    let (_, log) = office.ask(other, "GET", "/v1/audit-log", None).await;
    let log = log["data"].as_array().unwrap().iter();
    assert!(log.clone().any(|entry| {
        entry["action"] == "resetSecondFactor" && entry["object_id"] == id(EMAIL)
    }));
}

#[tokio::test]
async fn a_sign_in_with_the_old_password_does_not_outlive_its_change() {
    for at in 0.. {
        let office = Office::open().await;
        let (app, _) = office.second_factor().await;
        office.world.advance(Duration::from_secs(30));
        let users = accounts::Users::over(&office.world.resources());
        let owner = users.by_email(&EMAIL.parse().unwrap()).await.unwrap();
        let code = office.code(&app);
        let sign_in = office.login_with(PASSWORD, &code);
        let change = users.change_password(owner.unwrap(), PASSWORD, "mật khẩu mới tinh");
        let interleaved = office.world.interleave(at, sign_in, change);
        let ((status, session), changed, reached) = interleaved.await;
        // If the sign-in spends the code first, the change of the password retries, and ends the new session.
        if changed.unwrap_or(false) && status == 200 {
            let token = session["token"].as_str().unwrap();
            let me = office.ask(token, "GET", "/v1/me", None).await;
            assert_eq!(me.0, 401, "at {at}");
        }
        if reached.is_none() {
            assert!(at > 5, "only {at} calls were tried");
            break;
        }
    }
}
