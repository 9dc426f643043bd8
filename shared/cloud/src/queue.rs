//! SQS queues and the envelope that our own messages travel in.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use kernel::{TenantKey, WorkspaceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Aws, Error};

const SERVICE: &str = "sqs";
/// `SendMessageBatch` takes ten entries and 1 MiB in all.
const BATCH: usize = 10;
const BATCH_BYTES: usize = 1_000_000;
/// Longest `DelaySeconds`; longer waits are timers.
pub const MAX_DELAY_SECONDS: u16 = 900;
/// Message attribute with the id that ties all hops of one cause together in the logs.
pub const TRACE_ATTRIBUTE: &str = "trace";
/// Message attribute with the reason why a consumer rejected the message.
pub const REASON_ATTRIBUTE: &str = "reason";

/// Every queue that a stored effect or timer may name. The relay maps names to URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the names say it; docs/ARCHITECTURE.md lists their consumers"
)]
pub enum QueueName {
    Ingest,
    WorkflowTrigger,
    WorkflowStep,
    Message,
    CampaignPlan,
    CampaignEmail,
    DeliveryEvents,
    ChatIn,
    ChatOut,
    ChatNotify,
    ContactImport,
}

impl QueueName {
    /// Environment variable that holds the queue's URL.
    pub fn url_variable(self) -> &'static str {
        match self {
            Self::Ingest => "INGEST_QUEUE_URL",
            Self::WorkflowTrigger => "WORKFLOW_TRIGGER_QUEUE_URL",
            Self::WorkflowStep => "WORKFLOW_STEP_QUEUE_URL",
            Self::Message => "MESSAGE_QUEUE_URL",
            Self::CampaignPlan => "CAMPAIGN_PLAN_QUEUE_URL",
            Self::CampaignEmail => "CAMPAIGN_EMAIL_QUEUE_URL",
            Self::DeliveryEvents => "DELIVERY_EVENTS_QUEUE_URL",
            Self::ChatIn => "CHAT_IN_QUEUE_URL",
            Self::ChatOut => "CHAT_OUT_QUEUE_URL",
            Self::ChatNotify => "CHAT_NOTIFY_QUEUE_URL",
            Self::ContactImport => "CONTACT_IMPORT_QUEUE_URL",
        }
    }
}

/// What our own messages look like on the wire: the tenant beside the body. Only our functions may
/// send to our queues (queue policies and IAM), so the tenant inside is proven.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope<T> {
    tenant: WorkspaceId,
    /// The message itself: a tagged, versioned enum.
    pub body: T,
}

impl<T> Envelope<T> {
    /// Wraps a message for its tenant.
    pub fn new(tenant: TenantKey, body: T) -> Self {
        Self {
            tenant: tenant.workspace(),
            body,
        }
    }

    /// The tenant for whom the message was sent.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: only our functions can send to our queues"
    )]
    pub fn tenant(&self) -> TenantKey {
        TenantKey::authenticated(self.tenant)
    }
}

impl<T: DeserializeOwned> Envelope<T> {
    /// Reads a message's text.
    pub fn open(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// How a message is sent.
#[derive(Debug, Clone, Default)]
pub struct SendOptions {
    /// Seconds before it becomes visible, at most 900; not on FIFO queues.
    pub delay_seconds: u16,
    /// FIFO: the group within which order holds. Standard queues use the tenant.
    pub group: Option<String>,
    /// FIFO: the id that makes a repetition within five minutes vanish.
    pub deduplication_id: Option<String>,
    /// Trace id that the message carries on.
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

/// A message that SQS did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Its position among those that were to be sent.
    pub position: usize,
    /// SQS will never take it, for this reason; `None`: later it may.
    pub never: Option<String>,
}

impl Unsent {
    fn new(position: usize, error: &Error) -> Self {
        let never = (!error.is_retryable()).then(|| error.to_string());
        Self { position, never }
    }
}

/// A queue; cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at this URL.
    pub fn new(aws: &Aws, url: &str) -> Self {
        Self {
            client: Client::new(&aws.config),
            url: url.to_owned(),
        }
    }

    /// Sends one message for a tenant. The tenant is the message group, so that a standard queue
    /// shares fairly between tenants (SQS fair queues).
    pub async fn send<T: Serialize>(
        &self,
        tenant: TenantKey,
        body: &T,
        mut options: SendOptions,
    ) -> Result<(), Error> {
        options.group.get_or_insert_with(|| tenant.to_string());
        options.trace = options.trace.or_else(crate::trace::current);
        let text = encode(&Envelope::new(tenant, body))?;
        self.send_text(Outgoing { text, options }).await
    }

    /// Sends one message as it stands.
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
            .map_err(|error| Error::from_sdk(SERVICE, &error))?;
        Ok(())
    }

    /// SQS asks that the names of FIFO queues, and only theirs, end so.
    fn is_fifo(&self) -> bool {
        self.url.strip_suffix(".fifo").is_some()
    }

    /// Parks a message that can never succeed in this dead-letter queue, with its reason as a message
    /// attribute.
    pub async fn send_rejected(&self, message: Outgoing, reason: &str) -> Result<(), Error> {
        let mut attributes = trace(message.options.trace.as_deref())?.unwrap_or_default();
        // An attribute counts towards the message's size and shows in the console: a sentence is enough. SQS
        // refuses the whole message for one character that it does not know.
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
            .map_err(|error| Error::from_sdk(SERVICE, &error))?;
        Ok(())
    }

    /// Sends many messages, ten a request. Gives those that SQS did not take: nothing is known to be lost,
    /// and the caller sends those again unless they can never be taken.
    pub async fn send_texts(&self, messages: &[Outgoing]) -> Result<Vec<Unsent>, Error> {
        let mut unsent = Vec::new();
        let mut start = 0;
        while start < messages.len() {
            let end = batch_end(messages, start);
            match self.send_batch(start, &messages[start..end]).await {
                Ok(some) => unsent.extend(some),
                // One message that SQS does not take fails the request as a whole.
                Err(error) if !error.is_retryable() => {
                    for (i, message) in messages[start..end].iter().enumerate() {
                        let alone = self.send_text(message.clone()).await.err();
                        unsent.extend(alone.map(|error| Unsent::new(start + i, &error)));
                    }
                }
                Err(error) => return Err(error),
            }
            start = end;
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
        let answer = answer.map_err(|error| Error::from_sdk(SERVICE, &error))?;
        let failed = answer.failed.into_iter().filter_map(|entry| {
            // "The sender's fault" is also said of a right or a rate, which a later attempt can mend.
            let message = entry.message.as_deref().unwrap_or_default();
            let passes = crate::error::sort(SERVICE, 400, &entry.code, message).is_retryable();
            Some(Unsent {
                position: entry.id.parse().ok()?,
                never: (entry.sender_fault && !passes).then_some(entry.code),
            })
        });
        Ok(failed.collect())
    }
}

/// A message's text.
pub fn encode<T: Serialize>(envelope: &Envelope<T>) -> Result<String, Error> {
    json_text(envelope)
}

/// JSON that SQS takes: the two characters that it refuses and JSON allows are escaped.
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
