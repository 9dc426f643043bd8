//! Statements of a function's role: its triggers, tables, queues and settings need them, and nothing else is granted.

use std::collections::BTreeMap;

use super::facts::{Function, KeyRight, Right};
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
            "sqs:ChangeMessageVisibility",
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
    for (table, rights) in tables(function) {
        out += &of_table(
            function.comment(&format!("tables.{table}")),
            &table,
            &rights,
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

/// The table's own actions, those on its indexes, and those on some of its keys.
fn of_table(comment: &str, table: &str, rights: &[Right]) -> String {
    let (mut own, mut indexes, mut keyed) = (Vec::new(), BTreeMap::new(), Vec::new());
    for right in rights {
        match right {
            Right::Keys(right) => keyed.push(right),
            Right::Action(action) => match action.split_once('/') {
                None => own.push(format!("dynamodb:{action}")),
                Some((read @ ("Query" | "Scan"), index)) => {
                    let indexes: &mut Vec<String> = indexes.entry(read).or_default();
                    indexes.push(part_of(table, &format!("index/{index}")));
                }
                Some(_) => panic!("{table}: {action}: an index is only read"),
            },
        }
    }
    let mut statements = Vec::new();
    if !own.is_empty() {
        statements.push(Statement::new(own, vec![table_arn(table)]));
    }
    for (read, indexes) in indexes {
        let read = vec![format!("dynamodb:{read}")];
        statements.push(Statement::new(read, indexes));
    }
    for KeyRight { actions, keys } in keyed {
        let actions = actions.iter().map(|action| format!("dynamodb:{action}"));
        let mut statement = Statement::new(actions.collect(), vec![table_arn(table)]);
        statement.keys.clone_from(keys);
        statements.push(statement);
    }
    let mut out = comment.to_owned();
    for (at, statement) in statements.iter().enumerate() {
        let number = if at == 0 {
            String::new()
        } else {
            (at + 1).to_string()
        };
        out += &statement.text(&format!("{table}Table{number}"));
    }
    out
}

fn table_arn(table: &str) -> String {
    format!("!GetAtt Data.Outputs.{table}TableArn")
}

fn part_of(table: &str, part: &str) -> String {
    format!("!Sub [\"${{Table}}/{part}\", {{ Table: !GetAtt Data.Outputs.{table}TableArn }}]")
}

fn queue_arn(queue: &str) -> String {
    format!("!GetAtt Messaging.Outputs.{queue}Arn")
}

fn statement(comment: &str, sid: &str, actions: &[&str], resources: &[String]) -> String {
    let actions = actions.iter().map(|&action| action.to_owned()).collect();
    comment.to_owned() + &Statement::new(actions, resources.to_vec()).text(sid)
}

/// One statement of a policy.
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    /// Patterns of partition keys; empty for all.
    keys: Vec<String>,
}

impl Statement {
    fn new(actions: Vec<String>, resources: Vec<String>) -> Self {
        let keys = Vec::new();
        Self {
            actions,
            resources,
            keys,
        }
    }

    fn text(&self, sid: &str) -> String {
        let resource = match self.resources.as_slice() {
            [one] => format!("Resource: {one}\n"),
            many => {
                let lines: Vec<String> = many.iter().map(|one| format!("  - {one}\n")).collect();
                format!("Resource:\n{}", lines.concat())
            }
        };
        let condition = if self.keys.is_empty() {
            String::new()
        } else {
            let keys: Vec<String> = self.keys.iter().map(|key| format!("\"{key}\"")).collect();
            let keys = list("dynamodb:LeadingKeys", &keys, COLUMN + 4);
            format!(
                "Condition:\n  ForAllValues:StringLike:\n{}",
                indent(4, &keys)
            )
        };
        let actions = list("Action", &self.actions, COLUMN);
        let rest = format!("Effect: Allow\n{actions}{resource}{condition}");
        format!("- Sid: {sid}\n{}", indent(2, &rest))
    }
}
