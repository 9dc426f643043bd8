//! Updates that merge into an item, in any order and any number of times.
//!
//! A conditional update whose answer was lost is repeated by the SDK. It then fails the condition that it has itself
//! made false. So it leaves a mark. A refused update whose mark is on the item counts as a success. Another update
//! of the same item between the two calls overwrites the mark; the caller then learns that its update failed.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::item::{Item, OUTBOX, PENDING, UNSENT, UPDATE, from_item};
use crate::{Error, outbox};

mod write;

/// Placeholder of the mark's value.
const MARK: &str = ":mark";

/// Builds one `UpdateItem`. Prefer the merging parts (`set_if_absent`, `add_to_set`, `when_*`): they give the same
/// result for any number of runs.
#[derive(Debug, Default, Clone)]
pub struct Update {
    set: Vec<String>,
    add: Vec<String>,
    delete: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    mark: Option<String>,
    has_effects: bool,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    problem: Option<String>,
}

/// The outcome of an update.
#[derive(Debug)]
pub enum UpdateOutcome {
    /// The item after the update.
    Applied(Item),
    /// A condition did not hold; the current item, empty if none exists.
    Refused(Item),
}

impl UpdateOutcome {
    /// Whether the conditions held.
    pub fn applied(&self) -> bool {
        matches!(self, Self::Applied(_))
    }

    /// The item after the update, or the current item if a condition failed.
    pub fn item<T: DeserializeOwned>(self) -> Result<Option<T>, Error> {
        match self {
            Self::Applied(item) | Self::Refused(item) if !item.is_empty() => {
                from_item(item).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl Update {
    /// An empty update: it only checks its conditions, and makes the item if it is absent.
    pub fn new() -> Self {
        Self::default()
    }

    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#a{}", self.names.len());
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, value: impl Serialize) -> String {
        let placeholder = format!(":v{}", self.values.len());
        match serde_dynamo::to_attribute_value(value) {
            Ok(value) => drop(self.values.insert(placeholder.clone(), value)),
            Err(error) => self.problem = Some(error.to_string()),
        }
        placeholder
    }

    fn raw(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Sets the attribute. `pending` also enters the item in the index of unsent effects.
    #[must_use]
    pub fn set(mut self, attribute: &str, value: impl Serialize) -> Self {
        self.has_effects |= attribute == PENDING;
        let (name, value) = (self.name(attribute), self.value(value));
        self.set.push(format!("{name} = {value}"));
        self
    }

    /// Sets the attribute when there is a value.
    #[must_use]
    pub fn set_some(self, attribute: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self,
        }
    }

    /// Sets the attribute if it is absent: the first write wins.
    #[must_use]
    pub fn set_if_absent(mut self, attribute: &str, value: impl Serialize) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.set
            .push(format!("{name} = if_not_exists({name}, {value})"));
        self
    }

    /// Adds to a number. Not safe to repeat: pair it with a condition that only one attempt wins.
    #[must_use]
    pub fn add(mut self, attribute: &str, amount: i64) -> Self {
        let (name, value) = (self.name(attribute), self.value(amount));
        self.add.push(format!("{name} {value}"));
        self
    }

    /// Adds members to a string set.
    #[must_use]
    pub fn add_to_set<S: Into<String>>(
        mut self,
        attribute: &str,
        members: impl IntoIterator<Item = S>,
    ) -> Self {
        if let Some(members) = set_of(members) {
            let (name, value) = (self.name(attribute), self.raw(members));
            self.add.push(format!("{name} {value}"));
        }
        self
    }

    /// Removes members from a string set.
    #[must_use]
    pub fn remove_from_set<S: Into<String>>(
        mut self,
        attribute: &str,
        members: impl IntoIterator<Item = S>,
    ) -> Self {
        if let Some(members) = set_of(members) {
            let (name, value) = (self.name(attribute), self.raw(members));
            self.delete.push(format!("{name} {value}"));
        }
        self
    }

    /// Removes the attribute. Without `pending` nothing of the item is left to send.
    #[must_use]
    pub fn remove(mut self, attribute: &str) -> Self {
        let name = self.name(attribute);
        self.remove.push(name);
        if attribute == PENDING {
            return self.remove(UNSENT).remove(OUTBOX);
        }
        self
    }

    /// Only if the set has a member other than this one.
    #[must_use]
    pub fn when_others_stay(mut self, attribute: &str, member: &str) -> Self {
        let (name, one, member) = (self.name(attribute), self.value(1), self.value(member));
        self.conditions.push(format!(
            "(size({name}) > {one} OR (size({name}) = {one} AND NOT contains({name}, {member})))"
        ));
        self
    }

    /// Only if the set has this member, or fewer than `most` members.
    #[must_use]
    pub fn when_has_or_fits(mut self, attribute: &str, member: &str, most: u32) -> Self {
        let (name, most, member) = (self.name(attribute), self.value(most), self.value(member));
        self.conditions.push(format!(
            "(attribute_not_exists({name}) OR size({name}) < {most} OR contains({name}, {member}))"
        ));
        self
    }

    /// Only if the set has at most so many members, or is absent.
    #[must_use]
    pub fn when_at_most(mut self, attribute: &str, most: usize) -> Self {
        let (name, most) = (self.name(attribute), self.value(most));
        self.conditions.push(format!(
            "(attribute_not_exists({name}) OR size({name}) <= {most})"
        ));
        self
    }

    /// Only if the item exists.
    #[must_use]
    pub fn when_exists(mut self) -> Self {
        self.conditions.push("attribute_exists(pk)".into());
        self
    }

    /// Only if the attribute is absent.
    #[must_use]
    pub fn when_absent(mut self, attribute: &str) -> Self {
        let name = self.name(attribute);
        self.conditions
            .push(format!("attribute_not_exists({name})"));
        self
    }

    /// Only if the attribute has this value.
    #[must_use]
    pub fn when_equals(mut self, attribute: &str, value: impl Serialize) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("{name} = {value}"));
        self
    }

    /// Only if the attribute has the value that was read, or is absent as it was.
    #[must_use]
    pub fn when_as_read(self, attribute: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.when_equals(attribute, value),
            None => self.when_absent(attribute),
        }
    }

    /// Only if the attribute has one of these values.
    #[must_use]
    pub fn when_in<V: Serialize>(
        mut self,
        attribute: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let name = self.name(attribute);
        let values: Vec<String> = values.into_iter().map(|value| self.value(value)).collect();
        self.conditions
            .push(format!("{name} IN ({})", values.join(", ")));
        self
    }

    /// Only if the attribute is absent or smaller: the latest or highest wins.
    #[must_use]
    pub fn when_absent_or_less(mut self, attribute: &str, value: impl Serialize) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!(
            "(attribute_not_exists({name}) OR {name} < {value})"
        ));
        self
    }

    /// Only if the attribute is absent or has another value.
    #[must_use]
    pub fn when_absent_or_other(mut self, attribute: &str, value: impl Serialize) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!(
            "(attribute_not_exists({name}) OR {name} <> {value})"
        ));
        self
    }

    /// Only if the attribute is between these, both included.
    #[must_use]
    pub fn when_between(
        mut self,
        attribute: &str,
        low: impl Serialize,
        high: impl Serialize,
    ) -> Self {
        let (name, low, high) = (self.name(attribute), self.value(low), self.value(high));
        self.conditions
            .push(format!("{name} BETWEEN {low} AND {high}"));
        self
    }

    /// Only if the update of this name was not the last one. So an addition is made once, for any number of repeated
    /// calls. The name is random, made with the update.
    #[must_use]
    pub fn once(mut self, name: String) -> Self {
        self.mark = Some(name);
        self.conditions.push(format!(
            "(attribute_not_exists({UPDATE}) OR {UPDATE} <> {MARK})"
        ));
        self
    }

    /// Names a conditional update, so that its own repetition differs from another writer's update.
    fn marked(self, clock: &kernel::Clock, entropy: &kernel::Entropy) -> Self {
        let mut update = if self.has_effects {
            self.set(OUTBOX, outbox::place(clock, entropy))
        } else {
            self
        };
        update.mark(entropy);
        update
    }

    fn mark(&mut self, entropy: &kernel::Entropy) {
        if self.conditions.is_empty() {
            return;
        }
        let mark = self.mark.get_or_insert_with(|| entropy.nonce());
        let value = AttributeValue::S(mark.clone());
        self.values.insert(MARK.to_owned(), value);
        self.set.push(format!("{UPDATE} = {MARK}"));
    }

    fn expression(&self) -> Option<String> {
        let clauses = [
            ("SET", &self.set),
            ("ADD", &self.add),
            ("DELETE", &self.delete),
            ("REMOVE", &self.remove),
        ];
        let text: Vec<String> = clauses
            .iter()
            .filter(|(_, parts)| !parts.is_empty())
            .map(|(verb, parts)| format!("{verb} {}", parts.join(", ")))
            .collect();
        (!text.is_empty()).then(|| text.join(" "))
    }
}

/// A string set, which DynamoDB takes with each member once; `None` without members.
fn set_of<S: Into<String>>(members: impl IntoIterator<Item = S>) -> Option<AttributeValue> {
    let members: BTreeSet<String> = members.into_iter().map(Into::into).collect();
    (!members.is_empty()).then(|| AttributeValue::Ss(members.into_iter().collect()))
}
