//! The streams' records and checkpoints, and the log they are rebuilt from.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use super::super::journal::Journal;
use super::StreamRecord;

/// Records are kept this long for a consumer that does not commit, as in AWS.
const RETENTION_MS: i64 = 24 * 3600 * 1000;
/// Records kept of a stream after all its consumers committed them, for readers that read the stream again.
const DONE: usize = 1000;

/// The stream of one table.
#[derive(Default)]
pub(super) struct Stream {
    pub records: VecDeque<Arc<StreamRecord>>,
    pub consumers: BTreeMap<String, u64>,
    /// Position after the last record that was dropped.
    first: u64,
    pub notify: Arc<Notify>,
}

/// All streams with their log.
pub(super) struct State {
    pub streams: HashMap<String, Stream>,
    next: u64,
    journal: Journal,
}

/// An item about to be written: table, key, image before.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Before(pub String, pub Value, pub Option<Value>);

/// One line of the log.
#[derive(Serialize, Deserialize)]
pub(super) enum Entry<'a> {
    /// These items are about to be written.
    #[serde(rename = "b")]
    Before(Cow<'a, [Before]>),
    /// The items were written at this time, with these new images.
    #[serde(rename = "a")]
    After(i64, Cow<'a, [Option<Value>]>),
    /// They were not written.
    #[serde(rename = "n")]
    Not,
    /// A consumer has committed up to this record.
    #[serde(rename = "c")]
    Commit(Cow<'a, str>, Cow<'a, str>, u64),
    /// A record that is kept after a rewrite.
    #[serde(rename = "r")]
    Record(Cow<'a, StreamRecord>),
    /// Positions below this one are taken.
    #[serde(rename = "t")]
    Taken(u64),
}

impl State {
    /// Rebuilds the streams from `log`; also gives the write that a crash interrupted, if any.
    pub fn open(log: Option<PathBuf>) -> anyhow::Result<(Self, Option<Vec<Before>>)> {
        let mut state = Self {
            streams: HashMap::new(),
            next: 1,
            journal: Journal::none(),
        };
        let mut cut_off = None;
        state.journal = Journal::open(log, |entry| state.replay(entry, &mut cut_off))?;
        Ok((state, cut_off))
    }

    fn replay(&mut self, entry: Entry<'static>, cut_off: &mut Option<Vec<Before>>) {
        match entry {
            Entry::Before(before) => *cut_off = Some(before.into_owned()),
            Entry::After(at, after) => {
                let before = cut_off.take().unwrap_or_default();
                self.add(at, &before, after.into_owned());
            }
            Entry::Not => *cut_off = None,
            Entry::Commit(table, consumer, sequence) => self.done(&table, &consumer, sequence),
            Entry::Record(record) => {
                self.next = self.next.max(record.sequence + 1);
                let stream = self.streams.entry(record.table.clone()).or_default();
                stream.records.push_back(Arc::new(record.into_owned()));
            }
            Entry::Taken(next) => self.next = self.next.max(next),
        }
    }

    /// Logs the new images and adds the records.
    pub fn record(
        &mut self,
        at: i64,
        before: &[Before],
        after: Vec<Option<Value>>,
    ) -> std::io::Result<()> {
        self.journal
            .append(&Entry::After(at, Cow::Borrowed(&after)))?;
        self.add(at, before, after);
        if self.journal.wants_rewrite() {
            self.rewrite()?;
        }
        Ok(())
    }

    /// The position that the next record gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The first position of a table that can be read.
    pub fn first(&self, table: &str) -> u64 {
        self.streams.get(table).map_or(0, |stream| stream.first)
    }

    /// Drops the records of a table that are too old at time `now`.
    pub fn trim(&mut self, table: &str, now: i64) {
        if let Some(stream) = self.streams.get_mut(table) {
            stream.trim(now);
        }
    }

    /// The records of a table from a position on.
    pub fn from(&self, table: &str, sequence: u64) -> impl Iterator<Item = &Arc<StreamRecord>> {
        let stream = self.streams.get(table);
        let records = stream.into_iter().flat_map(|stream| &stream.records);
        records.skip_while(move |record| record.sequence < sequence)
    }

    fn add(&mut self, at: i64, before: &[Before], after: Vec<Option<Value>>) {
        for (Before(table, keys, old), new) in before.iter().zip(after) {
            // A write that changes nothing leaves no record.
            let event_name = match (old, &new) {
                (None, Some(_)) => "INSERT",
                (Some(old), Some(new)) if old != new => "MODIFY",
                (Some(_), None) => "REMOVE",
                _ => continue,
            };
            let record = StreamRecord {
                table: table.clone(),
                sequence: self.next,
                event_name: Cow::Borrowed(event_name),
                keys: keys.clone(),
                new_image: new,
                old_image: old.clone(),
                approximate_creation_time: at,
            };
            self.next += 1;
            let stream = self.streams.entry(table.clone()).or_default();
            stream.records.push_back(Arc::new(record));
            stream.trim(at);
            stream.notify.notify_waiters();
        }
    }

    /// Moves a consumer's checkpoint forward.
    pub fn commit(&mut self, table: &str, consumer: &str, sequence: u64) {
        self.log(&Entry::Commit(
            Cow::Borrowed(table),
            Cow::Borrowed(consumer),
            sequence,
        ));
        self.done(table, consumer, sequence);
    }

    fn done(&mut self, table: &str, consumer: &str, sequence: u64) {
        let stream = self.streams.entry(table.to_owned()).or_default();
        let done = stream.consumers.entry(consumer.to_owned()).or_default();
        *done = sequence.max(*done);
        stream.trim(0);
    }

    /// Writes one entry. A failure is only logged, because the write of the item has already succeeded.
    pub fn log(&mut self, entry: &Entry<'_>) {
        if let Err(error) = self.journal.append(entry) {
            tracing::error!(%error, "stream log not written");
        }
    }

    fn rewrite(&mut self) -> std::io::Result<()> {
        let mut journal = std::mem::replace(&mut self.journal, Journal::none());
        let mut records: Vec<_> = self.streams.values().flat_map(|s| &s.records).collect();
        records.sort_unstable_by_key(|record| record.sequence);
        let records = records
            .into_iter()
            .map(|r| Entry::Record(Cow::Borrowed(&**r)));
        let commits = self.streams.iter().flat_map(|(table, stream)| {
            stream.consumers.iter().map(move |(consumer, sequence)| {
                Entry::Commit(Cow::Borrowed(table), Cow::Borrowed(consumer), *sequence)
            })
        });
        let taken = std::iter::once(Entry::Taken(self.next));
        let written = journal.rewrite(taken.chain(records).chain(commits));
        self.journal = journal;
        written
    }
}

impl Stream {
    /// Drops the oldest records that every consumer has committed, and the records that are too old at time `now`.
    fn trim(&mut self, now: i64) {
        let done = self.consumers.values().min().copied();
        while let Some(first) = self.records.front() {
            let old = first.approximate_creation_time + RETENTION_MS <= now;
            let read = done.is_none_or(|done| first.sequence <= done);
            if !(old || read && self.records.len() > DONE) {
                break;
            }
            self.first = first.sequence + 1;
            self.records.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rewritten_log_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let log = || Some(folder.path().join("log"));
        let (mut state, _) = State::open(log()).unwrap();
        state.commit("t", "one", 0);
        state.commit("t", "two", 0);
        for n in 1..=4 {
            let before = [Before("t".to_owned(), json!({"pk": n}), None)];
            state.log(&Entry::Before(Cow::Borrowed(&before)));
            state
                .record(n, &before, vec![Some(json!({"n": n}))])
                .unwrap();
        }
        state.commit("t", "one", 3);
        state.commit("t", "two", 2);
        state.rewrite().unwrap();
        state.commit("t", "two", 3);
        let expected = state.streams["t"].records.clone();
        assert_eq!(expected.len(), 4);
        let (state, cut_off) = State::open(log()).unwrap();
        assert!(cut_off.is_none());
        assert_eq!((state.next, &state.streams["t"].records), (5, &expected));
        let consumers = &state.streams["t"].consumers;
        assert_eq!((consumers["one"], consumers["two"]), (3, 3));
    }
}
