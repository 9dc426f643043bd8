//! Mails that are made to take long: refused when they are saved, and no burden for other workspaces if they are stored.

use campaigns::{Audience, Campaigns, Draft};
use channels::{
    Class, Content, Ledger, LedgerKey, MailStore, Send, SendMessage, Sender, StoredMail,
};
use cloud::SendOptions;
use serde_json::json;

use super::shop::{Shop, letter, number};
use crate::support::World;

/// HTML of the largest size whose parsing, styling or nesting has no natural end.
fn hostile() -> Vec<(&'static str, String)> {
    let rules: String = (0..900).map(|n| format!("*{{x{n}:b}}")).collect();
    let prefixes: String = (0..16_000).map(|n| format!("lq{n}q ")).collect();
    vec![
        ("deep", "<b a=</b>".repeat(18_000)),
        ("wide", "<br>".repeat(40_000)),
        (
            "styled",
            format!("<style>{rules}</style>{}", "<p>x".repeat(2_000)),
        ),
        (
            "prefixes",
            format!("<div>{prefixes}</div>{}", "<i>".repeat(300)),
        ),
    ]
}

fn mail(html: String) -> StoredMail {
    StoredMail {
        sender: Sender {
            from_name: "Cửa hàng".into(),
            from_email: "tin@example.vn".parse().unwrap(),
            reply_to: None,
        },
        subject: "Chào".into(),
        preview_text: None,
        html: Some(html),
        text: None,
        track_opens: true,
        track_clicks: true,
    }
}

#[tokio::test]
async fn a_mail_that_takes_too_long_is_refused_with_its_place() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    for (name, html) in hostile() {
        let mut body = letter(shop.list);
        body["mail"]["html"] = json!(html);
        let (status, problem) = shop
            .call(&world, "POST", "/v1/campaigns", Some(&body))
            .await;
        assert_eq!(status, 400, "{name}: {problem}");
        assert_eq!(
            problem["errors"][0]["pointer"], "/mail/html",
            "{name}: {problem}"
        );
    }
}

/// Sender invocations until B's campaign is done, beside campaigns of A with these mails.
async fn steps_of_b(hostile: Vec<(&'static str, String)>) -> (usize, World) {
    let world = World::new();
    let (a, b) = (Shop::open(&world, 20).await, Shop::open(&world, 20).await);
    let campaigns = Campaigns::over(&world.resources());
    let mails = MailStore::over(&world.resources());
    let mut theirs = Vec::new();
    for (name, html) in hostile {
        // As if the mail had been stored before the limits.
        let mail = mail(html);
        let draft = Draft {
            name: name.into(),
            audience: Audience::list(a.list),
            content: Content::Email {
                mail: mails.put(a.tenant, &mail).await.unwrap(),
            },
            summary: mail.subject,
            ab: None,
        };
        let id = kernel::CampaignId::new(&world.clock(), &world.entropy);
        let now = world.clock().now();
        campaigns.create(a.tenant, id, now, &draft).await.unwrap();
        a.send(&world, &id.to_string()).await;
        theirs.push(id.to_string());
    }
    let own = b.campaign(&world).await;
    b.send(&world, &own).await;
    let mut steps = 0;
    loop {
        let mut moved = world.relay().await;
        for worker in ["campaign-planner", "campaign-sender-email"] {
            while let Some(answer) = world.deliver(worker, false).await {
                answer.unwrap();
                moved += 1;
                steps += usize::from(worker == "campaign-sender-email");
            }
        }
        if moved == 0 {
            break;
        }
    }
    let report = b.report(&world, &own).await;
    assert_eq!(
        (&report["status"], number(&report, "sent")),
        (&json!("sent"), b.eligible())
    );
    for campaign in theirs {
        let path = format!("/v1/campaigns/{campaign}");
        let (_, shown) = a.call(&world, "GET", &path, None).await;
        assert_eq!(
            (&shown["status"], &shown["problem"]),
            (&json!("failed"), &json!("mail_invalid"))
        );
    }
    assert!(world.dead_letters().is_empty());
    (steps, world)
}

#[tokio::test]
async fn a_heavy_mail_of_one_workspace_holds_no_sender_of_another() {
    let (alone, _) = steps_of_b(Vec::new()).await;
    let hostile = hostile();
    let campaigns = hostile.len();
    let (beside, _) = steps_of_b(hostile).await;
    // Each campaign of A ends at its first chunk of each shard; no message is tried twice.
    assert!(
        beside <= alone + 16 * campaigns,
        "{alone} alone, {beside} beside"
    );
}

#[tokio::test]
async fn a_single_mail_that_cannot_be_built_is_failed_for_its_reader() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let mails = MailStore::over(&world.resources());
    let (_, html) = hostile().remove(0);
    let name = mails.put(shop.tenant, &mail(html)).await.unwrap();
    let message = SendMessage::V1(Box::new(Send {
        scope: "enr_1".into(),
        step: "n1".into(),
        contact: shop.contacts[2],
        content: Content::Email { mail: name },
        data: json!({}),
        class: Class::Marketing,
        reason: None,
        workflow: "wfl_00000000001".parse().ok(),
        opt_in: None,
        test: None,
        at: world.clock().now(),
        slot: None,
    }));
    let queue = world.resources().queue_of();
    let sent = queue.send(shop.tenant, &message, SendOptions::default());
    sent.await.unwrap();
    while let Some(answer) = world.deliver("message-sender", true).await {
        answer.unwrap();
    }
    let key = LedgerKey {
        scope: "enr_1".into(),
        contact: shop.contacts[2],
        channel: contacts::Channel::Email,
        step: "n1".into(),
    };
    let row = Ledger::over(&world.resources())
        .get(shop.tenant, &key)
        .await;
    let row = row.unwrap().unwrap();
    assert_eq!(row.reason.as_deref(), Some("mail_invalid"));
    assert!(row.failed_at.is_some() && world.dead_letters().is_empty());
}
