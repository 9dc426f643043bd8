//! Rows in the tables, by kind of row: how many, how large, and for how long.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::Aws;
use super::indexes::{size, text};
use super::shape::shape;
use crate::template::model::{Stack, Table};

/// DynamoDB bills this much beside each item and each entry of an index.
const OVERHEAD: u64 = 100;
/// Items of one page of a scan.
const PAGE: usize = 1_000;

/// Rows of one kind in one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Kept {
    /// Logical id of the table.
    pub table: String,
    /// Shapes of the partition key and the sort key.
    pub kind: String,
    /// How many rows.
    pub rows: u64,
    /// Billed bytes, with the entries in the indexes.
    pub bytes: u64,
    /// Bytes of the largest item.
    pub largest: usize,
    /// Billed bytes of the rows that expire.
    pub expiring_bytes: u64,
    /// Bytes of those rows, each times the seconds until it expires.
    pub byte_seconds: f64,
}

impl Aws {
    /// Reads all tables of the stack. Only a person or a test calls this, never a function.
    pub fn kept(&self, stack: &Stack) -> Result<Vec<Kept>> {
        let mut kept = BTreeMap::new();
        for table in &stack.tables {
            self.read_all(table, &mut |item| self.count(table, item, &mut kept))?;
        }
        Ok(kept.into_values().collect())
    }

    fn read_all(&self, table: &Table, each: &mut impl FnMut(&Value)) -> Result<()> {
        let db = self.database();
        let mut start = Value::Null;
        loop {
            let mut request = json!({"TableName": table.name, "Limit": PAGE});
            if !start.is_null() {
                request["ExclusiveStartKey"] = start;
            }
            let found = serde_json::to_value(db.scan(serde_json::from_value(request)?)?)?;
            found["Items"]
                .as_array()
                .into_iter()
                .flatten()
                .for_each(&mut *each);
            start = found["LastEvaluatedKey"].clone();
            if start.is_null() {
                return Ok(());
            }
        }
    }

    fn count(&self, table: &Table, item: &Value, kept: &mut BTreeMap<(String, String), Kept>) {
        let key = |name: &str| shape(text(&item[name]).unwrap_or_default());
        let kind = format!("{} / {}", key("pk"), key("sk"));
        let row = kept.entry((table.logical_id.clone(), kind.clone()));
        let row = row.or_insert_with(|| Kept {
            table: table.logical_id.clone(),
            kind,
            ..Kept::default()
        });
        let own = size(item);
        let indexes = self.indexes();
        let entries = indexes.of(&table.name).iter();
        let entries = entries.filter_map(|index| index.entry(Some(item)));
        let entries: u64 = entries.map(|entry| entry.bytes as u64 + OVERHEAD).sum();
        let bytes = own as u64 + OVERHEAD + entries;
        row.rows += 1;
        row.bytes += bytes;
        row.largest = row.largest.max(own);
        let expiry = table.ttl_attribute.as_ref();
        let expiry = expiry.and_then(|name| text(&item[name])?.parse::<i64>().ok());
        if let Some(expiry) = expiry {
            let left = (expiry - self.now().as_second()).max(0);
            row.expiring_bytes += bytes;
            row.byte_seconds += bytes as f64 * left as f64;
        }
    }
}
