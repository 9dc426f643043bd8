//! Tables that a request names by ARN, and the ARNs in the engine's answers.
//!
//! The engine knows only names, and writes its own region.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::wire;

/// The region and account that the engine writes into ARNs.
const ENGINE: &str = ":dynoxide:000000000000:";

/// The ARNs of the account's tables.
#[derive(Debug)]
pub(super) struct Arns {
    /// `:<region>:<account>:`.
    middle: String,
    /// The ARN of every table begins so.
    tables: String,
}

/// A request with table names, and the ARNs that the caller used for the tables.
pub(super) struct Named {
    /// The request.
    pub body: Vec<u8>,
    by_name: BTreeMap<String, String>,
}

impl Arns {
    /// The ARNs of a region and account.
    pub fn new(region: &str, account: &str) -> Self {
        let middle = format!(":{region}:{account}:");
        let tables = format!("arn:aws:dynamodb{middle}table/");
        Self { middle, tables }
    }

    /// The request with names instead of ARNs; none if the request names no ARN.
    pub fn named(&self, body: &[u8]) -> Option<Named> {
        let text = std::str::from_utf8(body).ok()?;
        if !text.contains(&self.tables) {
            return None;
        }
        let mut request: Value = serde_json::from_str(text).ok()?;
        let mut by_name = BTreeMap::new();
        let mut rename = |text: &str| {
            let name = text.strip_prefix(&self.tables)?.to_owned();
            by_name.insert(name.clone(), text.to_owned());
            Some(name)
        };
        let mut field = |holder: &mut Value| {
            let table = holder.get_mut("TableName")?;
            *table = Value::String(rename(table.as_str()?)?);
            Some(())
        };
        field(&mut request);
        let items = request
            .get_mut("TransactItems")
            .and_then(Value::as_array_mut);
        let parts = items.into_iter().flatten().filter_map(Value::as_object_mut);
        for part in parts.flat_map(Map::values_mut) {
            field(part);
        }
        if let Some(tables) = request
            .get_mut("RequestItems")
            .and_then(Value::as_object_mut)
        {
            *tables = std::mem::take(tables)
                .into_iter()
                .map(|(table, wanted)| (rename(&table).unwrap_or(table), wanted))
                .collect();
        }
        let body = serde_json::to_vec(&request).ok()?;
        Some(Named { body, by_name })
    }

    /// A table's description with the ARNs of this account.
    pub fn own(&self, answer: &Bytes) -> Bytes {
        let text = String::from_utf8_lossy(answer);
        Bytes::from(text.replace(ENGINE, &self.middle))
    }
}

impl Named {
    /// The answer to a batch, which names its tables as the request does.
    pub fn answered(&self, answer: Bytes) -> Bytes {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(&answer) else {
            return answer;
        };
        for field in ["Responses", "UnprocessedItems", "UnprocessedKeys"] {
            if let Some(Value::Object(tables)) = fields.get_mut(field) {
                let arn = |table: String| self.by_name.get(&table).cloned().unwrap_or(table);
                let renamed = std::mem::take(tables).into_iter();
                *tables = renamed.map(|(table, items)| (arn(table), items)).collect();
            }
        }
        wire::to_bytes(&fields)
    }
}
