//! The writes of updates: of one item, or of several at once.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update as Part,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use serde::Serialize;

use super::{MARK, Update, UpdateOutcome};
use crate::error::cancellation;
use crate::item::{Key, UPDATE};
use crate::{Error, Table};

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
        let updates = vec![(key.clone(), update)];
        self.update_all_and_create(updates, other, items).await
    }

    /// Like [`Table::update_and_create`], with several updates.
    pub async fn update_all_and_create<T: Serialize>(
        &self,
        updates: Vec<(Key, Update)>,
        other: &Table,
        items: &[(Key, T)],
    ) -> Result<bool, Error> {
        let mut parts = Vec::new();
        for (key, update) in updates {
            let update = self.part(&key, update)?;
            parts.push(TransactWriteItem::builder().update(update).build());
        }
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
