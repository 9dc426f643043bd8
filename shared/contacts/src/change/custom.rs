//! The custom fields of an input, under the names that the contact has for them. Pure.

use std::collections::BTreeMap;

use kernel::text::{alike, nfc};
use serde_json::Value;

use crate::labels::FieldName;
use crate::model::{Contact, Incoming};

/// The custom fields of the input under the names that the contact has for them, texts composed. Also the names that
/// are none.
pub(super) fn custom(
    before: Option<&Contact>,
    incoming: &Incoming,
) -> (BTreeMap<String, Value>, Vec<String>) {
    let stored = before.iter().flat_map(|contact| contact.custom.keys());
    let mut spelling: BTreeMap<String, String> =
        stored.map(|name| (alike(name), name.clone())).collect();
    let (mut fields, mut unnamed) = (BTreeMap::new(), Vec::new());
    for (name, value) in &incoming.custom {
        match FieldName::parse(name) {
            Ok(name) => {
                let spelt = spelling
                    .entry(name.key())
                    .or_insert_with(|| name.as_str().to_owned());
                fields.insert(spelt.clone(), composed(value));
            }
            Err(_) => unnamed.push(name.clone()),
        }
    }
    (fields, unnamed)
}

/// The value with its texts composed.
fn composed(value: &Value) -> Value {
    match value {
        Value::String(text) => nfc(text).into(),
        Value::Array(values) => values.iter().map(composed).collect(),
        other => other.clone(),
    }
}
