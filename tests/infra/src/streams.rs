//! Table streams and other asynchronous triggers: retries are bounded, and no record is lost silently.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::assert_none;
use crate::template::{DATA, data_of, functions, list, queue_of};

#[test]
fn a_table_has_at_most_two_readers() {
    let mut readers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for function in functions() {
        for (name, event) in function.events("DynamoDB") {
            let place = format!("{}.{name}", function.id());
            let table = data_of(&event["Stream"]);
            let table = table.unwrap_or_else(|| panic!("{place}: no such stream"));
            readers.entry(table).or_default().push(place);
        }
    }
    let crowded: Vec<String> = readers
        .iter()
        .filter(|(_, readers)| readers.len() > 2)
        .map(|(table, readers)| format!("{table}: {readers:?}"))
        .collect();
    assert_none("at most two readers of a stream", &crowded);
}

#[test]
fn stream_events_are_bounded() {
    let mut violations = Vec::new();
    for function in functions() {
        for (name, event) in function.events("DynamoDB") {
            let mut require = |ok: bool, what: &str| {
                if !ok {
                    violations.push(format!("{}.{name}: {what}", function.id()));
                }
            };
            let reports = list(&event["FunctionResponseTypes"]);
            require(
                reports.iter().any(|one| *one == "ReportBatchItemFailures"),
                "item failures",
            );
            require(event["BisectBatchOnFunctionError"] == true, "bisect");
            // Each throttle of SQS is an attempt, and after the last attempt only positions are kept. The function
            // itself dead-letters a record that can never be sent. So retries until the age limit block nothing.
            require(
                event["MaximumRetryAttempts"] == -1,
                "tries until the age limit",
            );
            require(event["MaximumRecordAgeInSeconds"] == 6 * 3600, "6 h");
            // LATEST would skip records that are written while the mapping starts.
            require(
                event["StartingPosition"] == "TRIM_HORIZON",
                "starts at the beginning",
            );
            let failed = &event["DestinationConfig"]["OnFailure"]["Destination"];
            let failed = queue_of(failed).is_some_and(|queue| queue.ends_with("Dlq"));
            require(failed, "on-failure queue");
            require(only_pending(event), "only items with pending effects");
            // Messages of a conversation keep the order of a FIFO queue, and this order starts here. AWS always
            // keeps the order of an item, but keeps the order of a partition only with a factor of 1.
            let ordered = data_of(&event["Stream"]).is_some_and(|table| table == "Chat");
            require(
                !ordered || event["ParallelizationFactor"] == 1,
                "order within a conversation",
            );
        }
    }
    assert_none("stream events", &violations);
}

/// The only filter accepts items whose `pending` is text.
fn only_pending(event: &Value) -> bool {
    let filters = list(&event["FilterCriteria"]["Filters"]);
    let [filter] = filters.as_slice() else {
        return false;
    };
    let pattern = filter["Pattern"].as_str().unwrap_or_default();
    let pattern: Value = serde_json::from_str(pattern).unwrap_or_default();
    pattern["dynamodb"]["NewImage"]["pending"]["S"] == serde_json::json!([{ "exists": true }])
}

#[test]
fn a_stream_that_is_read_carries_the_new_image() {
    let mut violations = Vec::new();
    for function in functions() {
        for (_, event) in function.events("DynamoDB") {
            let table = data_of(&event["Stream"]).unwrap_or_default();
            let view = DATA.resource(&table).map(|table| {
                table
                    .get(&["StreamSpecification", "StreamViewType"])
                    .as_str()
                    .unwrap_or_default()
            });
            if !view.is_some_and(|view| view.starts_with("NEW")) {
                violations.push(format!("{table}: {view:?}"));
            }
        }
    }
    assert_none("stream views", &violations);
}

#[test]
fn scheduled_functions_report_what_they_could_not_take() {
    for function in functions() {
        let mut events = function.events("ScheduleV2");
        events.extend(function.events("Schedule"));
        for (name, event) in events {
            let place = format!("{}.{name}", function.id());
            assert_eq!(
                event["OmitName"], true,
                "{place}: a name of its own is taken by the first stack of the account"
            );
            assert!(
                event["RetryPolicy"]["MaximumRetryAttempts"].is_u64(),
                "{place}: retries"
            );
            assert!(
                queue_of(&event["DeadLetterConfig"]["Arn"]).is_some(),
                "{place}: ticks that the scheduler gives up"
            );
            let failed = function
                .0
                .get(&["EventInvokeConfig", "DestinationConfig", "OnFailure"]);
            assert!(
                queue_of(&failed["Destination"]).is_some(),
                "{place}: on-failure queue"
            );
        }
    }
}

#[test]
fn the_sweep_reaches_every_queue_of_the_relay() {
    let queues = |name: &str| -> BTreeSet<String> {
        let all = functions();
        let function = all.iter().find(|function| function.name() == name);
        let variables = function.expect("a function").variables();
        let queues = variables.into_iter().map(|(variable, _)| variable);
        queues.filter(|one| one.ends_with("_QUEUE_URL")).collect()
    };
    let (relay, sweep) = (queues("change-relay"), queues("due-timer"));
    let missing: Vec<String> = relay.difference(&sweep).cloned().collect();
    assert_none("effects that the sweep cannot send", &missing);
}
