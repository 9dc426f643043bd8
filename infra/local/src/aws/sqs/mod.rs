//! SQS: standard queues with fair groups, FIFO queues, delays, visibility, dead-letter queues.
//!
//! Messages are in memory and in a log that survives a crash of the process. After a restart
//! messages that were in flight can be received at once, with their receive counts kept.

mod admin;
mod check;
mod engine;
mod message;
mod moves;
mod queue;
mod settings;
mod store;
#[cfg(test)]
mod tests;
pub(super) mod wire;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::Clock;
use serde_json::{Value, json};

use super::fault::ApiError;
use super::journal::Journal;
use super::meter::Meter;
use crate::template::model;
use engine::{Engine, Outgoing};
pub use message::{MessageAttribute, MessageAttributes};
use settings::Settings;
use store::Entry;

/// The queues of the account.
#[derive(Debug)]
pub struct Sqs {
    engine: Mutex<Engine>,
    clock: Clock,
    region: String,
    account: String,
    meter: Arc<Meter>,
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Message id.
    pub message_id: String,
    /// Names this receive: delete and visibility need it.
    pub receipt_handle: String,
    /// Text.
    pub body: String,
    /// System attributes, e.g. `ApproximateReceiveCount`.
    pub attributes: BTreeMap<String, String>,
    /// Attributes set by the sender.
    pub message_attributes: MessageAttributes,
    /// MD5 of the body, hex.
    pub md5_of_body: String,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Depth {
    /// Can be received now (in FIFO queues also those behind a message in flight).
    pub visible: usize,
    /// Received, and neither deleted nor released.
    pub in_flight: usize,
    /// Not yet due.
    pub delayed: usize,
}

impl Depth {
    /// All messages.
    pub fn total(self) -> usize {
        self.visible + self.in_flight + self.delayed
    }
}

impl Sqs {
    /// Opens the queues kept in `log`, or none.
    pub(super) fn open(
        log: Option<PathBuf>,
        clock: Clock,
        region: &str,
        account: &str,
        meter: Arc<Meter>,
    ) -> anyhow::Result<Self> {
        let mut engine = Engine::new(Journal::none());
        engine.journal = Journal::open(log, |entry| store::replay(&mut engine, entry))?;
        Ok(Self {
            engine: Mutex::new(engine),
            clock,
            region: region.to_owned(),
            account: account.to_owned(),
            meter,
        })
    }

    /// Makes a queue, or sets its attributes as the template declares them.
    pub(super) fn create(&self, queue: &model::Queue) -> anyhow::Result<()> {
        self.define(&mut self.lock(), Settings::declared(queue))
            .map_err(|error| anyhow::anyhow!(error.message))
    }

    fn define(&self, engine: &mut Engine, settings: Settings) -> Result<(), ApiError> {
        let known = engine.queues.get(&settings.name);
        if known.is_some_and(|queue| queue.settings == settings) {
            return Ok(());
        }
        let now = self.clock.now_ms();
        engine.push(&Entry::Queue(Cow::Borrowed(&settings), now))?;
        engine.flush()?;
        engine.define(settings, now);
        Ok(())
    }

    /// The URL of a queue within this process. Only its last segment is read, so any host works.
    pub fn url(&self, queue: &str) -> String {
        self.url_at(&format!("sqs.{}.localhost", self.region), queue)
    }

    /// The URL of a queue for a caller who reached the service at `host`.
    fn url_at(&self, host: &str, queue: &str) -> String {
        format!("http://{host}/{}/{queue}", self.account)
    }

    /// The ARN of a queue.
    pub fn arn(&self, queue: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{queue}", self.region, self.account)
    }

    /// The names of all queues.
    pub fn names(&self) -> Vec<String> {
        self.lock().queues.keys().cloned().collect()
    }

    /// Receives up to `max` messages (more than ten are allowed here), hidden for `visibility`
    /// seconds or the queue's own time-out. An unknown queue gives none.
    pub fn receive(&self, queue: &str, max: usize, visibility: Option<u32>) -> Vec<Received> {
        let received = self.try_receive(queue, max, visibility);
        received.unwrap_or_else(|error| {
            tracing::error!(queue, code = error.code, "receive failed");
            Vec::new()
        })
    }

    fn try_receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Option<u32>,
    ) -> Result<Vec<Received>, ApiError> {
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        let messages = engine.receive(queue, max, visibility, now)?;
        let fifo = engine.queue(queue, now)?.settings.fifo;
        drop(engine);
        let bytes = messages.iter().map(message::Message::size).sum();
        // One request takes ten messages.
        self.meter.sqs(queue, fifo, bytes);
        for _ in 1..messages.len().div_ceil(10) {
            self.meter.sqs(queue, fifo, 0);
        }
        Ok(messages
            .into_iter()
            .map(|message| self.received(fifo, message))
            .collect())
    }

    fn received(&self, fifo: bool, message: message::Message) -> Received {
        let mut attributes = BTreeMap::new();
        let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
        let first = message.first_received.unwrap_or(message.sent);
        set("ApproximateFirstReceiveTimestamp", first.to_string());
        set("ApproximateReceiveCount", message.receives.to_string());
        set("SenderId", "LOCAL".to_owned());
        set("SentTimestamp", message.sent.to_string());
        if fifo {
            set("SequenceNumber", engine::sequence_text(message.sequence));
        }
        let receipt_handle = message.receipt_handle();
        let optional = [
            ("MessageGroupId", message.group),
            ("MessageDeduplicationId", message.dedup),
            ("AWSTraceHeader", message.trace),
            (
                "DeadLetterQueueSourceArn",
                message.source.map(|source| self.arn(&source)),
            ),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                set(name, value);
            }
        }
        Received {
            receipt_handle,
            message_id: message.id,
            md5_of_body: message::md5_of_body(&message.body),
            body: message.body,
            attributes,
            message_attributes: message.attributes,
        }
    }

    /// Deletes a received message; an outdated handle deletes nothing.
    pub fn delete(&self, queue: &str, receipt_handle: &str) {
        self.delete_all(queue, &[receipt_handle]);
    }

    /// Deletes received messages with one write. The bill counts batches of ten.
    pub fn delete_all(&self, queue: &str, receipt_handles: &[&str]) {
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        for handle in receipt_handles {
            if let Err(error) = engine.delete(queue, handle, now) {
                tracing::warn!(queue, code = error.code, "delete refused");
            }
        }
        if let Err(error) = engine.flush() {
            tracing::error!(queue, code = error.code, "delete not written");
        }
        let fifo = engine.queues.get(queue).is_some_and(|q| q.settings.fifo);
        drop(engine);
        for _ in receipt_handles.chunks(10) {
            self.meter.sqs(queue, fifo, 0);
        }
    }

    /// Hides a received message for `seconds` more; 0 releases the message at once.
    pub fn change_visibility(&self, queue: &str, receipt_handle: &str, seconds: u32) {
        let now = self.clock.now_ms();
        let changed = self
            .lock()
            .change_visibility(queue, receipt_handle, seconds, now);
        if let Err(error) = changed {
            tracing::warn!(queue, code = error.code, "visibility not changed");
        }
    }

    /// Puts a message on a queue from inside (EventBridge targets, failure destinations).
    /// A FIFO queue takes it in the group `group`.
    pub fn send(&self, queue: &str, body: String, group: Option<&str>) -> anyhow::Result<String> {
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        let out = Outgoing {
            body,
            group: group.map(str::to_owned),
            ..Outgoing::default()
        };
        let sent = engine.send(queue, out, now);
        let sent = sent.and_then(|sent| engine.flush().map(|()| sent.id));
        sent.map_err(|error| anyhow::anyhow!("{queue}: {}", error.message))
    }

    /// Moves everything in a dead-letter queue to the queue `target`; returns how many.
    pub fn redrive(&self, dead_letter_queue: &str, target: &str) -> anyhow::Result<u64> {
        let now = self.clock.now_ms();
        let moved = self.lock().redrive(dead_letter_queue, Some(target), now);
        moved.map_err(|error| anyhow::anyhow!(error.message))
    }

    /// How many messages the queue holds; zeros for an unknown one.
    pub fn depth(&self, queue: &str) -> Depth {
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        let Ok(queue) = engine.queue(queue, now) else {
            return Depth::default();
        };
        Depth {
            visible: queue.visible(),
            in_flight: queue.in_flight(),
            delayed: queue.delayed(),
        }
    }

    /// When a receive may next find something: now, or the end of the first delay or visibility
    /// time-out (epoch milliseconds). None when the queue is empty.
    pub fn next_visible_at(&self, queue: &str) -> Option<i64> {
        let now = self.clock.now_ms();
        let mut engine = self.lock();
        let queue = engine.queue(queue, now).ok()?;
        if queue.has_ready() {
            return Some(now);
        }
        queue.next_due()
    }

    /// Ends when a message is put on the queue or released, or when its FIFO group is free. Only what
    /// happens after this call counts, even before the future is first polled: take it, then
    /// [`receive`](Self::receive), then await it. The end of a delay does not wake it; see
    /// [`next_visible_at`](Self::next_visible_at). For an unknown queue it never ends.
    pub fn notified(&self, queue: &str) -> impl Future<Output = ()> + Send + 'static + use<> {
        let engine = self.lock();
        let notify = engine.queues.get(queue).map(|queue| queue.notify.clone());
        drop(engine);
        notify.unwrap_or_default().notified_owned()
    }

    /// The event that Lambda delivers for a batch.
    pub fn lambda_event(&self, queue: &str, batch: &[Received]) -> Value {
        let record = |message: &Received| {
            json!({
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": message.attributes,
                "messageAttributes": message::lambda_attributes(&message.message_attributes),
                "md5OfBody": message.md5_of_body,
                "eventSource": "aws:sqs",
                "eventSourceARN": self.arn(queue),
                "awsRegion": self.region,
            })
        };
        json!({"Records": batch.iter().map(record).collect::<Vec<_>>()})
    }

    fn lock(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
