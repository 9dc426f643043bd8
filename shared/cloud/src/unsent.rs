//! The index of items with unsent effects: its attributes, its reads, and the writes that empty it.
//!
//! The index `Unsent` has HASH `pk` and RANGE `outbox`, and holds an item only while effects of the item are unsent.
//! So reading the whole index costs what is unsent and no more. Only `change-relay` and the sweep may use this file.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_runtime_api::client::result::SdkError;
use serde::Deserialize;
use serde_json::Value;

use crate::item::{CHANGED, INDEX, Item, Key, OUTBOX, PENDING, PK, SK, UNSENT, wire};
use crate::outbox::{Pending, asked_of};
use crate::{Error, Table};

/// Index entries of one page of a sweep.
const PAGE: i32 = 100;

/// The key of an image and the write that set its effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub key: Key,
    pub outbox: String,
}

impl Place {
    /// Of an image in DynamoDB's JSON. `None`: a write without this file made the item.
    pub fn of(image: &Value) -> Option<Self> {
        let text = |name: &str| image.get(name)?.get("S")?.as_str().map(str::to_owned);
        Some(Self {
            key: Key::new(text(PK)?, text(SK)?),
            outbox: text(OUTBOX)?,
        })
    }
}

/// Part of the index.
pub(crate) struct UnsentPage {
    /// Items as they are stored now, in DynamoDB's JSON, in the order of their writes within a partition.
    pub images: Vec<Value>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Item>,
}

impl Table {
    /// A page of the items whose effects were written before `before` and are unsent. The index is eventually
    /// consistent, so the items themselves are read again.
    pub(crate) async fn unsent_before(
        &self,
        before: &str,
        start: Option<Item>,
    ) -> Result<UnsentPage, Error> {
        let request = self.client.scan().table_name(&self.name).index_name(INDEX);
        let request = request.set_exclusive_start_key(start).limit(PAGE);
        let answer = request.send().await;
        let answer = answer.map_err(|error| Error::from_sdk(self.place("Scan"), &error))?;
        let is_due = |item: &&Item| matches!(item.get(OUTBOX), Some(AttributeValue::S(at)) if at.as_str() < before);
        let items = answer.items.unwrap_or_default();
        let keys = items.iter().filter(is_due).map(Key::of);
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let items = self.get_items(keys, true).await?;
        let images = items
            .iter()
            .map(wire)
            .filter_map(|image| Some((Place::of(&image)?, image)));
        let mut images: Vec<_> = images.collect();
        images.sort_by(|(a, _), (b, _)| (&a.key.pk, &a.outbox).cmp(&(&b.key.pk, &b.outbox)));
        Ok(UnsentPage {
            images: images.into_iter().map(|(_, image)| image).collect(),
            next: answer.last_evaluated_key,
        })
    }

    /// Whether an earlier write of this partition still has an unsent effect of this name. The writes of `batch` do not
    /// count: the relay keeps their order itself.
    pub(crate) async fn waits_behind(
        &self,
        place: &Place,
        name: &str,
        batch: &HashSet<String>,
    ) -> Result<bool, Error> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self.client.query().table_name(&self.name).index_name(INDEX);
        let request = request
            .key_condition_expression("pk = :pk AND #outbox < :outbox")
            .expression_attribute_names("#outbox", OUTBOX)
            .expression_attribute_values(":pk", text(&place.key.pk))
            .expression_attribute_values(":outbox", text(&place.outbox));
        let answer = request.send().await;
        let answer = answer.map_err(|error| Error::from_sdk(self.place("Query"), &error))?;
        let is_other = |item: &Item| match item.get(OUTBOX) {
            Some(AttributeValue::S(outbox)) => !batch.contains(outbox),
            _ => true,
        };
        let items = answer.items.unwrap_or_default().into_iter();
        for item in items.filter(is_other) {
            // The index may be behind the acknowledgement of the item.
            let stored: Option<Effects> = self.get(&Key::of(&item)?).await?;
            if stored.is_some_and(|stored| stored.has(name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All effects of the write were sent: the item leaves the index. A later write with effects of its own keeps
    /// the item there.
    pub(crate) async fn acknowledge(&self, place: &Place) -> Result<(), Error> {
        let expression = format!("REMOVE {PENDING}, {UNSENT}, {OUTBOX}, {CHANGED}");
        self.change_outbox(place, &expression, None).await.map(drop)
    }

    /// These effects of the write were not sent: the item stays in the index with their names.
    pub(crate) async fn leave(&self, place: &Place, left: Pending) -> Result<(), Error> {
        let expression = format!("SET {UNSENT} = :left REMOVE {PENDING}");
        let Some(stored) = self.change_outbox(place, &expression, Some(&left)).await? else {
            return Ok(());
        };
        // A later write has effects of its own. The names are added to it.
        let both = left.and(asked_of(&without_pending(&wire(&stored)))?);
        let text = serde_dynamo::to_attribute_value(&both)?;
        let request = self.client.update_item().table_name(&self.name);
        let request = request
            .set_key(Some(place.key.attributes()))
            .update_expression("SET #unsent = :left, #outbox = if_not_exists(#outbox, :outbox)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#unsent", UNSENT)
            .expression_attribute_names("#outbox", OUTBOX)
            .expression_attribute_values(":left", text)
            .expression_attribute_values(":outbox", AttributeValue::S(place.outbox.clone()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match Error::from_sdk(self.place("UpdateItem"), &error) {
                // The item was deleted: nothing can be made from it.
                Error::Conflict => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Changes the outbox of the item if its effects are still those of this write. Leaves no mark: the mark of
    /// another writer must stay. Returns the stored item if the effects are no longer those.
    async fn change_outbox(
        &self,
        place: &Place,
        expression: &str,
        left: Option<&Pending>,
    ) -> Result<Option<Item>, Error> {
        let mut request = self.client.update_item().table_name(&self.name);
        request = request
            .set_key(Some(place.key.attributes()))
            .update_expression(expression)
            .condition_expression(format!("{OUTBOX} = :outbox"))
            .expression_attribute_values(":outbox", AttributeValue::S(place.outbox.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(left) = left {
            let text = serde_dynamo::to_attribute_value(left)?;
            request = request.expression_attribute_values(":left", text);
        }
        let Err(error) = request.send().await else {
            return Ok(None);
        };
        if let SdkError::ServiceError(context) = &error
            && let UpdateItemError::ConditionalCheckFailedException(refusal) = context.err()
        {
            return Ok(refusal.item().filter(|item| !item.is_empty()).cloned());
        }
        Err(Error::from_sdk(self.place("UpdateItem"), &error))
    }
}

/// The effects that a stored item asks for.
#[derive(Deserialize)]
struct Effects {
    #[serde(default)]
    pending: Pending,
    #[serde(default)]
    unsent: Pending,
}

impl Effects {
    fn has(&self, name: &str) -> bool {
        let name = BTreeSet::from([name]);
        let has = |effects: &Pending| !effects.clone().only(&name).is_empty();
        has(&self.pending) || has(&self.unsent)
    }
}

fn without_pending(image: &Value) -> Value {
    let mut image = image.clone();
    if let Some(attributes) = image.as_object_mut() {
        attributes.remove(PENDING);
    }
    image
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_needs_the_key_and_the_write() {
        let image = json!({ "pk": { "S": "p" }, "sk": { "S": "s" }, "outbox": { "S": "o" } });
        let place = Place::of(&image).unwrap();
        assert_eq!((place.key, place.outbox), (Key::new("p", "s"), "o".into()));
        for name in ["pk", "sk", "outbox"] {
            let mut image = image.clone();
            image.as_object_mut().unwrap().remove(name);
            assert_eq!(Place::of(&image), None, "{name}");
        }
    }

    #[test]
    fn an_effect_is_found_in_both_attributes() {
        let names = |name: &str| json!({ "names": [name] }).to_string();
        let row = json!({ "pending": names("a"), "unsent": names("b") });
        let row: Effects = serde_json::from_value(row).unwrap();
        assert!(row.has("a") && row.has("b") && !row.has("c"));
    }

    #[test]
    fn the_effects_of_a_later_write_stay_its_own() {
        let image = json!({ "pending": { "S": "x" }, "unsent": { "S": "y" } });
        assert_eq!(without_pending(&image), json!({ "unsent": { "S": "y" } }));
    }
}
