//! The functions that may read and write each kind of credential, by the partition keys that roles name.

use serde_json::Value;

use crate::assert_none;
use crate::template::{Function, data_of, functions, list};

/// A partition of Directory, with the functions that may read from it and those that may write to it.
struct Owned {
    key: &'static str,
    readers: &'static [&'static str],
    writers: &'static [&'static str],
}

/// One key of each kind of partition that opens something.
///
/// chat-notifier reads because a socket outlives its request: it checks whether the session or key is still valid. track-events checks the
/// write key of a request.
const CREDENTIALS: &[Owned] = &[
    Owned {
        // Users with their password hashes and sealed factors; invitations; the account's workspaces.
        key: "acc_00000000001",
        readers: &[
            "account-mailer",
            "api-accounts",
            "authorizer",
            "chat-notifier",
            "track-events",
        ],
        writers: &["account-mailer", "api-accounts"],
    },
    Owned {
        key: "KEY#00ff",
        readers: &[
            "api-accounts",
            "authorizer",
            "chat-notifier",
            "track-events",
        ],
        // The authorizer and the door of SDKs note a key's last use.
        writers: &["api-accounts", "authorizer", "track-events"],
    },
    Owned {
        key: "SESSION#00ff",
        readers: &["api-accounts", "authorizer", "chat-notifier"],
        writers: &["api-accounts"],
    },
    Owned {
        key: "LOGIN#an@example.vn",
        readers: &["account-mailer", "api-accounts", "authorizer"],
        writers: &["api-accounts"],
    },
    Owned {
        key: "INVITE#00ff",
        readers: &["api-accounts"],
        writers: &["account-mailer", "api-accounts"],
    },
    Owned {
        key: "RESET#00ff",
        readers: &["api-accounts"],
        writers: &["account-mailer", "api-accounts"],
    },
    Owned {
        key: "RESET-REQUEST#00ff",
        readers: &[],
        writers: &["account-mailer"],
    },
    Owned {
        key: "SETUP",
        readers: &["api-accounts"],
        writers: &["api-accounts"],
    },
];

const READS: &[&str] = &["BatchGetItem", "GetItem", "Query"];
const WRITES: &[&str] = &["BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"];

/// Whether the function may do one of the actions on a partition of Directory.
fn reaches(function: &Function<'_>, actions: &[&str], key: &str) -> bool {
    let statements = function.statements().into_iter();
    statements
        .filter(|statement| {
            let mut resources = list(&statement["Resource"]).into_iter();
            resources.any(|resource| data_of(resource).as_deref() == Some("Directory"))
        })
        .filter(|statement| {
            let granted = list(&statement["Action"]);
            let has = |action: &&str| granted.contains(&&Value::from(format!("dynamodb:{action}")));
            actions.iter().any(has)
        })
        .any(|statement| {
            let patterns =
                &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            let mut patterns = list(patterns)
                .into_iter()
                .filter_map(Value::as_str)
                .peekable();
            patterns.peek().is_none() || patterns.any(|pattern| like(pattern, key))
        })
}

/// IAM's `StringLike` for a pattern with at most one `*`.
fn like(pattern: &str, key: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == key,
        Some((start, end)) => {
            let rest = key.strip_prefix(start);
            rest.is_some_and(|rest| rest.ends_with(end))
        }
    }
}

#[test]
fn credentials_are_read_and_written_by_their_owners_only() {
    let mut violations = Vec::new();
    for Owned {
        key,
        readers,
        writers,
    } in CREDENTIALS
    {
        for (what, actions, owners) in [("read", READS, readers), ("write", WRITES, writers)] {
            for function in functions() {
                let owns = owners.contains(&function.name());
                if reaches(&function, actions, key) != owns {
                    let may = if owns { "may not" } else { "may" };
                    violations.push(format!("{} {may} {what} {key}", function.name()));
                }
            }
        }
    }
    assert_none("rights on credentials", &violations);
}

#[test]
fn every_right_on_the_directory_names_its_keys() {
    let mut violations = Vec::new();
    for function in functions() {
        if reaches(&function, READS, "OTHER#00ff") || reaches(&function, WRITES, "OTHER#00ff") {
            violations.push(function.name().to_owned());
        }
    }
    assert_none("rights on all of Directory", &violations);
}

#[test]
fn patterns_are_ones_that_the_local_stack_reads() {
    let mut violations = Vec::new();
    for function in functions() {
        for statement in function.statements() {
            let patterns =
                &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            for pattern in list(patterns).into_iter().filter_map(Value::as_str) {
                if pattern.contains('?') || pattern == "*" {
                    violations.push(format!("{}: {pattern}", function.name()));
                }
            }
        }
    }
    assert_none("patterns of keys", &violations);
}
