//! Least privilege: a role allows exactly the actions that its function's triggers and variables need.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::assert_none;
use crate::template::{
    DATA, Function, MESSAGING, OBSERVABILITY, ROOT, data_of, functions, list, queue_of, walk,
};

/// The only resources that may end in `*`, and the actions they may be given for.
const STARS: &[(&str, &[&str])] = &[
    // X-Ray has no resources.
    ("*", &["xray:PutTelemetryRecords", "xray:PutTraceSegments"]),
    // Listing is granted on a table's streams as a whole.
    ("${Table}/stream/*", &["dynamodb:ListStreams"]),
    // Objects of one bucket.
    (
        "${Bucket}/*",
        &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
    ),
    ("${Bucket}/raw/*", &["s3:GetObject", "s3:PutObject"]),
    // Identities of the account; a condition names the senders.
    (
        "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
        &["ses:SendEmail", "ses:SendRawEmail"],
    ),
    // Connections of one stage of one API: an id exists only while its connection does.
    (
        "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${SocketApi}/${Stage}/DELETE/@connections/*",
        &["execute-api:ManageConnections"],
    ),
    (
        "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${SocketApi}/${Stage}/POST/@connections/*",
        &["execute-api:ManageConnections"],
    ),
];

/// Text of a resource: itself, or the pattern of `!Sub`.
fn pattern(resource: &Value) -> &str {
    let sub = &resource["Fn::Sub"];
    let text = resource
        .as_str()
        .or_else(|| sub.as_str())
        .or_else(|| sub[0].as_str());
    text.unwrap_or_default()
}

fn actions(statement: &Value) -> Vec<&str> {
    list(&statement["Action"])
        .into_iter()
        .filter_map(Value::as_str)
        .collect()
}

/// Every `Allow` of every template, with its place.
fn allows() -> Vec<(String, &'static Value)> {
    let mut found = Vec::new();
    for template in [&*ROOT, &*DATA, &*MESSAGING, &*OBSERVABILITY] {
        walk(&template.document, template.file, &mut |place, value| {
            if value["Effect"] == "Allow" {
                found.push((place.to_owned(), value));
            }
        });
    }
    assert!(found.len() > functions().len(), "no statements were found");
    found
}

#[test]
fn no_action_is_a_wildcard() {
    let mut violations = Vec::new();
    for (place, statement) in allows() {
        if statement["NotAction"] != Value::Null || actions(statement).is_empty() {
            violations.push(format!("{place}: lists no actions"));
        }
        for action in actions(statement) {
            if action.contains('*') {
                violations.push(format!("{place}: {action}"));
            }
        }
    }
    assert_none("wildcard actions", &violations);
}

#[test]
fn no_resource_is_a_wildcard_outside_the_list() {
    let mut violations = Vec::new();
    for (place, statement) in allows() {
        if statement["NotResource"] != Value::Null {
            violations.push(format!("{place}: NotResource"));
        }
        for resource in list(&statement["Resource"]) {
            let text = pattern(resource);
            if !text.contains('*') {
                continue;
            }
            let allowed = STARS
                .iter()
                .find(|(star, _)| *star == text)
                .map(|(_, actions)| *actions);
            if !actions(statement)
                .iter()
                .all(|action| allowed.unwrap_or_default().contains(action))
            {
                violations.push(format!("{place}: {text} for {:?}", actions(statement)));
            }
        }
    }
    assert_none("wildcard resources", &violations);
}

#[test]
fn roles_use_no_policies_of_aws() {
    // AWS's queue and stream policies allow every queue and every stream.
    let mut violations = Vec::new();
    for role in ROOT.of_kind("AWS::IAM::Role") {
        let arns = role.get(&["ManagedPolicyArns"]);
        let wanted = json!({"Fn::If": [
            "HasRuntimePolicy", [{"Ref": "RuntimePolicy"}], {"Ref": "AWS::NoValue"},
        ]});
        if *arns != wanted {
            violations.push(format!("{}: {arns:?}", role.id));
        }
        if !functions()
            .iter()
            .any(|function| function.role().is_some_and(|own| own.id == role.id))
        {
            violations.push(format!("{}: no function has it", role.id));
        }
    }
    for function in functions() {
        if !function.0.get(&["Policies"]).is_null() {
            violations.push(format!(
                "{}: Policies are ignored beside a Role",
                function.id()
            ));
        }
    }
    assert_none("managed policies", &violations);
}

#[test]
fn mail_is_sent_from_our_identity_only() {
    let mut violations = Vec::new();
    for (place, statement) in allows() {
        let sends = actions(statement)
            .iter()
            .any(|action| action.starts_with("ses:"));
        let senders = json!([{"Ref": "EmailIdentity"}, {"Fn::Sub": "*@${EmailIdentity}"}]);
        if sends && statement["Condition"]["StringLike"]["ses:FromAddress"] != senders {
            violations.push(place);
        }
    }
    assert_none("mail from any sender", &violations);
}

/// A condition on keys is also true for a call without keys, so actions without keys are never granted.
#[test]
fn no_request_may_scan_a_table() {
    let mut violations = Vec::new();
    for (place, statement) in allows() {
        // The index of unsent effects is empty but for them, and its sweep needs all of it.
        let swept = statement["Resource"].to_string().contains("/index/Unsent");
        if actions(statement).iter().any(|action| {
            ["dynamodb:scan", "dynamodb:partiql"]
                .iter()
                .any(|no| action.to_lowercase().starts_with(no))
        }) && !swept
        {
            violations.push(place);
        }
    }
    assert_none("dynamodb:Scan", &violations);
}

/// Data resources on which the function's role has an action with this prefix. An index or an object
/// counts for its table or bucket.
fn granted_data(function: &Function<'_>, prefix: &str) -> BTreeSet<String> {
    let statements = function.statements().into_iter();
    statements
        .filter(|statement| {
            actions(statement)
                .iter()
                .any(|action| action.starts_with(prefix))
        })
        .flat_map(|statement| list(&statement["Resource"]))
        .filter_map(|resource| {
            let inner = resource["Fn::Sub"][1]
                .as_object()
                .and_then(|map| map.values().next());
            data_of(inner.unwrap_or(resource))
        })
        .collect()
}

fn variables_ending(function: &Function<'_>, suffix: &str) -> BTreeSet<String> {
    let variables = function.variables();
    variables
        .iter()
        .filter(|(name, _)| name.ends_with(suffix))
        .map(|(name, value)| {
            let found = data_of(value).or_else(|| queue_of(value));
            found.unwrap_or_else(|| panic!("{}: {name} leads nowhere", function.id()))
        })
        .collect()
}

#[test]
fn tables_and_buckets_are_granted_where_a_variable_names_them() {
    let mut violations = Vec::new();
    for function in functions() {
        // Streams are a trigger's, not a variable's.
        let actions = [
            "Batch",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "UpdateItem",
        ];
        let granted = actions.map(|action| granted_data(&function, &format!("dynamodb:{action}")));
        let mut granted: BTreeSet<String> = granted.into_iter().flatten().collect();
        granted.extend(granted_data(&function, "s3:"));
        let mut named = variables_ending(&function, "_TABLE");
        named.extend(variables_ending(&function, "_BUCKET"));
        for missing in named.difference(&granted) {
            violations.push(format!(
                "{}: names {missing} and may not use it",
                function.id()
            ));
        }
        for idle in granted.difference(&named) {
            violations.push(format!(
                "{}: may use {idle} and does not name it",
                function.id()
            ));
        }
    }
    assert_none("tables and buckets", &violations);
}

/// Queues on which the function's role has the action.
fn granted_queues(function: &Function<'_>, action: &str) -> BTreeSet<String> {
    let statements = function.statements().into_iter();
    statements
        .filter(|statement| actions(statement).contains(&action))
        .flat_map(|statement| list(&statement["Resource"]))
        .map(|arn| queue_of(arn).unwrap_or_else(|| panic!("{}: {arn}", function.id())))
        .collect()
}

#[test]
fn queues_are_granted_where_a_variable_or_a_trigger_names_them() {
    let mut violations = Vec::new();
    for function in functions() {
        let mut differ = |what: &str, granted: &BTreeSet<String>, wanted: &BTreeSet<String>| {
            if granted != wanted {
                violations.push(format!(
                    "{}: {what} {granted:?}, needs {wanted:?}",
                    function.id()
                ));
            }
        };
        let mut sends = variables_ending(&function, "_QUEUE_URL");
        sends.extend(variables_ending(&function, "DLQ_URL"));
        let failed = function
            .0
            .get(&["EventInvokeConfig", "DestinationConfig", "OnFailure"]);
        sends.extend(queue_of(&failed["Destination"]));
        for (_, event) in function.events("DynamoDB") {
            sends.extend(queue_of(
                &event["DestinationConfig"]["OnFailure"]["Destination"],
            ));
        }
        differ(
            "sends to",
            &granted_queues(&function, "sqs:SendMessage"),
            &sends,
        );

        let events = function.events("SQS").into_iter();
        let reads: BTreeSet<String> = events
            .filter_map(|(_, event)| queue_of(&event["Queue"]))
            .collect();
        for action in [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ] {
            differ(action, &granted_queues(&function, action), &reads);
        }
    }
    assert_none("queues", &violations);
}

#[test]
fn a_stream_reader_may_read_exactly_its_streams() {
    for function in functions() {
        let events = function.events("DynamoDB").into_iter();
        let read: BTreeSet<String> = events
            .filter_map(|(_, event)| data_of(&event["Stream"]))
            .collect();
        for action in [
            "DescribeStream",
            "GetRecords",
            "GetShardIterator",
            "ListStreams",
        ] {
            let granted = granted_data(&function, &format!("dynamodb:{action}"));
            assert_eq!(granted, read, "{}: {action}", function.id());
        }
    }
}

#[test]
fn an_index_that_is_granted_exists() {
    let mut violations = Vec::new();
    for (place, statement) in allows() {
        for resource in list(&statement["Resource"]) {
            let Some((_, index)) = pattern(resource).split_once("/index/") else {
                continue;
            };
            let table = resource["Fn::Sub"][1]
                .as_object()
                .and_then(|map| map.values().next());
            let table = table
                .and_then(data_of)
                .and_then(|table| DATA.resource(&table));
            let indexes = table.map(|table| list(table.get(&["GlobalSecondaryIndexes"])));
            if !indexes
                .unwrap_or_default()
                .iter()
                .any(|one| one["IndexName"] == index)
            {
                violations.push(format!("{place}: no index {index}"));
            }
        }
    }
    assert_none("indexes", &violations);
}

#[test]
fn a_function_that_feeds_itself_says_so() {
    // Lambda stops a loop through SQS after 16 rounds unless the function allows it.
    let mut violations = Vec::new();
    for function in functions() {
        let reads: BTreeSet<String> = function
            .events("SQS")
            .into_iter()
            .filter_map(|(_, event)| queue_of(&event["Queue"]))
            .collect();
        let feeds = granted_queues(&function, "sqs:SendMessage");
        let loops = feeds.intersection(&reads).next().is_some();
        if loops != (function.0.get(&["RecursiveLoop"]) == "Allow") {
            violations.push(format!("{}: RecursiveLoop", function.id()));
        }
    }
    assert_none("loops", &violations);
}

#[test]
fn secrets_are_named_and_never_written() {
    let mut violations = Vec::new();
    for function in functions() {
        for (name, value) in function.variables() {
            let secret =
                name.contains("SECRET") || name.contains("PASSWORD") || name.contains("TOKEN");
            if secret && !pattern(&value).starts_with("{{resolve:secretsmanager:") {
                violations.push(format!("{}: {name}", function.id()));
            }
        }
    }
    assert_none("secrets in clear", &violations);
}
