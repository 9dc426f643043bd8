//! The items that a DynamoDB request names, as far as a role's rights depend on them: operation, table or index,
//! partition key. A request that this module cannot read names no items.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Items of one table that a request names under one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The action that IAM asks for, e.g. `PutItem` for a put inside a transaction.
    pub operation: String,
    /// Name of the table.
    pub table: String,
    /// Name of the index that a query reads.
    pub index: Option<String>,
    /// Values of the partition key; empty when the request names none.
    pub keys: Vec<String>,
}

/// The items of a request.
pub(super) fn of(operation: &str, body: &[u8]) -> Vec<Touched> {
    let Ok(request) = serde_json::from_slice::<Request>(body) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (table, items) in &request.batch {
        let keys = items.keys();
        found.push(Touched::new(operation, table.clone(), keys));
    }
    for item in &request.transaction {
        found.extend(item.iter().map(|(kind, named)| {
            let operation = match kind.as_str() {
                "ConditionCheck" => "ConditionCheckItem".to_owned(),
                kind => format!("{kind}Item"),
            };
            let keys = named.keys();
            Touched::new(&operation, named.table.clone().unwrap_or_default(), keys)
        }));
    }
    if let Some(table) = &request.table {
        let items = request.key.iter().chain(&request.item);
        let mut keys: Vec<String> = items.filter_map(Keyed::partition).collect();
        // An index has a partition key of its own.
        if request.index.is_none() {
            keys.extend(request.asked());
        }
        let mut touched = Touched::new(operation, table.clone(), keys);
        touched.index.clone_from(&request.index);
        found.push(touched);
    }
    found
}

impl Touched {
    fn new(operation: &str, table: String, keys: Vec<String>) -> Self {
        Self {
            operation: operation.to_owned(),
            table,
            index: None,
            keys,
        }
    }
}

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "TableName")]
    table: Option<String>,
    #[serde(rename = "Key")]
    key: Option<Keyed>,
    #[serde(rename = "Item")]
    item: Option<Keyed>,
    #[serde(default, rename = "RequestItems")]
    batch: BTreeMap<String, Batch>,
    #[serde(default, rename = "TransactItems")]
    transaction: Vec<BTreeMap<String, Named>>,
    #[serde(rename = "IndexName")]
    index: Option<String>,
    #[serde(rename = "KeyConditionExpression")]
    condition: Option<String>,
    #[serde(default, rename = "ExpressionAttributeNames")]
    names: BTreeMap<String, String>,
    #[serde(default, rename = "ExpressionAttributeValues")]
    values: BTreeMap<String, Text>,
}

impl Request {
    /// The partition that a query asks for: the value that its condition sets equal to `pk`.
    fn asked(&self) -> Option<String> {
        self.condition.as_ref()?.split(" AND ").find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let name = name.trim();
            let name = self.names.get(name).map_or(name, String::as_str);
            let value = self.values.get(value.trim())?;
            value.text.clone().filter(|_| name == "pk")
        })
    }
}

/// A table with one item.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "TableName")]
    table: Option<String>,
    #[serde(rename = "Key")]
    key: Option<Keyed>,
    #[serde(rename = "Item")]
    item: Option<Keyed>,
}

impl Named {
    fn keys(&self) -> Vec<String> {
        let items = self.key.iter().chain(&self.item);
        items.filter_map(Keyed::partition).collect()
    }
}

/// The items of one table in a batch of reads or of writes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Batch {
    Reads {
        #[serde(rename = "Keys")]
        keys: Vec<Keyed>,
    },
    Writes(Vec<BTreeMap<String, Named>>),
}

impl Batch {
    fn keys(&self) -> Vec<String> {
        match self {
            Self::Reads { keys } => keys.iter().filter_map(Keyed::partition).collect(),
            Self::Writes(writes) => {
                let named = writes.iter().flat_map(BTreeMap::values);
                named.flat_map(Named::keys).collect()
            }
        }
    }
}

/// An item or a key, of which only the partition key counts; every table calls it `pk`.
#[derive(Deserialize)]
struct Keyed {
    pk: Option<Text>,
}

impl Keyed {
    fn partition(&self) -> Option<String> {
        self.pk.as_ref()?.text.clone()
    }
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn keys(operation: &str, body: &Value) -> Vec<(String, Vec<String>)> {
        let found = of(operation, body.to_string().as_bytes()).into_iter();
        found
            .map(|touched| (touched.operation, touched.keys))
            .collect()
    }

    #[test]
    fn every_operation_names_its_partition_keys() {
        let item = |pk: &str| json!({"pk": {"S": pk}, "sk": {"S": "A"}, "n": {"N": "1"}});
        let one = |operation: &str, key: &str| vec![(operation.to_owned(), vec![key.to_owned()])];
        for operation in ["GetItem", "UpdateItem", "DeleteItem"] {
            let body = json!({"TableName": "t", "Key": item("ws_1")});
            assert_eq!(keys(operation, &body), one(operation, "ws_1"));
        }
        let body = json!({"TableName": "t", "Item": item("ws_1")});
        assert_eq!(keys("PutItem", &body), one("PutItem", "ws_1"));
        let body = json!({
            "TableName": "t",
            "KeyConditionExpression": "#h0 = :h0 AND begins_with(#r, :r)",
            "ExpressionAttributeNames": {"#h0": "pk", "#r": "sk"},
            "ExpressionAttributeValues": {":h0": {"S": "ws_1"}, ":r": {"S": "A=B"}},
        });
        assert_eq!(keys("Query", &body), one("Query", "ws_1"));
        let both = vec!["ws_1".to_owned(), "ws_2".to_owned()];
        let body = json!({"RequestItems": {"t": {"Keys": [item("ws_1"), item("ws_2")]}}});
        let wanted = vec![("BatchGetItem".to_owned(), both.clone())];
        assert_eq!(keys("BatchGetItem", &body), wanted);
        let body = json!({"RequestItems": {"t": [
            {"PutRequest": {"Item": item("ws_1")}},
            {"DeleteRequest": {"Key": item("ws_2")}},
        ]}});
        let wanted = vec![("BatchWriteItem".to_owned(), both)];
        assert_eq!(keys("BatchWriteItem", &body), wanted);
        let body = json!({"TransactItems": [
            {"Put": {"TableName": "t", "Item": item("ws_1")}},
            {"ConditionCheck": {"TableName": "t", "Key": item("ws_2")}},
        ]});
        let wanted = [one("PutItem", "ws_1"), one("ConditionCheckItem", "ws_2")];
        assert_eq!(keys("TransactWriteItems", &body), wanted.concat());
    }

    #[test]
    fn a_query_of_an_index_names_no_partition() {
        let body = json!({
            "TableName": "t",
            "IndexName": "ByShard",
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "ws_1"}},
        });
        let found = of("Query", body.to_string().as_bytes());
        assert_eq!(found[0].index.as_deref(), Some("ByShard"));
        assert_eq!(found[0].keys, Vec::<String>::new());
    }
}
