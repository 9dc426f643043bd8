//! What each function's role allows, so that a call beyond it fails here as it would on AWS.
//!
//! Only `Allow` statements of the role's inline policies count, and only the actions that our
//! functions call; there are no conditions, boundaries or resource policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::functions::handler;
use super::intrinsics::text_of;
use super::names;
use super::resources::property;
use super::scope::{Resource, Stacks};
use crate::aws::{Call, Role};

/// The rights of every function, by its `Handler`.
#[derive(Debug, Clone, Default)]
pub struct Rights(BTreeMap<String, Vec<Grant>>);

/// One action on one resource, which may end in `*`.
#[derive(Debug, Clone)]
struct Grant {
    action: String,
    resource: String,
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
                        grants.extend(grants_of(statement));
                    }
                }
            }
            rights.insert(handler(stacks, &function)?, grants);
        }
        Ok(Self(rights))
    }

    /// The role of the function with this handler, as the services ask it.
    pub fn role(&self, handler: &str) -> Role {
        let (rights, handler) = (self.clone(), handler.to_owned());
        Arc::new(move |call| {
            let Call {
                service,
                operation,
                table_or_queue,
                ..
            } = call;
            rights.allows(&handler, service, operation, table_or_queue)
        })
    }

    /// The SES identities that some function may send from.
    pub fn identities(&self) -> Vec<String> {
        let grants = self.0.values().flatten();
        let names = grants.filter_map(|grant| grant.resource.split_once(":identity/"));
        let mut names: Vec<String> = names.map(|(_, name)| name.to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether the function may make a call: `service` is `dynamodb`, `sqs`, `ses`, `sockets` or
    /// `s3`, `operation` is the API's name of it (for `s3` the HTTP method), and `resource` the name
    /// of the table, queue or bucket, or the id of the connection. A query of an index passes
    /// where the table or one of its indexes may be queried.
    pub fn allows(&self, handler: &str, service: &str, operation: &str, resource: &str) -> bool {
        let grants = self.0.get(handler).map(Vec::as_slice).unwrap_or_default();
        let granted = |action: &str, fits: &dyn Fn(&Grant) -> bool| {
            grants
                .iter()
                .any(|grant| grant.action == action && fits(grant))
        };
        match (service, operation) {
            ("dynamodb", operation) => {
                // A transaction has no right of its own; ours are made of updates.
                let operation = match operation {
                    "TransactWriteItems" => "UpdateItem",
                    other => other,
                };
                let table = names::table_arn(resource);
                let index = format!("{table}/index/");
                granted(&format!("dynamodb:{operation}"), &|grant| {
                    grant.covers(&table) || grant.resource.starts_with(&index)
                })
            }
            ("sqs", "SendMessage" | "SendMessageBatch") => granted("sqs:SendMessage", &|grant| {
                grant.covers(&names::queue_arn(resource))
            }),
            // Our mails come as MIME, for which SES asks both.
            ("ses", "SendEmail") => ["ses:SendEmail", "ses:SendRawEmail"]
                .iter()
                .all(|action| granted(action, &|grant| grant.resource.contains(":identity/"))),
            ("sockets", _) => granted("execute-api:ManageConnections", &|grant| {
                grant.resource.ends_with("/@connections/*")
            }),
            ("s3", "GET" | "HEAD") => object(resource, "s3:GetObject", &granted),
            ("s3", "PUT") => object(resource, "s3:PutObject", &granted),
            _ => false,
        }
    }
}

type Granted<'a> = dyn Fn(&str, &dyn Fn(&Grant) -> bool) -> bool + 'a;

fn object(bucket: &str, action: &str, granted: &Granted<'_>) -> bool {
    granted(action, &|grant| {
        grant.resource == format!("arn:aws:s3:::{bucket}/*")
    })
}

impl Grant {
    fn covers(&self, arn: &str) -> bool {
        match self.resource.strip_suffix('*') {
            Some(start) => arn.starts_with(start),
            None => self.resource == arn,
        }
    }
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

fn grants_of(statement: &Value) -> Vec<Grant> {
    if statement["Effect"] != "Allow" {
        return Vec::new();
    }
    let actions: Vec<String> = list(&statement["Action"])
        .into_iter()
        .filter_map(text_of)
        .collect();
    let resources = list(&statement["Resource"]).into_iter().filter_map(text_of);
    resources
        .flat_map(|resource| {
            actions.iter().map(move |action| Grant {
                action: action.clone(),
                resource: resource.clone(),
            })
        })
        .collect()
}

/// A list, or the one value where IAM allows leaving the list out.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}
