//! The views of an author before the send: estimate, check, preview, test.

use std::collections::BTreeSet;

use accounts::WorkspaceStatus;
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::shop::{Shop, contacts, letter};
use crate::support::{Kill, World, grant_of, http_event};

async fn made(world: &World, shop: &Shop, change: impl FnOnce(&mut Value)) -> String {
    let mut body = letter(shop.list);
    change(&mut body);
    let (status, made) = shop.call(world, "POST", "/v1/campaigns", Some(&body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn post(world: &World, shop: &Shop, path: &str, body: Value) -> (u16, Value) {
    let path = format!("/v1/campaigns/{path}");
    let body = Some(&body).filter(|body| !body.is_null());
    shop.call(world, "POST", &path, body).await
}

#[tokio::test]
async fn an_estimate_counts_each_contact_once() {
    let world = World::new();
    let shop = Shop::open(&world, 37).await;
    let campaign = shop.campaign(&world).await;
    let path = format!("/v1/campaigns/{campaign}/estimate");
    let (status, size) = shop.call(&world, "GET", &path, None).await;
    assert_eq!(status, 200, "{size}");
    assert_eq!(size, json!({ "contacts": 37, "accuracy": "exact" }));
    let excluded = made(&world, &shop, |body| {
        body["audience"]["exclude"] = json!({ "list_ids": [shop.list] });
    })
    .await;
    let path = format!("/v1/campaigns/{excluded}/estimate");
    let (_, size) = shop.call(&world, "GET", &path, None).await;
    assert_eq!(size["contacts"], 0, "{size}");
}

#[tokio::test]
async fn a_check_names_every_problem_with_its_place() {
    let world = World::new();
    let shop = Shop::open(&world, 2).await;
    let campaign = shop.campaign(&world).await;
    let check = async |campaign: &str| {
        let (status, found) = post(&world, &shop, &format!("{campaign}/check"), Value::Null).await;
        assert_eq!(status, 200, "{found}");
        found
    };
    let fine = check(&campaign).await;
    assert_eq!(fine, json!({ "is_ready": true, "problems": [] }));
    let large = made(&world, &shop, |body| {
        body["mail"]["html"] = json!(format!("<p>{}</p>", "chào bạn ".repeat(12_000)));
        body["mail"]["preview_text"] = body["mail"]["subject"].clone();
    })
    .await;
    let clear = |settings: &mut accounts::WorkspaceSettings| settings.postal_address = " ".into();
    world
        .change_workspace(shop.tenant, WorkspaceStatus::Active, clear)
        .await;
    let found = check(&large).await;
    assert_eq!(found["is_ready"], false, "{found}");
    let problems = found["problems"].as_array().unwrap().iter();
    let problems: BTreeSet<(&str, &str, bool)> = problems
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap();
            (
                text("code"),
                text("pointer"),
                one["is_blocking"].as_bool().unwrap(),
            )
        })
        .collect();
    let expected = BTreeSet::from([
        ("settings_missing", "/postal_address", true),
        ("preview_repeats", "/mail/preview_text", false),
        ("mail_too_large", "/mail/html", false),
    ]);
    assert_eq!(problems, expected);
}

#[tokio::test]
async fn a_preview_is_the_mail_that_the_contact_gets() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    let customer = contacts::Incoming {
        identities: vec![contacts::Identity::Email(
            "lan@example.com".parse().unwrap(),
        )],
        lists: vec![shop.list],
        consent: super::shop::told(contacts::ChannelStatus::Subscribed),
        person: kernel::Person {
            full_name: Some("Trần Lan".into()),
            first_name: Some("Lan".into()),
            ..kernel::Person::default()
        },
        ..contacts::Incoming::default()
    };
    let lan = contacts(&world)
        .upsert(shop.tenant, &customer)
        .await
        .unwrap()
        .contact;
    let campaign = made(&world, &shop, |body| {
        body["mail"]["preview_text"] = json!("Quà của {{ contact.first_name }}");
        body["mail"]["track_clicks"] = json!(false);
        body["mail"]["track_opens"] = json!(false);
    })
    .await;
    let preview = format!("{campaign}/preview");
    let (status, shown) = post(&world, &shop, &preview, json!({ "contact_id": lan })).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(shown["subject"], "[QC] Chào Lan");
    assert_eq!(shown["preview_text"], "Quà của Lan");
    shop.send(&world, &campaign).await;
    world.settle().await;
    let outbox = world.aws.outbox();
    let mails = outbox.all(Kind::Mail);
    let sent = mails
        .iter()
        .find(|mail| mail.to == ["lan@example.com"])
        .unwrap();
    assert_eq!(sent.subject, "[QC] Chào Lan");
    let raw = outbox.mime(sent.id).unwrap();
    let sent = MessageParser::default().parse(&raw).unwrap();
    // The same but for the link to unsubscribe.
    let plain = |text: &str| {
        let mut text = text.replace("\r\n", "\n");
        while let Some(start) = text.find("/u/") {
            let rest = &text[start..];
            let end = rest.find(['"', '\n', ' ', '<']).unwrap_or(rest.len());
            text.replace_range(start..start + end, "");
        }
        text.trim().to_owned()
    };
    let html = shown["html"].as_str().unwrap();
    assert_eq!(plain(html), plain(&sent.body_html(0).unwrap()));
    assert!(html.contains("Quà của Lan"), "the preheader is in the body");
    let text = shown["text"].as_str().unwrap();
    assert_eq!(plain(text), plain(&sent.body_text(0).unwrap()));
    // Nobody's data is a person of our own.
    let (status, shown) = post(&world, &shop, &preview, Value::Null).await;
    assert_eq!(
        (status, &shown["subject"]),
        (200, &json!("[QC] Chào An")),
        "{shown}"
    );
}

#[tokio::test]
async fn a_test_goes_to_its_addresses_and_counts_nowhere() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let campaign = shop.campaign(&world).await;
    let emails =
        json!({ "emails": ["a@example.com", "b@example.com"], "contact_id": shop.contacts[0] });
    let (status, accepted) = post(&world, &shop, &format!("{campaign}/test"), emails).await;
    assert_eq!(
        (status, &accepted["accepted"]),
        (202, &json!(2)),
        "{accepted}"
    );
    world.settle_twice().await;
    let outbox = world.aws.outbox();
    let mails = outbox.all(Kind::Mail);
    let to: BTreeSet<_> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    assert_eq!(
        to,
        BTreeSet::from(["a@example.com".to_owned(), "b@example.com".to_owned()])
    );
    assert_eq!(mails.len(), 2);
    assert!(
        mails
            .iter()
            .all(|mail| mail.subject == "[QC] [Test] Chào bạn"),
        "{mails:?}"
    );
    // The link to unsubscribe changes nothing.
    let raw = outbox.mime(mails[0].id).unwrap();
    let parsed = MessageParser::default().parse(&raw).unwrap();
    let text = parsed.body_text(0).unwrap();
    let token = text
        .split("/u/")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let path = format!("/u/{token}");
    let (status, _) = world
        .ask("link-tracker", http_event("POST", &path, None, None))
        .await;
    assert!(status >= 400, "{status}");
    assert!(text.contains("1 Đường Mẫu"), "{text}");
    // The campaign itself is untouched, and its own mail still goes out.
    shop.send(&world, &campaign).await;
    world.settle().await;
    assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
    assert!(world.dead_letters().is_empty());
    let many: Vec<String> = (0..11).map(|n| format!("a{n}@example.com")).collect();
    for emails in [json!([]), json!(many)] {
        let body = json!({ "emails": emails });
        let (status, problem) = post(&world, &shop, &format!("{campaign}/test"), body).await;
        assert_eq!(status, 400, "{problem}");
    }
}

#[tokio::test]
async fn a_test_that_is_killed_at_any_call_is_one_mail_by_its_key() {
    for after in [false, true] {
        for call in 0.. {
            let world = World::new();
            let shop = Shop::open(&world, 1).await;
            let campaign = shop.campaign(&world).await;
            let path = format!("/v1/campaigns/{campaign}/test");
            let body = json!({ "emails": ["a@example.com", "b@example.com"] });
            let grant = grant_of(shop.tenant.workspace(), "write");
            let event = || {
                let mut event = http_event("POST", &path, Some(&body), Some(&grant));
                event["headers"]["idempotency-key"] = json!("one");
                event
            };
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let ended = world.invoke_and_kill("api-campaigns", event(), kill).await;
            world.advance(std::time::Duration::from_mins(2));
            let (status, answer) = world.ask("api-campaigns", event()).await;
            assert_eq!(status, 202, "{kill:?}: {answer}");
            world.settle_twice().await;
            assert_eq!(world.aws.outbox().all(Kind::Mail).len(), 2, "{kill:?}");
            if ended.is_some() {
                assert!(call >= 8, "{call} calls");
                break;
            }
        }
    }
}
