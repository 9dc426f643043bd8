//! Items and their keys.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Error;

/// Attributes of one item as DynamoDB holds them.
pub type Item = HashMap<String, AttributeValue>;

/// Name of the partition key in every table.
pub const PK: &str = "pk";
/// Name of the sort key in every table.
pub const SK: &str = "sk";
/// Attribute with the name of the write that made the item; see [`crate::Table::create`].
pub(crate) const WRITE: &str = "write_id";
/// Attribute with the name of the last conditional update. It differs from the mark of the creation: the creator may
/// still be repeating its own call.
pub(crate) const UPDATE: &str = "update_id";

/// Attribute with the names of the effects that the last write asks for (`cloud::outbox`). The filter of the stream
/// passes only images with it.
pub(crate) const PENDING: &str = "pending";
/// Attribute with the names of effects that the relay could not send. The stream's filter ignores it.
pub(crate) const UNSENT: &str = "unsent";
/// Attribute with the time and the name of the write that set `pending`: RANGE of the index [`INDEX`]. It is absent
/// if nothing is left to send, so the index holds only items with unsent effects.
pub(crate) const OUTBOX: &str = "outbox";
/// Set of names that the effects of an item report. Writers add to the set, and the relay removes it with the effects.
pub const CHANGED: &str = "changed";
/// Index of the items with unsent effects: HASH `pk`, RANGE `outbox`.
pub(crate) const INDEX: &str = "Unsent";

/// Primary key of an item; every table uses `pk` and `sk`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Partition key. It starts with the tenant, except in tables and rows that document another key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    /// A key from its two parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self {
            pk: pk.into(),
            sk: sk.into(),
        }
    }

    pub(crate) fn attributes(&self) -> Item {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }

    pub(crate) fn of(item: &Item) -> Result<Self, Error> {
        let part = |name: &str| {
            item.get(name)
                .and_then(|value| value.as_s().ok())
                .cloned()
                .ok_or_else(|| Error::Shape(format!("item without {name}")))
        };
        Ok(Self {
            pk: part(PK)?,
            sk: part(SK)?,
        })
    }
}

/// The attributes of `value` under `key`. Absent options are left out, so that sparse indexes stay sparse. A `null`
/// attribute would be refused as an index key.
pub(crate) fn to_item<T: Serialize>(key: &Key, value: &T) -> Result<Item, Error> {
    let mut item: Item = serde_dynamo::to_item(value)?;
    item.retain(|_, value| !matches!(value, AttributeValue::Null(true)));
    item.extend(key.attributes());
    Ok(item)
}

/// Reads an item. Types that need the keys and the write mark can read them too.
pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    Ok(serde_dynamo::from_item(item)?)
}

/// The item in DynamoDB's own JSON, for people and the AWS CLI. Our items hold no bytes, and the only sets are sets
/// of texts.
pub(crate) fn wire(item: &Item) -> Value {
    item.iter()
        .map(|(name, value)| (name.clone(), wire_value(value)))
        .collect()
}

fn wire_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::M(map) => json!({ "M": wire(map) }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(wire_value).collect::<Value>() }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        _ => json!({ "NULL": true }),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        note: Option<String>,
    }

    #[test]
    fn an_item_is_its_key_and_the_attributes_that_are_set() {
        let key = Key::new("ws_1#con_1", "META");
        let row = Row {
            name: "An".to_owned(),
            note: None,
        };
        let item = to_item(&key, &row).unwrap();
        let written =
            json!({ "pk": { "S": "ws_1#con_1" }, "sk": { "S": "META" }, "name": { "S": "An" } });
        assert_eq!(wire(&item), written);
        assert_eq!(Key::of(&item).unwrap(), key);
        assert_eq!(from_item::<Row>(item).unwrap(), row);
        let error = Key::of(&Item::new()).unwrap_err();
        assert!(error.to_string().ends_with("item without pk"), "{error}");
    }

    #[test]
    fn each_kind_of_attribute_is_written_as_dynamodb_writes_it() {
        use AttributeValue::{Bool, L, M, N, Null, S, Ss};
        let of = |value: AttributeValue| wire(&Item::from([("a".to_owned(), value)]))["a"].clone();
        let inner = Item::from([("b".to_owned(), S("x".into()))]);
        for (value, written) in [
            (S("x".into()), json!({ "S": "x" })),
            (N("1.5".into()), json!({ "N": "1.5" })),
            (Bool(false), json!({ "BOOL": false })),
            (M(inner), json!({ "M": { "b": { "S": "x" } } })),
            (L(vec![N("1".into())]), json!({ "L": [{ "N": "1" }] })),
            (Ss(vec!["x".into()]), json!({ "SS": ["x"] })),
            (Null(true), json!({ "NULL": true })),
        ] {
            assert_eq!(of(value), written);
        }
    }
}
