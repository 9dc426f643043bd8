//! The AWS patterns over the embedded engine: answers that get lost, batches over the limits, racing
//! workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloud::counters::{Counts, Hour};
use cloud::lease::Held;
use cloud::limiter::Slot;
use cloud::queue::{Outgoing, SendOptions};
use cloud::{Counters, Created, Error, Key, Lease, Limiter, Query, QueueName, Timers, Update};
use futures::future::join_all;
use jiff::SignedDuration;
use kernel::TenantKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};

use crate::support::{AnyStep, World};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    version: u64,
    text: String,
}

fn row(version: u64, text: &str) -> Row {
    let text = text.to_owned();
    Row { version, text }
}

#[expect(clippy::disallowed_methods, reason = "a test's own tenants")]
fn tenant(n: u32) -> TenantKey {
    TenantKey::authenticated(format!("ws_0000000000{n}").parse().unwrap())
}

/// The next call of this operation has the fault; later calls do not.
fn once(world: &World, operation: &'static str, fault: Fault) {
    let used = AtomicBool::new(false);
    world.aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        if call.operation == operation && !used.swap(true, Ordering::SeqCst) {
            fault
        } else {
            Fault::None
        }
    })));
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_still_ours() {
    let world = World::new();
    let table = world.table("Directory");
    let key = Key::new("a", "b");
    for fault in [Fault::TimeoutAfterCommit, Fault::Throttle] {
        let key = Key::new(format!("{fault:?}"), "b");
        once(&world, "PutItem", fault);
        assert_eq!(
            table.create(&key, &row(1, "ours")).await.unwrap(),
            Created::New,
            "{fault:?}"
        );
        let again = table.create(&key, &row(1, "theirs")).await.unwrap();
        assert_eq!(again, Created::Existing(row(1, "ours")), "{fault:?}");
    }
    assert_eq!(table.get::<Row>(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_throttled_transaction_is_tried_again() {
    let world = World::new();
    let table = world.table("Directory");
    let keys = [Key::new("a", "b"), Key::new("c", "d")];
    let updates = || {
        keys.clone()
            .map(|key| (key, cloud::Update::new().set("n", 1)))
            .to_vec()
    };
    once(&world, "TransactWriteItems", Fault::Throttle);
    assert!(table.update_all(updates()).await.unwrap());
    world
        .aws
        .set_fault_hook(Some(Arc::new(|_: &Call| Fault::Throttle)));
    let error = table.update_all(updates()).await.unwrap_err();
    assert!(matches!(error, Error::Throttled { .. }), "{error:?}");
}

#[tokio::test]
async fn a_replace_whose_answer_was_lost_is_still_ours() {
    let world = World::new();
    let table = world.table("Directory");
    let key = Key::new("a", "b");
    table.put(&key, &row(1, "one")).await.unwrap();
    once(&world, "PutItem", Fault::TimeoutAfterCommit);
    table.replace(&key, &row(2, "two"), 1).await.unwrap();
    let late = table.replace(&key, &row(2, "other"), 1).await;
    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
    assert_eq!(table.get::<Row>(&key).await.unwrap(), Some(row(2, "two")));
    let absent = table.replace(&Key::new("x", "y"), &row(2, "x"), 1).await;
    assert!(matches!(absent, Err(Error::Conflict)), "{absent:?}");
}

#[tokio::test]
async fn of_many_replaces_one_wins() {
    let world = World::new();
    let table = world.table("Directory");
    let key = Key::new("a", "b");
    table.put(&key, &row(1, "start")).await.unwrap();
    let tries = (0..20).map(|n| {
        let (table, key) = (table.clone(), key.clone());
        async move {
            table
                .replace(&key, &row(2, &n.to_string()), 1)
                .await
                .is_ok()
        }
    });
    let won = join_all(tries).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn many_items_go_beyond_the_limits_of_a_batch() {
    let world = World::new();
    let table = world.table("Directory");
    let key = |n: u32| Key::new(format!("p{}", n % 7), format!("{n:04}"));
    let items: Vec<(Key, Row)> = (0..260).map(|n| (key(n), row(1, &n.to_string()))).collect();
    table.put_many(&items).await.unwrap();
    let mut keys: Vec<Key> = (0..270).map(key).collect();
    keys.push(key(3)); // twice in one request is an error for DynamoDB
    let found: BTreeMap<Key, Row> = table.get_many(keys).await.unwrap().into_iter().collect();
    assert_eq!(found, items.into_iter().collect());
    let gone: Vec<Key> = (0..130).map(key).collect();
    table.delete_many(&gone).await.unwrap();
    let left: Vec<(Key, Row)> = table.get_many((0..260).map(key).collect()).await.unwrap();
    assert_eq!(left.len(), 130);
    assert!(table.get_many::<Row>(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn pages_meet_and_a_foreign_cursor_is_refused() {
    let world = World::new();
    let table = world.table("Directory");
    for list in ["a", "b"] {
        let rows = (0..25).map(|n| (Key::new(list, format!("{n:03}")), row(1, &n.to_string())));
        table.put_many(&rows.collect::<Vec<_>>()).await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = Query::partition("a")
            .limit(10)
            .descending()
            .cursor(cursor.clone());
        let page: cloud::Page<Row> = table.query(query).await.unwrap();
        seen.extend(page.data.into_iter().map(|row| row.text));
        let Some(next) = page.next else { break };
        let foreign = table
            .query::<Row>(Query::partition("b").cursor(Some(next.clone())))
            .await;
        assert!(matches!(foreign, Err(Error::Cursor(_))), "{foreign:?}");
        cursor = Some(next);
    }
    let expected: Vec<String> = (0..25).rev().map(|n: u32| n.to_string()).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn updates_merge_in_any_order() {
    let world = World::new();
    let table = world.table("Directory");
    let key = Key::new("a", "b");
    let seen_at = |at: i64| {
        Update::new()
            .set("last", at)
            .when_absent_or_less("last", at)
    };
    for at in [3, 9, 5, 9] {
        table.update(&key, seen_at(at)).await.unwrap();
    }
    let first = Update::new()
        .set_if_absent("first", 1)
        .add_to_set("tags", ["x", "y"]);
    table.update(&key, first).await.unwrap();
    let second = Update::new()
        .set_if_absent("first", 2)
        .add_to_set("tags", ["y", "z"]);
    table
        .update(&key, second.remove_from_set("none", ["n"]))
        .await
        .unwrap();
    let stored: Value = table.get(&key).await.unwrap().unwrap();
    assert_eq!((&stored["last"], &stored["first"]), (&json!(9), &json!(1)));
    let mut tags: Vec<&str> = stored["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    tags.sort_unstable();
    assert_eq!(tags, ["x", "y", "z"]);
    let refused = table
        .update(&key, Update::new().set("first", 3).when_equals("first", 7))
        .await;
    assert!(!refused.unwrap().applied());
    let absent = table
        .update(&Key::new("n", "n"), Update::new().set("x", 1).when_exists())
        .await;
    assert!(absent.unwrap().item::<Value>().unwrap().is_none());
}

/// Workers that race for one limit. Each worker makes a call at its slot and then asks for the next slot. The
/// clock jumps to the next slot of any worker, and all workers that are due ask at once.
#[tokio::test]
async fn racing_workers_keep_the_rate_and_use_it() {
    const RATE: f64 = 50.0;
    const CALLS: usize = 300;
    let world = World::new();
    let limiter = Limiter::over(&world.resources());
    let mut wakes = vec![world.now(); 30];
    let mut calls = Vec::new();
    while calls.len() < CALLS {
        let now = world.now();
        let due: Vec<usize> = (0..wakes.len()).filter(|&i| wakes[i] <= now).collect();
        let slots = join_all(due.iter().map(|_| limiter.reserve("ses", 1, RATE))).await;
        for (worker, slot) in due.into_iter().zip(slots) {
            wakes[worker] = match slot.unwrap() {
                Slot::At(at) => {
                    calls.push(at.max(now));
                    at
                }
                Slot::Full(wait) => now + SignedDuration::try_from(wait).unwrap(),
            };
        }
        let next = wakes.iter().min().unwrap().duration_since(now);
        // The clock of the world counts in milliseconds.
        world.advance(Duration::from_millis(next.as_millis().max(0) as u64 + 1));
    }
    calls.sort_unstable();
    let gap = (1_000_000.0 / RATE) as i128;
    for pair in calls.windows(2) {
        assert!(
            pair[1].duration_since(pair[0]).as_micros() >= gap,
            "{pair:?}"
        );
    }
    let took = calls[calls.len() - 1]
        .duration_since(calls[0])
        .as_secs_f64();
    let least = (calls.len() - 1) as f64 / RATE;
    assert!(
        took < least * 1.1,
        "{took} s for what can be done in {least} s"
    );
}

#[tokio::test]
async fn a_limit_gives_out_a_quarter_of_an_hour_ahead_and_no_more() {
    let world = World::new();
    let limiter = Limiter::over(&world.resources());
    let start = world.now();
    let Slot::At(first) = limiter.reserve("zns", 1350, 1.0).await.unwrap() else {
        panic!("full")
    };
    assert_eq!(first, start);
    let Slot::Full(wait) = limiter.reserve("zns", 1, 1.0).await.unwrap() else {
        panic!("free")
    };
    assert!((450..900).contains(&wait.as_secs()), "{wait:?}");
    let Slot::At(_) = limiter.reserve("other", 1, 1.0).await.unwrap() else {
        panic!("full")
    };
    world.advance(wait);
    let Slot::At(at) = limiter.reserve("zns", 1, 1.0).await.unwrap() else {
        panic!("full")
    };
    assert_eq!(at, start + SignedDuration::from_secs(1350));
    // Idle for an hour: unused slots are not saved.
    world.advance(Duration::from_hours(1));
    let now = world.now();
    for expected in [now, now + SignedDuration::from_secs(1)] {
        let Slot::At(at) = limiter.reserve("zns", 1, 1.0).await.unwrap() else {
            panic!("full")
        };
        assert_eq!(at, expected);
    }
}

fn counts(sent: i64, failed: i64) -> Counts {
    Counts::from([("sent".into(), sent), ("failed".into(), failed)])
}

async fn add(counters: &Counters, tenant: TenantKey, hour: Hour, source: &str, some: Counts) {
    let added = counters.add(tenant, "cmp_1", hour, source, &some);
    added.await.unwrap();
}

#[tokio::test]
async fn counters_add_up_over_their_hours() {
    let world = World::new();
    let counters = Counters::over(&world.resources());
    let hour = || Hour::of(world.now());
    let before = world.aws.meter().snapshot();
    for n in 0..40 {
        let some = counts(2, i64::from(n % 4 == 0));
        add(&counters, tenant(1), hour(), &format!("batch-{n}"), some).await;
        world.advance(Duration::from_mins(6));
    }
    add(&counters, tenant(1), hour(), "empty", counts(0, 0)).await;
    let (writes, _) = world.units("Reports", &before);
    assert!(
        (40.0..41.0).contains(&writes),
        "{writes} units for 40 additions"
    );
    add(&counters, tenant(2), hour(), "x", counts(5, 0)).await;
    let before = world.aws.meter().snapshot();
    let read = counters.read(tenant(1), "cmp_1").await.unwrap();
    assert_eq!(read, counts(80, 10));
    let (_, reads) = world.units("Reports", &before);
    assert!(reads <= 0.5, "{reads} units for one query");
    let rows = world.dump("Reports").await;
    assert_eq!(rows.len(), 4 + 1, "four hours, and the other tenant's one");
    let expires = |row: &Value| row["ttl"].as_i64().unwrap() - world.now().as_second();
    assert!(rows.iter().all(|row| expires(row) > 3 * 365 * 86_400));
    assert!(counters.read(tenant(2), "cmp_2").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_busy_counter_spreads_over_partitions() {
    let world = World::new();
    let hour = Hour::of(world.now());
    let one = || counts(1, 0);
    let (first, second) = (
        Counters::over(&world.resources()),
        Counters::over(&world.resources()),
    );
    for n in 0..1_300 {
        add(&first, tenant(1), hour, &format!("contact {n}"), one()).await;
    }
    // A process that starts later learns from its first write that the counter is spread.
    for n in 0..300 {
        add(&second, tenant(1), hour, &format!("contact {n}"), one()).await;
    }
    let rows = world.dump("Reports").await;
    assert_eq!(rows.len(), 16, "every partition");
    let busiest = rows.iter().map(|row| row["n_sent"].as_i64().unwrap()).max();
    assert!(busiest < Some(1_200), "{busiest:?} in one partition");
    for counters in [first, Counters::over(&world.resources())] {
        let read = counters.read(tenant(1), "cmp_1").await.unwrap();
        assert_eq!(read["sent"], 1_600);
    }
}

async fn take(lease: &Lease) -> Option<Held> {
    lease
        .take(tenant(1), "report", Duration::from_mins(1))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lease_has_one_holder_at_a_time() {
    let world = World::new();
    let lease = Lease::over(&world.resources());
    let taken = join_all((0..10).map(|_| take(&lease))).await;
    assert_eq!(taken.iter().flatten().count(), 1);
    let first = taken.into_iter().flatten().next().unwrap();
    assert!(
        lease
            .take(tenant(2), "report", Duration::from_mins(1))
            .await
            .unwrap()
            .is_some()
    );
    world.advance(Duration::from_secs(61));
    let second = take(&lease).await.expect("the first ran out");
    lease.release(first).await.unwrap();
    assert!(
        take(&lease).await.is_none(),
        "a late release frees nobody else's lease"
    );
    lease.release(second).await.unwrap();
    assert!(take(&lease).await.is_some());
}

#[tokio::test]
async fn timers_are_found_by_their_minute() {
    let world = World::new();
    let timers = Timers::over(&world.resources());
    let due = world.now() + SignedDuration::from_hours(50);
    let minute = cloud::timers::minute(due);
    for n in 0..40 {
        let id = format!("t{n}");
        for _ in 0..2 {
            timers
                .schedule(tenant(1), &id, due, &AnyStep(json!({})))
                .await
                .unwrap();
        }
    }
    let past = world.now() - SignedDuration::from_hours(5);
    timers
        .schedule(tenant(1), "late", past, &AnyStep(json!({})))
        .await
        .unwrap();
    let now = cloud::timers::minute(world.now());
    let minutes = timers.minutes(now - 60, minute + 100).await.unwrap();
    assert_eq!(minutes, [now, minute], "no minute without a timer");
    let mut found = Vec::new();
    for minute in minutes {
        for shard in 0..cloud::timers::SHARDS {
            found.extend(timers.of_bucket(minute, shard, None).await.unwrap().data);
        }
    }
    assert_eq!(
        found.len(),
        41,
        "the same timer twice is one row, a late one is in this minute"
    );
    let keys: Vec<Key> = found.into_iter().map(|row| row.key).collect();
    assert_eq!(keys.len(), 41);
    timers.delete(&keys).await.unwrap();
    for (to, stands) in [(7, 7), (3, 7), (9, 9)] {
        timers.pass(to).await.unwrap();
        assert_eq!(timers.checkpoint().await.unwrap(), Some(stands));
    }
    assert_eq!(
        world.dump("Timers").await.len(),
        3,
        "two marks and the checkpoint"
    );
}

#[tokio::test]
async fn a_batch_says_which_messages_sqs_did_not_take() {
    let world = World::new();
    let queue = world.resources().queues()[&QueueName::new("workflow-step")].clone();
    let message = |group: &str| Outgoing {
        text: "{}".into(),
        options: SendOptions {
            group: Some(group.into()),
            ..SendOptions::default()
        },
    };
    let messages: Vec<Outgoing> = (0..25).map(|_| message("g")).collect();
    assert!(queue.send_texts(&messages).await.unwrap().is_empty());
    let name = world.queue_of("workflow-step");
    assert_eq!(world.aws.sqs().depth(&name).visible, 25);
    once(&world, "SendMessageBatch", Fault::TimeoutAfterCommit);
    assert!(queue.send_texts(&messages[..3]).await.unwrap().is_empty());
    assert!(
        world.aws.sqs().depth(&name).visible >= 28,
        "an answer that was lost may double"
    );
}
