//! Campaigns whose functions crash between any two calls: the API, the planner, the sender.

use std::time::Duration;

use cloud::Key;
use serde_json::json;

use super::shop::{self, Shop, number};
use crate::support::{Kill, World};

#[tokio::test]
async fn a_crash_at_any_call_sends_nobody_twice_and_loses_nobody() {
    let world = World::new();
    let shop = Shop::open(&world, 24).await;
    let mut crashes = 0;
    for after in [false, true] {
        for call in 0.. {
            let campaign = shop.campaign(&world).await;
            shop.send(&world, &campaign).await;
            while world.relay().await > 0 {
                while world.deliver("campaign-planner", false).await.is_some() {}
            }
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let batch = world.take("campaign-sender-email").expect("a chunk");
            let survived =
                world.invoke_and_kill("campaign-sender-email", batch.event.clone(), kill);
            let survived = survived.await;
            if let Some(answer) = &survived {
                world.acknowledge(&batch, answer);
            }
            world.advance(Duration::from_secs(400));
            world.settle().await;

            let mails = shop.mails(&world, &campaign);
            let distinct: std::collections::BTreeSet<&String> = mails.iter().collect();
            assert_eq!(
                distinct.len(),
                mails.len(),
                "{kill:?}: somebody was sent to twice"
            );
            let report = shop.report(&world, &campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            assert_eq!(
                number(&report, "sent"),
                mails.len() as u64,
                "{kill:?}: {report}"
            );
            shop.assert_identity(&report);
            if survived.is_some() {
                shop.reset(&world).await;
                break;
            }
            assert_eq!(
                number(&report, "unknown") == 0,
                mails.len() as u64 == shop.eligible()
            );
            crashes += 1;
            shop.reset(&world).await;
        }
    }
    assert!(crashes >= 16, "only {crashes} crash points");
}

#[tokio::test]
async fn a_planner_that_dies_at_any_call_freezes_the_same_audience() {
    let world = World::new();
    let shop = Shop::open(&world, 40).await;
    for after in [false, true] {
        for call in 0.. {
            let campaign = shop.campaign(&world).await;
            shop.send(&world, &campaign).await;
            world.relay().await;
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let batch = world.take("campaign-planner").expect("a shard");
            let survived = world.invoke_and_kill("campaign-planner", batch.event.clone(), kill);
            let survived = survived.await.is_some();
            world.advance(Duration::from_secs(400));
            world.settle().await;
            let report = shop.report(&world, &campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            assert_eq!(
                number(&report, "sent"),
                shop.eligible(),
                "{kill:?}: {report}"
            );
            shop.assert_identity(&report);
            // Bounces of this round must not shrink the audience of the next.
            shop.reset(&world).await;
            if survived {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_campaign_ends_whenever_its_only_chunk_is_sent_while_it_is_being_planned() {
    let mut calls = 0;
    for at in 0.. {
        let world = World::new();
        let shop = Shop::open(&world, 1).await;
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        world.relay().await;
        // Every shard but that of the one contact is planned, and found empty.
        let shard = format!("\"shard\":{},", contacts::shard(shop.contacts[0]));
        let mut last = None;
        while let Some(batch) = world.take("campaign-planner") {
            let mut event = batch.event.clone();
            let records = event["Records"].as_array_mut().unwrap();
            let own = records
                .iter()
                .position(|one| one["body"].as_str().unwrap().contains(&shard));
            last = own.map(|at| records.remove(at)).or(last);
            let answer = world.invoke("campaign-planner", event).await;
            world.acknowledge(&batch, &answer);
        }
        let planning = world.invoke("campaign-planner", json!({ "Records": [last.unwrap()] }));
        let (planned, (), made) = world.interleave(at, planning, shop.work(&world)).await;
        assert_eq!(planned, Ok(json!({ "batchItemFailures": [] })));
        if made.is_none() {
            break;
        }
        calls += 1;
        world.settle().await;
        let report = shop.report(&world, &campaign).await;
        assert_eq!(report["status"], "sent", "at call {at}: {report}");
        shop.assert_identity(&report);
    }
    assert!(calls >= 9, "{calls} calls");
}

/// All records of the campaigns' stream are lost before they were relayed.
fn lose_changes(world: &World) {
    let mut tables = world.model.tables.iter();
    let campaigns = tables
        .find(|table| table.logical_id == "Campaigns")
        .unwrap();
    let lost = world.aws.streams().poll(&campaigns.name, "test", 1_000);
    if let Some(last) = lost.last() {
        world
            .aws
            .streams()
            .commit(&campaigns.name, "test", last.sequence);
    }
}

#[tokio::test]
async fn resuming_makes_good_what_was_lost_of_the_planning() {
    let world = World::new();
    let shop = Shop::open(&world, 40).await;
    let mut lost_at = 0;
    // The messages of the command, then the messages that each run of the planner sends.
    for runs in 0..4 {
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        for _ in 0..runs {
            world.relay().await;
            let Some(batch) = world.take("campaign-planner") else {
                break;
            };
            let answer = world.invoke("campaign-planner", batch.event.clone()).await;
            world.acknowledge(&batch, &answer);
        }
        lose_changes(&world);
        while let Some(batch) = world.take("campaign-planner") {
            world.acknowledge(&batch, &Ok(json!({ "batchItemFailures": [] })));
        }
        world.settle().await;
        let report = shop.report(&world, &campaign).await;
        lost_at += u64::from(report["status"] == "sending");
        for command in ["pause", "resume"] {
            shop.command(&world, &campaign, command).await;
        }
        world.settle().await;
        let report = shop.report(&world, &campaign).await;
        assert_eq!(report["status"], "sent", "after {runs} runs: {report}");
        assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
        shop.assert_identity(&report);
        shop.reset(&world).await;
    }
    assert!(lost_at >= 2, "{lost_at}");
}

#[tokio::test]
async fn resuming_asks_again_for_the_rest_of_a_shard_that_is_half_planned() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    // The state after a run that found too many contacts for one run.
    let shard = contacts::shard(shop.contacts[0]);
    let pending = json!({ "names": ["campaign.plan_rest"] }).to_string();
    let row = json!({ "planned_to": 0, "counted": 0, "pending": pending });
    let key = Key::new(
        format!("{}#{campaign}", shop.tenant),
        format!("SHARD#{shard:02}"),
    );
    world.table("Campaigns").put(&key, &row).await.unwrap();
    lose_changes(&world);
    for command in ["pause", "resume"] {
        shop.command(&world, &campaign, command).await;
    }
    world.settle().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(shop.mails(&world, &campaign).len(), 1);
}

#[tokio::test]
async fn a_command_that_is_killed_at_any_call_is_obeyed_when_it_is_repeated() {
    for (command, before) in [
        ("send", &[][..]),
        ("pause", &["send"][..]),
        ("resume", &["send", "pause"][..]),
        ("cancel", &["send"][..]),
    ] {
        for after in [false, true] {
            for call in 0.. {
                let world = World::new();
                let shop = Shop::open(&world, 20).await;
                let campaign = shop.campaign(&world).await;
                for earlier in before {
                    let (status, _) = shop.command(&world, &campaign, earlier).await;
                    assert!(status < 300);
                }
                let kill = if after {
                    Kill::After(call)
                } else {
                    Kill::Before(call)
                };
                let path = format!("/v1/campaigns/{campaign}/{command}");
                let event = shop::http("POST", &path, None, Some(shop.tenant), "test");
                let result = world.invoke_and_kill("api-campaigns", event, kill).await;
                if result.is_some() {
                    assert!(call >= 4, "{command}: {call} calls");
                    break;
                }
                world.relay().await;
                let (status, body) = shop.command(&world, &campaign, command).await;
                assert!(status < 300, "{command} {kill:?}: {body}");
                world.settle().await;
                let (state, mails) = match command {
                    "send" | "resume" => ("sent", shop.eligible()),
                    "pause" => ("paused", 0),
                    _ => ("cancelled", 0),
                };
                let report = shop.report(&world, &campaign).await;
                assert_eq!(report["status"], state, "{command} {kill:?}");
                let sent = shop.mails(&world, &campaign).len() as u64;
                assert_eq!(sent, mails, "{command} {kill:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_campaign_whose_making_is_killed_is_whole_or_absent() {
    for after in [false, true] {
        for call in 0.. {
            let world = World::new();
            let shop = Shop::open(&world, 3).await;
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let body = shop::letter(shop.list);
            let event = shop::http(
                "POST",
                "/v1/campaigns",
                Some(&body),
                Some(shop.tenant),
                "test",
            );
            let result = world.invoke_and_kill("api-campaigns", event, kill).await;
            if result.is_some() {
                assert!(call >= 5, "{call} calls");
                break;
            }
            let again = shop.campaign(&world).await;
            let (_, list) = shop.call(&world, "GET", "/v1/campaigns", None).await;
            let listed: Vec<&str> = list["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|campaign| campaign["id"].as_str().unwrap())
                .collect();
            assert!(listed.contains(&again.as_str()), "{kill:?}");
            assert!(listed.len() <= 2, "{kill:?}: {listed:?}");
            for campaign in listed {
                let path = format!("/v1/campaigns/{campaign}");
                let (status, shown) = shop.call(&world, "GET", &path, None).await;
                assert_eq!((status, &shown["status"]), (200, &json!("draft")));
                assert!(shown["mail"]["html"].is_string(), "{kill:?}: {shown}");
            }
        }
    }
}
