//! Updates that merge into an item, in any order and any number of times.
//!
//! A conditional update whose answer was lost is repeated by the SDK. It then fails the condition that it has itself
//! made false. So it leaves a mark. A refused update whose mark is on the item counts as a success. Another update
//! of the same item between the two calls overwrites the mark; the caller then learns that its update failed.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update as Part,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::cancellation;
use crate::item::{Item, Key, OUTBOX, PENDING, UNSENT, UPDATE, from_item};
use crate::{Error, Table, outbox};

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
        let members: Vec<String> = members.into_iter().map(Into::into).collect();
        if !members.is_empty() {
            let (name, value) = (self.name(attribute), self.raw(AttributeValue::Ss(members)));
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
        let members: Vec<String> = members.into_iter().map(Into::into).collect();
        if !members.is_empty() {
            let (name, value) = (self.name(attribute), self.raw(AttributeValue::Ss(members)));
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

impl Table {
    /// Applies updates of several items, all or none. False: a condition did not hold, and nothing was written.
    /// Costs twice as much as single updates.
    pub async fn update_all(&self, updates: Vec<(Key, Update)>) -> Result<bool, Error> {
        let parts = updates.into_iter().map(|(key, update)| {
            let part = self.part(&key, update)?;
            Ok(TransactWriteItem::builder().update(part).build())
        });
        self.transact(parts.collect::<Result<Vec<_>, Error>>()?)
            .await
    }

    /// Applies an update and creates items of another table, all or none. False: a condition did not hold or an item
    /// exists, and nothing was written. Costs twice as much as single writes.
    pub async fn update_and_create<T: Serialize>(
        &self,
        (key, update): (&Key, Update),
        other: &Table,
        items: &[(Key, T)],
    ) -> Result<bool, Error> {
        let update = self.part(key, update)?;
        let mut parts = vec![TransactWriteItem::builder().update(update).build()];
        for (key, value) in items {
            let put = Put::builder()
                .table_name(&other.name)
                .set_item(Some(other.to_item(key, value)?))
                .condition_expression("attribute_not_exists(pk)")
                .build();
            let put = put.map_err(|error| Error::Shape(error.to_string()))?;
            parts.push(TransactWriteItem::builder().put(put).build());
        }
        self.transact(parts).await
    }

    async fn transact(&self, parts: Vec<TransactWriteItem>) -> Result<bool, Error> {
        // A repetition under this name, after a lost answer, gets the answer of the first call.
        let name = self.entropy().nonce();
        for round in 0.. {
            let request = self.client.transact_write_items();
            let request = request.set_transact_items(Some(parts.clone()));
            let result = request.client_request_token(&name).send().await;
            let Err(error) = result else { break };
            let place = self.place("TransactWriteItems");
            let error = match cancelled(&error) {
                Some(reasons) => cancellation(place, &reasons),
                None => return Err(Error::from_sdk(place, &error)),
            };
            // SDKs do not repeat a cancelled transaction, for any reason.
            match error {
                Error::Conflict => return Ok(false),
                Error::Throttled { .. } => self.pause_or(error, round).await?,
                other => return Err(other),
            }
        }
        Ok(true)
    }

    /// Deletes the item if the conditions of the update hold; an update that changes something is refused. False: they
    /// do not hold. A repetition after a lost answer may also get false.
    pub async fn delete_when(&self, key: &Key, only: Update) -> Result<bool, Error> {
        if let Some(problem) = only.problem {
            return Err(Error::Shape(problem));
        }
        if only.expression().is_some() {
            return Err(Error::Shape("a deletion changes nothing".into()));
        }
        let result = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression(only.conditions.join(" AND "))
            .set_expression_attribute_names((!only.names.is_empty()).then_some(only.names))
            .set_expression_attribute_values((!only.values.is_empty()).then_some(only.values))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) => {
                let is_refused = error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception);
                if is_refused {
                    return Ok(false);
                }
                Err(Error::from_sdk(self.place("DeleteItem"), &error))
            }
        }
    }

    fn part(&self, key: &Key, update: Update) -> Result<Part, Error> {
        if let Some(problem) = update.problem {
            return Err(Error::Shape(problem));
        }
        let update = update.marked(self.clock(), self.entropy());
        let part = Part::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .set_update_expression(update.expression())
            .set_condition_expression(
                (!update.conditions.is_empty()).then(|| update.conditions.join(" AND ")),
            )
            .set_expression_attribute_names((!update.names.is_empty()).then_some(update.names))
            .set_expression_attribute_values((!update.values.is_empty()).then_some(update.values))
            .build();
        part.map_err(|error| Error::Shape(error.to_string()))
    }

    /// Applies the update and returns the item; a failed condition is an outcome, not an error.
    pub async fn update(&self, key: &Key, update: Update) -> Result<UpdateOutcome, Error> {
        if let Some(problem) = update.problem {
            return Err(Error::Shape(problem));
        }
        let update = update.marked(self.clock(), self.entropy());
        let mark = update.values.get(MARK).cloned();
        let expression = update.expression();
        let conditions = update.conditions;
        let result = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .set_update_expression(expression)
            .set_condition_expression((!conditions.is_empty()).then(|| conditions.join(" AND ")))
            .set_expression_attribute_names((!update.names.is_empty()).then_some(update.names))
            .set_expression_attribute_values((!update.values.is_empty()).then_some(update.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(answer) => Ok(UpdateOutcome::Applied(
                answer.attributes.unwrap_or_default(),
            )),
            Err(error) => {
                if let SdkError::ServiceError(context) = &error
                    && let UpdateItemError::ConditionalCheckFailedException(refusal) = context.err()
                {
                    let stored = refusal.item().cloned().unwrap_or_default();
                    return Ok(if mark.is_some() && stored.get(UPDATE) == mark.as_ref() {
                        UpdateOutcome::Applied(stored)
                    } else {
                        UpdateOutcome::Refused(stored)
                    });
                }
                Err(Error::from_sdk(self.place("UpdateItem"), &error))
            }
        }
    }
}

/// Why a transaction was not carried out, for each part. `None`: it failed in another way.
fn cancelled(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Option<Vec<&str>> {
    let SdkError::ServiceError(context) = error else {
        return None;
    };
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = context.err() else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons().iter();
    Some(reasons.filter_map(CancellationReason::code).collect())
}
