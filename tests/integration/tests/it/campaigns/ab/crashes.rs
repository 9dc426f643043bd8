//! A/B campaigns whose functions are killed at any call, in each phase.

use std::time::Duration;

use serde_json::json;

use super::Trial;
use crate::campaigns::shop::{self, Shop};
use crate::support::{Kill, World};

const PEOPLE: u32 = 220;

fn kill(after: bool, call: u64) -> Kill {
    if after {
        Kill::After(call)
    } else {
        Kill::Before(call)
    }
}

/// Runs the campaign until the first message of `worker` whose body has `wanted` is on its queue, and kills the worker at
/// this call. False if the worker had no such call.
async fn killed(world: &World, (worker, wanted): (&str, &str), kill: Kill) -> bool {
    for _ in 0..2_000 {
        world.relay().await;
        for one in ["campaign-planner", "campaign-sender-email"] {
            let Some(batch) = world.take(one) else {
                continue;
            };
            if one == worker && batch.event.to_string().contains(wanted) {
                let run = world.invoke_and_kill(one, batch.event.clone(), kill);
                let answer = run.await;
                if let Some(answer) = &answer {
                    world.acknowledge(&batch, answer);
                }
                return answer.is_none();
            }
            let answer = world.invoke(one, batch.event.clone()).await;
            world.acknowledge(&batch, &answer);
        }
    }
    panic!("no message with {wanted} came to {worker}");
}

/// Kills a worker at each call of one kind of message; the campaign comes to its right end each time.
async fn every_call(at: (&str, &str), wait: bool) {
    let mut crashes = 0;
    for after in [false, true] {
        for call in 0.. {
            let world = World::new();
            let shop = Shop::open(&world, PEOPLE).await;
            let trial = Trial::sent(&world, &shop, json!({ "test_percent": 50 })).await;
            if wait {
                shop.work(&world).await;
                assert_eq!(trial.status().await, "awaiting_winner");
                world.advance(Duration::from_hours(4));
                world.invoke("due-timer", json!({})).await.unwrap();
                world.advance(Duration::from_mins(2));
            }
            let kill = kill(after, call);
            let is_killed = killed(&world, at, kill).await;
            world.advance(Duration::from_secs(400));
            world.settle().await;
            trial.pass(5).await;
            let report = trial.assert_sums().await;
            assert_eq!(report["status"], "sent", "{at:?} {kill:?}: {report}");
            assert_eq!(report["ab"]["winner"]["variant"], "a", "{at:?} {kill:?}");
            if !is_killed {
                break;
            }
            crashes += 1;
        }
    }
    assert!(crashes >= 4, "{at:?}: only {crashes} crash points");
}

#[tokio::test]
async fn a_sender_of_the_test_that_dies_at_any_call_sends_nobody_twice() {
    every_call(
        ("campaign-sender-email", "\\\"part\\\":\\\"test\\\""),
        false,
    )
    .await;
}

#[tokio::test]
async fn a_sender_of_the_rest_that_dies_at_any_call_sends_nobody_twice() {
    every_call(("campaign-sender-email", "\\\"part\\\":\\\"rest\\\""), true).await;
}

#[tokio::test]
async fn a_planner_that_dies_while_it_ends_the_test_loses_no_wait() {
    every_call(("campaign-planner", "campaign.tested.v1"), false).await;
}

#[tokio::test]
async fn a_planner_that_dies_while_it_decides_loses_no_winner() {
    every_call(("campaign-planner", "campaign.decide.v1"), true).await;
}

#[tokio::test]
async fn a_planner_that_dies_while_it_begins_a_pass_loses_nobody() {
    every_call(("campaign-planner", "campaign.dispatch.v1"), false).await;
    every_call(("campaign-planner", "campaign.dispatch.v1"), true).await;
}

#[tokio::test]
async fn a_choice_that_is_killed_at_any_call_is_made_when_it_is_repeated() {
    for after in [false, true] {
        for call in 0.. {
            let world = World::new();
            let shop = Shop::open(&world, PEOPLE).await;
            let trial = Trial::sent(&world, &shop, json!({ "test_percent": 50 })).await;
            shop.work(&world).await;
            let path = format!("/v1/campaigns/{}/winner", trial.id);
            let body = json!({ "variant": "b" });
            let event = shop::http("POST", &path, Some(&body), Some(shop.tenant), "test");
            let kill = kill(after, call);
            let result = world.invoke_and_kill("api-campaigns", event, kill).await;
            let (status, body) = trial.choose("b").await;
            assert_eq!(status, 200, "{kill:?}: {body}");
            world.settle().await;
            let report = trial.assert_sums().await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            assert_eq!(report["ab"]["winner"]["variant"], "b");
            if result.is_some() {
                assert!(call >= 3, "{call} calls");
                break;
            }
        }
    }
}
