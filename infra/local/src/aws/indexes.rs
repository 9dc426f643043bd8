//! The secondary indexes of the tables: the position of an item in each index, and its projected attributes.

use std::collections::HashMap;

use dynoxide::Item;
use dynoxide::types::item_size;
use serde_json::Value;

/// The indexes of all tables.
#[derive(Debug, Default)]
pub(super) struct Indexes(HashMap<String, Vec<Index>>);

/// One index.
#[derive(Debug)]
pub(super) struct Index {
    pub name: String,
    hash: Vec<String>,
    range: Vec<String>,
    /// Attributes projected beside the keys; none is all of them.
    projected: Option<Vec<String>>,
}

/// An item as an index stores it.
pub(super) struct Entry {
    /// Values of the HASH attributes, joined by `/`.
    pub partition: String,
    /// Values of all key attributes of the index.
    pub position: Vec<String>,
    /// Projected attributes beside the keys.
    pub projected: Value,
    /// Size of the entry.
    pub bytes: usize,
}

impl Indexes {
    /// Reads the indexes of a `CreateTable` request.
    pub fn define(&mut self, table: &str, create: &Value) {
        let list = create["GlobalSecondaryIndexes"].as_array();
        let indexes = list.into_iter().flatten().map(Index::of).collect();
        self.0.insert(table.to_owned(), indexes);
    }

    /// HASH attributes of the table or of one of its indexes.
    pub fn hash(&self, table: &str, index: Option<&str>) -> Vec<String> {
        let Some(index) = index else {
            return vec!["pk".to_owned()];
        };
        let mut found = self.of(table).iter();
        let found = found.find(|one| one.name == index);
        found.map(|index| index.hash.clone()).unwrap_or_default()
    }

    /// The indexes of a table.
    pub fn of(&self, table: &str) -> &[Index] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }
}

impl Index {
    fn of(declared: &Value) -> Self {
        let named = |kind: &str| {
            let keys = declared["KeySchema"].as_array().into_iter().flatten();
            let keys = keys.filter(|key| key["KeyType"] == kind);
            let names = keys.filter_map(|key| key["AttributeName"].as_str());
            names.map(str::to_owned).collect()
        };
        let projection = &declared["Projection"];
        let included = projection["NonKeyAttributes"].as_array();
        let included = included.into_iter().flatten();
        let included = included.filter_map(|name| name.as_str().map(str::to_owned));
        Self {
            name: declared["IndexName"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            hash: named("HASH"),
            range: named("RANGE"),
            projected: (projection["ProjectionType"] != "ALL").then(|| included.collect()),
        }
    }

    /// None where the item, in DynamoDB JSON, lacks a key attribute of the index.
    pub fn entry(&self, image: Option<&Value>) -> Option<Entry> {
        let image = image?;
        let value = |name: &String| text(&image[name]).map(str::to_owned);
        let hash: Vec<String> = self.hash.iter().map(value).collect::<Option<_>>()?;
        let range: Vec<String> = self.range.iter().map(value).collect::<Option<_>>()?;
        let (projected, bytes) = match &self.projected {
            None => (image.clone(), size(image)),
            Some(names) => {
                let table = ["pk", "sk"].map(str::to_owned);
                let keys = self.hash.iter().chain(&self.range).chain(&table);
                let all = keys
                    .chain(names)
                    .map(|name| (name.clone(), image[name].clone()));
                let all: serde_json::Map<_, _> =
                    all.filter(|(_, value)| !value.is_null()).collect();
                let projected = names.iter().map(|name| image[name].clone()).collect();
                (projected, size(&Value::Object(all)))
            }
        };
        Some(Entry {
            partition: hash.join("/"),
            position: [hash, range].concat(),
            projected,
            bytes,
        })
    }
}

/// Bytes of an item in DynamoDB JSON.
pub(super) fn size(image: &Value) -> usize {
    let item: Option<Item> = serde_json::from_value(image.clone()).ok();
    item.as_ref().map_or(0, item_size)
}

/// Text of a text or number attribute.
pub(super) fn text(attribute: &Value) -> Option<&str> {
    attribute.get("S").or_else(|| attribute.get("N"))?.as_str()
}
