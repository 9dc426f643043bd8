//! The invoker of a function, as it behaves after a failure: queues, streams and schedules deliver again, and a
//! client repeats its request with the same `Idempotency-Key`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};
use tanigo_local::template::model::Trigger;
use tokio::sync::Notify;

use super::plan::Plan;
use crate::support::World;

/// Deliveries of one event, at most. A queue may give up earlier.
const MOST: u32 = 6;

/// How the deliveries ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// All of the event is done, or refused for good.
    Done,
    /// The invoker delivers no more.
    GivenUp,
}

/// One invocation.
struct Attempt {
    /// None: no answer.
    answer: Option<Value>,
    /// A fault happened.
    faulty: bool,
    /// The function's calls as `service operation place`.
    calls: Vec<String>,
}

/// Gives a client's POST a key, which the repetitions have too.
pub fn give_key(event: &mut Value) {
    let is_post = event["requestContext"]["http"]["method"] == "POST";
    let has_caller = event["requestContext"]["authorizer"]["lambda"].is_object();
    let headers = event["headers"].as_object_mut();
    if let Some(headers) = headers.filter(|_| is_post && has_caller) {
        let key = || json!("matrix-0000000001");
        headers.entry("idempotency-key").or_insert_with(key);
    }
}

/// Delivers the event until its invoker is content. Gives the calls of the first invocation.
pub async fn deliver(
    world: &World,
    function: &str,
    event: Value,
    plan: Option<Plan>,
) -> (Ending, Vec<String>) {
    let mut event = event;
    let mut calls = None;
    for invocation in 0..most(world, function) {
        let attempt = attempt(world, function, &event, plan, invocation).await;
        let first = calls.get_or_insert(attempt.calls.clone()).clone();
        match left(&event, &attempt) {
            None => return (Ending::Done, first),
            Some(rest) => event = rest,
        }
        world.advance(pause(world, function, invocation));
    }
    (Ending::GivenUp, calls.unwrap_or_default())
}

async fn attempt(
    world: &World,
    function: &str,
    event: &Value,
    plan: Option<Plan>,
    invocation: u32,
) -> Attempt {
    let (made, faulty) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (dead, calls) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let (own, is_faulty) = (function.to_owned(), faulty.clone());
    let (killed, noted) = (dead.clone(), calls.clone());
    world.aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        if call.function.as_deref() != Some(own.as_str()) {
            return Fault::None;
        }
        let n = made.fetch_add(1, Ordering::SeqCst);
        let place = [call.service, &call.operation, &call.table_or_queue].join(" ");
        noted.lock().unwrap().push(place);
        let fault = plan.map_or(Fault::None, |plan| plan.fault(invocation, n));
        if fault != Fault::None {
            is_faulty.store(true, Ordering::SeqCst);
        }
        if matches!(fault, Fault::HangBefore | Fault::HangAfter) {
            killed.notify_one();
        }
        fault
    })));
    let timeout = Duration::from_secs(world.spec(function).timeout.into());
    let work = tokio::time::timeout(timeout, world.invoke(function, event.clone()));
    let answer = tokio::select! {
        biased;
        result = work => result.ok().and_then(Result::ok),
        // The service ran the hanging call before its future was pending, or will never run the call.
        () = async { dead.notified().await; tokio::task::yield_now().await } => None,
    };
    world.aws.set_fault_hook(None);
    let calls = calls.lock().unwrap().clone();
    Attempt {
        answer,
        faulty: faulty.load(Ordering::SeqCst),
        calls,
    }
}

/// The part of the event that the invoker delivers again, if any.
fn left(event: &Value, attempt: &Attempt) -> Option<Value> {
    let Some(records) = event["Records"].as_array() else {
        return again(event, attempt).then(|| event.clone());
    };
    let failed: Vec<&Value> = match &attempt.answer {
        None => return Some(received_again(event, records)),
        Some(answer) => {
            let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
            failures.map(|failure| &failure["itemIdentifier"]).collect()
        }
    };
    let failed = |record: &&Value| {
        failed.contains(&&record["messageId"])
            || failed.contains(&&record["dynamodb"]["SequenceNumber"])
    };
    let rest: Vec<Value> = if records.iter().any(|record| record["dynamodb"].is_object()) {
        // A stream goes on from the first failure.
        let rest = records.iter().skip_while(|record| !failed(record));
        rest.cloned().collect()
    } else {
        records.iter().filter(failed).cloned().collect()
    };
    (!rest.is_empty()).then(|| received_again(event, &rest))
}

/// The event with these records, each received once more.
fn received_again(event: &Value, records: &[Value]) -> Value {
    let mut event = event.clone();
    let mut records = records.to_vec();
    for record in &mut records {
        let count = &mut record["attributes"]["ApproximateReceiveCount"];
        if let Some(before) = count.as_str().and_then(|text| text.parse::<u32>().ok()) {
            *count = json!((before + 1).to_string());
        }
    }
    event["Records"] = records.into();
    event
}

/// Whether a request, or an event without records, is sent again.
fn again(event: &Value, attempt: &Attempt) -> bool {
    // API Gateway tries this event once.
    if event["requestContext"]["eventType"] == "DISCONNECT" {
        return false;
    }
    let Some(answer) = &attempt.answer else {
        return attempt.faulty;
    };
    match answer["statusCode"].as_u64() {
        Some(status) if status >= 500 => attempt.faulty,
        Some(409 | 429) => answer["headers"]["retry-after"].is_string(),
        _ => false,
    }
}

fn trigger_queue<'a>(world: &'a World, function: &str) -> Option<&'a str> {
    let triggers = world.spec(function).triggers.iter();
    let mut queues = triggers.filter_map(|trigger| match trigger {
        Trigger::Sqs { queue, .. } => Some(queue.as_str()),
        _ => None,
    });
    queues.next()
}

fn most(world: &World, function: &str) -> u32 {
    let queue = trigger_queue(world, function);
    let queue = world
        .model
        .queues
        .iter()
        .find(|one| Some(one.name.as_str()) == queue);
    let receives = queue.and_then(|queue| queue.redrive.as_ref());
    receives.map_or(MOST, |(_, receives)| MOST.min(*receives))
}

/// Time until the next delivery.
fn pause(world: &World, function: &str, invocation: u32) -> Duration {
    let queue = trigger_queue(world, function);
    let queue = world
        .model
        .queues
        .iter()
        .find(|one| Some(one.name.as_str()) == queue);
    match queue {
        Some(queue) => Duration::from_secs(queue.visibility_timeout.into()),
        // A client first waits as short as `Retry-After` says.
        None if invocation == 0 => Duration::from_secs(1),
        None => Duration::from_secs(61),
    }
}
