//! A worker is killed at each of its calls, and nothing is lost or done twice.

use serde_json::json;

use super::shop::{DAY, Shop, greeting, sends};
use crate::support::{Kill, grant_of, http_event};

/// Kills a worker at each of its AWS calls, redelivers, and compares with a run without a kill.
async fn survives_every_kill(worker: &str, prepare: impl AsyncFn(&Shop)) {
    let calm = Shop::new().await;
    prepare(&calm).await;
    let batch = calm.world.take(worker).unwrap();
    let answer = calm.world.invoke(worker, batch.event.clone()).await;
    calm.world.acknowledge(&batch, &answer);
    calm.run(1).await;
    let (end, sent) = (calm.state().await, sends(&calm.messages()));

    for after in [false, true] {
        for call in 0.. {
            let shop = Shop::new().await;
            prepare(&shop).await;
            let batch = shop.world.take(worker).unwrap();
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let result = shop
                .world
                .invoke_and_kill(worker, batch.event.clone(), kill)
                .await;
            if result.is_some() {
                assert!(call >= 3, "{worker} makes more calls than {call}");
                break;
            }
            // A second kill at the same place, then an undisturbed delivery.
            shop.world
                .invoke_and_kill(worker, batch.event.clone(), kill)
                .await;
            shop.world.release(&batch);
            shop.run(1).await;
            assert_eq!(shop.state().await, end, "{worker} after {kill:?}");
            assert_eq!(sends(&shop.messages()), sent, "{worker} after {kill:?}");
        }
    }
}

#[tokio::test]
async fn a_killed_trigger_enrolls_once() {
    survives_every_kill("workflow-trigger", async |shop| {
        shop.active(greeting()).await;
        let contact = shop.contact("an@example.vn").await;
        shop.form(contact, "f1").await;
        shop.world.relay().await;
    })
    .await;
}

#[tokio::test]
async fn a_killed_start_waits_once() {
    survives_every_kill("workflow-step", async |shop| {
        shop.active(greeting()).await;
        let contact = shop.contact("an@example.vn").await;
        shop.form(contact, "f1").await;
        shop.world.relay().await;
        shop.world.deliver("workflow-trigger", false).await;
        shop.world.relay().await;
    })
    .await;
}

#[tokio::test]
async fn a_killed_end_of_a_wait_sends_once() {
    survives_every_kill("workflow-step", async |shop| {
        shop.active(greeting()).await;
        let contact = shop.contact("an@example.vn").await;
        shop.form(contact, "f1").await;
        shop.run(1).await;
        shop.world.advance(DAY);
        shop.tick().await;
    })
    .await;
}

#[tokio::test]
async fn a_killed_sweep_loses_no_timer() {
    let prepare = async || {
        let shop = Shop::new().await;
        shop.active(greeting()).await;
        for n in 0..3 {
            let contact = shop.contact(&format!("khach{n}@example.vn")).await;
            shop.form(contact, &format!("f{n}")).await;
        }
        shop.run(1).await;
        shop.world.advance(DAY);
        shop
    };
    let calm = prepare().await;
    calm.tick().await;
    calm.run(1).await;
    let (end, sent) = (calm.state().await, sends(&calm.messages()));
    assert_eq!(sent.len(), 3);
    for after in [false, true] {
        for call in 0.. {
            let shop = prepare().await;
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let result = shop
                .world
                .invoke_and_kill("due-timer", json!({}), kill)
                .await;
            shop.tick().await;
            shop.run(1).await;
            assert_eq!(shop.state().await, end, "after {kill:?}");
            assert_eq!(sends(&shop.messages()), sent, "after {kill:?}");
            if result.is_some() {
                assert!(call > 20, "the sweep makes more calls than {call}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_workflow_that_is_killed_while_it_is_made_or_changed_is_whole_when_repeated() {
    for change in ["create", "activate", "pause", "archive"] {
        for after in [false, true] {
            for call in 0.. {
                let shop = Shop::new().await;
                let kill = if after {
                    Kill::After(call)
                } else {
                    Kill::Before(call)
                };
                let id = match change {
                    "create" => String::new(),
                    "activate" => shop.create(greeting()).await,
                    _ => shop.active(greeting()).await,
                };
                let (path, body) = match change {
                    "create" => ("/v1/workflows".to_owned(), Some(greeting())),
                    change => (format!("/v1/workflows/{id}/{change}"), None),
                };
                let grant = grant_of(shop.tenant.workspace(), "read write");
                let event = http_event("POST", &path, body.as_ref(), Some(&grant));
                let result = shop.world.invoke_and_kill("api-workflows", event, kill);
                if result.await.is_some() {
                    assert!(call >= 4, "{change}: {call} calls");
                    break;
                }
                let (status, answer) = shop.api("POST", &path, body).await;
                assert!(status < 300, "{change} {kill:?}: {answer}");
                let (_, list) = shop.api("GET", "/v1/workflows", None).await;
                let listed = list["data"].as_array().unwrap();
                assert!(listed.len() <= 2, "{change} {kill:?}");
                for workflow in listed {
                    let path = format!("/v1/workflows/{}", workflow["id"].as_str().unwrap());
                    let (_, shown) = shop.api("GET", &path, None).await;
                    assert!(shown["graph"]["nodes"]["mail"].is_object(), "{kill:?}");
                }
                // An active workflow receives events; the others enroll no contact.
                shop.world.lead();
                let contact = shop.contact("an@example.vn").await;
                shop.form(contact, "f1").await;
                shop.run(1).await;
                let id = answer["id"].as_str().unwrap();
                let entered = shop.report(id).await[0];
                assert_eq!(
                    entered,
                    u64::from(change == "activate"),
                    "{change} {kill:?}"
                );
            }
        }
    }
}
