//! The SQS JSON protocol: what SDKs and the CLI send, and the shapes they expect back.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::fault::ApiError;
use super::super::wire;
use super::check::{self, LARGEST_MESSAGE};
use super::engine::{Outgoing, Sent};
use super::message::{self, MessageAttributes};
use super::{Received, Sqs, admin, settings};

type Answer = Result<Value, ApiError>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendRequest {
    #[serde(default)]
    id: String,
    message_body: String,
    delay_seconds: Option<u32>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    #[serde(default)]
    message_system_attributes: MessageAttributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveRequest {
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u32>,
    wait_time_seconds: Option<u32>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HandleRequest {
    #[serde(default)]
    id: String,
    receipt_handle: String,
    #[serde(default)]
    visibility_timeout: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<T> {
    entries: Vec<T>,
}

impl Sqs {
    /// Answers one request of the JSON protocol, sent to `host`.
    pub(crate) async fn handle(&self, operation: &str, host: &str, body: &[u8]) -> Response<Bytes> {
        let answer = match serde_json::from_slice::<Value>(body) {
            Ok(request) => self.run(operation, host, body, &request).await,
            Err(error) => Err(malformed(&error)),
        };
        match answer {
            Ok(value) => wire::response(StatusCode::OK, wire::AWS_JSON, wire::to_bytes(&value)),
            Err(error) => error_response(&error),
        }
    }

    async fn run(&self, operation: &str, host: &str, body: &[u8], request: &Value) -> Answer {
        let queue = &queue_name(request);
        match operation {
            "SendMessage" => self.send_message(queue, parse(body)?),
            "SendMessageBatch" => self.send_batch(queue, parse(body)?),
            "ReceiveMessage" => self.receive_message(queue, parse(body)?).await,
            "DeleteMessage" => self.one(queue, &parse(body)?, Self::delete_one),
            "DeleteMessageBatch" => self.many(queue, &parse(body)?, Self::delete_one),
            "ChangeMessageVisibility" => self.one(queue, &parse(body)?, Self::change_one),
            "ChangeMessageVisibilityBatch" => self.many(queue, &parse(body)?, Self::change_one),
            _ => {
                self.meter.sqs(queue, false, 0);
                admin::run(self, operation, host, queue, request)
            }
        }
    }

    fn send_message(&self, queue: &str, request: SendRequest) -> Answer {
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        let answer = self.send_one(&mut engine, queue, request, now)?;
        engine.flush()?;
        Ok(Value::Object(answer))
    }

    fn send_one(
        &self,
        engine: &mut super::Engine,
        queue: &str,
        request: SendRequest,
        now: i64,
    ) -> Result<Map<String, Value>, ApiError> {
        let system = &request.message_system_attributes;
        check::system_attributes(system)?;
        let trace = system.get("AWSTraceHeader");
        let mut answer = Map::new();
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                answer.insert(name.to_owned(), Value::String(value));
            }
        };
        set(
            "MD5OfMessageBody",
            Some(message::md5_of_body(&request.message_body)),
        );
        let attributes = message::md5_of_attributes(&request.message_attributes);
        set("MD5OfMessageAttributes", attributes);
        set(
            "MD5OfMessageSystemAttributes",
            message::md5_of_attributes(system),
        );
        let size = request.message_body.len();
        let out = Outgoing {
            body: request.message_body,
            delay: request.delay_seconds,
            group: request.message_group_id,
            dedup: request.message_deduplication_id,
            trace: trace.and_then(|value| value.string_value.clone()),
            attributes: request.message_attributes,
        };
        let grouped = out.group.is_some();
        let Sent { id, sequence } = engine.send(queue, out, now)?;
        let fifo = sequence.is_some();
        self.meter.sqs(queue, fifo, size);
        if grouped && !fifo {
            self.meter.fair_message(queue);
        }
        set("MessageId", Some(id));
        set("SequenceNumber", sequence);
        Ok(answer)
    }

    fn send_batch(&self, queue: &str, batch: Batch<SendRequest>) -> Answer {
        check_batch(batch.entries.iter().map(|entry| entry.id.as_str()))?;
        let size = |entry: &SendRequest| {
            entry.message_body.len() + message::attributes_size(&entry.message_attributes)
        };
        let total: usize = batch.entries.iter().map(size).sum();
        if total > LARGEST_MESSAGE as usize {
            let text = format!(
                "Batch requests cannot be longer than {LARGEST_MESSAGE} bytes. You have sent {total} bytes."
            );
            return Err(ApiError::new(400, "BatchRequestTooLong", text));
        }
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        engine.queue(queue, now)?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in batch.entries {
            let id = entry.id.clone();
            match self.send_one(&mut engine, queue, entry, now) {
                Ok(mut answer) => {
                    answer.insert("Id".to_owned(), json!(id));
                    successful.push(Value::Object(answer));
                }
                Err(error) => failed.push(failed_entry(&id, &error)),
            }
        }
        engine.flush()?;
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    async fn receive_message(&self, queue: &str, request: ReceiveRequest) -> Answer {
        let most = request.max_number_of_messages.unwrap_or(1);
        if !(1..=10).contains(&most) {
            let text = format!(
                "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
            );
            return Err(check::invalid(text));
        }
        let wait = match request.wait_time_seconds {
            Some(seconds) => check::wait(seconds)?,
            None => admin::existing(self, queue, |queue| queue.settings.wait)?,
        };
        let until = tokio::time::Instant::now() + Duration::from_secs(wait.into());
        loop {
            let notified = self.notified(queue);
            let received = self.try_receive(queue, most, request.visibility_timeout)?;
            let now = tokio::time::Instant::now();
            if !received.is_empty() || now >= until {
                return Ok(messages(&request, received));
            }
            // The end of a delay or of a visibility time-out wakes no receiver: check again at that time.
            let due = self.next_visible_at(queue).unwrap_or(i64::MAX);
            let wait = due.saturating_sub(self.clock.now_ms()).clamp(1, 20_000);
            let wake = until.min(now + Duration::from_millis(wait as u64));
            let _ = tokio::time::timeout_at(wake, notified).await;
        }
    }

    fn delete_one(&self, queue: &str, request: &HandleRequest) -> Result<(), ApiError> {
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        engine.delete(queue, &request.receipt_handle, now)?;
        engine.flush()
    }

    fn change_one(&self, queue: &str, request: &HandleRequest) -> Result<(), ApiError> {
        let (handle, seconds) = (&request.receipt_handle, request.visibility_timeout);
        let now = self.clock.now_ms();
        self.lock().change_visibility(queue, handle, seconds, now)
    }

    fn one(
        &self,
        queue: &str,
        request: &HandleRequest,
        run: fn(&Self, &str, &HandleRequest) -> Result<(), ApiError>,
    ) -> Answer {
        self.count(queue);
        run(self, queue, request)?;
        Ok(json!({}))
    }

    fn many(
        &self,
        queue: &str,
        batch: &Batch<HandleRequest>,
        run: fn(&Self, &str, &HandleRequest) -> Result<(), ApiError>,
    ) -> Answer {
        check_batch(batch.entries.iter().map(|entry| entry.id.as_str()))?;
        self.count(queue);
        self.lock().queue(queue, self.clock.now_ms())?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in &batch.entries {
            match run(self, queue, entry) {
                Ok(()) => successful.push(json!({"Id": entry.id})),
                Err(error) => failed.push(failed_entry(&entry.id, &error)),
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    fn count(&self, queue: &str) {
        let fifo = settings::is_fifo_name(queue);
        self.meter.sqs(queue, fifo, 0);
    }
}

fn messages(request: &ReceiveRequest, received: Vec<Received>) -> Value {
    if received.is_empty() {
        return json!({});
    }
    let system = |name: &str| {
        let asked = request.attribute_names.iter();
        let mut asked = asked.chain(&request.message_system_attribute_names);
        asked.any(|wanted| wanted == "All" || wanted == name)
    };
    let custom = |name: &str| {
        let mut asked = request.message_attribute_names.iter();
        asked.any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == "All" || wanted == name,
        })
    };
    let one = |mut message: Received| {
        message.attributes.retain(|name, _| system(name));
        message.message_attributes.retain(|name, _| custom(name));
        let mut out = json!({
            "MessageId": message.message_id,
            "ReceiptHandle": message.receipt_handle,
            "MD5OfBody": message.md5_of_body,
            "Body": message.body,
        });
        if !message.attributes.is_empty() {
            out["Attributes"] = json!(message.attributes);
        }
        if let Some(md5) = message::md5_of_attributes(&message.message_attributes) {
            out["MD5OfMessageAttributes"] = json!(md5);
            out["MessageAttributes"] = json!(message.message_attributes);
        }
        out
    };
    json!({"Messages": received.into_iter().map(one).collect::<Vec<_>>()})
}

fn check_batch<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> Result<(), ApiError> {
    let refuse = |code, text: &str| Err(ApiError::new(400, code, text));
    let count = ids.clone().count();
    if count == 0 {
        return refuse("EmptyBatchRequest", "There should be at least one entry.");
    }
    if count > 10 {
        let text = format!("Maximum number of entries per request are 10. You have sent {count}.");
        return refuse("TooManyEntriesInBatchRequest", &text);
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if ids
        .clone()
        .any(|id| id.is_empty() || id.len() > 80 || !id.chars().all(fine))
    {
        let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
        return refuse("InvalidBatchEntryId", text);
    }
    let mut distinct: Vec<_> = ids.collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < count {
        return refuse(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries have the same Id.",
        );
    }
    Ok(())
}

fn failed_entry(id: &str, error: &ApiError) -> Value {
    json!({
        "Id": id,
        "SenderFault": error.status < 500,
        "Code": error.code,
        "Message": error.message,
    })
}

/// The queue a request names; only the last segment of its URL counts.
pub(crate) fn queue_name(request: &Value) -> String {
    let url = request.get("QueueUrl").and_then(Value::as_str);
    let name = url.and_then(|url| url.rsplit('/').next());
    let name = name.or_else(|| request.get("QueueName").and_then(Value::as_str));
    name.unwrap_or_default().to_owned()
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let code = if text.starts_with("missing field") {
        "MissingParameter"
    } else {
        "SerializationException"
    };
    ApiError::new(400, code, text)
}

/// An error in the JSON protocol, with the header for the older error names.
pub(crate) fn error_response(error: &ApiError) -> Response<Bytes> {
    let body = json!({
        "__type": format!("com.amazonaws.sqs#{}", error.code),
        "message": error.message,
    });
    let status = wire::status(error.status);
    let mut response = wire::response(status, wire::AWS_JSON, wire::to_bytes(&body));
    let old = match error.code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "QueueNameExists" => "QueueAlreadyExists".to_owned(),
        code @ ("InvalidParameterValue"
        | "MissingParameter"
        | "ReceiptHandleIsInvalid"
        | "InvalidMessageContents"
        | "InvalidAttributeName"
        | "InvalidAttributeValue"
        | "ResourceNotFoundException"
        | "AccessDenied"
        | "InternalError"
        | "RequestThrottled") => code.to_owned(),
        code => format!("AWS.SimpleQueueService.{code}"),
    };
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    if let Ok(value) = HeaderValue::from_str(&format!("{old};{fault}")) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}
