//! Every queue, dead-letter queue and function has its alarms, through to the metric's dimension.

use serde_json::Value;

use crate::assert_none;
use crate::template::{
    MESSAGING, OBSERVABILITY, ROOT, Resource, functions, get_att, list, reference, walk,
};

/// Value that the root passes for a parameter of infra/observability.yaml.
fn passed(parameter: &str) -> &'static Value {
    let stack = ROOT.resource("Observability").unwrap();
    stack.get(&["Parameters", parameter])
}

/// The root value in an alarm's one dimension.
fn subject(alarm: &Resource<'static>) -> Option<&'static Value> {
    let dimensions = list(alarm.get(&["Dimensions"]));
    let [dimension] = dimensions.as_slice() else {
        return None;
    };
    reference(&dimension["Value"]).map(passed)
}

/// Alarms on a metric.
fn on_metric(namespace: &str, metric: &str) -> Vec<Resource<'static>> {
    let alarms = OBSERVABILITY.of_kind("AWS::CloudWatch::Alarm").into_iter();
    alarms
        .filter(|alarm| {
            alarm.get(&["Namespace"]) == namespace && alarm.get(&["MetricName"]) == metric
        })
        .collect()
}

/// Logical id of the queue whose name an alarm watches.
fn watched_queue(alarm: &Resource<'static>) -> Option<String> {
    let path = get_att(subject(alarm)?)?;
    let output = MESSAGING.output(path.strip_prefix("Messaging.Outputs.")?);
    Some(get_att(output)?.strip_suffix(".QueueName")?.to_owned())
}

#[test]
fn a_message_in_a_dead_letter_queue_is_an_alarm() {
    let alarms = on_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible");
    let mut violations = Vec::new();
    for queue in MESSAGING.of_kind("AWS::SQS::Queue") {
        if queue.id.ends_with("Dlq") {
            let found = alarms.iter().any(|alarm| {
                watched_queue(alarm).as_deref() == Some(queue.id)
                    && alarm.get(&["Threshold"]) == 0
                    && alarm.get(&["ComparisonOperator"]) == "GreaterThanThreshold"
            });
            if !found {
                violations.push(queue.id.to_owned());
            }
        }
    }
    assert_none("dead-letter queues without an alarm above 0", &violations);
}

/// Queues without an alarm on the age of messages. The page of the import or the campaign shows the wait, or
/// nobody waits for the messages. Failed messages still reach the dead-letter queue, which has an alarm.
const WITHOUT_AGE: &[&str] = &[
    "AccountMail",
    "CampaignEmail",
    "CampaignPlan",
    "CampaignPush",
    "CampaignSms",
    "CampaignZns",
    "ChatNotify",
    "ContactBulk",
    "ContactExport",
    "ContactImport",
    "DeliveryBacklog",
    "DeliveryEvents",
    "SegmentBuild",
    "SourceSync",
    "Webhooks",
    "WorkflowTrigger",
];

#[test]
fn an_old_message_is_an_alarm_where_somebody_waits() {
    let alarms = on_metric("AWS/SQS", "ApproximateAgeOfOldestMessage");
    let mut violations = Vec::new();
    for queue in MESSAGING.of_kind("AWS::SQS::Queue") {
        let watched = alarms
            .iter()
            .any(|alarm| watched_queue(alarm).as_deref() == Some(queue.id));
        let waits = !queue.id.ends_with("Dlq") && !WITHOUT_AGE.contains(&queue.id);
        if waits != watched {
            violations.push(queue.id.to_owned());
        }
    }
    assert_none("alarms on age, and the list of queues without", &violations);
}

#[test]
fn a_function_that_fails_or_is_throttled_is_an_alarm() {
    for metric in ["Errors", "Throttles"] {
        let alarms = on_metric("AWS/Lambda", metric);
        let [alarm] = alarms.as_slice() else {
            panic!("one alarm on {metric}, not {}", alarms.len())
        };
        let all = alarm.get(&["Dimensions"]).is_null();
        assert!(
            all && alarm.get(&["Threshold"]) == 0,
            "{metric} of any function"
        );
    }
    let ages = on_metric("AWS/Lambda", "IteratorAge");
    let mut violations = Vec::new();
    for function in functions() {
        let watched = ages
            .iter()
            .any(|alarm| subject(alarm).and_then(reference) == Some(function.id()));
        if !function.events("DynamoDB").is_empty() && !watched {
            violations.push(format!("{}: IteratorAge", function.id()));
        }
    }
    assert_none("streams without an alarm", &violations);
}

/// A schedule that is disabled, or whose role is broken, fails without an error.
#[test]
fn a_schedule_that_does_not_run_is_an_alarm() {
    let alarms = on_metric("AWS/Lambda", "Invocations");
    let mut violations = Vec::new();
    for function in functions() {
        let found = alarms.iter().any(|alarm| {
            subject(alarm).and_then(reference) == Some(function.id())
                && alarm.get(&["ComparisonOperator"]) == "LessThanThreshold"
                && alarm.get(&["Threshold"]) == 1
                && alarm.get(&["Period"]) == 300
                && alarm.get(&["TreatMissingData"]) == "breaching"
        });
        if !function.events("ScheduleV2").is_empty() && !found {
            violations.push(function.id().to_owned());
        }
    }
    assert_none("schedules without an alarm on silence", &violations);
}

#[test]
fn alarms_notify_and_are_quiet_without_data() {
    let mut violations = Vec::new();
    for alarm in OBSERVABILITY.of_kind("AWS::CloudWatch::Alarm") {
        if alarm.get(&["AlarmActions"]).is_null() {
            violations.push(format!("{}: AlarmActions", alarm.id));
        }
        let silence = alarm.get(&["MetricName"]) == "Invocations";
        if !silence && alarm.get(&["TreatMissingData"]) != "notBreaching" {
            violations.push(format!("{}: TreatMissingData", alarm.id));
        }
        if !alarm.get(&["AlarmDescription"]).is_string() {
            violations.push(format!("{}: AlarmDescription", alarm.id));
        }
    }
    assert_none("alarms", &violations);
}

/// A metric of ours costs $0.30 a month for each name and function; `lambda::metrics` writes log lines only.
#[test]
fn alarms_and_the_dashboard_read_only_metrics_that_aws_writes_for_free() {
    let mut namespaces = Vec::new();
    walk(&OBSERVABILITY.document, "", &mut |_, value| {
        namespaces.extend(value["Namespace"].as_str());
    });
    // A series of the dashboard begins with its namespace.
    let series = OBSERVABILITY.text.split("[\"").skip(1);
    let series = series.filter_map(|rest| rest.split('"').next());
    namespaces.extend(series.filter(|first| first.contains('/')));
    assert!(namespaces.len() > 50, "no namespaces were found");
    namespaces.retain(|namespace| !namespace.starts_with("AWS/"));
    let others: Vec<String> = namespaces.into_iter().map(str::to_owned).collect();
    assert_none("namespaces that AWS does not fill", &others);
}
