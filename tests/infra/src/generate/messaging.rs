//! The queues of infra/messaging.yaml.

use std::collections::BTreeMap;

use super::facts::{Function, Queue};
use super::text::{fill, indent};

pub fn queues(queues: &[Queue], functions: &[Function]) -> String {
    let blocks: Vec<String> = queues
        .iter()
        .filter(|queue| !queue.is_dead_letters())
        .map(|queue| block(queue, functions))
        .collect();
    blocks.join("\n")
}

/// Dead-letter queues of streams and schedules.
pub fn dead_letter_queues(queues: &[Queue]) -> String {
    let blocks: Vec<String> = queues
        .iter()
        .filter(|queue| queue.is_dead_letters())
        .map(|queue| dead_letter_queue(queue, &queue.name, &queue.comment))
        .collect();
    blocks.join("\n")
}

fn block(queue: &Queue, functions: &[Function]) -> String {
    let reader = functions.iter().find_map(|function| {
        let trigger = function.facts.queue.as_ref();
        let trigger = trigger.filter(|trigger| trigger.name == queue.name)?;
        Some((function.facts.timeout, trigger.window))
    });
    let (timeout, window) =
        reader.unwrap_or_else(|| panic!("infra/queues.yaml: nobody reads {}", queue.name));
    let sum = match window {
        0 => format!(": 6 x {timeout} s.\n"),
        window => format!(": 6 x {timeout} s + {window} s window.\n"),
    };
    let fifo = if queue.fifo {
        "DeduplicationScope: messageGroup\nFifoQueue: true\nFifoThroughputLimit: perMessageGroupId\n"
    } else {
        ""
    };
    fill(
        "parts/queue.yaml",
        &[
            (
                "comment",
                &(queue.comment.trim_end_matches(".\n").to_owned() + &sum),
            ),
            ("Queue", &queue.name),
            ("fifo", fifo),
            ("visibility", &(6 * timeout + window).to_string()),
            ("policy", &policy(queue, &queue.name)),
            (
                "dead-letter queue",
                &dead_letter_queue(queue, &format!("{}Dlq", queue.name), ""),
            ),
        ],
    )
}

fn dead_letter_queue(queue: &Queue, name: &str, comment: &str) -> String {
    fill(
        "parts/dead-letter-queue.yaml",
        &[
            ("comment", comment),
            ("Queue", name),
            ("fifo", if queue.fifo { "FifoQueue: true\n" } else { "" }),
            ("policy", &policy(queue, name)),
        ],
    )
}

fn policy(queue: &Queue, name: &str) -> String {
    let events = queue.rule.as_ref().map(|rule| {
        fill(
            "parts/queue-events.yaml",
            &[("Queue", name), ("rule", rule)],
        )
    });
    fill(
        "parts/queue-policy.yaml",
        &[
            ("Queue", name),
            ("events", events.as_deref().unwrap_or_default()),
        ],
    )
}

/// The attributes of each queue that the root uses.
pub fn outputs(queues: &[Queue]) -> String {
    let mut found = BTreeMap::new();
    for queue in queues {
        let name = &queue.name;
        let mut dead_letters = name.clone();
        if !queue.is_dead_letters() {
            dead_letters += "Dlq";
            found.insert(format!("{name}Arn"), format!("!GetAtt {name}.Arn"));
            found.insert(format!("{name}Name"), format!("!GetAtt {name}.QueueName"));
            // Its reader and its senders name it.
            found.insert(format!("{name}Url"), format!("!Ref {name}"));
        }
        found.insert(
            format!("{dead_letters}Arn"),
            format!("!GetAtt {dead_letters}.Arn"),
        );
        found.insert(
            format!("{dead_letters}Name"),
            format!("!GetAtt {dead_letters}.QueueName"),
        );
        found.insert(format!("{dead_letters}Url"), format!("!Ref {dead_letters}"));
    }
    let line = |(name, value): (String, String)| {
        format!("{name}:\n{}", indent(2, &format!("Value: {value}")))
    };
    found.into_iter().map(line).collect()
}
