//! The limits of a contact, in one place. Pure.
//!
//! An item of DynamoDB holds 400 KB. Tags, lists and custom fields only grow, so each has a limit here. The limits
//! leave more than 50 KB, so a full contact can always be renamed, get another address, and unsubscribe.
//!
//! The conditions of the writes hold the limits: the size of the sets, and the version of the custom fields that was
//! read ([`crate::change`]).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Contact;
use crate::unique::TakenValue;

/// Most tags of one contact. A tag has at most 255 characters, so all of them have about 200 KB.
pub const MAX_TAGS: usize = 200;
/// Most addresses of one kind that a contact shows beside its own: shared emails, for one.
pub const MAX_BESIDE: usize = 20;
/// Most visitors, of chat widgets and anonymous ones, that one contact is.
pub const MAX_VISITORS: usize = 50;
/// Most lists that one contact is on.
pub const MAX_LISTS: usize = 200;
/// Most custom fields of one contact.
pub const MAX_FIELDS: usize = 200;
/// Longest custom fields of one contact together: names and values as JSON, in bytes.
pub const MAX_FIELD_BYTES: usize = 100_000;

/// The part of the input that a contact cannot have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surplus {
    /// Names of custom fields.
    pub fields: Vec<String>,
    /// Number of tags.
    pub tags: usize,
    /// Number of lists.
    pub lists: usize,
    /// Values of unique fields that other contacts have, if they cost the whole request. An intake tells them as `not_taken`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<TakenValue>,
}

impl Surplus {
    /// Whether there was room for everything.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many values were left out.
    pub fn count(&self) -> usize {
        self.fields.len() + self.tags + self.lists + self.taken.len()
    }
}

/// Whether DynamoDB stores the value: all of its numbers are in range.
pub fn is_storable(value: &Value) -> bool {
    match value {
        Value::Number(number) => kernel::number::is_storable(number),
        Value::Array(values) => values.iter().all(is_storable),
        Value::Object(fields) => fields.values().all(is_storable),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// The custom fields of a contact while they are changed.
pub(crate) struct Fields {
    count: usize,
    bytes: usize,
}

fn size(name: &str, value: &Value) -> usize {
    name.len() + value.to_string().len()
}

impl Fields {
    pub fn of(before: Option<&Contact>) -> Self {
        let fields = before.map(|contact| &contact.custom).into_iter().flatten();
        fields.fold(Self { count: 0, bytes: 0 }, |all, (name, value)| Self {
            count: all.count + 1,
            bytes: all.bytes + size(name, value),
        })
    }

    /// Takes the new value of a field if it fits. A value that is no longer than the old one always fits.
    pub fn takes(&mut self, name: &str, old: Option<&Value>, new: &Value) -> bool {
        let before = old.map_or(0, |old| size(name, old));
        let (count, bytes) = (
            self.count + usize::from(old.is_none()),
            self.bytes - before + size(name, new),
        );
        let fits = count <= MAX_FIELDS && bytes <= MAX_FIELD_BYTES;
        let shrinks = old.is_some() && bytes <= self.bytes;
        if fits || shrinks {
            (self.count, self.bytes) = (count, bytes);
        }
        fits || shrinks
    }
}

/// Shortens the new members of a set to its room; returns how many were left out.
pub(crate) fn fit<T>(new: &mut Vec<T>, stored: usize, most: usize) -> usize {
    let room = most.saturating_sub(stored);
    let surplus = new.len().saturating_sub(room);
    new.truncate(room);
    surplus
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_checked_to_its_last_number() {
        assert!(is_storable(&json!({ "a": [1, "x", null, { "b": 1e125 }] })));
        assert!(!is_storable(&json!({ "a": [1, { "b": 1e300 }] })));
    }

    proptest! {
        #[test]
        fn fields_never_pass_their_limits(
            writes in proptest::collection::vec((0usize..400, 0usize..4_000), 0..600),
        ) {
            let mut fields = Fields::of(None);
            let mut stored = std::collections::BTreeMap::new();
            for (name, length) in writes {
                let (name, new) = (format!("f{name}"), json!("x".repeat(length)));
                if fields.takes(&name, stored.get(&name), &new) {
                    stored.insert(name, new);
                }
                let bytes: usize = stored.iter().map(|(name, value)| size(name, value)).sum();
                prop_assert!(stored.len() <= MAX_FIELDS && bytes <= MAX_FIELD_BYTES);
            }
        }
    }
}
