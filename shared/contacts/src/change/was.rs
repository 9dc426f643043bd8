//! The values that a contact had before an import changed it, so that the import can be undone. Pure.

use std::collections::BTreeMap;

use kernel::ListId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Change, stored_field};
use crate::model::Contact;
use crate::rows::CUSTOM;

/// How long the row is kept, in seconds: longer than an import may be undone.
const KEEP_SECONDS: i64 = 3 * 24 * 3600;

/// A value before and after; null if there was none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Was {
    pub old: Value,
    pub new: Value,
}

/// The change of a known contact by one row of an import.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Values by the name of the attribute.
    pub fields: BTreeMap<String, Was>,
    /// Identities that the row gave. They stay.
    pub addresses: Vec<String>,
    /// Tags that are new.
    pub tags: Vec<String>,
    /// Lists that are new.
    pub lists: Vec<ListId>,
    /// Whether the row gave or took a consent. The decision stays, with its proof.
    pub consent: bool,
    pub ttl: i64,
}

/// The value of an attribute; null if there is none.
pub(crate) fn value(contact: &Contact, name: &str) -> Value {
    match name.strip_prefix(CUSTOM) {
        Some(name) => contact.custom.get(name).cloned().unwrap_or_default(),
        None => stored_field(contact, name).unwrap_or_default(),
    }
}

impl Change {
    /// The values that the change replaces in this contact.
    pub fn before(&self, contact: &Contact, now: i64) -> Before {
        let mut before = Before {
            tags: self.tags.clone(),
            lists: self.lists.clone(),
            consent: !self.agreed.is_empty(),
            ttl: now + KEEP_SECONDS,
            ..Before::default()
        };
        let given: Vec<String> = self
            .identities
            .iter()
            .filter_map(|one| Some(super::field(one)?.0))
            .collect();
        for (name, new) in &self.fields {
            if given.contains(name) {
                before.addresses.push(name.clone());
                continue;
            }
            let (old, new) = (value(contact, name), new.clone());
            before.fields.insert(name.clone(), Was { old, new });
        }
        for name in &self.removed {
            let (old, new) = (value(contact, name), Value::Null);
            before
                .fields
                .entry((*name).clone())
                .or_insert(Was { old, new });
        }
        before
    }
}
