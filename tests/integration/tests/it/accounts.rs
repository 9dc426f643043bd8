//! People, workspaces and keys, as clients use them: through the authorizer and the API.

mod factors;
mod invitations;
mod issuer;
mod keys;
mod log;
mod mails;
pub mod office;
mod people;
mod races;
mod senders;
mod sign_in;

use serde_json::json;

use crate::support::{Kill, World, http_event};
use office::{EMAIL, Office, PASSWORD, setup};

#[tokio::test]
async fn the_first_account_is_made_once_by_whoever_has_the_token() {
    let office = Office::open().await;
    assert_eq!(setup(&office.world, "ke-den-sau@example.vn").await.0, 409);
    let wrong = json!({
        "token": "x", "account_name": "a", "workspace_name": "b", "name": "c",
        "email": "d@example.vn", "password": PASSWORD,
    });
    let event = http_event("POST", "/v1/setup", Some(&wrong), None);
    assert_eq!(office.world.ask("api-accounts", event).await.0, 401);
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
async fn a_setup_is_over_only_when_there_is_an_admin() {
    let world = World::new();
    let resources = world.resources();
    let other = accounts::Accounts::over(&resources).create("Khác").await;
    let theirs = accounts::NewUser {
        email: EMAIL.parse().unwrap(),
        name: "Chủ".into(),
        role: kernel::Role::Viewer,
        chat_role: None,
        workspaces: Vec::new(),
        password: PASSWORD.into(),
    };
    let users = accounts::Users::over(&resources);
    users.create(other.unwrap(), theirs).await.unwrap().unwrap();
    assert_eq!(setup(&world, EMAIL).await.0, 409, "the address is taken");
    assert_eq!(setup(&world, "hai@example.vn").await.0, 201);
    assert_eq!(setup(&world, "ba@example.vn").await.0, 409);
    let rows = world.dump("Directory").await;
    let accounts = rows.iter().filter(|row| row["sk"] == "ACCOUNT").count();
    assert_eq!(accounts, 2, "no call left an account with nobody in it");
}

#[tokio::test]
async fn whoever_is_no_admin_has_a_workspace() {
    let office = Office::open().await;
    let admin = office.token().await;
    let id = office
        .colleague("hai@example.vn", kernel::Role::AccountAdmin)
        .await;
    let path = format!("/v1/users/{id}");
    for (change, status) in [
        (json!({ "workspace_ids": [] }), 200),
        (json!({ "role": "viewer" }), 400),
        (
            json!({ "role": "viewer", "workspace_ids": [office.workspace] }),
            200,
        ),
        (json!({ "workspace_ids": [] }), 400),
    ] {
        let (got, body) = office
            .ask(&admin, "PATCH", &path, Some(change.clone()))
            .await;
        assert_eq!(got, status, "{change}: {body}");
    }
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
    for unknown in [branch.as_str(), "ws_00000000009", "x"] {
        assert_eq!(contacts(unknown, manager).await, 404, "{unknown}");
    }
    let empty = contacts("", manager).await;
    assert_eq!(empty, 400, "an empty header names no workspace");
    assert_eq!(contacts(&branch, &admin).await, 200);
    let path = format!("/v1/workspaces/{branch}");
    assert_eq!(office.ask(manager, "GET", &path, None).await.0, 404);
    let archive = format!("{path}/archive");
    let wrong = Some(json!({ "name": "chi nhánh" }));
    assert_eq!(office.ask(&admin, "POST", &archive, wrong).await.0, 400);
    let right = Some(json!({ "name": "Chi nhánh" }));
    assert_eq!(office.ask(&admin, "POST", &archive, right).await.0, 200);
    assert_eq!(contacts(&branch, &admin).await, 403);
    let (_, entered) = office.login(EMAIL, PASSWORD, "203.0.113.5").await;
    assert_eq!(
        entered["workspaces"].as_array().unwrap().len(),
        1,
        "not the archived one"
    );
    let (_, all) = office.ask(&admin, "GET", "/v1/workspaces", None).await;
    assert_eq!(
        all["data"].as_array().unwrap().len(),
        2,
        "where admins find it"
    );
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
        "postal_address": "1 Hàng Bài, Hà Nội",
        "default_sender": { "name": "Shop", "email": "shop@example.vn" },
    });
    let (status, after) = office
        .ask(&admin, "PATCH", &path, Some(change.clone()))
        .await;
    assert_eq!(
        (status, &after["postal_address"]),
        (200, &change["postal_address"]),
        "{after}"
    );
    let clear = json!({ "postal_address": "", "quiet_hours": null, "name": "Tên mới" });
    let (_, after) = office.ask(&admin, "PATCH", &path, Some(clear)).await;
    assert_eq!(
        (&after["postal_address"], &after["name"]),
        (&json!(""), &json!("Tên mới"))
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
async fn mails_come_by_default_from_an_address_that_may_send() {
    let office = Office::open().await;
    let admin = office.token().await;
    let path = format!("/v1/workspaces/{}", office.workspace);
    for (address, expected) in [("shop@example.com", 400), ("shop@example.vn", 200)] {
        let change = json!({ "default_sender": { "name": "Cửa hàng", "email": address } });
        let (status, answer) = office.ask(&admin, "PATCH", &path, Some(change)).await;
        assert_eq!(status, expected, "{answer}");
        if status == 400 {
            assert_eq!(answer["errors"][0]["pointer"], "/default_sender/email");
        }
    }
}
