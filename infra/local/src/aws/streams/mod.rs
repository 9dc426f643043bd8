//! DynamoDB streams: the old and new image of each write to a table that declares a stream.
//!
//! The engine's own streams are off, because they cost a scan per write. Images are read around the write instead,
//! under one lock. The log stores the old images before the write and the new images after it. A crash between the
//! two is repaired at the next start: the rows of the table are then compared with the old images. A consumer sees
//! each record until the consumer commits a later position.

mod api;
mod log;

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::{Database, Item};
use kernel::{Clock, hash};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::template::model::StreamView;
use log::{Before, Entry, State};

/// The one shard of every stream.
pub const SHARD: &str = "shardId-00000000000000000000-00000000";

/// The streams of all tables.
pub struct Streams {
    /// Key attributes and view of the tables that declare a stream.
    tables: RwLock<HashMap<String, Arc<Definition>>>,
    state: Mutex<State>,
    clock: Clock,
    region: String,
    account: String,
}

#[derive(Debug)]
struct Definition {
    keys: Vec<String>,
    view: StreamView,
}

/// One change of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Table.
    pub table: String,
    /// Position; grows over all tables.
    pub sequence: u64,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub event_name: Cow<'static, str>,
    /// Key in DynamoDB JSON.
    pub keys: Value,
    /// Item after the write, if the stream's view has it.
    pub new_image: Option<Value>,
    /// Item before the write, if the stream's view has it.
    pub old_image: Option<Value>,
    /// When it was written, epoch milliseconds.
    pub approximate_creation_time: i64,
}

impl Streams {
    /// Opens the streams kept in `log` and repairs the write that a crash interrupted.
    pub(super) fn open(
        log: Option<PathBuf>,
        db: &Database,
        clock: Clock,
        region: &str,
        account: &str,
    ) -> anyhow::Result<Self> {
        let (mut state, cut_off) = State::open(log)?;
        if let Some(before) = cut_off {
            let after: Vec<_> = before
                .iter()
                .map(|Before(table, key, _)| {
                    read(db, table, serde_json::from_value(key.clone()).ok()?)
                })
                .collect();
            state.record(clock.now_ms(), &before, after)?;
        }
        Ok(Self {
            tables: RwLock::default(),
            state: Mutex::new(state),
            clock,
            region: region.to_owned(),
            account: account.to_owned(),
        })
    }

    /// Captures the writes to `table` from now on.
    pub(super) fn define(&self, table: &str, keys: Vec<String>, view: StreamView) {
        let definition = Arc::new(Definition { keys, view });
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(table.to_owned(), definition);
        self.lock().streams.entry(table.to_owned()).or_default();
    }

    fn definition(&self, table: &str) -> Option<Arc<Definition>> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.get(table).cloned()
    }

    /// The tables that declare a stream, in order.
    fn declared_tables(&self) -> Vec<String> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = tables.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The table declares a stream.
    pub fn declared(&self, table: &str) -> bool {
        self.definition(table).is_some()
    }

    /// The ARN of the table's stream.
    pub fn arn(&self, table: &str) -> String {
        let (region, account) = (&self.region, &self.account);
        format!("arn:aws:dynamodb:{region}:{account}:table/{table}/stream/2026-01-01T00:00:00.000")
    }

    /// The view the stream was declared with, as AWS names it.
    pub(super) fn view(&self, table: &str) -> Option<&'static str> {
        self.definition(table).map(|d| view_name(d.view))
    }

    /// The key of an item or key given for a watched table.
    pub(super) fn key_of(&self, table: &str, item: &Item) -> Option<Item> {
        let definition = self.definition(table)?;
        let attribute = |name: &String| Some((name.clone(), item.get(name)?.clone()));
        definition.keys.iter().map(attribute).collect()
    }

    /// Runs `write` and records the changes of the items `touched` (table and key); `seen` gets the table,
    /// the old and the new image of each.
    pub(super) fn capture<T, E>(
        &self,
        db: &Database,
        touched: Vec<(String, Item)>,
        write: impl FnOnce() -> Result<T, E>,
        mut seen: impl FnMut(&str, Option<&Value>, Option<&Value>),
    ) -> Result<T, E> {
        if touched.is_empty() {
            return write();
        }
        let mut state = self.lock();
        let before: Vec<Before> = touched
            .iter()
            .map(|(table, key)| {
                let old = read(db, table, key.clone());
                Before(table.clone(), image(key), old)
            })
            .collect();
        state.log(&Entry::Before(Cow::Borrowed(&before)));
        let written = write();
        let after: Vec<_> = touched
            .into_iter()
            .map(|(table, key)| read(db, &table, key))
            .collect();
        for (Before(table, _, old), new) in before.iter().zip(&after) {
            seen(table, old.as_ref(), new.as_ref());
        }
        // A refused write changes nothing; a write that failed half-way may have changed items.
        if written.is_err() && before.iter().map(|Before(.., old)| old).eq(&after) {
            state.log(&Entry::Not);
            return written;
        }
        if let Err(error) = state.record(self.clock.now_ms(), &before, after) {
            tracing::error!(%error, "stream records not written");
        }
        written
    }

    /// Adds a consumer that starts at the oldest record kept. Records stay until every consumer
    /// has committed past them.
    pub fn register(&self, table: &str, consumer: &str) {
        let mut state = self.lock();
        let consumers = &state.streams.entry(table.to_owned()).or_default().consumers;
        if !consumers.contains_key(consumer) {
            state.commit(table, consumer, 0);
        }
    }

    /// The first records after the consumer's checkpoint; the same ones until it commits. Records of more than 24
    /// hours are gone.
    pub fn poll(&self, table: &str, consumer: &str, limit: usize) -> Vec<StreamRecord> {
        self.poll_after(table, consumer, 0, limit)
    }

    /// As [`poll`](Self::poll), but only records after `sequence` too: for reading ahead.
    pub fn poll_after(
        &self,
        table: &str,
        consumer: &str,
        sequence: u64,
        limit: usize,
    ) -> Vec<StreamRecord> {
        let view = self
            .definition(table)
            .map_or(StreamView::NewAndOldImages, |d| d.view);
        self.register(table, consumer);
        let mut state = self.lock();
        state.trim(table, self.clock.now_ms());
        let Some(stream) = state.streams.get(table) else {
            return Vec::new();
        };
        let done = stream.consumers.get(consumer).copied().unwrap_or(0);
        let done = done.max(sequence);
        let start = stream
            .records
            .partition_point(|record| record.sequence <= done);
        let records = stream.records.iter().skip(start).take(limit);
        records.map(|record| seen(record, view)).collect()
    }

    /// Commits all records up to and including `sequence` for the consumer.
    pub fn commit(&self, table: &str, consumer: &str, sequence: u64) {
        self.lock().commit(table, consumer, sequence);
    }

    /// Records that the consumer, or the slowest of its lanes, has not committed.
    pub fn lag(&self, table: &str, consumer: &str) -> usize {
        let mut state = self.lock();
        state.trim(table, self.clock.now_ms());
        let Some(stream) = state.streams.get(table) else {
            return 0;
        };
        let lanes = stream.consumers.iter();
        let lanes = lanes.filter(|(name, _)| name.split('#').next() == Some(consumer));
        let done = lanes.map(|(_, done)| *done).min().unwrap_or(0);
        stream.records.len()
            - stream
                .records
                .partition_point(|record| record.sequence <= done)
    }

    /// Ends when a record is added to the table's stream after this call (also before the first
    /// poll of the future): take it, then [`poll`](Self::poll), then await it.
    pub fn notified(&self, table: &str) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut state = self.lock();
        let stream = state.streams.entry(table.to_owned()).or_default();
        stream.notify.clone().notified_owned()
    }

    /// The event that Lambda delivers for a batch.
    pub fn lambda_event(&self, records: &[StreamRecord]) -> Value {
        let records: Vec<_> = records.iter().map(|r| self.lambda_record(r)).collect();
        json!({"Records": records})
    }

    /// One record of that event, which event filters look at.
    pub fn lambda_record(&self, record: &StreamRecord) -> Value {
        let images = [
            Some(&record.keys),
            record.new_image.as_ref(),
            record.old_image.as_ref(),
        ];
        let size: usize = images.into_iter().flatten().map(image_size).sum();
        let mut change = json!({
            "ApproximateCreationDateTime": record.approximate_creation_time / 1000,
            "Keys": record.keys,
            "SequenceNumber": sequence_text(record.sequence),
            "SizeBytes": size,
            "StreamViewType": self.view(&record.table).unwrap_or("NEW_AND_OLD_IMAGES"),
        });
        if let Some(image) = &record.new_image {
            change["NewImage"] = image.clone();
        }
        if let Some(image) = &record.old_image {
            change["OldImage"] = image.clone();
        }
        json!({
            "eventID": hash::name(&[&record.table, &record.sequence.to_string()]),
            "eventName": record.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "dynamodb": change,
            "eventSourceARN": self.arn(&record.table),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The consumer of one lane of a function.
pub(crate) fn consumer(function: &str, lane: u32) -> String {
    match lane {
        0 => function.to_owned(),
        lane => format!("{function}#{lane}"),
    }
}

/// A sequence number as records show it.
pub(crate) fn sequence_text(sequence: u64) -> String {
    format!("{sequence:021}")
}

fn seen(record: &StreamRecord, view: StreamView) -> StreamRecord {
    let mut record = record.clone();
    if !matches!(view, StreamView::NewImage | StreamView::NewAndOldImages) {
        record.new_image = None;
    }
    if !matches!(view, StreamView::OldImage | StreamView::NewAndOldImages) {
        record.old_image = None;
    }
    record
}

fn view_name(view: StreamView) -> &'static str {
    match view {
        StreamView::KeysOnly => "KEYS_ONLY",
        StreamView::NewImage => "NEW_IMAGE",
        StreamView::OldImage => "OLD_IMAGE",
        StreamView::NewAndOldImages => "NEW_AND_OLD_IMAGES",
    }
}

fn read(db: &Database, table: &str, key: Item) -> Option<Value> {
    let request = GetItemRequest {
        table_name: table.to_owned(),
        key,
        consistent_read: Some(true),
        ..GetItemRequest::default()
    };
    db.get_item(request).ok()?.item.as_ref().map(image)
}

fn image(item: &Item) -> Value {
    serde_json::to_value(item).unwrap_or_default()
}

fn image_size(image: &Value) -> usize {
    let item: Option<Item> = serde_json::from_value(image.clone()).ok();
    item.as_ref().map_or(0, dynoxide::types::item_size)
}
