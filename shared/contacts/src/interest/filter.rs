//! The values that a workflow waits for in an event. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Values that an event must have in its data. An empty filter passes every event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Filter(BTreeMap<String, Wanted>);

/// The values that a field may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Wanted {
    /// This text, or a value that is written so.
    Is(String),
    /// A number that is not smaller.
    AtLeast { at_least: u64 },
}

impl Filter {
    /// The filter for these fields and values. Only texts, numbers and truth values can be compared.
    pub fn of<'a>(wanted: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Self {
        let texts = wanted
            .into_iter()
            .filter_map(|(name, value)| Some((name.clone(), Wanted::Is(text(value)?))));
        Self(texts.collect())
    }

    /// The filter, which also wants a number that is not smaller in this field.
    #[must_use]
    pub fn at_least(mut self, name: &str, least: u64) -> Self {
        let wanted = Wanted::AtLeast { at_least: least };
        self.0.insert(name.to_owned(), wanted);
        self
    }

    /// Whether the data of an event has all values. A list has each of its values.
    pub fn passes(&self, data: &Value) -> bool {
        let mut wanted = self.0.iter();
        wanted.all(|(name, wanted)| data.get(name).is_some_and(|actual| has(actual, wanted)))
    }
}

/// A form's id is a number in one source and a text in another.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn has(actual: &Value, wanted: &Wanted) -> bool {
    match (actual, wanted) {
        (Value::Array(values), _) => values.iter().any(|value| has(value, wanted)),
        (_, Wanted::Is(wanted)) => text(actual).is_some_and(|actual| actual == *wanted),
        (_, Wanted::AtLeast { at_least }) => {
            let least = *at_least as f64;
            actual.as_f64().is_some_and(|actual| actual >= least)
        }
    }
}
