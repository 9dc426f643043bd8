//! Consent with its proof: what forms, imports and callers may book, and what a later decision changes.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts::consent::{MAX_RECORDS, Stated};
use contacts::{Channel, ChannelStatus, Statement};
use kernel::ConsentField;
use serde_json::{Value, json};

use super::shop::{Page, Shop, email, form, person, survives_any_kill, told};
use crate::support::{grant_of, http_event};

async fn consent(shop: &Shop, id: &str) -> Value {
    let (status, body) = shop
        .api("GET", &format!("/v1/contacts/{id}/consent"), None)
        .await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn state(shop: &Shop, id: &str, channel: &str) -> String {
    let shown = consent(shop, id).await;
    let states = shown["states"].as_array().unwrap();
    let found = states
        .iter()
        .find(|one| one["channel"] == channel && one["purpose"] == "marketing");
    found.unwrap()["status"].as_str().unwrap().to_owned()
}

async fn say(shop: &Shop, id: &str, body: Value) -> (u64, Value) {
    shop.world.advance(Duration::from_secs(1));
    let path = format!("/v1/contacts/{id}/consent");
    shop.api("POST", &path, Some(&body)).await
}

fn granted(method: &str) -> Value {
    json!({
        "decision": "granted", "method": method, "channels": ["email"],
        "text": "Tôi đồng ý nhận email ưu đãi", "frequency": "mỗi tuần một lần",
        "evidence": { "statement": "Khách nói qua điện thoại" },
    })
}

#[tokio::test]
async fn after_a_withdrawal_only_a_verified_act_of_the_person_counts() {
    let shop = Shop::new().await;
    let agreed = told(ChannelStatus::Subscribed, &[Channel::Email]);
    let known = contacts::Incoming {
        consent: agreed,
        ..person("An", &[email("an@example.vn")])
    };
    let id = shop.upsert(known.clone()).await.contact.to_string();
    assert_eq!(state(&shop, &id, "email").await, "subscribed");
    let left = json!({ "decision": "withdrawn", "method": "phone", "channels": ["email"] });
    assert_eq!(say(&shop, &id, left).await.0, 200);
    assert_eq!(state(&shop, &id, "email").await, "unsubscribed");
    // Repetitions of the old grant, and the shop's word by any way.
    shop.upsert(known).await;
    for method in ["form_tick", "phone", "paper", "chat", "api"] {
        let (status, shown) = say(&shop, &id, granted(method)).await;
        assert_eq!(status, 200, "{shown}");
        assert_eq!(state(&shop, &id, "email").await, "unsubscribed", "{method}");
    }
    let mut verified = granted("api");
    verified["evidence"] = json!({ "ip": "203.0.113.7", "user_agent": "Safari" });
    assert_eq!(say(&shop, &id, verified).await.0, 200);
    assert_eq!(state(&shop, &id, "email").await, "subscribed");
    let shown = consent(&shop, &id).await;
    let last = &shown["data"][0];
    assert_eq!(last["evidence"]["ip"], "203.0.113.7");
    assert_eq!(last["text"], "Tôi đồng ý nhận email ưu đãi");
    assert_eq!(last["text_sha256"].as_str().map(str::len), Some(64));
    assert_eq!(last["frequency"], "mỗi tuần một lần");
    assert_eq!(last["addresses"], json!(["an@example.vn"]));
    assert!(last["actor"].is_string() && last["decided_at"].is_string());
}

#[tokio::test]
async fn a_block_needs_an_administrator_and_the_person() {
    let shop = Shop::new().await;
    let id = shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact
        .to_string();
    let reason = json!({ "channel": "email", "reason": "Khách khiếu nại" });
    let path = format!("/v1/contacts/{id}/suppress");
    assert_eq!(shop.api("POST", &path, Some(&reason)).await.0, 200);
    assert_eq!(state(&shop, &id, "email").await, "suppressed");
    let mut verified = granted("api");
    verified["evidence"] = json!({ "ip": "203.0.113.7" });
    say(&shop, &id, verified.clone()).await;
    assert_eq!(state(&shop, &id, "email").await, "suppressed");
    let path = format!("/v1/contacts/{id}/unsuppress");
    assert_eq!(shop.api("POST", &path, Some(&reason)).await.0, 403);
    let mut chief = grant_of(shop.tenant.workspace(), "admin");
    chief.role = Some(kernel::Role::AccountAdmin);
    chief.scopes = String::new();
    shop.world.advance(Duration::from_secs(1));
    let event = http_event("POST", &path, Some(&reason), Some(&chief));
    let (status, shown) = shop.world.ask("api-contacts", event).await;
    assert_eq!(status, 200, "{shown}");
    // The act of the person was later than the block, so both are there.
    assert_eq!(state(&shop, &id, "email").await, "subscribed");
}

#[tokio::test]
async fn each_fault_of_a_decision_is_named() {
    let shop = Shop::new().await;
    let id = shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact
        .to_string();
    let body = json!({
        "decision": "lifted", "method": "double_opt_in", "channels": [], "purposes": [],
        "text": "", "evidence": { "ip": " " }, "decided_at": "2999-01-01T00:00:00Z",
    });
    let (status, problem) = say(&shop, &id, body).await;
    assert_eq!(status, 400);
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect();
    for pointer in [
        "/decision",
        "/method",
        "/channels",
        "/purposes",
        "/text",
        "/evidence/ip",
        "/decided_at",
    ] {
        assert!(
            pointers.iter().any(|one| one == pointer),
            "{pointer}: {problem}"
        );
    }
    let bare = json!({ "decision": "granted", "method": "phone", "channels": ["email"] });
    assert_eq!(say(&shop, &id, bare).await.0, 400);
    let (status, _) = say(&shop, "con_00000000009", granted("phone")).await;
    assert_eq!(status, 404);
}

/// A source's field for the consent to mail.
pub(crate) fn asking() -> BTreeMap<Channel, ConsentField> {
    let asked = ConsentField {
        field: "Nhận tin".into(),
        yes: vec!["Có".into(), "on".into()],
        text: Some("Tôi đồng ý nhận email".into()),
    };
    BTreeMap::from([(Channel::Email, asked)])
}

#[tokio::test]
async fn a_form_books_what_its_field_says_and_nothing_else() {
    for (answer, expected) in [
        (None, "none"),
        (Some("co"), "subscribed"),
        (Some(" ON "), "subscribed"),
        (Some("không"), "none"),
    ] {
        let shop = Shop::new().await;
        let page = Page::asking(&shop, &[], asking()).await;
        let mut form = form();
        if let Some(answer) = answer {
            form["Nhận tin"] = answer.into();
        }
        page.post(&shop, &form).await;
        shop.world.settle_twice().await;
        let owner = shop.owner(&email("an.tran@example.vn")).await.unwrap();
        let id = owner.to_string();
        assert_eq!(state(&shop, &id, "email").await, expected, "{answer:?}");
        assert_eq!(state(&shop, &id, "sms").await, "none");
        let shown = consent(&shop, &id).await;
        let rows = shown["data"].as_array().unwrap();
        assert_eq!(rows.len(), usize::from(answer.is_some()), "{shown}");
        if let Some(row) = rows.first() {
            assert_eq!(row["method"], "form_tick");
            let place = row["evidence"]["form"].as_str().unwrap();
            assert!(place.ends_with("#FORM8"), "{place}");
        }
    }
}

#[tokio::test]
async fn a_form_with_consent_survives_a_kill_at_any_call() {
    survives_any_kill("ingest", async |shop| {
        let page = Page::asking(shop, &[], asking()).await;
        let mut form = form();
        form["Nhận tin"] = "on".into();
        page.post(shop, &form).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_subscribes_nobody_without_a_statement() {
    let shop = Shop::new().await;
    shop.upload("/v1/imports", "Email\nan@example.vn\n").await;
    shop.world.settle().await;
    let owner = shop.owner(&email("an@example.vn")).await.unwrap();
    assert_eq!(shop.contact(owner).await.email_status, ChannelStatus::None);
}

#[tokio::test]
async fn a_decision_costs_few_units_and_the_records_are_bounded() {
    let shop = Shop::new().await;
    let id = shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact;
    let store = shop.contacts();
    let spent = async |status| {
        shop.world.advance(Duration::from_secs(1));
        let statement = Statement::from_status(Channel::Email, status).unwrap();
        let before = shop.world.aws.meter().snapshot();
        let stated = store.declare(shop.tenant, id, &statement, "x", None).await;
        let used = shop.world.aws.meter().since(&before);
        (stated.unwrap(), used.write_units(), used.read_units())
    };
    // The process reads the interest set of the workspace once in ten seconds.
    store
        .add_tags(shop.tenant, id, &["x".into()])
        .await
        .unwrap();
    let (stated, writes, reads) = spent(ChannelStatus::Unsubscribed).await;
    assert_eq!(stated, Stated::Yes { news: true });
    assert!(writes <= 2.0 && reads <= 0.0, "{writes} {reads}");
    let (_, writes, reads) = spent(ChannelStatus::Subscribed).await;
    assert!(writes <= 2.0 && reads <= 1.0, "{writes} {reads}");
    let key = cloud::Key::new(format!("{}#{id}", shop.tenant), "PROFILE");
    let full = cloud::Update::new().set("consent_records", MAX_RECORDS);
    let table = shop.world.table("Contacts");
    table.update(&key, full).await.unwrap();
    assert_eq!(spent(ChannelStatus::Subscribed).await.0, Stated::Full);
    // A stop has its effect for ever.
    let stopped = spent(ChannelStatus::Unsubscribed).await;
    assert_eq!(stopped.0, Stated::Yes { news: true });
    assert!(stopped.1 <= 1.0, "{stopped:?}");
}
