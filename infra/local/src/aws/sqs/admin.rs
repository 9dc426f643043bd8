//! SQS operations on queues as a whole: create, look up, purge, redrive.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::super::fault::ApiError;
use super::Sqs;
use super::check;
use super::engine;
use super::queue::{Queue, Settings};
use super::store::Entry;

type Answer = Result<Value, ApiError>;

/// Answers the operation.
pub(super) fn run(sqs: &Sqs, operation: &str, queue: &str, request: &Value) -> Answer {
    match operation {
        "CreateQueue" => create(sqs, queue, request),
        "DeleteQueue" => delete(sqs, queue),
        "GetQueueUrl" => get_url(sqs, queue),
        "ListQueues" => Ok(list(sqs, request)),
        "GetQueueAttributes" => attributes(sqs, queue, request),
        "SetQueueAttributes" => set(sqs, queue, request),
        "PurgeQueue" => purge(sqs, queue),
        "StartMessageMoveTask" => start_move(sqs, request),
        _ => {
            let text = format!("{operation} is not available in the local stack.");
            Err(ApiError::new(400, "UnsupportedOperation", text))
        }
    }
}

fn create(sqs: &Sqs, queue: &str, request: &Value) -> Answer {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let stem = queue.strip_suffix(".fifo").unwrap_or(queue);
    if stem.is_empty() || queue.len() > 80 || !stem.chars().all(good) {
        let text =
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(ApiError::new(400, "InvalidParameterValue", text));
    }
    let mut settings = Settings::standard(queue);
    apply(&mut settings, request)?;
    sqs.define(settings)?;
    Ok(json!({"QueueUrl": sqs.url(queue)}))
}

fn set(sqs: &Sqs, queue: &str, request: &Value) -> Answer {
    let mut settings = existing(sqs, queue, |queue| queue.settings.clone())?;
    apply(&mut settings, request)?;
    sqs.define(settings)?;
    Ok(json!({}))
}

fn apply(settings: &mut Settings, request: &Value) -> Result<(), ApiError> {
    let none = Map::new();
    let attributes = request.get("Attributes").and_then(Value::as_object);
    for (name, value) in attributes.unwrap_or(&none) {
        let text = value.as_str().unwrap_or_default();
        let wrong = || {
            let text = format!("Invalid value for the parameter {name}.");
            ApiError::new(400, "InvalidAttributeValue", text)
        };
        let number = || text.parse::<u32>().map_err(|_| wrong());
        match name.as_str() {
            "VisibilityTimeout" => settings.visibility_timeout = number()?,
            "DelaySeconds" => settings.delay = number()?,
            "MessageRetentionPeriod" => settings.retention = number()?,
            "FifoQueue" if settings.fifo != (text == "true") => return Err(wrong()),
            "ContentBasedDeduplication" => settings.content_based_deduplication = text == "true",
            "RedrivePolicy" => settings.redrive = redrive(text).ok_or_else(wrong).map(Some)?,
            // Encryption, policies and throughput modes change nothing here.
            _ => {}
        }
    }
    Ok(())
}

fn redrive(text: &str) -> Option<(String, u32)> {
    let policy: Value = serde_json::from_str(text).ok()?;
    let target = policy.get("deadLetterTargetArn")?.as_str()?;
    let most = policy.get("maxReceiveCount")?;
    let most = most.as_u64().or_else(|| most.as_str()?.parse().ok())?;
    Some((name_in_arn(target), u32::try_from(most).ok()?))
}

fn delete(sqs: &Sqs, queue: &str) -> Answer {
    existing(sqs, queue, |_| ())?;
    let mut engine = sqs.lock();
    engine.push(&Entry::Deleted(Cow::Borrowed(queue)))?;
    engine.flush()?;
    engine.queues.remove(queue);
    Ok(json!({}))
}

fn get_url(sqs: &Sqs, queue: &str) -> Answer {
    existing(sqs, queue, |_| ())?;
    Ok(json!({"QueueUrl": sqs.url(queue)}))
}

fn list(sqs: &Sqs, request: &Value) -> Value {
    let prefix = request.get("QueueNamePrefix").and_then(Value::as_str);
    let names = sqs.names().into_iter();
    let names = names.filter(|name| name.starts_with(prefix.unwrap_or_default()));
    let urls: Vec<_> = names.map(|name| sqs.url(&name)).collect();
    json!({"QueueUrls": urls})
}

fn attributes(sqs: &Sqs, name: &str, request: &Value) -> Answer {
    let settings = existing(sqs, name, |queue| queue.settings.clone())?;
    let depth = sqs.depth(name);
    let mut all = vec![
        ("QueueArn", sqs.arn(name)),
        ("ApproximateNumberOfMessages", depth.visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            depth.in_flight.to_string(),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            depth.delayed.to_string(),
        ),
        ("VisibilityTimeout", settings.visibility_timeout.to_string()),
        ("MaximumMessageSize", check::LARGEST_MESSAGE.to_string()),
        ("MessageRetentionPeriod", settings.retention.to_string()),
        ("DelaySeconds", settings.delay.to_string()),
        ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
        ("SqsManagedSseEnabled", "true".to_owned()),
    ];
    if settings.fifo {
        let by_content = settings.content_based_deduplication;
        all.push(("FifoQueue", "true".to_owned()));
        all.push(("ContentBasedDeduplication", by_content.to_string()));
    }
    if let Some((target, most)) = &settings.redrive {
        all.push((
            "RedrivePolicy",
            engine::redrive_policy(&sqs.arn(target), *most),
        ));
    }
    let asked = request.get("AttributeNames").and_then(Value::as_array);
    let wanted =
        |name: &str| asked.is_some_and(|asked| asked.iter().any(|a| a == "All" || a == name));
    all.retain(|(name, _)| wanted(name));
    let all: Map<_, _> = all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .collect();
    Ok(json!({"Attributes": all}))
}

fn purge(sqs: &Sqs, queue: &str) -> Answer {
    sqs.lock().purge(queue)?;
    Ok(json!({}))
}

fn start_move(sqs: &Sqs, request: &Value) -> Answer {
    let arn = |name: &str| request.get(name).and_then(Value::as_str).map(name_in_arn);
    let Some(source) = arn("SourceArn") else {
        let text = "The request must contain the parameter SourceArn.";
        return Err(ApiError::new(400, "MissingParameter", text));
    };
    let target = arn("DestinationArn");
    let now = sqs.clock.now_ms();
    let moved = sqs.lock().redrive(&source, target.as_deref(), now)?;
    tracing::info!(source, moved, "messages moved back");
    Ok(json!({"TaskHandle": format!("{source}-{now}")}))
}

fn existing<T>(sqs: &Sqs, name: &str, read: impl Fn(&Queue) -> T) -> Result<T, ApiError> {
    let now = sqs.clock.now_ms();
    sqs.lock().queue(name, now).map(|queue| read(queue))
}

fn name_in_arn(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or_default().to_owned()
}
