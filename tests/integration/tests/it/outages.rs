//! Outages of hours and days: nothing is lost, nothing reaches a dead-letter queue, and everything is done afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use cloud::{Key, Timers};
use kernel::TenantKey;
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault, MeterSnapshot, Reason};
use tanigo_local::template::model::Trigger;

use crate::chat::shop::Shop as Chat;
use crate::contacts::shop::{Page, Shop, email, form};
use crate::fixtures::stage::Stage;
use crate::support::{AnyStep, World, fixture};

const HOUR: Duration = Duration::from_hours(1);
const QUARTER: Duration = Duration::from_mins(15);

/// These calls have the fault.
fn hook(world: &World, fault: Fault, meant: impl Fn(&Call) -> bool + Send + Sync + 'static) {
    world.aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        if meant(call) { fault } else { Fault::None }
    })));
}

fn consumers(world: &World) -> Vec<String> {
    let functions = world.model.functions.iter();
    let reads = |trigger: &Trigger| matches!(trigger, Trigger::Sqs { .. });
    functions
        .filter(|function| function.triggers.iter().any(reads))
        .map(|function| function.handler.clone())
        .collect()
}

/// Delivers what is visible, over and over, with a quarter of an hour between.
async fn hours(world: &World, function: &str, hours: u32) {
    for _ in 0..4 * hours {
        while world.deliver(function, false).await.is_some() {}
        world.advance(QUARTER);
    }
}

/// Every consumer, with the tables throttled or without answers for six hours.
#[tokio::test(start_paused = true)]
async fn an_outage_of_six_hours_dead_letters_nothing() {
    for function in consumers(&World::new()) {
        for fault in [Fault::Throttle, Fault::TimeoutAfterCommit] {
            let stage = Stage::of(&function, "ok").await;
            let world = &stage.world;
            let queue = world.queue_of(&function);
            let client = aws_sdk_sqs::Client::new(&world.aws.sdk_config());
            let event = stage.own(&fixture(&format!("{function}/ok.json")));
            let records = event["Records"].as_array().unwrap();
            for record in records {
                let send = client.send_message().queue_url(world.aws.sqs().url(&queue));
                let send = send.message_body(record["body"].as_str().unwrap());
                let group = record["attributes"]["MessageGroupId"].as_str();
                let send = send.set_message_group_id(group.map(str::to_owned));
                let id = record["messageId"].as_str().map(str::to_owned);
                let id = id.filter(|_| world.aws.sqs().url(&queue).contains(".fifo"));
                send.set_message_deduplication_id(id).send().await.unwrap();
            }
            let handler = function.clone();
            hook(world, fault, move |call| {
                call.service == "dynamodb" && call.function.as_deref() == Some(&handler)
            });
            hours(world, &function, 6).await;
            world.aws.set_fault_hook(None);
            assert_eq!(
                world.dead_letters(),
                Vec::<String>::new(),
                "{function} {fault:?}"
            );
            hours(world, &function, 1).await;
            assert_eq!(
                world.aws.sqs().depth(&queue).total(),
                0,
                "{function} {fault:?}"
            );
            assert_eq!(
                world.dead_letters(),
                Vec::<String>::new(),
                "{function} {fault:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_throttled_is_tried_again() {
    for reason in [
        Reason::ThrottlingError,
        Reason::ProvisionedThroughputExceeded,
        Reason::TransactionConflict,
    ] {
        let shop = Shop::new().await;
        let page = Page::of(&shop, &[]).await;
        page.post(&shop, &form()).await;
        hook(&shop.world, Fault::Cancel(reason), |call| {
            call.operation == "TransactWriteItems"
        });
        let rows = "email,phone,name\nbinh@example.com,0912000111,Bình\n";
        let import = shop.upload("/v1/imports", rows).await;
        for _ in 0..3 {
            shop.world.settle().await;
            shop.world.advance(QUARTER);
        }
        let body = json!({ "email": "chi@example.com", "phone": "+84912000222" });
        let (status, problem) = shop.api("POST", "/v1/contacts", Some(&body)).await;
        assert_eq!(status, 503, "{problem}");
        assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
        shop.world.aws.set_fault_hook(None);
        for _ in 0..3 {
            shop.world.advance(QUARTER);
            shop.world.settle().await;
        }
        assert!(shop.owner(&email("binh@example.com")).await.is_some());
        let job = shop.job(&import).await;
        assert_eq!(
            (&job["created"], &job["failed"]),
            (&json!(1), &json!(0)),
            "{job}"
        );
        let sender = form()["email"].as_str().unwrap().to_owned();
        assert!(shop.owner(&email(&sender)).await.is_some());
    }
}

/// An enrollment whose next step must be sent.
async fn enroll(world: &World, n: u32) {
    let key = Key::new(format!("ws_00000000001#enr_{n}"), "STATE");
    let pending = json!({ "names": ["workflow.step"], "trace": "t" });
    let row = json!({ "id": format!("enr_{n}"), "token": format!("token {n}"), "pending": pending.to_string() });
    world.table("Flow").put(&key, &row).await.unwrap();
}

fn tokens(world: &World) -> BTreeSet<String> {
    let queue = world.queue_of("workflow-step");
    let mut found = BTreeSet::new();
    loop {
        let batch = world.aws.sqs().receive(&queue, 10, None);
        if batch.is_empty() {
            return found;
        }
        for message in batch {
            world.aws.sqs().delete(&queue, &message.receipt_handle);
            let body: Value = serde_json::from_str(&message.body).unwrap();
            found.insert(body["body"]["token"].as_str().unwrap().to_owned());
        }
    }
}

/// Ticks of a quarter of an hour, a minute apart: each table is read first three times.
async fn ticks(world: &World) -> Vec<Result<Value, String>> {
    let mut answers = Vec::new();
    for _ in 0..15 {
        world.advance(Duration::from_mins(1));
        answers.push(world.invoke("due-timer", json!({})).await);
    }
    answers
}

async fn left(world: &World) -> usize {
    let mut left = 0;
    for table in ["Campaigns", "Chat", "Flow", "Timeline"] {
        let rows = world.dump(table).await;
        let waits = |row: &&Value| row.get("pending").or(row.get("unsent")).is_some();
        left += rows.iter().filter(waits).count();
    }
    left
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_missing_for_thirty_hours_loses_nothing_and_stops_no_other() {
    let world = World::new();
    let queue = world.queue_of("workflow-step");
    let client = aws_sdk_sqs::Client::new(&world.aws.sdk_config());
    client
        .delete_queue()
        .queue_url(world.aws.sqs().url(&queue))
        .send()
        .await
        .unwrap();
    let shop = Chat::in_world(Arc::new(world), &[]).await;
    let world = &shop.world;
    for n in 0..5 {
        enroll(world, n).await;
    }
    let browser = shop.browser().await;
    shop.say(&browser, "c1", "Còn hàng không?").await;
    shop.run(1).await;
    shop.reply(&shop.conversation().await, json!({ "content": "Còn" }))
        .await;
    shop.run(1).await;
    let talk = shop.talk(&shop.conversation().await).await;
    assert_eq!(talk.len(), 2, "other queues go on: {talk:?}");
    assert_eq!(left(world).await, 5);
    let mut failed = 0;
    for _ in 0..30 {
        world.advance(HOUR);
        failed += ticks(world)
            .await
            .iter()
            .filter(|tick| tick.is_err())
            .count();
    }
    assert!(failed > 30, "the alarm on errors hears of it: {failed}");
    let create = client.create_queue().queue_name(&queue);
    create
        .attributes(QueueAttributeName::VisibilityTimeout, "90")
        .send()
        .await
        .unwrap();
    ticks(world).await;
    let all = (0..5).map(|n| format!("token {n}"));
    assert_eq!(tokens(world), all.collect());
    assert_eq!(left(world).await, 0);
    assert!(
        ticks(world).await.iter().all(Result::is_ok),
        "the alarm ends"
    );
    assert_eq!(world.dead_letters(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_is_disabled_for_two_days_loses_nothing() {
    let world = World::new();
    for n in 0..120 {
        enroll(&world, n).await;
    }
    let flow = world
        .model
        .tables
        .iter()
        .find(|table| table.logical_id == "Flow");
    let flow = &flow.unwrap().name;
    let lost = world.aws.streams().poll(flow, "test", 1_000);
    world
        .aws
        .streams()
        .commit(flow, "test", lost.last().unwrap().sequence);
    assert_eq!(world.relay().await, 0, "its records are past");
    world.advance(48 * HOUR);
    let answers = ticks(&world).await;
    assert!(
        answers.iter().any(Result::is_err),
        "the alarm on errors hears of it"
    );
    assert_eq!(tokens(&world).len(), 120);
    assert_eq!(left(&world).await, 0);
    assert!(ticks(&world).await.iter().all(Result::is_ok));
    assert!(tokens(&world).is_empty(), "sent once");
}

#[tokio::test(start_paused = true)]
async fn answers_of_a_conversation_wait_for_the_first_and_those_of_others_do_not() {
    let shop = Chat::new().await;
    let world = &shop.world;
    let (mut conversations, mut browsers) = (Vec::new(), Vec::new());
    for n in 0..2 {
        let browser = shop.browser().await;
        shop.say(&browser, &format!("c{n}"), "Xin chào").await;
        shop.run(1).await;
        let page = shop.get("/v1/conversations").await;
        let ids = page["data"].as_array().unwrap().iter();
        let mut ids = ids.map(|one| one["id"].as_str().unwrap().to_owned());
        let new = ids.find(|id| !conversations.contains(id)).unwrap();
        conversations.push(new);
        browsers.push(browser);
    }
    let answers = async |n: usize| {
        let (lines, _) = shop.reads(&browsers[n], "").await;
        let lines = lines.into_iter().filter(|(who, _)| who != "visitor");
        lines.map(|(_, text)| text).collect::<Vec<_>>()
    };
    let out = world.queue_of("chat-outbound");
    hook(world, Fault::Throttle, move |call| {
        call.operation.starts_with("SendMessage") && call.table_or_queue == out
    });
    shop.reply(&conversations[0], json!({ "content": "một" }))
        .await;
    world.relay().await;
    world.aws.set_fault_hook(None);
    world.advance(Duration::from_secs(1));
    shop.reply(&conversations[0], json!({ "content": "hai" }))
        .await;
    shop.reply(&conversations[1], json!({ "content": "ba" }))
        .await;
    shop.run(1).await;
    let sent = world.dump("Chat").await;
    let delivery = |text: &str| {
        let row = sent.iter().find(|row| row["content"] == text).unwrap();
        row["delivery"].clone()
    };
    assert_eq!(
        (delivery("một"), delivery("hai")),
        (json!("sending"), json!("sending"))
    );
    assert_ne!(
        delivery("ba"),
        json!("sending"),
        "another conversation goes on"
    );
    ticks(world).await;
    shop.run(1).await;
    assert_eq!(answers(0).await, ["một", "hai"]);
    assert_eq!(answers(1).await, ["ba"]);
    assert_eq!(left(world).await, 0);
}

#[tokio::test]
async fn a_row_with_effects_costs_three_write_units_more_and_a_tick_half_a_read_unit() {
    let world = World::new();
    let before: MeterSnapshot = world.aws.meter().snapshot();
    enroll(&world, 1).await;
    world.relay().await;
    let writes = world.writes_since(&before, "Flow");
    assert!((writes - 4.0).abs() < 0.1, "{writes} write units");
    let before = world.aws.meter().snapshot();
    world.invoke("due-timer", json!({})).await.unwrap();
    let reads: f64 = ["Campaigns", "Chat", "Flow", "Timeline"]
        .map(|table| world.units(table, &before).1)
        .iter()
        .sum();
    assert!(reads <= 0.5, "{reads}");
}

#[tokio::test]
async fn a_schedule_that_stops_for_thirty_days_loses_no_timer() {
    let world = World::new();
    world.invoke("due-timer", json!({})).await.unwrap();
    let timers = Timers::over(&world.resources());
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    let tenant = TenantKey::authenticated("ws_00000000001".parse().unwrap());
    let body = AnyStep(json!({ "token": "late" }));
    timers
        .schedule(tenant, "late", world.now() + HOUR, &body)
        .await
        .unwrap();
    world.advance(30 * 24 * HOUR);
    world.aws.sweep_expired().unwrap();
    world.invoke("due-timer", json!({})).await.unwrap();
    assert_eq!(tokens(&world), BTreeSet::from(["late".to_owned()]));
}

/// The command of docs/runbooks/dead-letter-queue.md.
#[tokio::test]
async fn an_image_that_was_put_aside_can_be_asked_for_again() {
    let world = World::new();
    let key = Key::new("ws_00000000001#enr_1", "STATE");
    let pending = |name: &str| json!({ "names": [name], "trace": "t" }).to_string();
    let row = json!({ "id": "enr_1", "token": "token 1", "pending": pending("workflow.later") });
    world.table("Flow").put(&key, &row).await.unwrap();
    world.relay().await;
    let dead = world.dead_letters();
    let image: Value = serde_json::from_str(&dead[0]).unwrap();
    assert_eq!((dead.len(), left(&world).await), (1, 0));
    let flow = world
        .model
        .tables
        .iter()
        .find(|table| table.logical_id == "Flow");
    let client = aws_sdk_dynamodb::Client::new(&world.aws.sdk_config());
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let of = |name: &str| text(image[name]["S"].as_str().unwrap());
    let again = client.update_item().table_name(&flow.unwrap().name);
    let again = again.key("pk", of("pk")).key("sk", of("sk"));
    let again = again
        .update_expression("SET pending = :pending, outbox = :outbox")
        .condition_expression("attribute_not_exists(outbox)")
        // The build that knows the name: here another name that this build knows.
        .expression_attribute_values(":pending", text(&pending("workflow.step")))
        .expression_attribute_values(":outbox", of("outbox"));
    again.send().await.unwrap();
    world.relay().await;
    assert_eq!(tokens(&world), BTreeSet::from(["token 1".to_owned()]));
    assert_eq!(left(&world).await, 0);
}
