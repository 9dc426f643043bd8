//! Message move tasks: messages go from a dead-letter queue back to their source queue.
//!
//! A task ends within the call that starts it, so none can be cancelled. The list of ended tasks is kept in
//! memory only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::super::fault::ApiError;
use super::admin::Answer;
use super::engine::Engine;
use super::{Sqs, check};

/// Most tasks that a list shows, and that are kept of each queue.
const MOST_TASKS: usize = 10;
/// Most messages that a task may move each second.
const HIGHEST_RATE: i64 = 500;

/// The queues whose redrive policy names `queue`.
pub(super) fn sources(engine: &Engine, queue: &str) -> Vec<String> {
    let names = engine.queues.iter().filter(|(_, source)| {
        let redrive = source.settings.redrive.as_ref();
        redrive.is_some_and(|(target, _)| target == queue)
    });
    names.map(|(name, _)| name.clone()).collect()
}

/// Moves the messages that can be received now.
pub(super) fn start(sqs: &Sqs, request: &Value) -> Answer {
    let now = sqs.clock.now_ms();
    let mut engine = sqs.lock();
    let source = named(sqs, &engine, request, "SourceArn")?;
    let source = source.ok_or_else(|| check::missing("SourceArn"))?;
    let target = named(sqs, &engine, request, "DestinationArn")?;
    if sources(&engine, &source).is_empty() {
        let text = "Source queue must be configured as a Dead Letter Queue.";
        return Err(check::invalid(text.to_owned()));
    }
    let fifo = |name: &str| {
        engine
            .queues
            .get(name)
            .is_some_and(|queue| queue.settings.fifo)
    };
    if target
        .as_ref()
        .is_some_and(|target| fifo(target) != fifo(&source))
    {
        let text = "Source queue and destination queue must be of the same type.";
        return Err(check::invalid(text.to_owned()));
    }
    let rate = request
        .get("MaxNumberOfMessagesPerSecond")
        .map(Value::as_i64);
    if rate.is_some_and(|rate| !rate.is_some_and(|rate| (1..=HIGHEST_RATE).contains(&rate))) {
        let text = format!(
            "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and {HIGHEST_RATE}."
        );
        return Err(check::invalid(text));
    }
    let waiting = engine.queue(&source, now)?.visible();
    let moved = engine.redrive(&source, target.as_deref(), now)?;
    tracing::info!(source, moved, "messages moved back");
    let mut task = json!({
        "SourceArn": sqs.arn(&source),
        "Status": "COMPLETED",
        "ApproximateNumberOfMessagesMoved": moved,
        "ApproximateNumberOfMessagesToMove": waiting,
        "StartedTimestamp": now,
    });
    if (moved as usize) < waiting {
        task["Status"] = json!("FAILED");
        task["FailureReason"] = json!("CouldNotDetermineMessageSource");
    }
    if let Some(target) = target {
        task["DestinationArn"] = json!(sqs.arn(&target));
    }
    if let Some(Some(rate)) = rate {
        task["MaxNumberOfMessagesPerSecond"] = json!(rate);
    }
    let queue = engine.queue(&source, now)?;
    queue.moves.push_front(task);
    queue.moves.truncate(MOST_TASKS);
    let handle = json!({"taskId": now.to_string(), "sourceArn": sqs.arn(&source)});
    Ok(json!({"TaskHandle": BASE64.encode(handle.to_string())}))
}

/// The last tasks of a queue, newest first.
pub(super) fn list(sqs: &Sqs, request: &Value) -> Answer {
    let mut engine = sqs.lock();
    let source = named(sqs, &engine, request, "SourceArn")?;
    let source = source.ok_or_else(|| check::missing("SourceArn"))?;
    let most = request.get("MaxResults").and_then(Value::as_u64);
    let most = usize::try_from(most.unwrap_or(1)).unwrap_or(0);
    if !(1..=MOST_TASKS).contains(&most) {
        let text = format!(
            "Value {most} for parameter MaxResults is invalid. Reason: Must be between 1 and {MOST_TASKS}."
        );
        return Err(check::invalid(text));
    }
    let queue = engine.queue(&source, sqs.clock.now_ms())?;
    let tasks: Vec<_> = queue.moves.iter().take(most).collect();
    Ok(json!({"Results": tasks}))
}

/// Answer to a request to cancel a task: no task is running.
pub(super) fn cancel() -> ApiError {
    not_found("No running task has this handle.".to_owned())
}

/// The queue whose ARN a field gives, if it does.
fn named(
    sqs: &Sqs,
    engine: &Engine,
    request: &Value,
    field: &str,
) -> Result<Option<String>, ApiError> {
    let Some(arn) = request.get(field).and_then(Value::as_str) else {
        return Ok(None);
    };
    let name = arn.strip_prefix(&sqs.arn("")).map(str::to_owned);
    let name = name.filter(|name| engine.queues.contains_key(name));
    let text =
        || format!("The resource that you specified for the {field} parameter doesn't exist.");
    name.map(Some).ok_or_else(|| not_found(text()))
}

fn not_found(text: String) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", text)
}
