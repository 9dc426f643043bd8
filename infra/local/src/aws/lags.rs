//! Stale reads: copies of the tables that follow the writes after a set time.
//!
//! A copy always shows the tables as they were at one moment. Indexes and eventually consistent reads of items have
//! a copy each. Without a lag there is no copy. Tables that are made later are in no copy.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::{Database, Item};
use kernel::Clock;
use serde_json::Value;

use super::folder;

/// The key attributes of every table.
const KEY: [&str; 2] = ["pk", "sk"];

/// Reads that may be stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Queries and scans of indexes.
    Indexes,
    /// Reads of items, queries and scans of tables that do not ask for consistency.
    Items,
}

/// The lags that are set.
#[derive(Default)]
pub(super) struct Lags(Mutex<[Option<Copy>; 2]>);

struct Copy {
    db: Database,
    lag_ms: i64,
    /// Writes that the copy lacks, oldest first.
    writes: VecDeque<Write>,
}

#[derive(Clone)]
struct Write {
    at: i64,
    table: String,
    key: Item,
    item: Option<Item>,
}

impl Lags {
    /// Sets the age of the youngest write that these reads show; zero ends the lag.
    pub fn set(
        &self,
        db: &Database,
        clock: &Clock,
        reads: Reads,
        lag: Duration,
    ) -> anyhow::Result<()> {
        let lag_ms = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
        let copy = &mut self.lock()[reads as usize];
        match copy {
            _ if lag.is_zero() => *copy = None,
            Some(copy) => copy.lag_ms = lag_ms,
            None => *copy = Some(Copy::of(db, clock, lag_ms)?),
        }
        Ok(())
    }

    /// The tables as a read sees them at `now`; none: as they are.
    pub fn seen(&self, operation: &str, body: &[u8], now: i64) -> Option<Database> {
        let mut copies = self.lock();
        if copies.iter().all(Option::is_none) {
            return None;
        }
        let request: Value = serde_json::from_slice(body).ok()?;
        let consistent = |one: &Value| one["ConsistentRead"] == true;
        let reads = match operation {
            "Query" | "Scan" if request["IndexName"].is_string() => Reads::Indexes,
            "GetItem" | "Query" | "Scan" if !consistent(&request) => Reads::Items,
            "BatchGetItem" => {
                let mut tables = request["RequestItems"].as_object()?.values();
                (!tables.any(consistent)).then_some(Reads::Items)?
            }
            _ => return None,
        };
        let copy = copies[reads as usize].as_mut()?;
        copy.follow(now);
        Some(copy.db.clone())
    }

    /// Notes the items of a write that was done at `now`.
    pub fn wrote(&self, db: &Database, body: &[u8], now: i64) {
        let mut copies = self.lock();
        if copies.iter().all(Option::is_none) {
            return;
        }
        let request = serde_json::from_slice(body).unwrap_or_default();
        for (table, item) in written(&request) {
            let item: Item = serde_json::from_value(item.clone()).unwrap_or_default();
            let key = KEY.iter().filter_map(|name| item.get_key_value(*name));
            let key: Item = key
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let read = GetItemRequest {
                table_name: table.to_owned(),
                key: key.clone(),
                consistent_read: Some(true),
                ..GetItemRequest::default()
            };
            let item = db.get_item(read).ok().and_then(|read| read.item);
            let table = table.to_owned();
            let write = Write {
                at: now,
                table,
                key,
                item,
            };
            for copy in copies.iter_mut().flatten() {
                copy.writes.push_back(write.clone());
            }
        }
    }

    /// Deletes expired items from the copies too.
    pub fn sweep(&self) -> anyhow::Result<()> {
        for copy in self.lock().iter().flatten() {
            copy.db.sweep_ttl()?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Copy>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Copy {
    fn of(db: &Database, clock: &Clock, lag_ms: i64) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("copy");
        let path = file.to_string_lossy();
        db.vacuum_into(&path)?;
        let copy = folder::database(None, clock)?;
        copy.restore_from(&path)?;
        Ok(Self {
            db: copy,
            lag_ms,
            writes: VecDeque::new(),
        })
    }

    /// Carries out the writes that are old enough at `now`.
    fn follow(&mut self, now: i64) {
        while let Some(write) = self
            .writes
            .pop_front_if(|write| write.at.saturating_add(self.lag_ms) <= now)
        {
            let table_name = write.table;
            let done = if let Some(item) = write.item {
                let put = PutItemRequest {
                    table_name,
                    item,
                    ..PutItemRequest::default()
                };
                self.db.put_item(put).map(drop)
            } else {
                let delete = DeleteItemRequest {
                    table_name,
                    key: write.key,
                    ..DeleteItemRequest::default()
                };
                self.db.delete_item(delete).map(drop)
            };
            if let Err(error) = done {
                tracing::error!(%error, "a copy of the tables lacks a write");
            }
        }
    }
}

/// Table, and item or key, of each write of a request.
fn written(request: &Value) -> Vec<(&str, &Value)> {
    let transaction = request["TransactItems"].as_array().into_iter().flatten();
    let transaction = transaction.filter_map(Value::as_object).flatten();
    let transaction = transaction.filter(|(kind, _)| *kind != "ConditionCheck");
    let transaction = transaction.map(|(_, one)| one);
    let single = std::iter::once(request).chain(transaction);
    let mut found: Vec<_> = single.filter_map(named).collect();
    let batch = request["RequestItems"].as_object().into_iter().flatten();
    for (table, writes) in batch {
        for write in writes.as_array().into_iter().flatten() {
            let put = write["PutRequest"].get("Item");
            let delete = write["DeleteRequest"].get("Key");
            found.extend(put.or(delete).map(|item| (table.as_str(), item)));
        }
    }
    found
}

fn named(one: &Value) -> Option<(&str, &Value)> {
    let item = one.get("Item").or_else(|| one.get("Key"))?;
    Some((one["TableName"].as_str()?, item))
}
