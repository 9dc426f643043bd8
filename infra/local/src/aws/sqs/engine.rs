//! All queues together with their log: sends, receives, deletes and the moves between queues.
//!
//! Each operation is applied and written in one go under the caller's lock; none waits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::fault::ApiError;
use super::super::journal::Journal;
use super::check;
use super::message::{self, Message, MessageAttributes, State};
use super::queue::Queue;
use super::settings::Settings;
use super::store::{self, Entry};
use kernel::hash;

/// A queue may be purged again after this time, milliseconds.
const PURGE_PAUSE: i64 = 60_000;

/// The queues of the account.
#[derive(Debug)]
pub(super) struct Engine {
    pub queues: BTreeMap<String, Queue>,
    next: u64,
    pub journal: Journal,
}

/// A message as the sender gives it.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub body: String,
    pub delay: Option<u32>,
    pub group: Option<String>,
    pub dedup: Option<String>,
    pub trace: Option<String>,
    pub attributes: MessageAttributes,
}

/// Answer to the sender.
#[derive(Debug)]
pub(super) struct Sent {
    pub id: String,
    pub sequence: Option<String>,
}

impl Engine {
    /// No queues yet; changes are written to `journal`.
    pub fn new(journal: Journal) -> Self {
        let queues = BTreeMap::new();
        Self {
            queues,
            next: 1,
            journal,
        }
    }

    /// Makes the queue or changes its settings, at `now`.
    pub fn define(&mut self, settings: Settings, now: i64) {
        if let Some(queue) = self.queues.get_mut(&settings.name) {
            queue.settings = settings;
            queue.modified = now;
        } else {
            let name = settings.name.clone();
            self.queues.insert(name, Queue::new(settings, now));
        }
    }

    /// Sequence numbers up to this one are in use.
    pub fn taken(&mut self, sequence: u64) {
        self.next = self.next.max(sequence + 1);
    }

    /// The last number given out.
    pub fn last_sequence(&self) -> u64 {
        self.next - 1
    }

    /// The queue, after every message due at `now` was made ready, moved or dropped.
    pub fn queue(&mut self, name: &str, now: i64) -> Result<&mut Queue, ApiError> {
        let finished = self.existing(name)?.advance(now);
        for sequence in finished {
            self.finish(name, sequence, now)?;
        }
        self.existing(name)
    }

    fn existing(&mut self, name: &str) -> Result<&mut Queue, ApiError> {
        self.queues.get_mut(name).ok_or_else(|| {
            let text = "The specified queue does not exist.";
            ApiError::new(400, "QueueDoesNotExist", text)
        })
    }

    /// Moves a message at the maximum receive count to the dead-letter queue; drops a message past retention.
    fn finish(&mut self, name: &str, sequence: u64, now: i64) -> Result<(), ApiError> {
        let queue = self.existing(name)?;
        let redrive = queue.settings.redrive.clone();
        let Some(mut message) = queue.remove(sequence) else {
            return Ok(());
        };
        self.push(&Entry::Gone(Cow::Borrowed(name), sequence))?;
        if let Some((target, most)) = redrive
            && message.receives >= most
            && self.queues.contains_key(&target)
        {
            message.source = Some(name.to_owned());
            message.at = now;
            // The retention of a dead letter begins again in a FIFO queue only.
            if message.group.is_some() && self.existing(name)?.settings.fifo {
                message.sent = now;
            }
            self.put(&target, message)?;
        }
        Ok(())
    }

    /// Stores a message under a new sequence number.
    fn put(&mut self, name: &str, mut message: Message) -> Result<u64, ApiError> {
        let sequence = self.next;
        message.sequence = sequence;
        message.state = State::Delayed;
        self.push(&Entry::Put(Cow::Borrowed(name), Cow::Borrowed(&message)))?;
        self.next += 1;
        let queue = self.existing(name)?;
        queue.insert(message);
        queue.notify.notify_waiters();
        Ok(sequence)
    }

    /// Sends one message. The caller flushes.
    pub fn send(&mut self, name: &str, out: Outgoing, now: i64) -> Result<Sent, ApiError> {
        let next = self.next;
        let queue = self.existing(name)?;
        let settings = &queue.settings;
        let dedup = check::outgoing(settings, &out)?;
        let key = |dedup: &String| queue.dedup_key(dedup, out.group.as_deref());
        let key = dedup.as_ref().map(key);
        if let Some(key) = &key
            && let Some(used) = queue.duplicate(key, now)
        {
            return Ok(Sent {
                id: used.id.clone(),
                sequence: Some(sequence_text(used.sequence)),
            });
        }
        let delay = out.delay.unwrap_or(queue.settings.delay);
        let fifo = queue.settings.fifo;
        let id = message_id(next, now);
        if let Some(key) = &key {
            queue.remember(key, now, &id, next);
        }
        let message = Message {
            sequence: next,
            id: id.clone(),
            body: out.body,
            attributes: out.attributes,
            group: out.group,
            dedup,
            trace: out.trace,
            sent: now,
            first_received: None,
            receives: 0,
            source: None,
            at: now + i64::from(delay) * 1000,
            received: 0,
            state: State::Delayed,
        };
        let sequence = self.put(name, message)?;
        Ok(Sent {
            id,
            sequence: fifo.then(|| sequence_text(sequence)),
        })
    }

    /// Receives up to `most` messages.
    pub fn receive(
        &mut self,
        name: &str,
        most: usize,
        visibility: Option<u32>,
        now: i64,
    ) -> Result<Vec<Message>, ApiError> {
        let queue = self.queue(name, now)?;
        let seconds = visibility.unwrap_or(queue.settings.visibility_timeout);
        check::visibility(seconds)?;
        let until = now + i64::from(seconds) * 1000;
        let taken: Vec<Message> = queue.take(most, until, now).into_iter().cloned().collect();
        for message in &taken {
            self.push(&Entry::Received(Cow::Borrowed(name), message.sequence, now))?;
        }
        self.flush()?;
        Ok(taken)
    }

    /// Deletes by handle. The caller flushes. A handle of an earlier receive deletes nothing, and a FIFO queue
    /// refuses it.
    pub fn delete(&mut self, name: &str, handle: &str, now: i64) -> Result<(), ApiError> {
        let (sequence, receives) = parse(handle)?;
        let queue = self.queue(name, now)?;
        let Some(message) = queue.messages.get(&sequence) else {
            return Ok(());
        };
        let is_last = message.receives == receives;
        if queue.settings.fifo && !(is_last && message.state == State::InFlight) {
            return Err(expired(handle));
        }
        if !is_last {
            return Ok(());
        }
        queue.remove(sequence);
        if queue.has_ready() {
            queue.notify.notify_waiters();
        }
        self.push(&Entry::Gone(Cow::Borrowed(name), sequence))
    }

    /// Changes the visibility timeout of a message; 0 releases the message.
    pub fn change_visibility(
        &mut self,
        name: &str,
        handle: &str,
        seconds: u32,
        now: i64,
    ) -> Result<(), ApiError> {
        check::visibility(seconds)?;
        let (sequence, receives) = parse(handle)?;
        let queue = self.queue(name, now)?;
        let Some(message) = queue.messages.get(&sequence) else {
            let text = format!(
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
            );
            return Err(ApiError::new(400, "InvalidParameterValue", text));
        };
        if message.receives != receives {
            return Err(expired(handle));
        }
        if message.state != State::InFlight {
            let text = "The specified message isn't in flight.";
            return Err(ApiError::new(400, "MessageNotInflight", text));
        }
        let until = now + i64::from(seconds) * 1000;
        check::total_visibility(seconds, until - message.received)?;
        queue.postpone(sequence, until);
        if seconds == 0 {
            let queue = self.queue(name, now)?;
            queue.notify.notify_waiters();
        }
        self.flush()
    }

    /// Removes all messages.
    pub fn purge(&mut self, name: &str, now: i64) -> Result<(), ApiError> {
        let queue = self.existing(name)?;
        if queue.purged.is_some_and(|at| now < at + PURGE_PAUSE) {
            let text =
                format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
            return Err(ApiError::new(403, "PurgeQueueInProgress", text));
        }
        queue.purged = Some(now);
        queue.purge();
        self.push(&Entry::Purged(Cow::Borrowed(name)))?;
        self.flush()
    }

    /// Moves all messages that can be received to `target`, or each message back to its source queue.
    /// They become new messages. Returns how many.
    pub fn redrive(&mut self, name: &str, target: Option<&str>, now: i64) -> Result<u64, ApiError> {
        let queue = self.queue(name, now)?;
        let ready = queue.messages.values().filter(|m| m.state == State::Ready);
        let sequences: Vec<u64> = ready.map(|m| m.sequence).collect();
        let mut moved = 0;
        for sequence in sequences {
            let queue = self.existing(name)?;
            let source = queue.messages.get(&sequence).and_then(|m| m.source.clone());
            let Some(target) = target.map(str::to_owned).or(source) else {
                continue;
            };
            if !self.queues.contains_key(&target) {
                continue;
            }
            let Some(mut message) = self.existing(name)?.remove(sequence) else {
                continue;
            };
            message.id = message_id(self.next, now);
            message.sent = now;
            message.at = now;
            message.receives = 0;
            message.first_received = None;
            message.source = None;
            // Written before the old message is deleted: a crash in between leaves two messages, never none.
            self.put(&target, message)?;
            self.push(&Entry::Gone(Cow::Borrowed(name), sequence))?;
            moved += 1;
        }
        self.flush()?;
        Ok(moved)
    }

    /// Adds an entry to the next write.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), ApiError> {
        self.journal.push(entry).map_err(|e| failed(&e))
    }

    /// Writes the pushed entries; rewrites the log when it has grown.
    pub fn flush(&mut self) -> Result<(), ApiError> {
        self.journal.flush().map_err(|e| failed(&e))?;
        if self.journal.wants_rewrite() {
            self.rewrite().map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Replaces the log by the current state.
    pub fn rewrite(&mut self) -> std::io::Result<()> {
        let none = Journal::none();
        let mut journal = std::mem::replace(&mut self.journal, none);
        let written = journal.rewrite(store::entries(self));
        self.journal = journal;
        written
    }
}

fn parse(handle: &str) -> Result<(u64, u32), ApiError> {
    message::parse_handle(handle).ok_or_else(|| {
        let text = "The input receipt handle is invalid.";
        ApiError::new(404, "ReceiptHandleIsInvalid", text)
    })
}

fn expired(handle: &str) -> ApiError {
    let text = format!(
        "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    );
    ApiError::new(400, "InvalidParameterValue", text)
}

fn failed(error: &std::io::Error) -> ApiError {
    ApiError::new(
        500,
        "InternalError",
        format!("the queue log cannot be written: {error}"),
    )
}

/// A sequence number as FIFO queues show it.
pub(super) fn sequence_text(sequence: u64) -> String {
    format!("{sequence:020}")
}

/// An id in the form of a UUID, unique because sequence numbers are never given twice.
fn message_id(sequence: u64, now: i64) -> String {
    let hex = hash::name(&[&sequence.to_string(), &now.to_string()]);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    let parts = [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ];
    parts.join("-")
}
