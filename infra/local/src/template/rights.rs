//! Permissions of each function's role, so that a call without permission fails here as on AWS.
//!
//! Only `Allow` statements of the role's inline policies count, and only the actions that our functions call.
//! Two conditions are read, on the partition keys of items and on a mail's sender; another one is an error.
//! There are no boundaries and no resource policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::functions::handler;
use super::intrinsics::text_of;
use super::names;
use super::resources::property;
use super::scope::{Resource, Stacks};
use crate::aws::{Call, Role, Touched};

/// The rights of every function, by its `Handler`.
#[derive(Debug, Clone, Default)]
pub struct Rights(BTreeMap<String, Vec<Grant>>);

/// One action on one resource, which may end in `*`.
#[derive(Debug, Clone)]
struct Grant {
    action: String,
    resource: String,
    only: Only,
}

/// The condition of a statement.
#[derive(Debug, Clone)]
enum Only {
    Always,
    /// Each partition key that the call names fits one of the patterns.
    LeadingKeys(Vec<String>),
    /// The sender fits one of the patterns; the mail service checks the sender against the same list.
    FromAddress(Vec<String>),
}

impl Rights {
    /// Reads the roles of all functions.
    pub(super) fn of(stacks: &Stacks) -> anyhow::Result<Self> {
        let mut rights = BTreeMap::new();
        for function in stacks.resources()? {
            if function.kind != "AWS::Serverless::Function" {
                continue;
            }
            let mut grants = Vec::new();
            if let Some(role) = role(stacks, &function)? {
                for policy in property(stacks, &role, "Policies")?.iter().flat_map(list) {
                    for statement in list(&policy["PolicyDocument"]["Statement"]) {
                        let found = grants_of(statement);
                        grants.extend(found.map_err(|error| stacks.error(&role.place(), error))?);
                    }
                }
            }
            rights.insert(handler(stacks, &function)?, grants);
        }
        Ok(Self(rights))
    }

    /// The role of the function with this handler, as the services ask it.
    pub fn role(&self, handler: &str) -> Role {
        let function: Arc<str> = handler.into();
        let (rights, handler) = (self.clone(), function.clone());
        let allows = Arc::new(move |call: &Call| {
            let Call {
                service,
                operation,
                table_or_queue,
                items,
                ..
            } = call;
            match *service {
                "dynamodb" => {
                    let allowed = |item: &Touched| rights.allows_item(&handler, item);
                    !items.is_empty() && items.iter().all(allowed)
                }
                service => rights.allows(&handler, service, operation, table_or_queue),
            }
        });
        Role { function, allows }
    }

    /// The SES identities that some function may send from.
    pub fn identities(&self) -> Vec<String> {
        let grants = self.0.values().flatten();
        let senders = grants.filter_map(|grant| match &grant.only {
            Only::FromAddress(patterns) => Some(patterns),
            _ => None,
        });
        let names = senders.flatten().map(|name| name.trim_start_matches("*@"));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether the function may touch these items: by the operation, by the table or its index, and by their
    /// partition keys. A statement with a condition on keys never covers a call that names none: on AWS it
    /// would, which is why no role may scan.
    pub fn allows_item(&self, handler: &str, item: &Touched) -> bool {
        let action = format!("dynamodb:{}", item.operation);
        let table = names::table_arn(&item.table);
        let resource = match &item.index {
            Some(index) => format!("{table}/index/{index}"),
            None => table,
        };
        let grants = self.0.get(handler).map(Vec::as_slice).unwrap_or_default();
        let mut grants = grants.iter();
        grants.any(|grant| {
            grant.action == action && grant.covers(&resource) && grant.fits(&item.keys)
        })
    }

    /// Whether the function may make a call.
    ///
    /// - `service` is `sqs`, `ses`, `sockets` or `s3`.
    /// - `operation` is the name of the operation in the AWS API (for `s3` the HTTP method).
    /// - `resource` is the name of the queue, the object (`bucket/key`), or the id of the connection.
    pub fn allows(&self, handler: &str, service: &str, operation: &str, resource: &str) -> bool {
        let grants = self.0.get(handler).map(Vec::as_slice).unwrap_or_default();
        let granted = |action: &str, fits: &dyn Fn(&Grant) -> bool| {
            grants
                .iter()
                .any(|grant| grant.action == action && fits(grant))
        };
        match (service, operation) {
            ("sqs", "SendMessage" | "SendMessageBatch") => granted("sqs:SendMessage", &|grant| {
                grant.covers(&names::queue_arn(resource))
            }),
            // Our mails are raw MIME, for which SES requires both actions.
            ("ses", "SendEmail") => ["ses:SendEmail", "ses:SendRawEmail"]
                .iter()
                .all(|action| granted(action, &|grant| grant.resource.contains(":identity/"))),
            ("sockets", _) => granted("execute-api:ManageConnections", &|grant| {
                grant.resource.ends_with("/@connections/*")
            }),
            ("s3", "GET" | "HEAD") if is_bucket(resource) => {
                let bucket = resource.trim_end_matches('/');
                let arn = format!("arn:aws:s3:::{bucket}");
                granted("s3:ListBucket", &|grant| grant.resource == arn)
            }
            ("s3", "GET" | "HEAD") => object(resource, "s3:GetObject", &granted),
            ("s3", "PUT") => object(resource, "s3:PutObject", &granted),
            ("s3", "DELETE") => object(resource, "s3:DeleteObject", &granted),
            _ => false,
        }
    }
}

type Granted<'a> = dyn Fn(&str, &dyn Fn(&Grant) -> bool) -> bool + 'a;

/// Whether a call is about a bucket as a whole: it lists the objects.
fn is_bucket(resource: &str) -> bool {
    resource
        .split_once('/')
        .is_none_or(|(_, key)| key.is_empty())
}

fn object(object: &str, action: &str, granted: &Granted<'_>) -> bool {
    let arn = format!("arn:aws:s3:::{object}");
    granted(action, &|grant| grant.covers(&arn))
}

impl Grant {
    fn covers(&self, arn: &str) -> bool {
        match self.resource.strip_suffix('*') {
            Some(start) => arn.starts_with(start),
            None => self.resource == arn,
        }
    }

    fn fits(&self, keys: &[String]) -> bool {
        let Only::LeadingKeys(patterns) = &self.only else {
            return true;
        };
        let fits = |key: &String| patterns.iter().any(|pattern| like(pattern, key));
        !keys.is_empty() && keys.iter().all(fits)
    }
}

/// IAM's `StringLike` for patterns in which each `*` is any text.
fn like(pattern: &str, text: &str) -> bool {
    let (Some((first, rest)), Some((_, last))) =
        (pattern.split_once('*'), pattern.rsplit_once('*'))
    else {
        return pattern == text;
    };
    let Some(mut left) = text
        .strip_prefix(first)
        .and_then(|text| text.strip_suffix(last))
    else {
        return false;
    };
    let middle = rest.strip_suffix(last).unwrap_or_default();
    middle.split('*').all(|part| match left.find(part) {
        Some(at) => {
            left = &left[at + part.len()..];
            true
        }
        None => false,
    })
}

/// The role whose ARN the function names.
fn role<'a>(stacks: &'a Stacks, function: &Resource<'a>) -> anyhow::Result<Option<Resource<'a>>> {
    let arn = property(stacks, function, "Role")?.and_then(|arn| text_of(&arn));
    let Some(arn) = arn else { return Ok(None) };
    for role in stacks.resources()? {
        if role.kind == "AWS::IAM::Role"
            && names::attribute(stacks, &role.place(), &role, "Arn")? == arn
        {
            return Ok(Some(role));
        }
    }
    Err(stacks.error(
        &function.place().child("Role"),
        format!("no such role: {arn}"),
    ))
}

fn grants_of(statement: &Value) -> anyhow::Result<Vec<Grant>> {
    if statement["Effect"] != "Allow" {
        return Ok(Vec::new());
    }
    let only = only(&statement["Condition"])?;
    let actions: Vec<String> = list(&statement["Action"])
        .into_iter()
        .filter_map(text_of)
        .collect();
    let resources = list(&statement["Resource"]).into_iter().filter_map(text_of);
    let mut grants = Vec::new();
    for resource in resources {
        grants.extend(actions.iter().map(|action| Grant {
            action: action.clone(),
            resource: resource.clone(),
            only: only.clone(),
        }));
    }
    Ok(grants)
}

fn only(condition: &Value) -> anyhow::Result<Only> {
    if condition.is_null() {
        return Ok(Only::Always);
    }
    let texts = |value: &Value| list(value).into_iter().filter_map(text_of).collect();
    let keys = &condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    let senders = &condition["StringLike"]["ses:FromAddress"];
    let found = match (keys.is_null(), senders.is_null()) {
        (false, true) => Only::LeadingKeys(texts(keys)),
        (true, false) => Only::FromAddress(texts(senders)),
        _ => anyhow::bail!("the local stack does not know the condition {condition}"),
    };
    let single = condition.as_object().is_some_and(|operators| {
        let mut operators = operators.values();
        operators.len() == 1 && operators.all(|keys| keys.as_object().is_some_and(|k| k.len() == 1))
    });
    anyhow::ensure!(
        single,
        "the local stack knows one condition a statement: {condition}"
    );
    Ok(found)
}

/// A list, or the one value where IAM allows leaving the list out.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}
