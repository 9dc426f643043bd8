//! Queues and the functions that read them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::assert_none;
use crate::template::{MESSAGING, ROOT, Resource, functions, get_att, list, queue_of, reference};

const FOURTEEN_DAYS: u64 = 14 * 24 * 3600;

fn is_dlq(queue: &Resource<'_>) -> bool {
    queue.id.ends_with("Dlq")
}

/// Every queue except dead-letter queues.
fn queues() -> Vec<Resource<'static>> {
    let all = MESSAGING.of_kind("AWS::SQS::Queue").into_iter();
    all.filter(|queue| !is_dlq(queue)).collect()
}

/// Queues without `MaximumConcurrency`: Lambda keeps two pollers instead of five on a quiet queue. The load of
/// these queues is limited at its source: by runs of one campaign or import, by large batches, by the limits of a
/// visitor, or by the cap of `ingest`.
const UNCAPPED: &[&str] = &[
    "AccountMail",
    "CampaignPlan",
    "ChatIn",
    "ChatNotify",
    "ChatOut",
    "ContactBulk",
    "ContactExport",
    "ContactImport",
    "DeliveryBacklog",
    "DeliveryEvents",
    "SourceSync",
    "WorkflowTrigger",
];

#[test]
fn every_sqs_event_reports_failures_and_is_capped() {
    let mut violations = Vec::new();
    for function in functions() {
        for (name, event) in function.events("SQS") {
            let place = format!("{}.{name}", function.id());
            if !list(&event["FunctionResponseTypes"])
                .iter()
                .any(|one| *one == "ReportBatchItemFailures")
            {
                violations.push(format!("{place}: one bad message fails its whole batch"));
            }
            let cap = &event["ScalingConfig"]["MaximumConcurrency"];
            let parameter = reference(cap).map(|name| &ROOT.document["Parameters"][name]);
            if parameter.is_some_and(|one| one["MinValue"] != 2 || one["MaxValue"] != 1000) {
                violations.push(format!("{place}: bounds of the parameter"));
            }
            let cap = parameter.map_or(cap, |parameter| &parameter["Default"]);
            let capped = cap.as_u64().is_some_and(|cap| (2..=1000).contains(&cap));
            let queue = queue_of(&event["Queue"]).unwrap_or_default();
            if capped == UNCAPPED.contains(&queue.as_str()) {
                violations.push(format!("{place}: MaximumConcurrency"));
            }
            let Some(batch) = event["BatchSize"].as_u64() else {
                violations.push(format!("{place}: BatchSize is left to chance"));
                continue;
            };
            if batch > 10
                && event["MaximumBatchingWindowInSeconds"]
                    .as_u64()
                    .is_none_or(|s| s < 1)
            {
                violations.push(format!("{place}: a batch of {batch} needs a window"));
            }
        }
    }
    assert_none("SQS events", &violations);
}

#[test]
fn every_queue_has_one_reader() {
    let mut readers: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for function in functions() {
        for (name, event) in function.events("SQS") {
            let queue = queue_of(&event["Queue"]);
            let queue = queue.unwrap_or_else(|| panic!("{}.{name}: no such queue", function.id()));
            readers.entry(queue).or_default().push(function.id());
        }
    }
    let mut violations = Vec::new();
    for queue in queues() {
        match readers.get(queue.id).map(Vec::as_slice) {
            Some([_]) => {}
            other => violations.push(format!("{}: read by {:?}", queue.id, other.unwrap_or(&[]))),
        }
    }
    for queue in readers.keys().filter(|queue| queue.ends_with("Dlq")) {
        violations.push(format!("{queue}: a dead-letter queue is for people"));
    }
    assert_none("one reader each", &violations);
}

#[test]
fn visibility_covers_six_timeouts_and_the_window() {
    let mut violations = Vec::new();
    for function in functions() {
        for (_, event) in function.events("SQS") {
            let Some(queue) = queue_of(&event["Queue"]) else {
                continue;
            };
            let visibility = MESSAGING
                .resource(&queue)
                .unwrap()
                .get(&["VisibilityTimeout"]);
            let window = event["MaximumBatchingWindowInSeconds"]
                .as_u64()
                .unwrap_or(0);
            let needed = 6 * function.timeout() + window;
            if visibility.as_u64().is_none_or(|seconds| seconds < needed) {
                violations.push(format!(
                    "{queue}: {visibility} s, {} needs {needed}",
                    function.id()
                ));
            }
        }
    }
    assert_none("visibility >= 6 x time-out + window", &violations);
}

#[test]
fn every_queue_gives_up_into_its_own_dead_letter_queue() {
    let mut violations = Vec::new();
    for queue in queues() {
        let redrive = queue.get(&["RedrivePolicy"]);
        let wanted = format!("{}Dlq", queue.id);
        if get_att(&redrive["deadLetterTargetArn"]) != Some(format!("{wanted}.Arn")) {
            violations.push(format!("{}: does not redrive to {wanted}", queue.id));
            continue;
        }
        if redrive["maxReceiveCount"]
            .as_u64()
            .is_none_or(|count| count < 1_000)
        {
            violations.push(format!(
                "{}: maxReceiveCount, invocations that die count too",
                queue.id
            ));
        }
        let Some(dlq) = MESSAGING.resource(&wanted) else {
            violations.push(format!("{wanted} does not exist"));
            continue;
        };
        if dlq.get(&["FifoQueue"]) != queue.get(&["FifoQueue"]) {
            violations.push(format!("{wanted}: FIFO and standard do not mix"));
        }
    }
    for queue in MESSAGING.of_kind("AWS::SQS::Queue") {
        if queue.get(&["MessageRetentionPeriod"]) != FOURTEEN_DAYS {
            violations.push(format!("{}: not kept for 14 days", queue.id));
        }
    }
    assert_none("redrive", &violations);
}

#[test]
fn a_function_rejects_into_its_own_dead_letter_queue() {
    let mut violations = Vec::new();
    for function in functions() {
        let read = function
            .events("SQS")
            .first()
            .and_then(|(_, event)| queue_of(&event["Queue"]));
        // Streams and schedules have no queue for a redrive; they reject to Lambda's failure destination.
        let failures = function.events("DynamoDB").first().map_or_else(
            || function.0.get(&["EventInvokeConfig"]).clone(),
            |(_, event)| (*event).clone(),
        );
        let failures = queue_of(&failures["DestinationConfig"]["OnFailure"]["Destination"]);
        let wanted = read.map(|queue| format!("{queue}Dlq")).or(failures);
        let given = function.variables().get("DLQ_URL").and_then(queue_of);
        if wanted != given {
            violations.push(format!(
                "{}: DLQ_URL is {given:?}, not {wanted:?}",
                function.id()
            ));
        }
    }
    assert_none("DLQ_URL", &violations);
}

/// The runner changes the visibility of failed messages.
#[test]
fn a_consumer_knows_its_own_queue_and_may_change_its_messages() {
    let mut violations = Vec::new();
    for function in functions() {
        let read = function.events("SQS");
        let read = read
            .first()
            .and_then(|(_, event)| queue_of(&event["Queue"]));
        let given = function.variables().get("QUEUE_URL").and_then(queue_of);
        if read != given {
            violations.push(format!("{}: QUEUE_URL is {given:?}", function.id()));
        }
        let changes = function.statements().iter().any(|statement| {
            let mut actions = list(&statement["Action"]).into_iter();
            let may = actions.any(|action| *action == "sqs:ChangeMessageVisibility");
            may && queue_of(&statement["Resource"]) == read
        });
        if read.is_some() != changes {
            violations.push(format!("{}: sqs:ChangeMessageVisibility", function.id()));
        }
    }
    assert_none("QUEUE_URL", &violations);
}

#[test]
fn every_queue_is_encrypted_and_refuses_plain_text() {
    let policies = MESSAGING.of_kind("AWS::SQS::QueuePolicy");
    let mut violations = Vec::new();
    for queue in MESSAGING.of_kind("AWS::SQS::Queue") {
        if queue.get(&["SqsManagedSseEnabled"]) != true {
            violations.push(format!("{}: not encrypted", queue.id));
        }
        let guarded = policies.iter().any(|policy| {
            let here = list(policy.get(&["Queues"]))
                .iter()
                .any(|one| reference(one) == Some(queue.id));
            here && statements(policy)
                .iter()
                .any(|statement| denies_plain_text(statement, queue.id))
        });
        if !guarded {
            violations.push(format!("{}: takes requests without TLS", queue.id));
        }
    }
    for policy in &policies {
        // SQS refuses a policy whose statements name another resource than the queue itself.
        if list(policy.get(&["Queues"])).len() != 1 {
            violations.push(format!("{}: one queue to a policy", policy.id));
        }
    }
    assert_none("encryption", &violations);
}

fn statements<'a>(policy: &Resource<'a>) -> Vec<&'a Value> {
    list(policy.get(&["PolicyDocument", "Statement"]))
}

fn denies_plain_text(statement: &Value, queue: &str) -> bool {
    statement["Effect"] == "Deny"
        && statement["Principal"] == "*"
        && statement["Action"] == "sqs:*"
        && get_att(&statement["Resource"]) == Some(format!("{queue}.Arn"))
        && statement["Condition"]["Bool"]["aws:SecureTransport"] == false
}

#[test]
fn only_events_of_our_rule_may_come_from_outside() {
    let mut violations = Vec::new();
    for policy in MESSAGING.of_kind("AWS::SQS::QueuePolicy") {
        for statement in statements(&policy) {
            if statement["Effect"] == "Allow"
                && (statement["Principal"]["Service"] != "events.amazonaws.com"
                    || statement["Condition"]["ArnEquals"]["aws:SourceArn"].is_null())
            {
                violations.push(policy.id.to_owned());
            }
        }
    }
    assert_none("queue policies", &violations);
    for rule in MESSAGING.of_kind("AWS::Events::Rule") {
        for target in list(rule.get(&["Targets"])) {
            let kept = &target["DeadLetterConfig"]["Arn"];
            assert!(
                get_att(kept).is_some(),
                "{}: a target without a dead-letter queue",
                rule.id
            );
            let tries = &target["RetryPolicy"]["MaximumRetryAttempts"];
            assert!(tries.is_u64(), "{}: a target without retries", rule.id);
        }
    }
}

#[test]
fn the_fifo_queue_is_ordered_by_group_only() {
    for queue in MESSAGING.of_kind("AWS::SQS::Queue") {
        if queue.get(&["FifoQueue"]) == true && !is_dlq(&queue) {
            let scope = queue.get(&["DeduplicationScope"]);
            assert_eq!(scope, "messageGroup", "{}", queue.id);
            let limit = queue.get(&["FifoThroughputLimit"]);
            assert_eq!(limit, "perMessageGroupId", "{}", queue.id);
        }
    }
}

/// The ledger records a send itself; the event would be one more delivery and one more request for each mail.
#[test]
fn sends_are_no_events() {
    let destinations = MESSAGING.of_kind("AWS::SES::ConfigurationSetEventDestination");
    let [destination] = destinations.as_slice() else {
        panic!("one destination, not {}", destinations.len())
    };
    let kinds = destination.get(&["EventDestination", "MatchingEventTypes"]);
    let kinds: Vec<_> = list(kinds).into_iter().filter_map(Value::as_str).collect();
    assert_eq!(
        kinds,
        [
            "BOUNCE",
            "COMPLAINT",
            "DELIVERY",
            "DELIVERY_DELAY",
            "REJECT",
            "RENDERING_FAILURE"
        ]
    );
}
