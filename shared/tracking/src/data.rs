//! The data that an event keeps: what the sender gave, in a form that the table stores. Pure.

use serde_json::{Map, Value};

/// Levels of objects and lists that are kept; what is deeper is kept as its JSON text.
const MAX_DEPTH: usize = 8;
/// The parts of a page's address that `context.page` gives to a page view without them.
const PAGE: [&str; 5] = ["url", "path", "title", "referrer", "search"];
/// The parts of `context.campaign`, which become `utm_…`.
const CAMPAIGN: [(&str, &str); 5] = [
    ("name", "utm_campaign"),
    ("source", "utm_source"),
    ("medium", "utm_medium"),
    ("term", "utm_term"),
    ("content", "utm_content"),
];

/// The value as the table stores it: numbers that are out of range are texts, and names are not empty.
pub fn stored(value: &Value) -> Value {
    storable(value, 0)
}

fn storable(value: &Value, depth: usize) -> Value {
    match value {
        Value::Number(number) if !kernel::number::is_storable(number) => number.to_string().into(),
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => value.to_string().into(),
        Value::Array(values) => values.iter().map(|one| storable(one, depth + 1)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let name = if name.is_empty() { "_" } else { name };
                (name.to_owned(), storable(value, depth + 1))
            });
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// The data of an event: its properties, and the campaign that brought the visitor.
pub fn of_event(call: &Value) -> Map<String, Value> {
    let mut data = match call.get("properties").map(stored) {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    for (name, property) in CAMPAIGN {
        let value = call.pointer(&format!("/context/campaign/{name}"));
        if let Some(Value::String(text)) = value {
            data.entry(property).or_insert_with(|| text.as_str().into());
        }
    }
    data
}

/// The data of a page view: with the page's address, which some SDKs give in the context only.
pub fn of_page(call: &Value) -> Map<String, Value> {
    let mut data = of_event(call);
    for name in PAGE {
        let value = call.pointer(&format!("/context/page/{name}"));
        if let Some(Value::String(text)) = value.filter(|text| text.as_str() != Some("")) {
            data.entry(name).or_insert_with(|| text.as_str().into());
        }
    }
    for name in ["name", "category"] {
        if let Some(Value::String(text)) = call.get(name) {
            data.entry(name).or_insert_with(|| text.as_str().into());
        }
    }
    data
}

/// The parts of a call that this build reads. The others, such as the browser's address, go no further.
pub fn trimmed(call: &Map<String, Value>) -> Map<String, Value> {
    const KEPT: [&str; 13] = [
        "type",
        "messageId",
        "userId",
        "anonymousId",
        "previousId",
        "event",
        "name",
        "category",
        "properties",
        "traits",
        "timestamp",
        "originalTimestamp",
        "groupId",
    ];
    const CONTEXT: [&str; 5] = ["page", "campaign", "traits", "device", "consent"];
    let part = |of: &Map<String, Value>, names: &[&str]| -> Map<String, Value> {
        let kept = of
            .iter()
            .filter(|(name, value)| names.contains(&name.as_str()) && !value.is_null());
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let mut trimmed = part(call, &KEPT);
    if let Some(Value::Object(context)) = call.get("context") {
        let mut context = part(context, &CONTEXT);
        if let Some(Value::Object(device)) = context.get("device") {
            let device = part(device, &["token", "type", "keys"]);
            context.insert("device".into(), device.into());
        }
        if !context.is_empty() {
            trimmed.insert("context".into(), context.into());
        }
    }
    trimmed
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_view_has_its_address() {
        let call = json!({
            "name": "Áo dài", "properties": { "title": "Áo dài lụa", "": 1, "big": 1e200 },
            "context": { "page": { "url": "https://shop.vn/ao-dai", "title": "other" },
                         "campaign": { "name": "tet", "source": "zalo" } },
        });
        let expected = json!({
            "url": "https://shop.vn/ao-dai", "title": "Áo dài lụa", "name": "Áo dài", "_": 1,
            "big": "1e+200", "utm_campaign": "tet", "utm_source": "zalo",
        });
        assert_eq!(Value::Object(of_page(&call)), expected);
    }

    #[test]
    fn deep_data_is_text_and_addresses_of_browsers_go_no_further() {
        let mut deep = json!(1);
        for _ in 0..30 {
            deep = json!({ "a": deep });
        }
        let stored = stored(&deep);
        let mut depth = 0;
        let mut at = &stored;
        while let Some(next) = at.get("a") {
            (at, depth) = (next, depth + 1);
        }
        assert_eq!(depth, MAX_DEPTH);
        assert!(at.is_string());
        let call = json!({ "type": "track", "context": { "ip": "203.0.113.7", "userAgent": "x",
            "device": { "token": "t", "id": "7" } }, "integrations": {} });
        let trimmed = trimmed(call.as_object().unwrap());
        let expected = json!({ "type": "track", "context": { "device": { "token": "t" } } });
        assert_eq!(Value::Object(trimmed), expected);
    }
}
