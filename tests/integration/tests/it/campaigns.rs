//! Campaigns from the API to the last provider event: redelivery, crashes, ambiguous answers, pauses,
//! events in any order, links, tenants.

mod ab;
mod addresses;
mod approval;
mod audiences;
mod crashes;
mod gate;
mod heavy;
mod life;
mod links;
mod look;
mod messages;
mod rate;
mod reports;
mod review;
pub(crate) mod shop;
mod texts;
mod workspace;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};

use crate::support::World;
use shop::{Shop, number};

/// The workspace, the mail and the interest set, once in each process: not once a recipient.
#[tokio::test]
async fn a_campaign_reads_the_directory_once_however_many_it_reaches() {
    let mut costs = Vec::new();
    for people in [30, 300] {
        let world = World::new();
        let shop = Shop::open(&world, people).await;
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        let before = world.aws.meter().snapshot();
        world.settle().await;
        let report = shop.report(&world, &campaign).await;
        assert_eq!(number(&report, "sent"), shop.eligible());
        costs.push(world.directory_reads(&before));
    }
    assert!(costs[0] > 0.0, "the meter counts");
    assert!((costs[0] - costs[1]).abs() < 0.1, "{costs:?}");
}

#[tokio::test]
async fn everybody_gets_one_mail_although_every_message_comes_twice() {
    let world = World::new();
    let shop = Shop::open(&world, 400).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    shop.send(&world, &campaign).await;
    world.settle_twice().await;

    let mails = shop.mails(&world, &campaign);
    let distinct: std::collections::BTreeSet<&String> = mails.iter().collect();
    assert_eq!(distinct.len(), mails.len(), "somebody was sent to twice");
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(number(&report, "audience"), 400);
    assert_eq!(
        report["skipped"],
        json!({ "unsubscribed": shop.unsubscribed })
    );
    assert_eq!(number(&report, "sent"), 400 - shop.unsubscribed);
    assert_eq!(number(&report, "sent"), mails.len() as u64);
    assert_eq!(number(&report, "bounced"), shop.bouncing);
    assert_eq!(
        number(&report, "delivered"),
        400 - shop.unsubscribed - shop.bouncing
    );
    shop.assert_identity(&report);
    assert!(world.dead_letters().is_empty());

    // A contact whose mail bounced is left out of the next campaign.
    let next = shop.campaign(&world).await;
    shop.send(&world, &next).await;
    world.settle().await;
    let report = shop.report(&world, &next).await;
    let skipped = json!({ "bounced": shop.bouncing, "unsubscribed": shop.unsubscribed });
    assert_eq!(report["skipped"], skipped);
    shop.assert_identity(&report);
}

#[tokio::test]
async fn the_send_path_costs_at_most_2_2_write_units_a_recipient() {
    let world = World::new();
    let shop = Shop::open(&world, 2_000).await;
    let campaign = shop.campaign(&world).await;
    let before = world.aws.meter().snapshot();
    shop.send(&world, &campaign).await;
    shop.work(&world).await;
    let used = world.aws.meter().since(&before);
    let sent = shop.mails(&world, &campaign).len() as f64;
    let units = used.write_units() / sent;
    assert!(
        units <= 2.2,
        "{units} write units a recipient: {:?}",
        used.tables
    );
}

#[tokio::test]
async fn what_hands_out_a_campaign_is_small() {
    let world = World::new();
    let shop = Shop::open(&world, 20).await;
    let campaign = shop.campaign(&world).await;
    let before = world.aws.meter().snapshot();
    shop.send(&world, &campaign).await;
    let sent = world.writes_since(&before, "Campaigns");
    // The write and its entry in the index of unsent effects.
    assert!(sent <= 2.0, "{sent}");
    let before = world.aws.meter().snapshot();
    shop.work(&world).await;
    let worked = world.writes_since(&before, "Campaigns");
    let rows = world.sizes("Campaigns").await;
    eprintln!("campaign units: {worked} for its work; sizes: {rows:?}");
    let large: Vec<_> = rows.iter().filter(|row| row.1 > 1_024).collect();
    assert!(rows.len() > 16 && large.is_empty(), "{large:?}");
}

#[tokio::test]
async fn an_answer_that_did_not_come_is_unknown_until_an_event_proves_it() {
    let world = World::new();
    let shop = Shop::open(&world, 20).await;
    let campaign = shop.campaign(&world).await;
    let once = Arc::new(AtomicBool::new(false));
    world.aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        let cut = call.service == "ses" && !once.swap(true, Ordering::SeqCst);
        if cut {
            Fault::TimeoutAfterCommit
        } else {
            Fault::None
        }
    })));
    shop.send(&world, &campaign).await;
    shop.work(&world).await;
    world.aws.set_fault_hook(None);

    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent");
    assert_eq!(number(&report, "unknown"), 1, "{report}");
    shop.assert_identity(&report);
    // The chunk may be redelivered for days.
    world.advance(Duration::from_hours(24));
    world.settle_twice().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(number(&report, "unknown"), 0, "{report}");
    assert_eq!(number(&report, "sent"), shop.eligible());
    assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
    shop.assert_identity(&report);
}

#[tokio::test]
async fn an_outage_of_the_provider_pauses_the_campaign_before_it_has_used_up_the_audience() {
    let world = World::new();
    let shop = Shop::open(&world, 400).await;
    let campaign = shop.campaign(&world).await;
    world.aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        if call.service == "ses" {
            Fault::TimeoutAfterCommit
        } else {
            Fault::None
        }
    })));
    shop.send(&world, &campaign).await;
    shop.work(&world).await;
    world.aws.set_fault_hook(None);

    let path = format!("/v1/campaigns/{campaign}");
    let (_, shown) = shop.call(&world, "GET", &path, None).await;
    assert_eq!(
        (&shown["status"], &shown["problem"]),
        (&json!("paused"), &json!("provider_not_answering"))
    );
    let asked = shop.mails(&world, &campaign).len() as u64;
    assert!(asked < shop.eligible() / 4, "{asked} were asked for");
    let report = shop.report(&world, &campaign).await;
    assert_eq!(number(&report, "unknown"), asked, "{report}");

    let (status, body) = shop.command(&world, &campaign, "resume").await;
    assert_eq!((status, &body["problem"]), (200, &Value::Null));
    shop.work(&world).await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(number(&report, "unknown"), asked, "{report}");
    assert_eq!(number(&report, "sent"), shop.eligible() - asked);
    assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
    shop.assert_identity(&report);
}

#[tokio::test]
async fn a_throttled_mail_goes_out_later_and_once() {
    let world = World::new();
    let shop = Shop::open(&world, 20).await;
    let campaign = shop.campaign(&world).await;
    world.aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        if call.service == "ses" {
            Fault::Throttle
        } else {
            Fault::None
        }
    })));
    shop.send(&world, &campaign).await;
    shop.work(&world).await;
    assert!(shop.mails(&world, &campaign).is_empty());
    world.aws.set_fault_hook(None);
    world.advance(Duration::from_secs(10));
    world.settle().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(
        (&report["status"], number(&report, "unknown")),
        (&json!("sent"), 0)
    );
    assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
    shop.assert_identity(&report);
}

#[tokio::test]
async fn a_pause_holds_and_resuming_finishes() {
    let world = World::new();
    let shop = Shop::open(&world, 60).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    while world.relay().await > 0 {
        while world.deliver("campaign-planner", false).await.is_some() {}
    }
    world.deliver("campaign-sender-email", false).await;
    let sent = shop.mails(&world, &campaign).len();
    let (status, body) = shop.command(&world, &campaign, "pause").await;
    assert_eq!((status, &body["status"]), (200, &json!("paused")));
    world.settle().await;
    assert_eq!(shop.mails(&world, &campaign).len(), sent);
    let (status, _) = shop.command(&world, &campaign, "send").await;
    assert_eq!(status, 202, "sending again changes nothing");
    assert_eq!(shop.report(&world, &campaign).await["status"], "paused");

    for _ in 0..2 {
        let (status, _) = shop.command(&world, &campaign, "resume").await;
        assert_eq!(status, 200);
    }
    world.settle_twice().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
    shop.assert_identity(&report);
    let (status, _) = shop.command(&world, &campaign, "cancel").await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn a_cancelled_campaign_stays_so() {
    let world = World::new();
    let shop = Shop::open(&world, 20).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    let (status, _) = shop.command(&world, &campaign, "cancel").await;
    assert_eq!(status, 200);
    world.settle().await;
    assert!(shop.mails(&world, &campaign).is_empty());
    for command in ["send", "pause", "resume"] {
        assert_eq!(
            shop.command(&world, &campaign, command).await.0,
            409,
            "{command}"
        );
    }
}

#[tokio::test]
async fn an_empty_list_ends_at_once() {
    let world = World::new();
    let shop = Shop::open(&world, 0).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle_twice().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent");
    assert_eq!(number(&report, "audience"), 0);
    shop.assert_identity(&report);
}

#[tokio::test]
async fn provider_events_end_the_same_in_any_order() {
    let world = World::new();
    let shop = Shop::open(&world, 60).await;
    let mut reports = Vec::new();
    for seed in 0..3u64 {
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        shop.work(&world).await;
        let mut events = shop.provider_events(&world);
        let complaint = events[0]
            .replace("\"Delivery\"", "\"Complaint\"")
            .replace("\"Send\"", "\"Complaint\"")
            .replace("\"Bounce\"", "\"Complaint\"");
        events.push(complaint);
        let bodies = if seed == 0 {
            events
        } else {
            shop::shuffled_twice(&events, seed)
        };
        for batch in bodies.chunks(10) {
            let answer = world
                .invoke("delivery-status", shop::sqs_event(batch))
                .await
                .unwrap();
            assert_eq!(answer, json!({ "batchItemFailures": [] }));
        }
        let mut report = shop.report(&world, &campaign).await;
        shop.assert_identity(&report);
        report["campaign_id"] = Value::Null;
        reports.push(report);
        // Bounces and the complaint suppress addresses: each round begins with all addresses again.
        shop.reset(&world).await;
    }
    assert_eq!(number(&reports[0], "complained"), 1);
    assert!(number(&reports[0], "bounced") > 0);
    for report in &reports[1..] {
        assert_eq!(report, &reports[0]);
    }
}

#[tokio::test]
async fn another_tenant_finds_nothing() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let other = Shop::open(&world, 0).await;
    let campaign = shop.campaign(&world).await;
    for (method, path) in [
        ("GET", ""),
        ("GET", "/report"),
        ("POST", "/send"),
        ("POST", "/cancel"),
    ] {
        let path = format!("/v1/campaigns/{campaign}{path}");
        let (status, _) = other.call(&world, method, &path, None).await;
        assert_eq!(status, 404, "{method} {path}");
    }
    let (_, list) = other.call(&world, "GET", "/v1/campaigns", None).await;
    assert_eq!(list["data"], json!([]));
    let (_, list) = shop.call(&world, "GET", "/v1/campaigns", None).await;
    assert_eq!(list["data"][0]["id"], json!(campaign));
    // Another tenant's list is no list.
    let (status, problem) = other.create(&world, shop.list).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/audience/include/list_ids/0"))
    );
}

#[tokio::test]
async fn a_worker_s_message_with_another_tenant_s_campaign_does_nothing() {
    let world = World::new();
    let shop = Shop::open(&world, 30).await;
    let other = Shop::open(&world, 30).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.relay().await;
    for worker in ["campaign-planner", "campaign-sender-email"] {
        let batch = world.take(worker).expect("a message");
        let mut event = batch.event.clone();
        for record in event["Records"].as_array_mut().unwrap() {
            let body = record["body"].as_str().unwrap().to_owned();
            let foreign = body.replace(&shop.tenant.to_string(), &other.tenant.to_string());
            assert_ne!(body, foreign);
            record["body"] = json!(foreign);
        }
        let before = (
            world.dump("Campaigns").await,
            world.dump("SendLedger").await,
        );
        let answer = world.invoke(worker, event).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
        let after = (
            world.dump("Campaigns").await,
            world.dump("SendLedger").await,
        );
        assert_eq!(before, after, "{worker}");
        world.release(&batch);
        while world.deliver("campaign-planner", false).await.is_some() {}
        world.relay().await;
    }
    world.settle().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    shop.assert_identity(&report);
}
