//! The log of the queues, and how a queue is rebuilt from the log.
//!
//! The log keeps the receive count of a message, but not the visibility timeout. So after a restart every message
//! that was in flight can be received at once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::message::Message;
use super::queue::Queue;
use super::settings::Settings;

/// One line of the log. Names are short because there is a line for each message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Entry<'a> {
    /// Queue made, or its settings changed, at this time.
    #[serde(rename = "q")]
    Queue(Cow<'a, Settings>, i64),
    /// All tags of a queue.
    #[serde(rename = "t")]
    Tagged(Cow<'a, str>, Cow<'a, BTreeMap<String, String>>),
    /// Message put into a queue, new or moved there.
    #[serde(rename = "s")]
    Put(Cow<'a, str>, Cow<'a, Message>),
    /// Message received once more, at this time.
    #[serde(rename = "r")]
    Received(Cow<'a, str>, u64, i64),
    /// Message deleted.
    #[serde(rename = "d")]
    Gone(Cow<'a, str>, u64),
    /// Deduplication key used: queue, key, time, message id, sequence.
    #[serde(rename = "u")]
    Used(Cow<'a, str>, Cow<'a, str>, i64, Cow<'a, str>, u64),
    /// All messages of a queue deleted.
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
        Entry::Queue(settings, at) => engine.define(settings.into_owned(), at),
        Entry::Tagged(queue, tags) => stored(engine, &queue).tags = tags.into_owned(),
        Entry::Put(queue, message) => {
            engine.taken(message.sequence);
            let mut message = message.into_owned();
            if message.receives > 0 {
                // The delay is over, so `at` is the end of a visibility time-out: do not keep it.
                message.at = message.sent;
            }
            let queue = stored(engine, &queue);
            if let Some(dedup) = &message.dedup {
                let key = queue.dedup_key(dedup, message.group.as_deref());
                queue.remember(&key, message.sent, &message.id, message.sequence);
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
        Entry::Used(queue, key, at, id, sequence) => {
            stored(engine, &queue).remember(&key, at, &id, sequence);
        }
        Entry::Purged(queue) => stored(engine, &queue).purge(),
        Entry::Deleted(queue) => {
            engine.queues.remove(&*queue);
        }
        Entry::Taken(sequence) => engine.taken(sequence),
    }
}

fn stored<'a>(engine: &'a mut Engine, queue: &str) -> &'a mut Queue {
    let new = || Queue::new(Settings::standard(queue), 0);
    engine.queues.entry(queue.to_owned()).or_insert_with(new)
}

/// The current state, as a log.
pub(super) fn entries(engine: &Engine) -> impl Iterator<Item = Entry<'_>> {
    let taken = std::iter::once(Entry::Taken(engine.last_sequence()));
    taken.chain(engine.queues.values().flat_map(queue_entries))
}

fn queue_entries(queue: &Queue) -> impl Iterator<Item = Entry<'_>> {
    let name = || Cow::Borrowed(queue.settings.name.as_str());
    // The first entry has the creation time of the queue, a later entry the time of a change.
    let settings = |at| Entry::Queue(Cow::Borrowed(&queue.settings), at);
    let changed = (queue.modified != queue.created).then(|| settings(queue.modified));
    let tags = || Entry::Tagged(name(), Cow::Borrowed(&queue.tags));
    let tags = (!queue.tags.is_empty()).then(tags);
    let used = queue.used().map(move |(key, used)| {
        Entry::Used(
            name(),
            Cow::Borrowed(key),
            used.at,
            Cow::Borrowed(&used.id),
            used.sequence,
        )
    });
    let messages = queue
        .messages
        .values()
        .map(move |message| Entry::Put(name(), Cow::Borrowed(message)));
    let head = std::iter::once(settings(queue.created));
    let head = head.chain(changed).chain(tags);
    head.chain(used).chain(messages)
}
