//! SQS operations on queues as a whole: create, look up, attributes, tags, purge.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::super::fault::ApiError;
use super::engine::Engine;
use super::queue::Queue;
use super::settings::{self, Settings};
use super::store::Entry;
use super::{Sqs, check, moves};

pub(super) type Answer = Result<Value, ApiError>;

/// Most tags of a queue.
const MOST_TAGS: usize = 50;
/// Most queues on one page of a list.
const MOST_LISTED: u64 = 1000;
/// Attributes that `GetQueueAttributes` knows and that a queue may lack.
const OPTIONAL: &[&str] = &[
    "All",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
];

/// Answers the operation. `host` is where the caller reached the service.
pub(super) fn run(sqs: &Sqs, operation: &str, host: &str, queue: &str, request: &Value) -> Answer {
    match operation {
        "CreateQueue" => create(sqs, host, queue, request),
        "DeleteQueue" => delete(sqs, queue),
        "GetQueueUrl" => {
            existing(sqs, queue, |_| ())?;
            Ok(json!({"QueueUrl": sqs.url_at(host, queue)}))
        }
        "ListQueues" => {
            let prefix = request.get("QueueNamePrefix").and_then(Value::as_str);
            let names = sqs.names().into_iter();
            let names = names.filter(|name| name.starts_with(prefix.unwrap_or_default()));
            page(sqs, host, request, "QueueUrls", names)
        }
        "ListDeadLetterSourceQueues" => {
            existing(sqs, queue, |_| ())?;
            let names = moves::sources(&sqs.lock(), queue);
            page(sqs, host, request, "queueUrls", names.into_iter())
        }
        "GetQueueAttributes" => attributes(sqs, queue, request),
        "SetQueueAttributes" => set(sqs, queue, request),
        "PurgeQueue" => {
            sqs.lock().purge(queue, sqs.clock.now_ms())?;
            Ok(json!({}))
        }
        "ListQueueTags" => Ok(json!({"Tags": existing(sqs, queue, |queue| queue.tags.clone())?})),
        "TagQueue" => tag(sqs, queue, |tags| tags.extend(text_map(request, "Tags"))),
        "UntagQueue" => {
            let keys = request.get("TagKeys").and_then(Value::as_array);
            let keys: Vec<_> = keys
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            tag(sqs, queue, |tags| {
                tags.retain(|key, _| !keys.contains(&key.as_str()));
            })
        }
        "StartMessageMoveTask" => moves::start(sqs, request),
        "ListMessageMoveTasks" => moves::list(sqs, request),
        "CancelMessageMoveTask" => Err(moves::cancel()),
        _ => {
            let text = format!("{operation} is not available in the local stack.");
            Err(ApiError::new(400, "UnsupportedOperation", text))
        }
    }
}

/// An existing queue keeps its attributes: a request with other attributes is refused.
fn create(sqs: &Sqs, host: &str, queue: &str, request: &Value) -> Answer {
    let none = Map::new();
    let attributes = request.get("Attributes").and_then(Value::as_object);
    let attributes = attributes.unwrap_or(&none);
    let fifo = attributes
        .get("FifoQueue")
        .is_some_and(|fifo| fifo == "true");
    check::queue_name(queue, fifo)?;
    let mut engine = sqs.lock();
    let known = engine.queues.get(queue).map(|queue| queue.settings.clone());
    let mut wanted = known.clone().unwrap_or_else(|| Settings::standard(queue));
    apply(sqs, &engine, &mut wanted, attributes)?;
    match known {
        Some(known) if known == wanted => {}
        Some(known) => return Err(other_attributes(&known, &wanted)),
        None => {
            sqs.define(&mut engine, wanted)?;
            let tags = text_map(request, "tags");
            if !tags.is_empty() {
                set_tags(&mut engine, queue, tags)?;
            }
        }
    }
    Ok(json!({"QueueUrl": sqs.url_at(host, queue)}))
}

fn other_attributes(known: &Settings, wanted: &Settings) -> ApiError {
    let (known, wanted) = (known.shown(""), wanted.shown(""));
    let differs = |name: &&String| known.get(*name) != wanted.get(*name);
    let name = known.keys().chain(wanted.keys()).find(differs);
    let text = format!(
        "A queue already exists with the same name and a different value for attribute {}",
        name.map_or("", String::as_str)
    );
    ApiError::new(400, "QueueNameExists", text)
}

fn set(sqs: &Sqs, queue: &str, request: &Value) -> Answer {
    let mut engine = sqs.lock();
    let mut settings = engine.queue(queue, sqs.clock.now_ms())?.settings.clone();
    let attributes = request.get("Attributes").and_then(Value::as_object);
    let attributes = attributes.ok_or_else(|| check::missing("Attributes"))?;
    apply(sqs, &engine, &mut settings, attributes)?;
    sqs.define(&mut engine, settings)?;
    Ok(json!({}))
}

fn apply(
    sqs: &Sqs,
    engine: &Engine,
    settings: &mut Settings,
    attributes: &Map<String, Value>,
) -> Result<(), ApiError> {
    settings.apply(attributes, &sqs.arn(""))?;
    let policy = attributes.get("RedrivePolicy").and_then(Value::as_str);
    let (Some(policy), Some((target, _))) = (policy, &settings.redrive) else {
        return Ok(());
    };
    let target = engine.queues.get(target);
    let target = target.ok_or_else(|| settings::no_target(policy))?;
    if target.settings.fifo == settings.fifo {
        return Ok(());
    }
    let reason = "Dead-letter queue must be same type of queue as the source.";
    Err(settings::wrong_policy(policy, reason))
}

fn delete(sqs: &Sqs, queue: &str) -> Answer {
    existing(sqs, queue, |_| ())?;
    let mut engine = sqs.lock();
    engine.push(&Entry::Deleted(Cow::Borrowed(queue)))?;
    engine.flush()?;
    engine.queues.remove(queue);
    Ok(json!({}))
}

/// A page of queue URLs under the field `field`.
fn page(
    sqs: &Sqs,
    host: &str,
    request: &Value,
    field: &str,
    names: impl Iterator<Item = String>,
) -> Answer {
    let most = request.get("MaxResults");
    let limit = match most.map(Value::as_u64) {
        None => MOST_LISTED,
        Some(Some(limit)) if (1..=MOST_LISTED).contains(&limit) => limit,
        Some(_) => {
            let reason = format!("MaxResults must be an integer between 1 and {MOST_LISTED}.");
            return Err(check::invalid(reason));
        }
    };
    let token = request.get("NextToken").and_then(Value::as_str);
    let after = token.map(|token| BASE64.decode(token).ok());
    let after = match after.map(|bytes| bytes.and_then(|bytes| String::from_utf8(bytes).ok())) {
        Some(None) => return Err(check::invalid("Invalid or expired next token.".to_owned())),
        after => after.flatten().unwrap_or_default(),
    };
    let mut names = names.filter(|name| *name > after);
    let shown: Vec<_> = names
        .by_ref()
        .take(usize::try_from(limit).unwrap_or(0))
        .collect();
    let last = shown
        .last()
        .filter(|_| most.is_some() && names.next().is_some());
    let urls: Vec<_> = shown.iter().map(|name| sqs.url_at(host, name)).collect();
    let mut answer = json!({});
    answer[field] = json!(urls);
    if let Some(last) = last {
        answer["NextToken"] = json!(BASE64.encode(last));
    }
    Ok(answer)
}

fn attributes(sqs: &Sqs, name: &str, request: &Value) -> Answer {
    let (mut all, created, modified) = existing(sqs, name, |queue| {
        (
            queue.settings.shown(&sqs.arn("")),
            queue.created,
            queue.modified,
        )
    })?;
    let depth = sqs.depth(name);
    let mut add = |name: &str, value: String| all.insert(name.to_owned(), value);
    add("QueueArn", sqs.arn(name));
    add("CreatedTimestamp", (created / 1000).to_string());
    add("LastModifiedTimestamp", (modified / 1000).to_string());
    add("ApproximateNumberOfMessages", depth.visible.to_string());
    add(
        "ApproximateNumberOfMessagesNotVisible",
        depth.in_flight.to_string(),
    );
    add(
        "ApproximateNumberOfMessagesDelayed",
        depth.delayed.to_string(),
    );
    let asked = request.get("AttributeNames").and_then(Value::as_array);
    let asked: Vec<_> = asked
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let known = |name: &&str| all.contains_key(*name) || OPTIONAL.contains(name);
    if let Some(name) = asked.iter().find(|name| !known(name)) {
        return Err(settings::unknown(name));
    }
    all.retain(|name, _| asked.iter().any(|asked| *asked == "All" || asked == name));
    Ok(json!({"Attributes": all}))
}

fn tag(sqs: &Sqs, queue: &str, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Answer {
    let mut tags = existing(sqs, queue, |queue| queue.tags.clone())?;
    change(&mut tags);
    set_tags(&mut sqs.lock(), queue, tags)?;
    Ok(json!({}))
}

fn set_tags(
    engine: &mut Engine,
    name: &str,
    tags: BTreeMap<String, String>,
) -> Result<(), ApiError> {
    if tags.len() > MOST_TAGS {
        let text = format!("Too many tags added for queue {name}.");
        return Err(check::invalid(text));
    }
    engine.push(&Entry::Tagged(Cow::Borrowed(name), Cow::Borrowed(&tags)))?;
    engine.flush()?;
    if let Some(queue) = engine.queues.get_mut(name) {
        queue.tags = tags;
    }
    Ok(())
}

fn text_map(request: &Value, field: &str) -> BTreeMap<String, String> {
    let map = request.get(field).and_then(Value::as_object);
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    map.into_iter().flatten().filter_map(text).collect()
}

/// Reads a queue that exists.
pub(super) fn existing<T>(
    sqs: &Sqs,
    name: &str,
    read: impl Fn(&Queue) -> T,
) -> Result<T, ApiError> {
    let now = sqs.clock.now_ms();
    sqs.lock().queue(name, now).map(|queue| read(queue))
}
