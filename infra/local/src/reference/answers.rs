//! Marks every field of an answer as required: an answer always has all its fields, and an unknown one is null.
//!
//! A schema that a request also uses is not changed, because a request may leave fields out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

const SCHEMAS: &str = "#/components/schemas/";

/// Requires all properties of the schemas that only answers use.
pub(super) fn require(paths: &Map<String, Value>, schemas: &mut Map<String, Value>) {
    let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
    let operations = paths.values().filter_map(Value::as_object);
    for operation in operations.flat_map(Map::values) {
        reach(&operation["requestBody"], schemas, &mut asked);
        reach(&operation["parameters"], schemas, &mut asked);
        reach(&operation["responses"], schemas, &mut answered);
    }
    // A problem has `errors` only if there are some.
    answered.remove("Problem");
    for name in answered.difference(&asked) {
        if let Some(schema) = schemas.get_mut(name) {
            require_all(schema);
        }
    }
}

/// Names of the schemas that this part of the document refers to, also through others.
fn reach(value: &Value, schemas: &Map<String, Value>, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| reach(one, schemas, found)),
        Value::Object(all) => {
            let name = all.get("$ref").and_then(Value::as_str);
            if let Some(name) = name.and_then(|path| path.strip_prefix(SCHEMAS))
                && found.insert(name.to_owned())
                && let Some(schema) = schemas.get(name)
            {
                reach(schema, schemas, found);
            }
            all.values().for_each(|one| reach(one, schemas, found));
        }
        _ => {}
    }
}

fn require_all(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(require_all),
        Value::Object(all) => {
            if let Some(properties) = all.get("properties").and_then(Value::as_object) {
                let names: Vec<Value> = properties.keys().cloned().map(Value::from).collect();
                all.insert("required".to_owned(), names.into());
            }
            // An example is no schema, also if it has a field `properties`.
            let parts = all
                .iter_mut()
                .filter(|(name, _)| !name.starts_with("example"));
            parts.for_each(|(_, part)| require_all(part));
        }
        _ => {}
    }
}
