//! Times of the business, not of the transport: late deliveries, pauses in between, contacts that are stopped.

use std::time::Duration;

use cloud::{Key, Timers};
use kernel::Entropy;
use serde_json::{Value, json};

use super::shop::{DAY, SECOND, Shop, greeting, sends};
use crate::support::{Kill, World, http_event};

fn every_time() -> Value {
    let mut draft = greeting();
    draft["entry"] = json!("every_time");
    draft
}

#[tokio::test]
async fn an_event_counts_by_the_time_of_its_record_whatever_was_paused_and_when_it_comes() {
    let shop = Shop::new().await;
    let first = shop.active(every_time()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "on the way").await;
    shop.world.relay().await;
    let event = shop.world.take("workflow-trigger").unwrap().event;
    shop.change(&first, "pause").await;
    shop.form(contact, "during the pause").await;
    shop.change(&first, "activate").await;
    let second = shop.active(every_time()).await;
    // The first message comes days late and twice: a redrive.
    shop.world.advance(9 * DAY);
    for _ in 0..2 {
        let answer = shop.world.invoke("workflow-trigger", event.clone()).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
    }
    shop.run(1).await;
    assert_eq!(
        shop.report(&first).await[0],
        1,
        "active when it was recorded"
    );
    assert_eq!(shop.report(&second).await[0], 0, "not active at that time");
}

/// Contacts that wait when the workflow is paused, and whose wait then ends.
async fn stopped(shop: &Shop, people: u32) -> String {
    let id = shop.active(greeting()).await;
    for n in 0..people {
        let contact = shop.contact(&format!("khach{n}@example.vn")).await;
        shop.form(contact, &format!("f{n}")).await;
    }
    shop.run(1).await;
    shop.change(&id, "pause").await;
    shop.world.advance(DAY);
    shop.tick().await;
    shop.run(1).await;
    id
}

#[tokio::test]
async fn contacts_of_a_paused_workflow_cost_nothing_however_long_it_takes() {
    let shop = Shop::new().await;
    let id = stopped(&shop, 4).await;
    assert_eq!(shop.report(&id).await, [4, 0, 4, 0, 0, 0]);
    let before = shop.world.aws.meter().snapshot();
    for _ in 0..48 {
        shop.world.advance(Duration::from_mins(30));
        shop.tick().await;
        shop.run(1).await;
    }
    assert!(shop.world.writes_since(&before, "Flow") == 0.0);
    // The sweep writes its checkpoint at each tick, and nothing else.
    let timers = shop.world.writes_since(&before, "Timers");
    assert!(timers <= 48.0, "{timers}");
}

#[tokio::test]
async fn a_release_that_is_killed_anywhere_moves_each_contact_once() {
    for change in ["activate", "archive"] {
        for kill in [Kill::Before, Kill::After] {
            for call in 0.. {
                let shop = Shop::new().await;
                let id = stopped(&shop, 3).await;
                shop.change(&id, change).await;
                shop.world.advance(Duration::from_mins(1));
                shop.tick().await;
                let batch = shop.world.take("workflow-step").unwrap();
                let event = batch.event.clone();
                let killed = shop
                    .world
                    .invoke_and_kill("workflow-step", event, kill(call));
                let finished = killed.await.is_some();
                shop.world.release(&batch);
                shop.run(2).await;
                let (expected, mails) = match change {
                    "activate" => ([3, 0, 0, 3, 0, 0], 3),
                    _ => ([3, 0, 0, 0, 3, 0], 0),
                };
                assert_eq!(shop.report(&id).await, expected, "{change} call {call}");
                assert_eq!(sends(&shop.messages()).len(), mails, "{change} call {call}");
                if finished {
                    assert!(call >= 3, "{call}");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_activation_that_is_killed_anywhere_and_repeated_releases_the_contacts() {
    for kill in [Kill::Before, Kill::After] {
        for call in 0.. {
            let shop = Shop::new().await;
            let id = stopped(&shop, 2).await;
            let path = format!("/v1/workflows/{id}/activate");
            let grant = crate::support::grant_of(shop.tenant.workspace(), "read write");
            let event = http_event("POST", &path, None, Some(&grant));
            let killed = shop
                .world
                .invoke_and_kill("api-workflows", event, kill(call));
            let finished = killed.await.is_some();
            shop.change(&id, "activate").await;
            for _ in 0..3 {
                shop.world.advance(Duration::from_mins(1));
                shop.tick().await;
                shop.run(1).await;
            }
            assert_eq!(shop.report(&id).await, [2, 0, 0, 2, 0, 0], "call {call}");
            if finished {
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_archival_that_is_killed_anywhere_and_repeated_ends_the_subscription() {
    for kill in [Kill::Before, Kill::After] {
        for call in 0.. {
            let shop = Shop::new().await;
            let id = shop.active(greeting()).await;
            let path = format!("/v1/workflows/{id}/archive");
            let grant = crate::support::grant_of(shop.tenant.workspace(), "read write");
            let event = http_event("POST", &path, None, Some(&grant));
            let killed = shop
                .world
                .invoke_and_kill("api-workflows", event, kill(call));
            let finished = killed.await.is_some();
            shop.change(&id, "archive").await;
            let rows = shop.world.dump("Directory").await;
            let listens = |row: &Value| row["pk"].as_str().unwrap().ends_with("#TRIGGER");
            assert!(!rows.iter().any(listens), "call {call}");
            if finished {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_form_costs_the_same_however_many_workflows_wait_for_other_forms() {
    let mut costs = Vec::new();
    for others in [0, 100, 300] {
        let shop = Shop::new().await;
        let rows: Vec<(Key, Value)> = (0..others)
            .map(|n| {
                let workflow = format!("wfl_{n:011}");
                let key = Key::new(
                    format!("{}#TRIGGER", shop.tenant),
                    format!("form.submitted#{workflow}"),
                );
                let filter = json!({ "form_id": format!("OTHER{n}") });
                let row =
                    json!({ "event": "form.submitted", "workflow": workflow, "filter": filter });
                (key, row)
            })
            .collect();
        let directory = shop.world.table("Directory");
        directory.put_many(&rows).await.unwrap();
        let id = shop.active(greeting()).await;
        let contact = shop.contact("an@example.vn").await;
        // The processes know the interest set; its size is paid once in ten seconds.
        let contacts = shop.contacts();
        let event = contacts::Event {
            id: "warm".into(),
            name: "form.submitted".into(),
            at: shop.world.now(),
            source: "ladipage".into(),
            data: json!({ "form_id": "NOBODY" }),
        };
        contacts.record(shop.tenant, contact, &event).await.unwrap();
        let before = shop.world.aws.meter().snapshot();
        let event = contacts::Event {
            id: "f1".into(),
            data: json!({ "form_id": "FORM8" }),
            ..event
        };
        contacts.record(shop.tenant, contact, &event).await.unwrap();
        shop.world.relay().await;
        shop.world.deliver("workflow-trigger", false).await;
        let used = shop.world.aws.meter().since(&before);
        assert_eq!(shop.report(&id).await[0], 1);
        let set = shop.world.directory_reads(&before);
        costs.push((used.write_units(), set));
        eprintln!("{others} others: {:?}", costs.last());
    }
    let is_equal = |units: f64| (units - costs[0].0).abs() < 0.1;
    assert!(costs.iter().all(|cost| is_equal(cost.0)), "{costs:?}");
    // The trigger's process reads the set once, at half a unit for 4 KB, and its own workflow.
    assert!(costs[2].1 <= costs[0].1 + 4.0, "{costs:?}");
}

#[tokio::test]
async fn timers_of_two_tenants_with_equal_ids_are_two_timers() {
    let world = std::sync::Arc::new(World::new());
    let (one, two) = (world.workspace().await, world.workspace().await);
    let timers = Timers::over(&world.resources());
    let due = world.now() + jiff::SignedDuration::from_secs(90);
    let message = workflows::StepMessage::Restored { cursor: None };
    for tenant in [one, two, one] {
        timers
            .schedule(tenant, "same", due, &message)
            .await
            .unwrap();
    }
    let rows = world.dump("Timers").await;
    let found = rows.iter().filter(|row| row.get("effect").is_some());
    assert_eq!(found.count(), 2);
}

#[tokio::test]
async fn the_steps_of_a_workflow_keep_their_author_s_order() {
    let shop = Shop::new().await;
    let names: Vec<String> = {
        let entropy = Entropy::seeded(3);
        let mut names: Vec<String> = (0..8).map(|n| format!("n{n}")).collect();
        names.sort_by_key(|_| entropy.u64());
        names
    };
    let nodes: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let next = names.get(n + 1);
            let next = next.map_or("null".to_owned(), |next| format!("\"{next}\""));
            format!(r#""{name}": {{"type": "wait_duration", "days": 1, "next": {next}}}"#)
        })
        .collect();
    let draft = format!(
        r#"{{"name": "x", "trigger": {{"type": "form.submitted"}},
            "graph": {{"start": "{}", "nodes": {{{}}}}}}}"#,
        names[0],
        nodes.join(",")
    );
    let grant = crate::support::grant_of(shop.tenant.workspace(), "read write");
    let mut event = http_event("POST", "/v1/workflows", None, Some(&grant));
    event["headers"]["content-type"] = json!("application/json");
    event["body"] = json!(draft);
    let made = shop.world.invoke("api-workflows", event).await.unwrap();
    assert_eq!(made["statusCode"], 201, "{made}");
    let path = made["headers"]["location"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let event = http_event("GET", &path, None, Some(&grant));
        let shown = shop.world.invoke("api-workflows", event).await.unwrap();
        let text = shown["body"].as_str().unwrap();
        let graph = &text[text.find("\"nodes\"").unwrap()..];
        let places: Vec<usize> = names
            .iter()
            .map(|name| graph.find(&format!("\"{name}\":")).unwrap())
            .collect();
        assert!(places.is_sorted(), "{text}");
    }
    shop.world.advance(SECOND);
}

#[tokio::test]
async fn a_workflow_larger_than_an_item_is_refused_with_its_place() {
    let shop = Shop::new().await;
    let mut draft = greeting();
    let nodes = &mut draft["graph"]["nodes"];
    nodes["mail"]["next"] = json!("t0");
    for n in 0..90 {
        let tags: Vec<String> = (0..20)
            .map(|tag| format!("{tag}{}", "ặ".repeat(190)))
            .collect();
        nodes[format!("t{n}")] = json!({ "type": "add_tag", "tags": tags });
        if n < 89 {
            nodes[format!("t{n}")]["next"] = json!(format!("t{}", n + 1));
        }
    }
    for (change, pointer) in [
        (json!(null), "/graph/nodes"),
        (
            json!({ "type": "event.performed", "name": "x", "properties": { "n": 1e300 } }),
            "/trigger/properties",
        ),
        (
            json!({ "type": "form.submitted", "form_id": "x".repeat(3_000) }),
            "/trigger",
        ),
    ] {
        let mut bad = if change.is_null() {
            draft.clone()
        } else {
            greeting()
        };
        if !change.is_null() {
            bad["trigger"] = change;
        }
        let (status, problem) = shop.api("POST", "/v1/workflows", Some(bad)).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{problem}"
        );
    }
}
