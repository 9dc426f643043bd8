//! What the queues write to their log, and how a queue is rebuilt from it.
//!
//! Receives are kept for their count; visibility is not, so that after a restart every message
//! that was in flight can be received at once.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::message::Message;
use super::queue::{Queue, Settings};

/// One line of the log. Names are short because there is a line for each message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Entry<'a> {
    /// Queue made, or its settings changed.
    #[serde(rename = "q")]
    Queue(Cow<'a, Settings>),
    /// Message put into a queue, new or moved there.
    #[serde(rename = "s")]
    Put(Cow<'a, str>, Cow<'a, Message>),
    /// Message received once more, at this time.
    #[serde(rename = "r")]
    Received(Cow<'a, str>, u64, i64),
    /// Message gone.
    #[serde(rename = "d")]
    Gone(Cow<'a, str>, u64),
    /// Deduplication id used: queue, id, time, message id, sequence.
    #[serde(rename = "u")]
    Used(Cow<'a, str>, Cow<'a, str>, i64, Cow<'a, str>, u64),
    /// All messages of a queue gone.
    #[serde(rename = "p")]
    Purged(Cow<'a, str>),
    /// Queue deleted.
    #[serde(rename = "x")]
    Deleted(Cow<'a, str>),
    /// Sequence numbers up to this one are taken.
    #[serde(rename = "n")]
    Taken(u64),
}

/// Rebuilds the queues from log entries given oldest first.
pub(super) fn replay(engine: &mut Engine, entry: Entry<'static>) {
    match entry {
        Entry::Queue(settings) => engine.define(settings.into_owned()),
        Entry::Put(queue, message) => {
            engine.taken(message.sequence);
            let mut message = message.into_owned();
            if message.receives > 0 {
                // Past any delay, so `at` is the end of a visibility time-out: forget it.
                message.at = message.sent;
            }
            let queue = stored(engine, &queue);
            if let Some(dedup) = &message.dedup {
                queue.remember(dedup, message.sent, &message.id, message.sequence);
            }
            queue.insert(message);
        }
        Entry::Received(queue, sequence, at) => {
            if let Some(message) = stored(engine, &queue).messages.get_mut(&sequence) {
                message.receives += 1;
                message.first_received.get_or_insert(at);
            }
        }
        Entry::Gone(queue, sequence) => {
            stored(engine, &queue).remove(sequence);
        }
        Entry::Used(queue, dedup, at, id, sequence) => {
            stored(engine, &queue).remember(&dedup, at, &id, sequence);
        }
        Entry::Purged(queue) => stored(engine, &queue).purge(),
        Entry::Deleted(queue) => {
            engine.queues.remove(&*queue);
        }
        Entry::Taken(sequence) => engine.taken(sequence),
    }
}

fn stored<'a>(engine: &'a mut Engine, queue: &str) -> &'a mut Queue {
    if !engine.queues.contains_key(queue) {
        engine.define(Settings::standard(queue));
    }
    engine
        .queues
        .entry(queue.to_owned())
        .or_insert_with(|| Queue::new(Settings::standard(queue)))
}

/// Everything that still matters, as a log.
pub(super) fn entries(engine: &Engine) -> impl Iterator<Item = Entry<'_>> {
    let taken = std::iter::once(Entry::Taken(engine.last_sequence()));
    taken.chain(engine.queues.values().flat_map(queue_entries))
}

fn queue_entries(queue: &Queue) -> impl Iterator<Item = Entry<'_>> {
    let name = || Cow::Borrowed(queue.settings.name.as_str());
    let settings = std::iter::once(Entry::Queue(Cow::Borrowed(&queue.settings)));
    let used = queue.used().map(move |(dedup, used)| {
        Entry::Used(
            name(),
            Cow::Borrowed(dedup),
            used.at,
            Cow::Borrowed(&used.id),
            used.sequence,
        )
    });
    let messages = queue
        .messages
        .values()
        .map(move |message| Entry::Put(name(), Cow::Borrowed(message)));
    settings.chain(used).chain(messages)
}
