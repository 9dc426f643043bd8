//! Owners of contacts: members of the workspace, their contacts, and jobs that hand contacts on.

use std::collections::BTreeSet;

use accounts::{NewUser, UserChange, UserStatus, Users};
use kernel::{ContactId, Role, UserId};
use serde_json::{Value, json};

use super::jobs::{admin, segment};
use super::life::survives_kills;
use super::shop::{Shop, email, person};
use crate::support::ACCOUNT;

/// A person of the account who may enter the shop's workspace; with `false` another one.
async fn member(shop: &Shop, name: &str, is_here: bool) -> UserId {
    let other = "ws_0000000000z".parse().unwrap();
    let workspace = if is_here {
        shop.tenant.workspace()
    } else {
        other
    };
    let new = NewUser {
        email: format!("{name}@nhan.example.vn").parse().unwrap(),
        name: name.into(),
        role: Role::AccountManager,
        chat_role: None,
        workspaces: vec![workspace],
        password: "bốn từ chẳng liên quan".into(),
    };
    let users = Users::over(&shop.world.resources());
    let made = users.create(ACCOUNT.parse().unwrap(), new).await.unwrap();
    made.unwrap()
}

async fn disable(shop: &Shop, user: UserId) {
    let change = UserChange {
        status: Some(UserStatus::Disabled),
        ..UserChange::default()
    };
    let users = Users::over(&shop.world.resources());
    let changed = users.change(ACCOUNT.parse().unwrap(), user, &change).await;
    assert!(matches!(changed, Ok(accounts::UserChanged::Yes(_))));
}

async fn made(shop: &Shop, count: usize) -> Vec<ContactId> {
    let mut ids = Vec::new();
    for n in 0..count {
        let address = email(&format!("k{n}@ex.example.vn"));
        let upserted = shop.upsert(person(&format!("Khách {n}"), &[address])).await;
        ids.push(upserted.contact);
    }
    ids
}

async fn give(shop: &Shop, id: ContactId, owner: Value) -> (u64, Value) {
    let body = json!({ "owner_id": owner });
    let path = format!("/v1/contacts/{id}");
    shop.api("PATCH", &path, Some(&body)).await
}

/// The contacts of an owner, by the pages of the list.
async fn of(shop: &Shop, owner: UserId, more: &str) -> BTreeSet<String> {
    let (mut found, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/v1/contacts?owner_id={owner}&limit=2{more}{cursor}");
        let (status, page) = shop.api("GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        for one in page["data"].as_array().unwrap() {
            assert_eq!(one["owner_id"], json!(owner));
            assert!(found.insert(one["id"].as_str().unwrap().to_owned()));
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn set(ids: &[ContactId]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_member_of_the_workspace_owns_contacts() {
    let shop = Shop::new().await;
    let (an, binh) = (
        member(&shop, "an", true).await,
        member(&shop, "binh", true).await,
    );
    let ids = made(&shop, 4).await;
    for id in &ids[..3] {
        let (status, contact) = give(&shop, *id, json!(an)).await;
        assert_eq!(
            (status, &contact["owner_id"]),
            (200, &json!(an)),
            "{contact}"
        );
    }
    assert_eq!(of(&shop, an, "").await, set(&ids[..3]));
    assert_eq!(give(&shop, ids[0], json!(binh)).await.0, 200);
    assert_eq!(
        give(&shop, ids[1], Value::Null).await.1["owner_id"],
        Value::Null
    );
    assert_eq!(of(&shop, an, "").await, set(&ids[2..3]));
    assert_eq!(of(&shop, binh, "").await, set(&ids[..1]));
    assert_eq!(of(&shop, an, "&query=khach").await, set(&ids[2..3]));
    // The timeline tells who had the contact before.
    let path = format!("/v1/contacts/{}/timeline", ids[0]);
    let (_, timeline) = shop.api("GET", &path, None).await;
    let told = &timeline["data"][0]["data"]["fields"]["owner_id"];
    assert_eq!(told, &json!({ "old": an, "new": binh }), "{timeline}");
    // An archived contact keeps its owner.
    let path = format!("/v1/contacts/{}/archive", ids[2]);
    assert_eq!(shop.api("POST", &path, None).await.0, 200);
    assert!(of(&shop, an, "").await.is_empty());
    assert_eq!(of(&shop, an, "&status=archived").await, set(&ids[2..3]));
    // A new contact has the owner that is given; a known one keeps its own unless it is overwritten.
    let body = json!({ "email": "moi@ex.example.vn", "owner_id": an });
    let (status, new) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!((status, &new["owner_id"]), (201, &json!(an)));
    let body = json!({ "email": "moi@ex.example.vn", "owner_id": binh });
    let (_, kept) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(kept["owner_id"], json!(an));
    let body = json!({ "email": "moi@ex.example.vn", "owner_id": binh, "overwrite": true });
    let (_, given) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!(given["owner_id"], json!(binh));
}

#[tokio::test]
async fn nobody_else_is_given_a_contact() {
    let shop = Shop::new().await;
    let ids = made(&shop, 1).await;
    let elsewhere = member(&shop, "xa", false).await;
    let gone = member(&shop, "nghi", true).await;
    assert_eq!(give(&shop, ids[0], json!(gone)).await.0, 200);
    disable(&shop, gone).await;
    let strange: UserId = "usr_00000000000".parse().unwrap();
    for owner in [elsewhere, gone, strange] {
        let patch = json!({ "owner_id": owner, "timezone": " " });
        let path = format!("/v1/contacts/{}", ids[0]);
        let (status, problem) = shop.api("PATCH", &path, Some(&patch)).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/owner_id", "{problem}");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
        let post = json!({ "email": "k0@ex.example.vn", "owner_id": owner });
        let (status, problem) = shop.api("POST", "/v1/contacts", Some(&post)).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!("/owner_id"))
        );
        let job = json!({
            "change": { "set_owner_id": owner }, "selection": { "everybody": true },
        });
        let (status, problem) = shop.api("POST", "/v1/contacts/bulk", Some(&job)).await;
        let pointer = json!("/change/set_owner_id");
        assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &pointer));
    }
    // The contacts of a person who left keep the id, so that they are found and handed on.
    assert_eq!(of(&shop, gone, "").await, set(&ids));
}

#[tokio::test]
async fn members_are_listed_by_workspace() {
    let shop = Shop::new().await;
    let an = member(&shop, "an", true).await;
    member(&shop, "xa", false).await;
    let gone = member(&shop, "nghi", true).await;
    disable(&shop, gone).await;
    let event = crate::support::http_event("GET", "/v1/members", None, Some(&shop.grant()));
    let (status, page) = shop.world.ask("api-accounts", event).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["data"], json!([{ "id": an, "name": "an" }]));
}

#[tokio::test]
async fn a_job_hands_on_the_contacts_of_an_owner() {
    let shop = Shop::new().await;
    let (an, binh) = (
        member(&shop, "an", true).await,
        member(&shop, "binh", true).await,
    );
    let ids = made(&shop, 4).await;
    for id in &ids[..3] {
        assert_eq!(give(&shop, *id, json!(an)).await.0, 200);
    }
    let owned = |operator: &str, value: Value| {
        let mut one = json!({ "family": "profile", "field": "owner_id", "operator": operator });
        if !value.is_null() {
            one["value"] = value;
        }
        json!({ "all": [one] })
    };
    let change = async |set_owner: Value, conditions: Value| {
        let body = json!({
            "change": { "set_owner_id": set_owner }, "selection": { "conditions": conditions },
        });
        let (status, job) = admin(&shop, "POST", "/v1/contacts/bulk", Some(&body)).await;
        assert_eq!(status, 202, "{job}");
        shop.world.settle_twice().await;
        let path = format!("/v1/contacts/bulk/{}", job["id"].as_str().unwrap());
        admin(&shop, "GET", &path, None).await.1
    };
    let job = change(json!(binh), owned("is", json!(an))).await;
    let done = (&job["status"], &job["changed"], &job["action"]);
    assert_eq!(
        done,
        (&json!("completed"), &json!(3), &json!("set_owner")),
        "{job}"
    );
    assert_eq!(of(&shop, binh, "").await, set(&ids[..3]));
    let job = change(json!(an), owned("is_not_set", Value::Null)).await;
    assert_eq!(job["changed"], 1, "{job}");
    assert_eq!(of(&shop, an, "").await, set(&ids[3..]));
    let job = change(Value::Null, owned("is_set", Value::Null)).await;
    assert_eq!(job["changed"], 4, "{job}");
    assert!(of(&shop, binh, "").await.is_empty());
}

#[tokio::test]
async fn a_segment_follows_the_owner() {
    let shop = Shop::new().await;
    let an = member(&shop, "an", true).await;
    let ids = made(&shop, 2).await;
    let one = json!({ "family": "profile", "field": "owner_id", "operator": "is", "value": an });
    let id = segment(&shop, &json!({ "all": [one] })).await;
    assert_eq!(give(&shop, ids[0], json!(an)).await.0, 200);
    shop.world.settle_twice().await;
    let path = format!("/v1/segments/{id}/members");
    let (_, page) = admin(&shop, "GET", &path, None).await;
    assert_eq!(page["data"][0]["contact_id"], json!(ids[0]), "{page}");
    assert_eq!(give(&shop, ids[0], Value::Null).await.0, 200);
    shop.world.settle_twice().await;
    let (_, page) = admin(&shop, "GET", &path, None).await;
    assert_eq!(page["data"], json!([]));
}

#[tokio::test]
async fn an_owner_is_set_after_every_kill() {
    let prepare = async |shop: &Shop| {
        let an = member(shop, "an", true).await;
        let ids = made(shop, 1).await;
        let path = format!("/v1/contacts/{}", ids[0]);
        (path, Some(json!({ "owner_id": an })))
    };
    survives_kills("PATCH", prepare, 4).await;
}

#[tokio::test]
async fn an_owner_costs_one_unit_more_and_no_contact_without_one() {
    let shop = Shop::new().await;
    let an = member(&shop, "an", true).await;
    let ids = made(&shop, 1).await;
    let meter = shop.world.aws.meter();
    let before = meter.snapshot();
    assert_eq!(give(&shop, ids[0], json!(an)).await.0, 200);
    let (written, _) = shop.world.units("Contacts", &before);
    // The profile, in a transaction with its entry of the timeline.
    assert!((written - 2.0).abs() < 0.01, "{written}");
    let used = meter.since(&before);
    let indexes = used
        .tables
        .values()
        .flat_map(|table| table.indexes.values());
    let written: f64 = indexes.map(|index| index.writes).sum();
    assert!((written - 1.0).abs() < 0.01, "{written}");
    // A contact without an owner is not in the index.
    let before = meter.snapshot();
    shop.upsert(person("Khách", &[email("moi@ex.example.vn")]))
        .await;
    let used = meter.since(&before);
    let names = used.tables.values().flat_map(|table| &table.indexes);
    let owned = names.filter(|(name, index)| *name == "ByOwner" && index.writes > 0.0);
    assert_eq!(owned.count(), 0);
    let rows = shop.world.dump("Contacts").await;
    let owned = rows.iter().filter(|row| row.get("owner_id").is_some());
    assert_eq!(owned.count(), 1);
}
