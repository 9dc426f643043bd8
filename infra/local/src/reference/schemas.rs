//! Schemas for readers and for generators of clients: equal schemas share one name, and each member of a union has
//! its own name. Nothing here knows an operation.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// A request or an answer by its schema, as a running stack takes and gives them.
const EXAMPLES: &str = include_str!("examples.json");
/// Fields that tell the members of a union apart.
const TAGS: [&str; 2] = ["type", "kind"];
const SCHEMAS: &str = "#/components/schemas/";

/// The path of a schema in the document.
pub fn refer(name: &str) -> Value {
    json!({ "$ref": format!("{SCHEMAS}{name}") })
}

/// Brings the schemas into their final shape.
pub fn finish(schemas: &mut Map<String, Value>) -> Result<()> {
    name_members(schemas);
    name_rows(schemas);
    open_composed(schemas);
    add_examples(schemas)
}

/// Drops the schemas that nothing refers to, `used` and the schemas themselves taken together.
pub fn drop_unused(schemas: &mut Map<String, Value>, used: &[&Value]) {
    let mut open = BTreeSet::new();
    for value in used {
        collect(value, &mut open);
    }
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop_first() {
        let schema = schemas.get(&name);
        if reached.insert(name)
            && let Some(schema) = schema
        {
            let mut next = BTreeSet::new();
            collect(schema, &mut next);
            open.extend(next.difference(&reached).cloned());
        }
    }
    schemas.retain(|name, _| reached.contains(name));
}

/// The names of the schemas that a value refers to.
fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, into)),
        Value::Object(all) => {
            for (name, one) in all {
                match one.as_str().and_then(|path| path.strip_prefix(SCHEMAS)) {
                    Some(schema) if name == "$ref" => {
                        into.insert(schema.to_owned());
                    }
                    _ => collect(one, into),
                }
            }
        }
        _ => {}
    }
}

/// Makes each member of a tagged union a schema of its own, and names the tag as the `discriminator`.
fn name_members(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in names {
        let members = schemas[&name]["oneOf"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let merged: Vec<Value> = members
            .iter()
            .map(|member| merged(member, schemas))
            .collect();
        let tag = TAGS.into_iter().find(|tag| {
            !merged.is_empty() && merged.iter().all(|member| value_of(member, tag).is_some())
        });
        let Some(tag) = tag else { continue };
        let (mut all, mut mapping) = (Vec::new(), Map::new());
        for member in merged {
            let value = value_of(&member, tag).unwrap_or_default().to_owned();
            let own = format!("{name}{}", camel(&value));
            all.push(refer(&own));
            mapping.insert(value, format!("{SCHEMAS}{own}").into());
            schemas.insert(own, member);
        }
        schemas[&name]["oneOf"] = all.into();
        schemas[&name]["discriminator"] = json!({ "propertyName": tag, "mapping": mapping });
    }
}

/// The one value that a member has in the field.
fn value_of<'a>(member: &'a Value, tag: &str) -> Option<&'a str> {
    let values = member["properties"][tag]["enum"].as_array()?;
    values.first().filter(|_| values.len() == 1)?.as_str()
}

/// `wait_duration` is `WaitDuration`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    words.collect()
}

/// A member that is put together of parts, as one object.
fn merged(member: &Value, schemas: &Map<String, Value>) -> Value {
    let Some(parts) = member["allOf"].as_array() else {
        return member.clone();
    };
    let mut whole = member.clone();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        let name = part["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix(SCHEMAS));
        let part = name.and_then(|name| schemas.get(name)).unwrap_or(part);
        properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
        required.extend(part["required"].as_array().cloned().unwrap_or_default());
        for field in ["additionalProperties", "description"] {
            if whole[field].is_null() && !part[field].is_null() {
                whole[field] = part[field].clone();
            }
        }
    }
    whole["type"] = "object".into();
    whole["properties"] = properties.into();
    whole["required"] = required.into();
    if let Some(whole) = whole.as_object_mut() {
        whole.retain(|field, value| field != "allOf" && !value.is_null());
    }
    whole
}

/// Refers from a page to the schema of its rows, which the page carries as a copy.
fn name_rows(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for row in names.iter().filter_map(|name| name.strip_prefix("Page_")) {
        if schemas.contains_key(row) {
            schemas[&format!("Page_{row}")]["properties"]["data"]["items"] = refer(row);
        }
    }
}

/// A schema that is part of another may not forbid the fields of its neighbours.
fn open_composed(schemas: &mut Map<String, Value>) {
    let mut composed = BTreeSet::new();
    for schema in schemas.values() {
        collect_composed(schema, &mut composed);
    }
    for name in composed {
        if let Some(schema) = schemas.get_mut(&name).and_then(Value::as_object_mut) {
            schema.remove("additionalProperties");
        }
    }
}

fn collect_composed(value: &Value, into: &mut BTreeSet<String>) {
    for part in value["allOf"].as_array().into_iter().flatten() {
        let name = part["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix(SCHEMAS));
        into.extend(name.map(str::to_owned));
    }
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect_composed(one, into)),
        Value::Object(all) => all.values().for_each(|one| collect_composed(one, into)),
        _ => {}
    }
}

/// Lays the examples beside their schemas; a page has one row.
fn add_examples(schemas: &mut Map<String, Value>) -> Result<()> {
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES)?;
    for (name, example) in examples {
        if let Some(page) = schemas.get_mut(&format!("Page_{name}")) {
            page["examples"] = json!([{ "data": [example.clone()], "next": null }]);
        }
        let schema = schemas.get_mut(&name);
        schema.with_context(|| format!("an example of {name}, which is no schema"))?["examples"] =
            json!([example]);
    }
    Ok(())
}
