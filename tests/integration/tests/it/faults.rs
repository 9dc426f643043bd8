//! Faults of AWS at any call: a part of a batch done, one message of many refused, an answer lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use channels::feedback::Gains;
use channels::{Fact, Feedback, Ledger, LedgerKey, Tally};
use cloud::counters::Hour;
use cloud::idempotency::{Answer, Idempotency, Seen};
use cloud::queue::Outgoing;
use cloud::{Counters, Error, Key, Lease, QueueName, SendOptions, Timers, Update};
use kernel::TenantKey;
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault, Received};

use crate::support::{AnyStep, World};

#[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
fn tenant() -> TenantKey {
    TenantKey::authenticated("ws_00000000001".parse().unwrap())
}

/// The first `times` calls of this operation on this table or queue have the fault.
fn first(world: &World, operation: &'static str, place: &str, times: u32, fault: Fault) {
    let (calls, place) = (AtomicU32::new(0), place.to_owned());
    world.aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        let meant = call.operation == operation && call.table_or_queue.contains(&place);
        if meant && calls.fetch_add(1, Ordering::SeqCst) < times {
            fault
        } else {
            Fault::None
        }
    })));
}

fn dead(world: &World, handler: &str) -> Vec<Received> {
    let url = &world.spec(handler).environment["DLQ_URL"];
    let name = url.rsplit('/').next().unwrap();
    world.aws.sqs().receive(name, 10, Some(0))
}

fn reasons(dead: &[Received]) -> BTreeSet<String> {
    let reason = |message: &Received| message.message_attributes["reason"].string_value.clone();
    dead.iter().filter_map(reason).collect()
}

fn message(text: &str) -> Outgoing {
    Outgoing {
        text: text.to_owned(),
        options: SendOptions {
            group: Some("g".into()),
            ..SendOptions::default()
        },
    }
}

/// Everything on the queue, taken off it.
fn drain(world: &World, name: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        let batch = world.aws.sqs().receive(name, 10, None);
        if batch.is_empty() {
            return bodies;
        }
        for message in batch {
            world.aws.sqs().delete(name, &message.receipt_handle);
            bodies.push(message.body);
        }
    }
}

#[tokio::test]
async fn a_batch_that_was_done_in_part_is_finished() {
    let world = World::new();
    let table = world.table("Directory");
    let key = |n: u32| Key::new("p", format!("{n:04}"));
    let items: Vec<(Key, Value)> = (0..60).map(|n| (key(n), json!({ "n": n }))).collect();
    let keys: Vec<Key> = (0..60).map(key).collect();
    first(&world, "BatchWriteItem", "", 4, Fault::Partial);
    table.put_many(&items).await.unwrap();
    first(&world, "BatchGetItem", "", 3, Fault::Partial);
    let found = table.get_many::<Value>(keys.clone()).await.unwrap();
    let found: BTreeSet<Key> = found.into_iter().map(|(key, _)| key).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), keys);
    first(&world, "BatchWriteItem", "", 4, Fault::Partial);
    table.delete_many(&keys).await.unwrap();
    assert!(world.dump("Directory").await.is_empty());
}

#[tokio::test]
async fn a_table_that_never_gets_done_counts_as_throttled() {
    let world = World::new();
    let table = world.table("Directory");
    let rows = [(Key::new("a", "b"), json!({}))];
    first(&world, "BatchWriteItem", "", u32::MAX, Fault::Partial);
    let put = table.put_many(&rows).await;
    assert!(matches!(put, Err(Error::Throttled { .. })), "{put:?}");
    first(&world, "BatchGetItem", "", u32::MAX, Fault::Partial);
    let got = table.get_many::<Value>(vec![Key::new("a", "b")]).await;
    assert!(matches!(got, Err(Error::Throttled { .. })), "{got:?}");
}

#[tokio::test]
async fn messages_that_sqs_did_not_take_are_told_from_those_it_never_will() {
    let world = World::new();
    let queue = world.resources().queues()[&QueueName::new("workflow-step")].clone();
    let name = world.queue_of("workflow-step");
    let many: Vec<Outgoing> = (0..14).map(|_| message("{}")).collect();
    first(&world, "SendMessageBatch", "", 1, Fault::Partial);
    let unsent = queue.send_texts(&many).await.unwrap();
    let left: Vec<usize> = unsent.iter().map(|one| one.position).collect();
    assert_eq!(left, [5, 6, 7, 8, 9]);
    assert!(unsent.iter().all(|one| one.never.is_none()), "{unsent:?}");
    assert_eq!(drain(&world, &name).len(), 9);

    let bad = message("\u{ffff}");
    let mixed = [message("a"), bad, message("c")];
    let unsent = queue.send_texts(&mixed).await.unwrap();
    assert_eq!(unsent.len(), 1);
    assert_eq!(unsent[0].position, 1);
    let never = unsent[0].never.clone().unwrap();
    assert!(never.contains("InvalidMessageContents"), "{never}");
    assert_eq!(drain(&world, &name), ["a", "c"]);
}

#[tokio::test]
async fn a_message_of_ours_may_hold_any_character() {
    let world = World::new();
    let queue = world.resources().queue_of();
    let body = AnyStep(json!({ "said": "\u{fffe}\u{ffff}\u{0}\u{1f600}" }));
    queue
        .send(tenant(), &body, SendOptions::default())
        .await
        .unwrap();
    let sent = drain(&world, &world.queue_of("workflow-step"));
    let envelope = cloud::Envelope::<AnyStep>::open(&sent[0]).unwrap();
    assert_eq!(envelope.body, body);
}

/// Attributes of an enrollment whose next step must be sent; SQS refuses a trace of `\u{ffff}`.
fn enrollment(n: u32, trace: &str) -> Value {
    let pending = json!({ "names": ["workflow.step"], "trace": trace });
    json!({ "id": format!("enr_{n}"), "token": format!("token {n}"), "pending": pending.to_string() })
}

/// Changes of enrollments, each with a step to send; `trace` gives the step's trace.
fn changes(count: u32, trace: impl Fn(u32) -> String) -> Value {
    let change = |n: u32| {
        let row = enrollment(n, &trace(n));
        json!({ "eventName": "INSERT", "dynamodb": {
            "SequenceNumber": (100 + n).to_string(), "Keys": {},
            "NewImage": {
                "pk": { "S": format!("ws_00000000001#enr_{n}") }, "sk": { "S": "STATE" },
                "id": { "S": row["id"] }, "token": { "S": row["token"] }, "pending": { "S": row["pending"] },
            },
        }})
    };
    json!({ "Records": (0..count).map(change).collect::<Vec<_>>() })
}

/// The tokens of the step messages.
fn tokens(messages: &[String]) -> Vec<String> {
    let token = |text: &String| {
        let message: Value = serde_json::from_str(text).unwrap();
        message["body"]["token"].as_str().unwrap().to_owned()
    };
    messages.iter().map(token).collect()
}

#[tokio::test]
async fn the_relay_sends_again_what_sqs_did_not_take() {
    let world = World::new();
    first(&world, "SendMessageBatch", "", 1, Fault::Partial);
    let answer = world.invoke("change-relay", changes(4, |_| "t".into()));
    assert_eq!(answer.await.unwrap(), json!({ "batchItemFailures": [] }));
    let mut sent = tokens(&drain(&world, &world.queue_of("workflow-step")));
    sent.sort();
    assert_eq!(sent, ["token 0", "token 1", "token 2", "token 3"]);
}

#[tokio::test]
async fn an_effect_that_sqs_refuses_holds_up_no_other() {
    let world = World::new();
    let event = changes(3, |n| if n == 1 { "\u{ffff}" } else { "t" }.into());
    let answer = world.invoke("change-relay", event).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let sent = drain(&world, &world.queue_of("workflow-step"));
    assert_eq!(tokens(&sent), ["token 0", "token 2"]);
    let dead = dead(&world, "change-relay");
    assert_eq!(dead.len(), 1);
    let effect: Value = serde_json::from_str(&dead[0].body).unwrap();
    assert_eq!(
        effect["queue"], "workflow-step",
        "enough to send it by hand"
    );
    assert!(
        reasons(&dead)
            .iter()
            .next()
            .unwrap()
            .starts_with("Effect.Refused")
    );
}

#[tokio::test]
async fn poison_and_a_busy_queue_hold_up_no_other_effect() {
    let world = World::new();
    let mut event = changes(3, |n| if n == 1 { "\u{ffff}" } else { "t" }.into());
    // The first goes to another queue, the last is unreadable.
    let names = json!({ "names": ["contact.event"] }).to_string();
    event["Records"][0]["dynamodb"]["NewImage"] = json!({
        "pk": { "S": "ws_00000000001#con_0000000000a" }, "sk": { "S": "2026-03-02T08:00:00.000Z#f1" },
        "id": { "S": "f1" }, "name": { "S": "form.submitted" }, "at": { "S": "2026-03-02T08:00:00Z" },
        "source": { "S": "ladipage" }, "recorded_at": { "S": "2026-03-02T08:00:00Z" }, "pending": { "S": names },
    });
    event["Records"][2]["dynamodb"]["NewImage"]["pending"]["S"] = json!("[{");
    let busy = world.queue_of("workflow-trigger");
    first(&world, "SendMessageBatch", &busy, u32::MAX, Fault::Throttle);
    let answer = world.invoke("change-relay", event).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(dead(&world, "change-relay").len(), 2);
}

#[tokio::test]
async fn an_item_whose_effects_this_build_cannot_make_is_dead_lettered_with_the_reason() {
    let world = World::new();
    let mut event = changes(3, |_| "t".into());
    let records = event["Records"].as_array_mut().unwrap();
    let unknown = json!({ "names": ["workflow.step", "workflow.later"] }).to_string();
    records[0]["dynamodb"]["NewImage"]["pending"]["S"] = unknown.into();
    let image = records[1]["dynamodb"]["NewImage"].as_object_mut();
    image.unwrap().remove("token");
    let answer = world.invoke("change-relay", event.clone()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let sent = drain(&world, &world.queue_of("workflow-step"));
    assert_eq!(tokens(&sent), ["token 2"], "all of an item or nothing");
    let dead = dead(&world, "change-relay");
    let expected = [
        "Effect.UnknownName: workflow.later",
        "Effect.Unreadable: stored data has an unexpected shape: missing field `token`",
    ];
    assert_eq!(reasons(&dead), expected.map(str::to_owned).into());
    let images: Vec<Value> = dead
        .iter()
        .map(|message| serde_json::from_str(&message.body).unwrap())
        .collect();
    for n in 0..2 {
        assert!(images.contains(&event["Records"][n]["dynamodb"]["NewImage"]));
    }
}

async fn schedule(timers: &Timers, world: &World, id: &str) {
    let body = AnyStep(json!({ "id": id }));
    timers
        .schedule(tenant(), id, world.now(), &body)
        .await
        .unwrap();
}

async fn waiting(world: &World) -> Vec<Value> {
    let rows = world.dump("Timers").await.into_iter();
    rows.filter(|row| row.get("effect").is_some()).collect()
}

#[tokio::test]
async fn timers_that_sqs_did_not_take_are_sent_by_the_next_tick() {
    let world = World::new();
    let timers = Timers::over(&world.resources());
    for n in 0..40 {
        schedule(&timers, &world, &format!("t{n}")).await;
    }
    first(&world, "SendMessageBatch", "", 3, Fault::Partial);
    world.invoke("due-timer", json!({})).await.unwrap();
    let left = waiting(&world).await.len();
    assert!((1..40).contains(&left), "{left}");
    // The rows that were sent are deleted in parts too.
    first(&world, "BatchWriteItem", "", 3, Fault::Partial);
    world.advance(Duration::from_mins(3));
    world.invoke("due-timer", json!({})).await.unwrap();
    assert!(waiting(&world).await.is_empty());
    let sent = drain(&world, &world.queue_of("workflow-step"));
    assert_eq!(
        (sent.len(), sent.iter().collect::<BTreeSet<_>>().len()),
        (40, 40)
    );
}

#[tokio::test]
async fn a_timer_that_cannot_be_sent_is_parked_and_stops_no_other() {
    let world = World::new();
    let timers = Timers::over(&world.resources());
    schedule(&timers, &world, "good").await;
    let row = waiting(&world).await.remove(0);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut row = row.clone();
        change(&mut row);
        row
    };
    let bad = [
        with(&|row| row["effect"]["queue"] = json!("nowhere")),
        with(&|row| row["effect"]["queue"] = json!("delivery-backlog")),
        with(&|row| row["effect"]["text"] = json!("\u{ffff}")),
        with(&|row| row["due"] = json!("an@example.vn")),
        json!({ "ttl": 1 }),
    ];
    for (n, row) in bad.iter().enumerate() {
        // Before and after the good one in their bucket.
        let key = Key::new(
            row_pk(&world).await,
            format!("{}{n}", if n % 2 == 0 { "1" } else { "9" }),
        );
        world.table("Timers").put(&key, row).await.unwrap();
    }
    for _ in 0..2 {
        world.invoke("due-timer", json!({})).await.unwrap();
    }
    assert_eq!(drain(&world, &world.queue_of("workflow-step")).len(), 1);
    assert!(waiting(&world).await.is_empty());
    let dead = dead(&world, "due-timer");
    assert_eq!(dead.len(), bad.len());
    for message in &dead {
        let row: Value = serde_json::from_str(&message.body).unwrap();
        assert!(row["pk"]["S"].as_str().unwrap().starts_with("T#"), "{row}");
    }
    let reasons = reasons(&dead);
    let names: BTreeSet<&str> = reasons
        .iter()
        .filter_map(|one| one.split(':').next())
        .collect();
    assert_eq!(
        names,
        BTreeSet::from(["Timer.Refused", "Timer.UnknownQueue", "Timer.Unreadable"])
    );
    assert!(
        reasons.iter().all(|one| !one.contains("example.vn")),
        "{reasons:?}"
    );
}

async fn row_pk(world: &World) -> String {
    waiting(world).await[0]["pk"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_timer_that_was_put_aside_can_be_sent_by_hand() {
    let world = World::new();
    let timers = Timers::over(&world.resources());
    schedule(&timers, &world, "late").await;
    let mut row = waiting(&world).await.remove(0);
    let text = row["effect"]["text"].as_str().unwrap().to_owned();
    let text_of = |name: &str| row[name].as_str().unwrap().to_owned();
    let key = Key::new(text_of("pk"), text_of("sk"));
    row["effect"]["queue"] = json!("delivery-backlog");
    world.table("Timers").put(&key, &row).await.unwrap();
    world.invoke("due-timer", json!({})).await.unwrap();
    let dead = dead(&world, "due-timer").remove(0).body;
    world.advance(Duration::from_hours(30 * 24));
    // The command of docs/runbooks/dead-letter-queue.md.
    let row: Value = serde_json::from_str(&dead).unwrap();
    let effect = |name: &str| row["effect"]["M"][name]["S"].as_str().unwrap();
    assert_eq!(effect("queue"), "delivery-backlog");
    let name = world.queue_of("workflow-step");
    let client = aws_sdk_sqs::Client::new(&world.aws.sdk_config());
    let send = client.send_message().queue_url(world.aws.sqs().url(&name));
    let send = send.message_body(effect("text"));
    send.message_group_id(effect("group")).send().await.unwrap();
    assert_eq!(drain(&world, &name), [text]);
}

#[tokio::test]
async fn a_conditional_update_whose_answer_was_lost_is_still_ours() {
    let world = World::new();
    let table = world.table("Directory");
    let key = Key::new("a", "b");
    let move_to = |from: u32, to: u32| Update::new().set("n", to).when_equals("n", from);
    table.put(&key, &json!({ "n": 1 })).await.unwrap();
    for (from, fault) in [(1, Fault::TimeoutAfterCommit), (2, Fault::Throttle)] {
        first(&world, "UpdateItem", "", 1, fault);
        let ours = table.update(&key, move_to(from, from + 1)).await.unwrap();
        assert!(ours.applied(), "{fault:?}");
        let item: Value = ours.item().unwrap().unwrap();
        assert_eq!(item["n"], from + 1);
        let late = table.update(&key, move_to(from, 9)).await.unwrap();
        assert!(!late.applied(), "somebody else lost");
    }
}

#[tokio::test]
async fn whoever_takes_something_knows_it_though_the_answer_was_lost() {
    let world = World::new();
    let lost = || first(&world, "UpdateItem", "", 1, Fault::TimeoutAfterCommit);
    let lease = Lease::over(&world.resources());
    let minute = Duration::from_mins(1);
    lost();
    assert!(
        lease
            .take(tenant(), "report", minute)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        lease
            .take(tenant(), "report", minute)
            .await
            .unwrap()
            .is_none()
    );

    let requests = Idempotency::over(&world.resources());
    let claim = async || requests.claim("acc_1#x", "hash", minute).await.unwrap();
    assert!(matches!(claim().await, Seen::Mine(_)));
    world.advance(minute + minute);
    lost();
    assert!(
        matches!(claim().await, Seen::Mine(_)),
        "taken over from the dead"
    );
    assert!(matches!(claim().await, Seen::Running));
}

#[tokio::test]
async fn an_answer_past_its_time_is_not_given_although_it_is_still_stored() {
    let world = World::new();
    let requests = Idempotency::over(&world.resources());
    let minute = Duration::from_mins(1);
    let Seen::Mine(claim) = requests.claim("acc_1#x", "one", minute).await.unwrap() else {
        panic!("not ours")
    };
    let answer = Answer {
        status: 201,
        headers: BTreeMap::new(),
        body: None,
    };
    requests.answer(&claim, &answer).await.unwrap();
    world.advance(Duration::from_hours(24));
    // DynamoDB deletes a row up to days after its time to live.
    let again = requests.claim("acc_1#x", "other", minute).await.unwrap();
    assert!(matches!(again, Seen::Mine(_)), "{again:?}");
    let third = requests.claim("acc_1#x", "other", minute).await.unwrap();
    assert!(matches!(third, Seen::Running), "{third:?}");
}

#[tokio::test]
async fn a_fact_is_counted_once_though_answers_were_lost() {
    let world = World::new();
    let ledger = Ledger::over(&world.resources());
    let key = LedgerKey {
        scope: "cmp_00000000001".into(),
        contact: "con_00000000001".parse().unwrap(),
        channel: contacts::Channel::Email,
        step: "0".into(),
    };
    ledger.claim(tenant(), &key).await.unwrap();
    let address = "an@example.vn".parse().unwrap();
    let feedback = Feedback::over(&world.resources());
    let counters = Counters::over(&world.resources());
    let mut gains = Gains::default();
    for _ in 0..2 {
        first(&world, "UpdateItem", "", 1, Fault::TimeoutAfterCommit);
        let learnt =
            feedback.provider(tenant(), &key, &address, Fact::Delivered, world.now(), None);
        let tally = learnt.await.unwrap().unwrap();
        gains.add(tenant(), &key.scope, Hour::of(world.now()), &tally);
    }
    first(&world, "UpdateItem", "", 1, Fault::TimeoutAfterCommit);
    gains.write(&counters, "m1", 1).await.unwrap();
    let counted = counters.read(tenant(), &key.scope).await.unwrap();
    assert_eq!(counted.get("delivered"), Some(&1), "{counted:?}");
}

#[tokio::test]
async fn counts_that_nobody_brings_again_are_tried_again() {
    let world = World::new();
    let counters = Counters::over(&world.resources());
    let gains = || {
        let mut gains = Gains::default();
        let tally = Tally {
            delivered: 1,
            ..Tally::default()
        };
        gains.add(
            tenant(),
            "cmp_00000000001",
            Hour::of(world.now()),
            &tally.into(),
        );
        gains
    };
    // The client itself makes three attempts of one.
    for fault in [Fault::Throttle, Fault::TimeoutAfterCommit] {
        first(&world, "UpdateItem", "", 3, fault);
        assert!(
            gains().write(&counters, "m1", 1).await.is_err(),
            "{fault:?}"
        );
        first(&world, "UpdateItem", "", 3, fault);
        gains().write(&counters, "m2", 3).await.unwrap();
    }
    let counted = counters.read(tenant(), "cmp_00000000001").await.unwrap();
    // Two attempts that were retried, and one whose answer was lost permanently.
    assert_eq!(counted["delivered"], 3);
}

#[tokio::test]
async fn up_to_five_requests_of_many_messages_are_under_way_at_once() {
    let world = World::new();
    let queue = world.resources().queues()[&QueueName::new("workflow-step")].clone();
    let many: Vec<Outgoing> = (0..80).map(|_| message("{}")).collect();
    let begun = Arc::new(AtomicU32::new(0));
    let count = begun.clone();
    world.aws.set_fault_hook(Some(Arc::new(move |_: &Call| {
        count.fetch_add(1, Ordering::SeqCst);
        Fault::HangBefore
    })));
    let mut send = std::pin::pin!(queue.send_texts(&many));
    for _ in 0..1_000 {
        assert!(futures::poll!(send.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.load(Ordering::SeqCst), 5);
}
