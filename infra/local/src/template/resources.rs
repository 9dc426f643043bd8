//! Tables, queues, buckets and rules of the model.
//!
//! A resource type that the local stack neither runs nor may ignore is an error. So a template cannot depend on a
//! resource that is silently missing here.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::intrinsics::text_of;
use super::model::{ConfigurationSet, Queue, Rule, Stack, StreamView, Table};
use super::names;
use super::scope::{Place, Resource, Stacks};

/// Types that change nothing about how events and data move on one machine.
const IGNORED: &[&str] = &[
    "AWS::CloudFormation::Stack",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Application",
];

/// Types that [`super::functions`] and [`super::triggers`] read.
const FUNCTIONS: &[&str] = &[
    "AWS::Serverless::Function",
    "AWS::Serverless::HttpApi",
    "AWS::Serverless::WebSocketApi",
];

/// Adds every table, queue, bucket and rule to `stack`.
pub(super) fn build(stacks: &Stacks, stack: &mut Stack) -> anyhow::Result<()> {
    let mut policies = Vec::new();
    for resource in stacks.resources()? {
        match resource.kind {
            "AWS::DynamoDB::Table" => stack.tables.push(table(stacks, &resource)?),
            "AWS::SQS::Queue" => stack.queues.push(queue(stacks, &resource)?),
            "AWS::SQS::QueuePolicy" => policies.extend(queue_policies(stacks, &resource)?),
            "AWS::S3::Bucket" => stack.buckets.push(names::physical(stacks, &resource)?),
            "AWS::SES::ConfigurationSet" => {
                let set = configuration_set(stacks, &resource)?;
                stack.configuration_sets.push(set);
            }
            "AWS::Events::Rule" => stack.rules.extend(rules(stacks, &resource)?),
            kind if IGNORED.contains(&kind) || FUNCTIONS.contains(&kind) => {}
            kind => {
                let place =
                    Place::new(resource.template, format!("Resources.{}.Type", resource.id));
                return Err(stacks.error(&place, format!("the local stack does not know {kind}")));
            }
        }
    }
    only_mail_events_that_are_sent(stacks, stack)?;
    for (url, policy) in policies {
        let of = |queue: &&mut Queue| url.rsplit('/').next() == Some(&queue.name);
        if let Some(queue) = stack.queues.iter_mut().find(of) {
            queue.policy = Some(policy);
        }
    }
    unique(stack.tables.iter().map(|table| &table.name))?;
    unique(stack.queues.iter().map(|queue| &queue.name))?;
    unique(stack.buckets.iter())
}

fn unique<'a>(names: impl Iterator<Item = &'a String>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        anyhow::ensure!(seen.insert(name), "two resources are both named {name}");
    }
    Ok(())
}

fn table(stacks: &Stacks, resource: &Resource<'_>) -> anyhow::Result<Table> {
    let name = names::physical(stacks, resource)?;
    let mut create = Map::new();
    create.insert("TableName".to_owned(), Value::String(name.clone()));
    for part in [
        "AttributeDefinitions",
        "BillingMode",
        "DeletionProtectionEnabled",
        "GlobalSecondaryIndexes",
        "KeySchema",
    ] {
        if let Some(value) = property(stacks, resource, part)? {
            let value = if part == "DeletionProtectionEnabled" {
                flag(&value)
            } else {
                value
            };
            create.insert(part.to_owned(), value);
        }
    }
    if let Some(Value::Object(mut value)) = property(stacks, resource, "SSESpecification")? {
        // CloudFormation and DynamoDB name the switch differently.
        if let Some(enabled) = value.remove("SSEEnabled") {
            value.insert("Enabled".to_owned(), flag(&enabled));
        }
        create.insert("SSESpecification".to_owned(), value.into());
    }
    let stream = match property(stacks, resource, "StreamSpecification")? {
        None => None,
        Some(value) => Some(stream_view(&value).ok_or_else(|| {
            let place = resource.place().child("StreamSpecification");
            stacks.error(&place, "no such StreamViewType")
        })?),
    };
    let ttl = property(stacks, resource, "TimeToLiveSpecification")?;
    let ttl_attribute = ttl
        .filter(|ttl| ttl.get("Enabled").and_then(text_of).as_deref() == Some("true"))
        .and_then(|ttl| ttl.get("AttributeName").and_then(text_of));
    Ok(Table {
        logical_id: resource.id.to_owned(),
        name,
        create_request: Value::Object(create),
        stream,
        ttl_attribute,
    })
}

/// True or false, also when it came as text from a parameter.
fn flag(value: &Value) -> Value {
    Value::Bool(text_of(value).as_deref() == Some("true"))
}

fn stream_view(value: &Value) -> Option<StreamView> {
    Some(match value.get("StreamViewType")?.as_str()? {
        "KEYS_ONLY" => StreamView::KeysOnly,
        "NEW_IMAGE" => StreamView::NewImage,
        "OLD_IMAGE" => StreamView::OldImage,
        "NEW_AND_OLD_IMAGES" => StreamView::NewAndOldImages,
        _ => return None,
    })
}

fn queue(stacks: &Stacks, resource: &Resource<'_>) -> anyhow::Result<Queue> {
    let is = |name: &str, wanted: &str| -> anyhow::Result<bool> {
        let value = property(stacks, resource, name)?;
        Ok(value.as_ref().and_then(text_of).as_deref() == Some(wanted))
    };
    let number = |name: &str, default: u32| -> anyhow::Result<u32> {
        match property(stacks, resource, name)? {
            Some(value) => integer(stacks, &resource.place().child(name), &value),
            None => Ok(default),
        }
    };
    let redrive = match property(stacks, resource, "RedrivePolicy")? {
        Some(value) => Some(redrive(
            stacks,
            &resource.place().child("RedrivePolicy"),
            &value,
        )?),
        None => None,
    };
    let largest = number("MaximumMessageSize", 0)?;
    let limit = property(stacks, resource, "FifoThroughputLimit")?;
    Ok(Queue {
        logical_id: resource.id.to_owned(),
        name: names::physical(stacks, resource)?,
        fifo: names::is_fifo(stacks, resource)?,
        content_based_deduplication: is("ContentBasedDeduplication", "true")?,
        deduplicates_by_group: is("DeduplicationScope", "messageGroup")?,
        throughput_limit: limit.as_ref().and_then(text_of),
        policy: None,
        // SQS's defaults.
        visibility_timeout: number("VisibilityTimeout", 30)?,
        delay: number("DelaySeconds", 0)?,
        retention: number("MessageRetentionPeriod", 345_600)?,
        wait: number("ReceiveMessageWaitTimeSeconds", 0)?,
        largest: (largest > 0).then_some(largest),
        redrive,
    })
}

/// URLs of queues with the JSON text of their policy.
fn queue_policies(
    stacks: &Stacks,
    resource: &Resource<'_>,
) -> anyhow::Result<Vec<(String, String)>> {
    let policy = property(stacks, resource, "PolicyDocument")?.unwrap_or_default();
    let queues = property(stacks, resource, "Queues")?.unwrap_or_default();
    let urls = queues.as_array().into_iter().flatten().filter_map(text_of);
    Ok(urls.map(|url| (url, policy.to_string())).collect())
}

fn redrive(stacks: &Stacks, at: &Place, value: &Value) -> anyhow::Result<(String, u32)> {
    let missing = |name: &str| stacks.error(at, format!("{name} is missing"));
    let arn = value.get("deadLetterTargetArn").and_then(text_of);
    let arn = arn.ok_or_else(|| missing("deadLetterTargetArn"))?;
    let count = value
        .get("maxReceiveCount")
        .ok_or_else(|| missing("maxReceiveCount"))?;
    let queue = names::queue_of_arn(&arn)
        .map_err(|error| stacks.error(&at.child("deadLetterTargetArn"), error))?;
    Ok((queue, integer(stacks, &at.child("maxReceiveCount"), count)?))
}

fn configuration_set(stacks: &Stacks, resource: &Resource<'_>) -> anyhow::Result<ConfigurationSet> {
    let options = property(stacks, resource, "SuppressionOptions")?.unwrap_or_default();
    let reasons = options["SuppressedReasons"].as_array();
    Ok(ConfigurationSet {
        name: names::physical(stacks, resource)?,
        suppressed_reasons: reasons.into_iter().flatten().filter_map(text_of).collect(),
    })
}

/// One rule per target.
fn rules(stacks: &Stacks, resource: &Resource<'_>) -> anyhow::Result<Vec<Rule>> {
    let state = property(stacks, resource, "State")?;
    if state.as_ref().and_then(Value::as_str) == Some("DISABLED") {
        return Ok(Vec::new());
    }
    let bus = property(stacks, resource, "EventBusName")?;
    if bus.is_some_and(|bus| bus != "default") {
        let place = resource.place().child("EventBusName");
        return Err(stacks.error(&place, "only the default bus runs locally"));
    }
    let Some(pattern) = property(stacks, resource, "EventPattern")? else {
        let message = "is missing; a schedule belongs to its function's events";
        return Err(stacks.error(&resource.place().child("EventPattern"), message));
    };
    let targets = property(stacks, resource, "Targets")?.unwrap_or_default();
    let place = resource.place().child("Targets");
    let mut found = Vec::new();
    for (index, target) in targets.as_array().into_iter().flatten().enumerate() {
        let arn = target.get("Arn").and_then(text_of).unwrap_or_default();
        let queue = names::queue_of_arn(&arn)
            .map_err(|error| stacks.error(&place.child(index).child("Arn"), error))?;
        found.push(Rule {
            logical_id: resource.id.to_owned(),
            pattern: pattern.clone(),
            queue,
        });
    }
    Ok(found)
}

/// Rules see the mail events of the event destination and no others.
fn only_mail_events_that_are_sent(stacks: &Stacks, stack: &mut Stack) -> anyhow::Result<()> {
    for resource in stacks.resources()? {
        if resource.kind != "AWS::SES::ConfigurationSetEventDestination" {
            continue;
        }
        let destination = property(stacks, &resource, "EventDestination")?.unwrap_or_default();
        let kinds = destination["MatchingEventTypes"].as_array();
        let kinds = kinds.into_iter().flatten().filter_map(Value::as_str);
        let kinds: Vec<&str> = kinds.map(mail_event).collect();
        for rule in &mut stack.rules {
            if rule.pattern["source"] == json!(["aws.ses"]) {
                rule.pattern["detail"]["eventType"] = json!(kinds);
            }
        }
    }
    Ok(())
}

/// The name that an event carries, by its name in the destination.
fn mail_event(kind: &str) -> &str {
    match kind {
        "BOUNCE" => "Bounce",
        "COMPLAINT" => "Complaint",
        "DELIVERY" => "Delivery",
        "DELIVERY_DELAY" => "DeliveryDelay",
        "REJECT" => "Reject",
        "RENDERING_FAILURE" => "Rendering Failure",
        "SEND" => "Send",
        other => other,
    }
}

/// One property, evaluated.
pub(super) fn property(
    stacks: &Stacks,
    resource: &Resource<'_>,
    name: &str,
) -> anyhow::Result<Option<Value>> {
    match resource.property(name) {
        Some(value) => stacks.evaluate(&resource.place().child(name), value),
        None => Ok(None),
    }
}

/// A whole number, also one that came as text from a parameter.
pub(super) fn integer(stacks: &Stacks, at: &Place, value: &Value) -> anyhow::Result<u32> {
    let number = text_of(value).and_then(|text| text.parse().ok());
    number.ok_or_else(|| stacks.error(at, format!("must be a whole number, is {value}")))
}
