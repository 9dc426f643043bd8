//! The gate before marketing: quiet hours, the control group and the frequency cap of a workspace, by campaigns and workflows.

use std::time::Duration;

use accounts::WorkspaceStatus;
use accounts::workspaces::{FrequencyCap, QuietHours};
use jiff::civil::time;
use kernel::{Grant, Role};
use serde_json::json;

use super::shop::{Shop, number};
use crate::support::{World, grant_of, http_event};

#[tokio::test]
async fn quiet_hours_hold_a_campaign_as_timers() {
    let world = World::new();
    let shop = Shop::open(&world, 40).await;
    let hours = QuietHours {
        from: time(14, 0, 0, 0),
        until: time(16, 30, 0, 0),
    };
    world
        .change_workspace(shop.tenant, WorkspaceStatus::Active, |settings| {
            settings.quiet_hours = Some(hours);
        })
        .await;
    world.lead();
    // It is 15:00 in Vietnam.
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle_twice().await;
    assert!(shop.mails(&world, &campaign).is_empty());
    world.swept().await;
    world.advance(Duration::from_mins(89));
    world.invoke("due-timer", json!({})).await.unwrap();
    world.settle().await;
    assert!(shop.mails(&world, &campaign).is_empty());
    world.advance(Duration::from_mins(2));
    world.invoke("due-timer", json!({})).await.unwrap();
    for _ in 0..5 {
        world.settle().await;
        world.advance(Duration::from_mins(1));
    }
    let report = shop.report(&world, &campaign).await;
    assert_eq!(number(&report, "sent"), shop.eligible(), "{report}");
    shop.assert_identity(&report);
}

#[tokio::test]
async fn a_paused_campaign_stays_paused_after_its_quiet_hours() {
    let world = World::new();
    let shop = Shop::open(&world, 20).await;
    let hours = QuietHours {
        from: time(14, 0, 0, 0),
        until: time(16, 0, 0, 0),
    };
    world
        .change_workspace(shop.tenant, WorkspaceStatus::Active, |settings| {
            settings.quiet_hours = Some(hours);
        })
        .await;
    world.lead();
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle().await;
    assert_eq!(shop.command(&world, &campaign, "pause").await.0, 200);
    world.swept().await;
    world.advance(Duration::from_mins(61));
    world.invoke("due-timer", json!({})).await.unwrap();
    world.settle().await;
    assert!(shop.mails(&world, &campaign).is_empty());
    assert_eq!(shop.command(&world, &campaign, "resume").await.0, 200);
    for _ in 0..5 {
        world.settle().await;
        world.advance(Duration::from_mins(1));
    }
    let report = shop.report(&world, &campaign).await;
    assert_eq!(number(&report, "sent"), shop.eligible(), "{report}");
}

#[tokio::test]
async fn a_cap_counts_the_messages_of_all_campaigns_and_costs_nothing_when_it_is_off() {
    let world = World::new();
    let shop = Shop::open(&world, 30).await;
    let campaign = shop.campaign(&world).await;
    let before = world.aws.meter().snapshot();
    shop.send(&world, &campaign).await;
    world.settle().await;
    let counts = world.dump("Limits").await;
    let is_count = |row: &&serde_json::Value| row.to_string().contains("FREQ#");
    assert_eq!(counts.iter().filter(is_count).count(), 0);
    let ledger = world.units("SendLedger", &before).0;
    assert!(ledger <= 3.1 * shop.eligible() as f64, "{ledger}");

    world
        .change_workspace(shop.tenant, WorkspaceStatus::Active, |settings| {
            settings.frequency_cap = Some(FrequencyCap {
                messages: 2,
                days: 7,
            });
        })
        .await;
    world.lead();
    for round in 0..3 {
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        world.settle_twice().await;
        let report = shop.report(&world, &campaign).await;
        let sent = if round < 2 { shop.eligible() } else { 0 };
        // The first addresses bounce.
        let skipped = report["skipped"]["frequency_cap"].as_u64().unwrap_or(0);
        let bounced = report["skipped"]["bounced"].as_u64().unwrap_or(0);
        assert_eq!(
            number(&report, "sent") + bounced,
            sent.max(bounced),
            "{report}"
        );
        assert!(round < 2 || skipped > 0, "{report}");
        shop.assert_identity(&report);
    }
    world.advance(Duration::from_hours(7 * 24));
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle().await;
    let report = shop.report(&world, &campaign).await;
    assert!(number(&report, "sent") > 0, "{report}");
}

#[tokio::test]
async fn the_control_group_gets_no_marketing() {
    let world = World::new();
    let shop = Shop::open(&world, 300).await;
    world
        .change_workspace(shop.tenant, WorkspaceStatus::Active, |settings| {
            settings.holdout_percent = 10;
        })
        .await;
    world.lead();
    let mut held = Vec::new();
    for _ in 0..2 {
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        world.settle_twice().await;
        let report = shop.report(&world, &campaign).await;
        shop.assert_identity(&report);
        held.push(number(&report["skipped"], "holdout"));
    }
    assert_eq!(held[0], held[1]);
    assert!((10..60).contains(&held[0]), "{held:?}");
}

#[tokio::test]
async fn settings_of_the_gate_have_bounds() {
    let world = World::new();
    let shop = Shop::open(&world, 0).await;
    let grant = Grant {
        actor: "usr_048wshg0975".to_owned(),
        role: Some(Role::AccountAdmin),
        ..grant_of(shop.tenant.workspace(), "")
    };
    let path = format!("/v1/workspaces/{}", shop.tenant.workspace());
    for (body, place) in [
        (
            json!({ "quiet_hours": { "from": "08:00:00", "until": "21:00:00" } }),
            "/quiet_hours",
        ),
        (
            json!({ "quiet_hours": { "from": "08:00:00", "until": "08:00:00" } }),
            "/quiet_hours",
        ),
        (
            json!({ "frequency_cap": { "messages": 21, "days": 7 } }),
            "/frequency_cap/messages",
        ),
        (
            json!({ "frequency_cap": { "messages": 2, "days": 0 } }),
            "/frequency_cap/days",
        ),
        (json!({ "holdout_percent": 11 }), "/holdout_percent"),
    ] {
        let event = http_event("PATCH", &path, Some(&body), Some(&grant));
        let (status, answer) = world.ask("api-accounts", event).await;
        assert_eq!(
            (status, &answer["errors"][0]["pointer"]),
            (400, &json!(place)),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn the_promise_of_a_consent_is_a_cap_of_its_contact() {
    let world = World::new();
    let shop = Shop::open(&world, 12).await;
    let grant = grant_of(shop.tenant.workspace(), "read write");
    let promise = |messages: u8| {
        json!({ "decision": "granted", "method": "api", "channels": ["email"], "text": "Mỗi tuần một lần",
            "at_most": { "messages": messages, "days": 7 }, "evidence": { "ip": "203.0.113.7" } })
    };
    for contact in shop.contacts.iter().skip(2).take(3) {
        let path = format!("/v1/contacts/{contact}/consent");
        let event = http_event("POST", &path, Some(&promise(1)), Some(&grant));
        let (status, answer) = world.ask("api-contacts", event).await;
        assert!(status < 300, "{answer}");
    }
    let path = format!("/v1/contacts/{}/consent", shop.contacts[2]);
    let event = http_event("POST", &path, Some(&promise(21)), Some(&grant));
    let (status, answer) = world.ask("api-contacts", event).await;
    assert_eq!(
        (status, &answer["errors"][0]["pointer"]),
        (400, &json!("/at_most/messages")),
        "{answer}"
    );
    for round in 0..2 {
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        world.settle_twice().await;
        let report = shop.report(&world, &campaign).await;
        shop.assert_identity(&report);
        let capped = report["skipped"]["frequency_cap"].as_u64().unwrap_or(0);
        assert_eq!(capped, 3 * round, "{report}");
    }
}
