//! Effects of a workspace's settings and of its archiving on its mails.

use std::time::Duration;

use accounts::WorkspaceStatus;
use accounts::workspaces::DefaultSender;
use campaigns::{Audience, Campaigns, Draft};
use channels::{Class, Content, MailStore, Sender, StoredMail};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::messages::enqueue;
use super::shop::{Shop, letter, number, told};
use crate::support::World;

const ACTIVE: WorkspaceStatus = WorkspaceStatus::Active;
const ARCHIVED: WorkspaceStatus = WorkspaceStatus::Archived;

/// Headers and body of the mails of a scope.
fn texts(world: &World, scope: &str) -> Vec<(String, String)> {
    let tag = ("scope".to_owned(), scope.to_owned());
    let outbox = world.aws.outbox();
    let mails = outbox.all(Kind::Mail).into_iter();
    let ours = mails.filter(|mail| mail.tags.contains(&tag));
    ours.map(|mail| {
        let bytes = outbox.mime(mail.id).unwrap();
        let raw = String::from_utf8_lossy(&bytes).into_owned();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let text = parsed.body_text(0).unwrap().into_owned();
        (raw, text)
    })
    .collect()
}

#[tokio::test]
async fn a_campaign_says_who_sends_it_and_how_to_leave() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    enqueue(&world, &shop, "enr_order", Class::Transactional).await;
    world.settle().await;
    let mails = texts(&world, &campaign);
    assert_eq!(mails.len(), 2);
    for (raw, text) in &mails {
        assert!(text.contains("1 Đường Mẫu, Quận 1"), "{text}");
        assert!(text.contains("Bạn nhận thư này vì đã mua hàng."), "{text}");
        assert!(
            raw.contains("List-Unsubscribe: <https://shop.example.vn/u/"),
            "{raw}"
        );
        let one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click";
        assert!(raw.contains(one_click), "{raw}");
    }
    let mails = texts(&world, "enr_order");
    assert_eq!(mails.len(), 1);
    assert!(!mails[0].0.contains("List-Unsubscribe"), "{}", mails[0].0);
    assert!(!mails[0].1.contains("1 Đường Mẫu"));
}

#[tokio::test]
async fn without_address_and_reminder_no_campaign_goes_out() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let campaign = shop.campaign(&world).await;
    let clear = |settings: &mut accounts::WorkspaceSettings| settings.postal_address = " ".into();
    world.change_workspace(shop.tenant, ACTIVE, clear).await;
    let (status, problem) = shop.command(&world, &campaign, "send").await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("settings_missing"))
    );
    let places: Vec<&Value> = problem["errors"].as_array().unwrap().iter().collect();
    assert_eq!(places.len(), 1);
    assert_eq!(places[0]["pointer"], "/postal_address");
    assert_eq!(shop.report(&world, &campaign).await["status"], "draft");
}

#[tokio::test]
async fn a_campaign_without_a_sender_comes_from_the_workspace_s() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let mut body = letter(shop.list);
    body["mail"]["sender"] = Value::Null;
    let create = async || {
        shop.call(&world, "POST", "/v1/campaigns", Some(&body))
            .await
    };
    let (status, problem) = create().await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/mail/sender"))
    );
    for (email, expected) in [("shop@example.com", 400), ("shop@example.vn", 201)] {
        let sender = DefaultSender {
            name: "Cửa hàng".into(),
            email: email.parse().unwrap(),
        };
        let set =
            |settings: &mut accounts::WorkspaceSettings| settings.default_sender = Some(sender);
        world.change_workspace(shop.tenant, ACTIVE, set).await;
        let (status, answer) = create().await;
        assert_eq!(status, expected, "{answer}");
        if status == 400 {
            assert_eq!(answer["errors"][0]["pointer"], "/mail/sender/from_email");
        } else {
            assert_eq!(answer["mail"]["sender"]["from_email"], email);
        }
    }
}

#[tokio::test]
async fn a_sender_that_is_not_verified_pauses_the_campaign_and_fails_nobody() {
    let world = World::new();
    let shop = Shop::open(&world, 30).await;
    // As one that SES had verified when the campaign was written.
    let address = "shop@example.com".parse().unwrap();
    let senders = accounts::Senders::over(&world.resources());
    senders.trust(shop.tenant, &address).await.unwrap();
    let mail = StoredMail {
        sender: Sender {
            from_name: "Cửa hàng".into(),
            from_email: "shop@example.com".parse().unwrap(),
            reply_to: None,
        },
        subject: "Chào".into(),
        preview_text: None,
        html: None,
        text: Some("Chào".into()),
        track_opens: false,
        track_clicks: false,
    };
    let mails = MailStore::over(&world.resources());
    let draft = Draft {
        name: "Tết".into(),
        audience: Audience::list(shop.list),
        content: Content::Email {
            mail: mails.put(shop.tenant, &mail).await.unwrap(),
        },
        summary: mail.subject.clone(),
        ab: None,
    };
    let campaigns = Campaigns::over(&world.resources());
    let id = kernel::CampaignId::new(&world.clock(), &world.entropy);
    campaigns
        .create(shop.tenant, id, world.now(), &draft)
        .await
        .unwrap();
    let id = id.to_string();
    shop.send(&world, &id).await;
    world.settle().await;
    let (_, shown) = shop
        .call(&world, "GET", &format!("/v1/campaigns/{id}"), None)
        .await;
    assert_eq!(
        (&shown["status"], &shown["problem"]),
        (&json!("paused"), &json!("MessageRejected"))
    );
    let report = shop.report(&world, &id).await;
    assert_eq!(
        (number(&report, "sent"), &report["failed"]),
        (0, &json!({}))
    );
}

#[tokio::test]
async fn an_archived_workspace_sends_nothing_until_it_is_restored() {
    let world = World::new();
    let shop = Shop::open(&world, 30).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    enqueue(&world, &shop, "enr_order", Class::Transactional).await;
    world.change_workspace(shop.tenant, ARCHIVED, |_| ()).await;
    world.settle().await;
    assert!(world.aws.outbox().all(Kind::Mail).is_empty());
    let (_, shown) = shop
        .call(&world, "GET", &format!("/v1/campaigns/{campaign}"), None)
        .await;
    assert_eq!(
        (&shown["status"], &shown["problem"]),
        (&json!("paused"), &json!("workspace_archived"))
    );

    world.change_workspace(shop.tenant, ACTIVE, |_| ()).await;
    world.advance(Duration::from_mins(2));
    let (status, _) = shop.command(&world, &campaign, "resume").await;
    assert_eq!(status, 200);
    world.settle().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(number(&report, "sent"), shop.eligible());
    assert!(world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_mail_of_an_archived_workspace_waits_a_day_at_a_time_and_expires() {
    for (days, sent) in [(1, 1), (5, 0)] {
        let world = World::new();
        let shop = Shop::open(&world, 3).await;
        enqueue(&world, &shop, "enr_order", Class::Transactional).await;
        world.change_workspace(shop.tenant, ARCHIVED, |_| ()).await;
        let before = world.aws.meter().snapshot();
        for _ in 0..48 * days {
            world.advance(Duration::from_mins(30));
            world.invoke("due-timer", json!({})).await.unwrap();
            world.settle_twice().await;
        }
        // Besides the checkpoint of each tick: a mark, a timer and its deletion each day.
        let timers = world.writes_since(&before, "Timers");
        let ticks = f64::from(48 * days);
        assert!(timers <= ticks + 12.0, "{timers} in {days} days");
        world.change_workspace(shop.tenant, ACTIVE, |_| ()).await;
        for _ in 0..49 {
            world.advance(Duration::from_mins(30));
            world.invoke("due-timer", json!({})).await.unwrap();
            world.settle().await;
        }
        assert_eq!(texts(&world, "enr_order").len(), sent, "{days} days");
        let rows = world.dump("SendLedger").await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        let reason = (sent == 0).then_some("expired");
        assert_eq!(rows[0]["reason"].as_str(), reason, "{days} days");
        assert!(world.dead_letters().is_empty());
    }
}

#[tokio::test]
async fn a_campaign_is_not_resumed_after_its_ledger_forgets() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    let (status, _) = shop.command(&world, &campaign, "pause").await;
    assert_eq!(status, 200);
    world.advance(Duration::from_hours(24 * 91));
    let (status, problem) = shop.command(&world, &campaign, "resume").await;
    assert_eq!(status, 409, "{problem}");
    let (status, _) = shop.command(&world, &campaign, "cancel").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_reader_who_unsubscribes_while_others_are_sent_to_gets_no_mail_two_seconds_later() {
    let mut unsent = 0;
    for at in 0.. {
        let world = World::new();
        let shop = Shop::open(&world, 30).await;
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        while world.relay().await > 0 {
            while world.deliver("campaign-planner", false).await.is_some() {}
        }
        let Some(batch) = world.take("campaign-sender-email") else {
            panic!("no chunk");
        };
        let left = std::sync::Mutex::new(None);
        let leave = async {
            for contact in &shop.contacts {
                let store = super::shop::contacts(&world);
                for left in told(contacts::ChannelStatus::Unsubscribed) {
                    let stated = store.declare(shop.tenant, *contact, &left, "link", None);
                    stated.await.unwrap();
                }
            }
            world.advance(Duration::from_secs(3));
            *left.lock().unwrap() = Some(world.now());
        };
        let send = world.invoke("campaign-sender-email", batch.event.clone());
        let (_, (), made) = world.interleave(at, send, leave).await;
        if made.is_none() {
            break;
        }
        let left = left.lock().unwrap().unwrap();
        for row in world.dump("SendLedger").await {
            let claimed: jiff::Timestamp = row["claimed_at"].as_str().unwrap().parse().unwrap();
            assert!(
                claimed < left,
                "call {at}: claimed after the unsubscription"
            );
            unsent += 1;
        }
    }
    assert!(unsent > 0);
}
