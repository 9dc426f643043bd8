//! The alarms and the lists of the dashboard in infra/observability.yaml.

use std::collections::BTreeMap;

use super::facts::{Function, Queue};
use super::text::fill;

/// Names of queues and functions by parameter, as the root passes them.
fn watched(queues: &[Queue], functions: &[Function]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for queue in queues {
        let name = &queue.name;
        if queue.is_dead_letters() {
            found.insert(
                format!("{name}Name"),
                format!("!GetAtt Messaging.Outputs.{name}Name"),
            );
        } else {
            found.insert(
                format!("{name}DlqName"),
                format!("!GetAtt Messaging.Outputs.{name}DlqName"),
            );
            found.insert(
                format!("{name}QueueName"),
                format!("!GetAtt Messaging.Outputs.{name}Name"),
            );
        }
    }
    for Function { id, .. } in functions {
        found.insert(format!("{id}FunctionName"), format!("!Ref {id}Function"));
    }
    found
}

/// Of the nested stack, in the root.
pub fn arguments(queues: &[Queue], functions: &[Function]) -> String {
    let found = watched(queues, functions).into_iter();
    found
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

/// Of the nested stack, in itself.
pub fn parameters(queues: &[Queue], functions: &[Function]) -> String {
    let found = watched(queues, functions).into_keys();
    found
        .map(|name| format!("{name}:\n  Type: String\n"))
        .collect()
}

/// The dead-letter queues' logical names.
fn dead_letter_queues(queues: &[Queue]) -> Vec<String> {
    let mut names: Vec<String> = queues
        .iter()
        .map(|queue| format!("{}Dlq", queue.name.trim_end_matches("Dlq")))
        .collect();
    names.sort_unstable();
    names
}

pub fn dead_letters(queues: &[Queue]) -> String {
    let alarm = |name: &String| {
        let parameter = format!("{name}Name");
        let description = format!("{name} holds messages");
        alarm(
            name,
            &description,
            &parameter,
            "ApproximateNumberOfMessagesVisible",
            ("0", "1"),
        )
    };
    let alarms: Vec<String> = dead_letter_queues(queues).iter().map(alarm).collect();
    alarms.join("\n")
}

pub fn ages(queues: &[Queue]) -> String {
    let alarm = |queue: &Queue| {
        let Queue { name, age, .. } = queue;
        let (id, parameter) = (format!("{name}Age"), format!("{name}QueueName"));
        let description = format!("{name} is not keeping up");
        let threshold = age.as_ref()?.to_string();
        let metric = "ApproximateAgeOfOldestMessage";
        Some(alarm(
            &id,
            &description,
            &parameter,
            metric,
            (&threshold, "3"),
        ))
    };
    let alarms: Vec<String> = queues.iter().filter_map(alarm).collect();
    alarms.join("\n")
}

/// An alarm on a queue's metric above a threshold for this number of minutes.
fn alarm(
    id: &str,
    description: &str,
    parameter: &str,
    metric: &str,
    (threshold, minutes): (&str, &str),
) -> String {
    fill(
        "parts/alarm.yaml",
        &[
            ("Id", id),
            ("description", description),
            ("parameter", parameter),
            ("minutes", minutes),
            ("metric", metric),
            ("threshold", threshold),
        ],
    )
}

/// Lines of the dashboard: ages of queues.
pub fn oldest_message(queues: &[Queue]) -> String {
    let own = queues.iter().filter(|queue| !queue.is_dead_letters());
    let lines = own.map(|queue| {
        let parameter = format!("{}QueueName", queue.name);
        metric(
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName"],
            &parameter,
            &queue.name,
        )
    });
    lines.collect::<Vec<_>>().join(",\n")
}

/// Lines of the dashboard: dead letters.
pub fn dead_letters_by_queue(queues: &[Queue]) -> String {
    let names = dead_letter_queues(queues);
    let lines = names.iter().map(|name| {
        let parameter = format!("{name}Name");
        metric(
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"],
            &parameter,
            name,
        )
    });
    lines.collect::<Vec<_>>().join(",\n")
}

/// Lines of the dashboard: a metric of every function.
pub fn of_functions(name: &str, functions: &[Function]) -> String {
    let lines = functions.iter().map(|Function { id, .. }| {
        let parameter = format!("{id}FunctionName");
        metric(["AWS/Lambda", name, "FunctionName"], &parameter, id)
    });
    lines.collect::<Vec<_>>().join(",\n")
}

fn metric([namespace, name, dimension]: [&str; 3], parameter: &str, label: &str) -> String {
    format!(
        "[\"{namespace}\", \"{name}\", \"{dimension}\", \"${{{parameter}}}\", {{\"label\": \"{label}\"}}]"
    )
}
