//! SQS queues and the texts that they carry. [`crate::message`] defines the content of the texts.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::error::Place;
use crate::{Aws, Error};

/// `SendMessageBatch` takes ten entries and 1 MiB in all.
const BATCH: usize = 10;
const BATCH_BYTES: usize = 1_000_000;
/// Concurrent requests of one [`Queue::send_texts`].
const REQUESTS_AT_ONCE: usize = 5;
/// Longest `DelaySeconds`; longer waits are timers.
pub const MAX_DELAY_SECONDS: u16 = 900;
/// Message attribute with the trace id, which joins all hops of one cause in the logs.
pub const TRACE_ATTRIBUTE: &str = "trace";
/// Message attribute with the reason why a consumer rejected the message.
pub const REASON_ATTRIBUTE: &str = "reason";

/// How a message is sent.
#[derive(Debug, Clone, Default)]
pub struct SendOptions {
    /// Seconds before it becomes visible, at most 900; not on FIFO queues.
    pub delay_seconds: u16,
    /// FIFO: the group within which messages stay in order. Standard queues use the tenant.
    pub group: Option<String>,
    /// FIFO: the deduplication id; SQS drops a repetition within five minutes.
    pub deduplication_id: Option<String>,
    /// Trace id that the message carries.
    pub trace: Option<String>,
}

/// A message ready for [`Queue::send_texts`].
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The whole message text.
    pub text: String,
    /// How it is sent; `group` is required here.
    pub options: SendOptions,
}

/// A message that SQS did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Its position in the input.
    pub position: usize,
    /// SQS will never accept it, for this reason; `None`: it may later.
    pub never: Option<String>,
}

impl Unsent {
    fn new(position: usize, error: &Error) -> Self {
        let never = (!error.is_retryable()).then(|| error.to_string());
        Self { position, never }
    }
}

/// A queue of texts; cheap to clone. [`crate::QueueOf`] sends typed messages.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at this URL.
    pub(crate) fn new(aws: &Aws, url: &str) -> Self {
        Self {
            client: aws.sqs(),
            url: url.to_owned(),
        }
    }

    /// Sends one message unchanged.
    pub async fn send_text(&self, message: Outgoing) -> Result<(), Error> {
        let options = message.options;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.text)
            .set_delay_seconds(delay(&options))
            .set_message_group_id(options.group)
            .set_message_deduplication_id(options.deduplication_id)
            .set_message_attributes(trace(options.trace.as_deref())?)
            .send()
            .await
            .map_err(|error| Error::from_sdk(self.place("SendMessage"), &error))?;
        Ok(())
    }

    fn place(&self, operation: &'static str) -> Place {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        Place::new("sqs", operation, name)
    }

    /// Whether the queue is FIFO. SQS demands that the names of FIFO queues, and only theirs, end with this suffix.
    pub fn is_fifo(&self) -> bool {
        self.url.strip_suffix(".fifo").is_some()
    }

    /// Sends a message that can never succeed to this dead-letter queue, with its reason as a message attribute.
    pub async fn send_rejected(&self, message: Outgoing, reason: &str) -> Result<(), Error> {
        let mut attributes = trace(message.options.trace.as_deref())?.unwrap_or_default();
        // An attribute counts towards the message's size and is shown in the console, so the reason is one sentence.
        // SQS refuses the whole message for one unknown character.
        let reason: String = reason.chars().filter(|c| is_plain(*c)).take(400).collect();
        attributes.insert(REASON_ATTRIBUTE.to_owned(), text_attribute(&reason)?);
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.text)
            .set_message_group_id(message.options.group)
            .set_message_deduplication_id(
                message.options.deduplication_id.filter(|_| self.is_fifo()),
            )
            .set_message_attributes(Some(attributes))
            .send()
            .await
            .map_err(|error| Error::from_sdk(self.place("SendMessage"), &error))?;
        Ok(())
    }

    /// Makes received messages visible again after their seconds, ten a request. A message that SQS does not change
    /// keeps the visibility time-out of its queue.
    pub async fn change_visibility(&self, messages: &[(String, u32)]) -> Result<(), Error> {
        let requests = messages.chunks(BATCH).map(|part| {
            let entries = part.iter().enumerate().map(|(id, (receipt, seconds))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(id.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(i32::try_from(*seconds).unwrap_or(i32::MAX))
                    .build()
                    .map_err(|error| Error::Shape(error.to_string()))
            });
            let entries = entries.collect::<Result<Vec<_>, _>>();
            async move {
                let request = self.client.change_message_visibility_batch();
                let request = request.queue_url(&self.url).set_entries(Some(entries?));
                let answer = request.send().await;
                let place = self.place("ChangeMessageVisibilityBatch");
                answer.map_err(|error| Error::from_sdk(place, &error))?;
                Ok(())
            }
        });
        stream::iter(requests.collect::<Vec<_>>())
            .buffer_unordered(REQUESTS_AT_ONCE)
            .try_collect()
            .await
    }

    /// Sends many messages, ten a request and five concurrent requests, so in no order. Returns the messages that
    /// SQS did not accept, by position. None of them is known to be lost. The caller sends them again unless SQS can
    /// never accept them.
    pub async fn send_texts(&self, messages: &[Outgoing]) -> Result<Vec<Unsent>, Error> {
        let mut requests = Vec::new();
        let mut start = 0;
        while start < messages.len() {
            let end = batch_end(messages, start);
            requests.push(self.send_part(start, &messages[start..end]));
            start = end;
        }
        let parts = stream::iter(requests).buffer_unordered(REQUESTS_AT_ONCE);
        let mut unsent = parts.try_concat().await?;
        unsent.sort_unstable_by_key(|one: &Unsent| one.position);
        Ok(unsent)
    }

    /// One request. If it fails for a permanent reason, one request for each message.
    async fn send_part(&self, first: usize, messages: &[Outgoing]) -> Result<Vec<Unsent>, Error> {
        match self.send_batch(first, messages).await {
            // One message that SQS does not accept fails the request as a whole.
            Err(error) if !error.is_retryable() => {}
            result => return result,
        }
        let mut unsent = Vec::new();
        for (i, message) in messages.iter().enumerate() {
            let alone = self.send_text(message.clone()).await.err();
            unsent.extend(alone.map(|error| Unsent::new(first + i, &error)));
        }
        Ok(unsent)
    }

    async fn send_batch(&self, first: usize, messages: &[Outgoing]) -> Result<Vec<Unsent>, Error> {
        let mut entries = Vec::with_capacity(messages.len());
        for (i, message) in messages.iter().enumerate() {
            entries.push(entry(first + i, message)?);
        }
        let request = self.client.send_message_batch().queue_url(&self.url);
        let answer = request.set_entries(Some(entries)).send().await;
        let answer =
            answer.map_err(|error| Error::from_sdk(self.place("SendMessageBatch"), &error))?;
        let failed = answer.failed.into_iter().filter_map(|entry| {
            // SQS also reports a missing right or a rate as the sender's fault; a later attempt can succeed.
            let message = entry.message.as_deref().unwrap_or_default();
            let place = self.place("SendMessageBatch");
            let error = crate::error::sort(place, 400, &entry.code, message);
            let never = entry.sender_fault && !error.is_retryable();
            Some(Unsent {
                position: entry.id.parse().ok()?,
                never: never.then(|| error.to_string()),
            })
        });
        Ok(failed.collect())
    }
}

/// JSON that SQS accepts: two characters that JSON allows and SQS refuses are escaped.
pub fn json_text(value: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_string(value)?;
    Ok(json
        .replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff"))
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn batch_end(messages: &[Outgoing], start: usize) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Outgoing| {
        bytes += message.text.len();
        bytes <= BATCH_BYTES
    };
    let count = messages[start..]
        .iter()
        .take(BATCH)
        .take_while(fits)
        .count();
    start + count.max(1)
}

fn entry(id: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry, Error> {
    let options = &message.options;
    SendMessageBatchRequestEntry::builder()
        .id(id.to_string())
        .message_body(&message.text)
        .set_delay_seconds(delay(options))
        .set_message_group_id(options.group.clone())
        .set_message_deduplication_id(options.deduplication_id.clone())
        .set_message_attributes(trace(options.trace.as_deref())?)
        .build()
        .map_err(|error| Error::Shape(error.to_string()))
}

fn delay(options: &SendOptions) -> Option<i32> {
    (options.delay_seconds > 0).then(|| i32::from(options.delay_seconds.min(MAX_DELAY_SECONDS)))
}

type Attributes = std::collections::HashMap<String, MessageAttributeValue>;

fn trace(trace: Option<&str>) -> Result<Option<Attributes>, Error> {
    let Some(trace) = trace else { return Ok(None) };
    Ok(Some(Attributes::from([(
        TRACE_ATTRIBUTE.to_owned(),
        text_attribute(trace)?,
    )])))
}

fn text_attribute(text: &str) -> Result<MessageAttributeValue, Error> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(text)
        .build()
        .map_err(|error| Error::Shape(error.to_string()))
}
