//! Statements of a function's role: its triggers, tables, queues and settings need them, and nothing else is granted.

use super::facts::Function;
use super::function::{Settings, tables};
use super::text::{indent, list};

/// Column of a statement's properties in the root.
const COLUMN: usize = 16;

pub fn statements(function: &Function, settings: &Settings) -> String {
    let facts = &function.facts;
    let mut out = statement(
        "",
        "Log",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        &[format!("!GetAtt {}LogGroup.Arn", function.id)],
    );
    if let Some(queue) = &facts.queue {
        let actions = [
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ];
        out += &statement("", "Receive", &actions, &[queue_arn(&queue.name)]);
    }
    out += &streams(function);
    if let Some(queue) = function.dead_letters() {
        let comment = match (&facts.schedule, facts.streams.is_empty()) {
            (Some(_), _) => {
                "# The rows that it rejects, and the ticks that Lambda could not deliver.\n"
            }
            (None, false) => {
                "# The effects that it rejects, and the positions of batches that were too old.\n"
            }
            (None, true) => "",
        };
        out += &statement(
            comment,
            "Reject",
            &["sqs:SendMessage"],
            &[queue_arn(&queue)],
        );
    }
    for (table, actions) in tables(function) {
        out += &of_table(
            function.comment(&format!("tables.{table}")),
            table,
            &actions,
        );
    }
    if !facts.sends.is_empty() {
        let queues: Vec<String> = facts.sends.iter().map(|queue| queue_arn(queue)).collect();
        out += &statement("", "Send", &["sqs:SendMessage"], &queues);
    }
    for setting in &facts.settings {
        out += settings.rights(setting);
    }
    out
}

fn streams(function: &Function) -> String {
    let tables: Vec<&String> = function.facts.streams.keys().collect();
    if tables.is_empty() {
        return String::new();
    }
    let read: Vec<String> = tables
        .iter()
        .map(|table| format!("!GetAtt Data.Outputs.{table}StreamArn"))
        .collect();
    let all: Vec<String> = tables
        .iter()
        .map(|table| part_of(table, "stream/*"))
        .collect();
    let actions = [
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
    ];
    let comment = "# Listing is granted on a table's streams, not on one of them.\n";
    statement("", "ReadStreams", &actions, &read)
        + &statement(comment, "ListStreams", &["dynamodb:ListStreams"], &all)
}

/// The table's own actions, and those on its indexes.
fn of_table(comment: &str, table: &str, actions: &[&str]) -> String {
    let (indexed, own): (Vec<&str>, Vec<&str>) =
        actions.iter().partition(|action| action.contains('/'));
    let mut out = String::new();
    if !own.is_empty() {
        let own: Vec<String> = own
            .iter()
            .map(|action| format!("dynamodb:{action}"))
            .collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let arn = format!("!GetAtt Data.Outputs.{table}TableArn");
        out += &statement(comment, &format!("{table}Table"), &own, &[arn]);
    }
    let indexes: Vec<String> = indexed
        .iter()
        .map(|action| {
            let index = action.strip_prefix("Query/");
            let index =
                index.unwrap_or_else(|| panic!("{table}: {action}: an index is only queried"));
            part_of(table, &format!("index/{index}"))
        })
        .collect();
    if !indexes.is_empty() {
        let comment = if own.is_empty() { comment } else { "" };
        out += &statement(
            comment,
            &format!("{table}Indexes"),
            &["dynamodb:Query"],
            &indexes,
        );
    }
    out
}

fn part_of(table: &str, part: &str) -> String {
    format!("!Sub [\"${{Table}}/{part}\", {{ Table: !GetAtt Data.Outputs.{table}TableArn }}]")
}

fn queue_arn(queue: &str) -> String {
    format!("!GetAtt Messaging.Outputs.{queue}Arn")
}

fn statement(comment: &str, sid: &str, actions: &[&str], resources: &[String]) -> String {
    let actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
    let resource = match resources {
        [one] => format!("Resource: {one}\n"),
        many => {
            let lines: Vec<String> = many.iter().map(|one| format!("  - {one}\n")).collect();
            format!("Resource:\n{}", lines.concat())
        }
    };
    let rest = format!(
        "Effect: Allow\n{}{resource}",
        list("Action", &actions, COLUMN)
    );
    format!("{comment}- Sid: {sid}\n{}", indent(2, &rest))
}
