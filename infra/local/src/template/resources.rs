//! Tables, queues, buckets and rules of the model.
//!
//! A resource type that the local stack neither runs nor may ignore is an error, so that a template
//! cannot depend on something that is silently absent here.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::intrinsics::text_of;
use super::model::{Queue, Rule, Stack, StreamView, Table};
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
    "AWS::SES::ConfigurationSet",
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SNS::Topic",
    "AWS::SQS::QueuePolicy",
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
    for resource in stacks.resources()? {
        match resource.kind {
            "AWS::DynamoDB::Table" => stack.tables.push(table(stacks, &resource)?),
            "AWS::SQS::Queue" => stack.queues.push(queue(stacks, &resource)?),
            "AWS::S3::Bucket" => stack.buckets.push(names::physical(stacks, &resource)?),
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
        "GlobalSecondaryIndexes",
        "KeySchema",
    ] {
        if let Some(value) = property(stacks, resource, part)? {
            create.insert(part.to_owned(), value);
        }
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
    let flag = |name: &str| -> anyhow::Result<bool> {
        Ok(property(stacks, resource, name)?
            .as_ref()
            .and_then(text_of)
            .as_deref()
            == Some("true"))
    };
    let seconds = |name: &str, default: u32| -> anyhow::Result<u32> {
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
    Ok(Queue {
        logical_id: resource.id.to_owned(),
        name: names::physical(stacks, resource)?,
        fifo: names::is_fifo(stacks, resource)?,
        content_based_deduplication: flag("ContentBasedDeduplication")?,
        // SQS's defaults.
        visibility_timeout: seconds("VisibilityTimeout", 30)?,
        delay: seconds("DelaySeconds", 0)?,
        retention: seconds("MessageRetentionPeriod", 345_600)?,
        redrive,
    })
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

/// What an event calls itself, by its name in the destination.
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
