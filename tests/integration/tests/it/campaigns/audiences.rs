//! Campaigns to lists, segments and tags together, and to addresses that several contacts share.

use std::collections::BTreeSet;
use std::time::Duration;

use contacts::{ChannelStatus, Identity, Incoming};
use kernel::{ContactId, ListId};
use serde_json::{Value, json};

use super::shop::{self, Shop, letter, number, told};
use crate::support::{Kill, World, grant_of, http_event};

/// A contact that agreed to mail.
fn person(address: &str, tags: &[&str], lists: &[ListId]) -> Incoming {
    Incoming {
        identities: vec![Identity::Email(address.parse().unwrap())],
        tags: tags.iter().map(ToString::to_string).collect(),
        lists: lists.to_vec(),
        consent: told(ChannelStatus::Subscribed),
        ..Incoming::default()
    }
}

async fn add(world: &World, shop: &Shop, incoming: Incoming) -> ContactId {
    let upserted = shop::contacts(world).upsert(shop.tenant, &incoming).await;
    upserted.unwrap().contact
}

async fn segments(
    world: &World,
    shop: &Shop,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u64, Value) {
    let grant = grant_of(shop.tenant.workspace(), "read write");
    let event = http_event(method, path, body.as_ref(), Some(&grant));
    world.ask("api-segments", event).await
}

async fn segment(world: &World, shop: &Shop, name: &str, tag: &str) -> String {
    let conditions = json!({"all": [{"family": "tag", "operator": "has_any", "values": [tag]}]});
    let body = json!({ "name": name, "conditions": conditions });
    let (status, made) = segments(world, shop, "POST", "/v1/segments", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn campaign(world: &World, shop: &Shop, audience: Value) -> String {
    let mut body = letter(shop.list);
    body["audience"] = audience;
    let (status, made) = shop.call(world, "POST", "/v1/campaigns", Some(&body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

fn addresses<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names
        .iter()
        .map(|name| format!("{name}@example.com"))
        .collect()
}

#[tokio::test]
async fn lists_segments_and_tags_are_joined_and_the_excluded_are_left_out() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    for (name, tags, lists) in [
        ("a", vec!["vip"], vec![shop.list]),
        ("b", vec!["vip"], vec![]),
        ("c", vec!["Khách Sỉ"], vec![]),
        ("d", vec!["vip", "không gửi"], vec![]),
        ("e", vec!["vip", "nhân viên"], vec![shop.list]),
        ("f", vec![], vec![]),
    ] {
        let address = format!("{name}@example.com");
        add(&world, &shop, person(&address, &tags, &lists)).await;
    }
    let vip = segment(&world, &shop, "VIP", "vip").await;
    let staff = segment(&world, &shop, "Nhân viên", "nhân viên").await;
    let audience = json!({
        "include": { "list_ids": [shop.list], "segment_ids": [vip], "tags": ["khách sỉ"] },
        "exclude": { "segment_ids": [staff], "tags": ["Không gửi"] },
    });
    let id = campaign(&world, &shop, audience.clone()).await;
    let (status, problem) = shop.command(&world, &id, "send").await;
    assert_eq!(status, 409, "still building: {problem}");
    world.run_for(60).await;
    shop.send(&world, &id).await;
    world.settle_twice().await;
    let report = shop.report(&world, &id).await;
    assert_eq!(report["status"], "sent", "{report}");
    let mails = shop.mails(&world, &id);
    let mut expected = addresses(["a", "b", "c"]);
    expected.insert("bounce+0@example.com".into());
    assert_eq!(mails.len(), expected.len(), "{mails:?}");
    assert_eq!(mails.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(number(&report, "audience"), 4);

    // Every fault of an audience is named.
    let mut body = letter(shop.list);
    body["audience"] = json!({
        "include": { "segment_ids": ["seg_00000000009"] }, "exclude": { "list_ids": ["lst_00000000009"] },
    });
    let (status, problem) = shop
        .call(&world, "POST", "/v1/campaigns", Some(&body))
        .await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<&str> = errors.map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        (status, pointers),
        (
            400,
            vec![
                "/audience/include/segment_ids/0",
                "/audience/exclude/list_ids/0"
            ]
        )
    );
}

#[tokio::test]
async fn a_segment_that_a_campaign_needs_is_not_deleted() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    let vip = segment(&world, &shop, "VIP", "vip").await;
    world.run_for(30).await;
    let audience = json!({ "include": { "segment_ids": [vip] } });
    let path = format!("/v1/segments/{vip}");
    for end in ["cancel", "send"] {
        let id = campaign(&world, &shop, audience.clone()).await;
        let (status, problem) = segments(&world, &shop, "DELETE", &path, None).await;
        assert_eq!(status, 409, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(&id),
            "{problem}"
        );
        let (status, _) = shop.command(&world, &id, end).await;
        assert!(status < 300);
        if end == "send" {
            let (status, _) = segments(&world, &shop, "DELETE", &path, None).await;
            assert_eq!(status, 409, "the audience is not planned yet");
            world.settle_twice().await;
        }
    }
    let draft = campaign(&world, &shop, audience).await;
    shop.command(&world, &draft, "cancel").await;
    assert_eq!(
        segments(&world, &shop, "DELETE", &path, None).await.0,
        204,
        "planned and cancelled campaigns need no segment"
    );
}

#[tokio::test]
async fn the_members_are_those_of_the_time_of_sending() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    let a = add(&world, &shop, person("a@example.com", &["vip"], &[])).await;
    let b = add(&world, &shop, person("b@example.com", &[], &[])).await;
    let c = add(&world, &shop, person("c@example.com", &["mới"], &[])).await;
    let vip = segment(&world, &shop, "VIP", "vip").await;
    world.run_for(30).await;
    let id = campaign(
        &world,
        &shop,
        json!({ "include": { "segment_ids": [vip] } }),
    )
    .await;
    shop.send(&world, &id).await;
    // Before a message of the plan is delivered: one more member, and new conditions that become live.
    world.advance(Duration::from_secs(1));
    let tags = ["vip".to_owned()];
    let contacts = shop::contacts(&world);
    contacts.add_tags(shop.tenant, b, &tags).await.unwrap();
    let held = hold(&world).await;
    let conditions = json!({"all": [{"family": "tag", "operator": "has_any", "values": ["mới"]}]});
    let path = format!("/v1/segments/{vip}");
    let body = json!({ "conditions": conditions });
    assert_eq!(
        segments(&world, &shop, "PATCH", &path, Some(body)).await.0,
        200
    );
    world.run_for(200).await;
    let (_, page) = segments(&world, &shop, "GET", &format!("{path}/members"), None).await;
    assert_eq!(page["data"][0]["contact_id"], json!(c), "{page}");
    for batch in &held {
        let answer = world.invoke("campaign-planner", batch.event.clone()).await;
        world.acknowledge(batch, &answer);
    }
    world.settle_twice().await;
    let mails = shop.mails(&world, &id);
    assert_eq!(mails, ["a@example.com"], "{a}");
    assert_eq!(shop.report(&world, &id).await["status"], "sent");
}

/// The messages of the plan, received and not yet handled.
async fn hold(world: &World) -> Vec<crate::support::Batch> {
    world.relay().await;
    let mut held = Vec::new();
    while let Some(batch) = world.take("campaign-planner") {
        held.push(batch);
    }
    held
}

/// The owner of an address, two that share it, and one whose owner has unsubscribed.
async fn family(world: &World, shop: &Shop) -> Vec<ContactId> {
    let with_id = |id: &str, mut person: Incoming| {
        person.identities.insert(0, Identity::own(id));
        person
    };
    let owner = with_id("A", person("nha@example.com", &["nhà"], &[]));
    let mut ids = vec![add(world, shop, owner).await];
    let out = Incoming {
        consent: told(ChannelStatus::Unsubscribed),
        ..person("thoi@example.com", &[], &[])
    };
    add(world, shop, with_id("B", out)).await;
    for (n, address) in ["nha", "nha", "thoi"].into_iter().enumerate() {
        let shares = person(&format!("{address}@example.com"), &["nhà"], &[]);
        let id = add(world, shop, with_id(&format!("E{n}"), shares)).await;
        // A consent of an upsert belongs to an address of one's own.
        let agreed = told(ChannelStatus::Subscribed).remove(0);
        let contacts = shop::contacts(world);
        let stated = contacts.declare(shop.tenant, id, &agreed, "api", None);
        stated.await.unwrap();
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn one_campaign_sends_once_to_one_address_whoever_shares_it() {
    let mut kills = 0;
    // After each call, which is the same as before the next one.
    for n in 0.. {
        let world = World::new();
        let shop = Shop::open(&world, 0).await;
        let ids = family(&world, &shop).await;
        let shared = shop::contacts(&world).get(shop.tenant, ids[1]).await;
        let shared = shared.unwrap().unwrap();
        assert_eq!((shared.email, shared.shared_emails.len()), (None, 1));
        let id = campaign(&world, &shop, json!({ "include": { "tags": ["NHÀ"] } })).await;
        shop.send(&world, &id).await;
        while world.relay().await > 0 {
            while world.deliver("campaign-planner", true).await.is_some() {}
        }
        // Each message in turn is killed at this call; the others run.
        let mut died = false;
        while let Some(batch) = world.take("campaign-sender-email") {
            let kill = Kill::After(n);
            let event = batch.event.clone();
            let answer = world.invoke_and_kill("campaign-sender-email", event, kill);
            match answer.await {
                Some(answer) => world.acknowledge(&batch, &answer),
                None => died = true,
            }
        }
        world.advance(Duration::from_secs(400));
        world.settle_twice().await;
        let report = shop.report(&world, &id).await;
        assert_eq!(report["status"], "sent", "{n}: {report}");
        let mails = shop.mails(&world, &id);
        let unknown = number(&report, "unknown");
        assert!(mails.len() <= 1, "{n}: {mails:?}");
        assert_eq!(number(&report, "sent") + unknown, 1, "{n}: {report}");
        let skipped = json!({ "duplicate_address": 2, "unsubscribed": 1 });
        assert_eq!(report["skipped"], skipped, "{n}: {report}");
        assert_eq!(number(&report, "audience"), 4);
        kills += u64::from(died);
        if !died {
            assert_eq!(mails, ["nha@example.com"]);
            break;
        }
    }
    assert!(kills > 10, "only {kills} kills");
}
