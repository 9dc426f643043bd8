//! Deliveries of table streams, as Lambda's event source mappings make them: pages of any size, sent again after a
//! failure, discarded when they are too old. A mapping may be disabled for longer than a stream keeps its records.

use serde_json::{Value, json};
use tanigo_local::aws::{StreamRecord, pattern};
use tanigo_local::template::model::Trigger;

use crate::invoke::Ended;
use crate::sim::{Sim, marks};

/// A stream keeps its records for a day, milliseconds.
const TRIM_MS: i64 = 24 * 3_600_000;
/// Reader of the simulation itself.
const OWN: &str = "simulation";

/// One event source mapping.
#[derive(Clone)]
pub struct Mapping {
    table: String,
    consumer: String,
    handler: String,
    batch: usize,
    filters: Vec<Value>,
    longest_age_ms: i64,
    on_failure: Option<String>,
    /// Disabled until this time, epoch milliseconds.
    pub off_until_ms: i64,
}

/// When the services wrote a row first.
#[derive(Clone, Copy)]
pub struct Recorded {
    /// Epoch milliseconds.
    pub at_ms: i64,
}

impl Sim {
    /// Reads the mappings of the template.
    pub fn map_streams(&self) {
        let mut mappings = self.mappings.borrow_mut();
        for function in &self.world.model.functions {
            for trigger in &function.triggers {
                let Trigger::Stream {
                    table,
                    batch_size,
                    filters,
                    longest_age,
                    on_failure,
                    ..
                } = trigger
                else {
                    continue;
                };
                let filters = filters
                    .iter()
                    .map(|text| serde_json::from_str(text).unwrap());
                let mapping = Mapping {
                    table: table.clone(),
                    consumer: function.logical_id.clone(),
                    handler: function.handler.clone(),
                    batch: *batch_size as usize,
                    filters: filters.collect(),
                    longest_age_ms: longest_age.map_or(TRIM_MS, |s| i64::from(s) * 1000),
                    on_failure: on_failure.clone(),
                    off_until_ms: 0,
                };
                self.world.aws.streams().register(table, OWN);
                let key = (function.handler.clone(), table.clone());
                mappings.insert(key, mapping);
            }
        }
    }

    /// Delivers a page of a random stream.
    pub async fn relay_some(&self) -> bool {
        let mut ready: Vec<Mapping> = self.mappings.borrow().values().cloned().collect();
        let streams = self.world.aws.streams();
        let now = self.now_ms();
        let waits = |m: &Mapping| !streams.poll(&m.table, &m.consumer, 1).is_empty();
        ready.retain(|m| m.off_until_ms <= now && waits(m));
        if ready.is_empty() {
            return false;
        }
        let mapping = ready.swap_remove(self.below(ready.len()));
        self.relay(&mapping).await
    }

    /// The mappings that are not disabled now.
    pub fn running_mappings(&self) -> Vec<Mapping> {
        let now = self.now_ms();
        let mappings = self.mappings.borrow();
        let running = mappings
            .values()
            .filter(|mapping| mapping.off_until_ms <= now);
        running.cloned().collect()
    }

    /// All mappings, enabled.
    pub fn enabled_mappings(&self) -> Vec<Mapping> {
        let mut mappings = self.mappings.borrow_mut();
        mappings.values_mut().for_each(|m| m.off_until_ms = 0);
        mappings.values().cloned().collect()
    }

    /// Disables a random mapping for a time.
    pub fn disable_mapping(&self, ms: i64) {
        let until = self.now_ms() + ms;
        let mut mappings = self.mappings.borrow_mut();
        let n = self.below(mappings.len());
        if let Some(mapping) = mappings.values_mut().nth(n) {
            mapping.off_until_ms = until;
            let table = mapping.table.clone();
            drop(mappings);
            self.note(format!(
                "stream of {table} disabled for {} min",
                ms / 60_000
            ));
        }
    }

    /// Delivers one page of this stream; returns whether the mapping went on.
    pub async fn relay(&self, mapping: &Mapping) -> bool {
        let size = if self.faulty.get() {
            1 + self.below(mapping.batch)
        } else {
            mapping.batch
        };
        let streams = self.world.aws.streams();
        let page = streams.poll(&mapping.table, &mapping.consumer, size);
        let Some(last) = page.last().map(|record| record.sequence) else {
            return false;
        };
        let commit = |sequence| streams.commit(&mapping.table, &mapping.consumer, sequence);
        let passing = |record: &StreamRecord| {
            let record = streams.lambda_record(record);
            mapping.filters.is_empty()
                || mapping.filters.iter().any(|f| pattern::matches(f, &record))
        };
        let passing: Vec<StreamRecord> = page.into_iter().filter(|r| passing(r)).collect();
        let (fresh, old): (Vec<_>, Vec<_>) = passing
            .into_iter()
            .partition(|record| self.age(record) <= mapping.longest_age_ms);
        self.discard(mapping, &old);
        if fresh.is_empty() {
            commit(last);
            return true;
        }
        let event = streams.lambda_event(&fresh);
        let marks = marks(&event.to_string());
        self.note(format!("relay {} x{}{marks}", mapping.table, fresh.len()));
        let ended = self.invoke(&mapping.handler, event.clone()).await;
        if self.faulty.get() && self.percent(8) {
            self.note(format!("relay {} again", mapping.table));
            return true;
        }
        let Ended::Answer(answer) = ended else {
            return true;
        };
        let failed = answer["batchItemFailures"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if failed.is_empty() {
            commit(last);
            return true;
        }
        // The lowest position is the checkpoint: this record and all later ones are delivered again.
        let ids = event["Records"].as_array().unwrap().iter();
        let ids: Vec<&Value> = ids.map(|r| &r["dynamodb"]["SequenceNumber"]).collect();
        let is_failed = |id: &&&Value| failed.iter().any(|one| one["itemIdentifier"] == ***id);
        let first = ids.iter().position(|id| is_failed(&id)).unwrap_or(0);
        if first > 0 {
            commit(fresh[first - 1].sequence);
        }
        true
    }

    fn age(&self, record: &StreamRecord) -> i64 {
        self.now_ms() - record.approximate_creation_time
    }

    /// Drops records that are too old, and describes them on the failure destination if the stream still has them.
    fn discard(&self, mapping: &Mapping, old: &[StreamRecord]) {
        if old.is_empty() {
            return;
        }
        self.note(format!(
            "records of {} too old: {}",
            mapping.table,
            old.len()
        ));
        let trimmed = old.iter().all(|record| self.age(record) > TRIM_MS);
        if let Some(queue) = mapping.on_failure.as_ref().filter(|_| !trimmed) {
            let text = json!({
                "requestContext": { "condition": "RecordAgeExceeded" },
                "DDBStreamBatchInfo": { "batchSize": old.len() },
            });
            self.world
                .aws
                .sqs()
                .send(queue, text.to_string(), None)
                .unwrap();
        }
    }

    /// Notes when rows were first written. Called after each step, so the stream still has them.
    pub fn observe_streams(&self) {
        let tables: Vec<String> = self
            .mappings
            .borrow()
            .values()
            .map(|m| m.table.clone())
            .collect();
        let streams = self.world.aws.streams();
        for table in tables {
            loop {
                let page = streams.poll(&table, OWN, 500);
                let Some(last) = page.last() else { break };
                for record in &page {
                    let keys = serde_json::to_value(&record.keys).unwrap();
                    let name = format!("{table} {} {}", keys["pk"]["S"], keys["sk"]["S"]);
                    let at_ms = record.approximate_creation_time;
                    self.recorded
                        .borrow_mut()
                        .entry(name)
                        .or_insert(Recorded { at_ms });
                }
                streams.commit(&table, OWN, last.sequence);
            }
        }
    }

    /// When a row of this table was first written, epoch milliseconds. `pk` and `sk` without quotes.
    pub fn recorded_ms(&self, logical_id: &str, pk: &str, sk: &str) -> Option<i64> {
        let tables = &self.world.model.tables;
        let table = tables.iter().find(|table| table.logical_id == logical_id)?;
        let name = format!("{} {pk:?} {sk:?}", table.name);
        self.recorded.borrow().get(&name).map(|row| row.at_ms)
    }
}
