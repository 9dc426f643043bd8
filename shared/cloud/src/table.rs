//! One DynamoDB table and its conditional writes.
//!
//! The SDK repeats a write whose answer was lost, and the repetition then fails its own condition. So `create` and
//! `replace` mark each item with the name of the write. A refused write whose mark is on the stored item counts as a
//! success.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest,
    ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use aws_smithy_runtime_api::client::result::SdkError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Place;
use crate::item::{Item, Key, OUTBOX, PENDING, WRITE, from_item, to_item};
use crate::{Aws, Error, outbox};

/// `BatchGetItem` takes 100 keys, `BatchWriteItem` 25 items.
const GET_BATCH: usize = 100;
const WRITE_BATCH: usize = 25;
/// Unprocessed entries are normal under load; after this many rounds the call counts as throttled.
const ROUNDS: u32 = 8;

/// A table; cheap to clone.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    aws: Aws,
}

/// The outcome of [`Table::create`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// The item is new and written by this call.
    New,
    /// An item existed already.
    Existing(T),
}

impl<T> Created<T> {
    /// The item did not exist before.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::New)
    }
}

impl<T: PartialEq> Created<T> {
    /// Whether the item is `new`, from this call or from an earlier run of the same request.
    pub fn is_ours(&self, new: &T) -> bool {
        match self {
            Self::New => true,
            Self::Existing(found) => found == new,
        }
    }
}

impl Table {
    /// The table of this name.
    pub(crate) fn new(aws: &Aws, name: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            name: name.to_owned(),
            aws: aws.clone(),
        }
    }

    /// Physical name of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An operation on this table.
    pub(crate) fn place(&self, operation: &'static str) -> Place {
        Place::new("dynamodb", operation, &self.name)
    }

    /// The item's value. If its shape is unexpected, the error names the call that read it.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        item: Item,
    ) -> Result<T, Error> {
        from_item(item).map_err(|error| match error {
            Error::Shape(flaw) => Error::Shape(format!("{flaw} ({})", self.place(operation))),
            other => other,
        })
    }

    /// The item as it is written: with effects it also enters the index of unsent effects.
    pub(crate) fn to_item<T: Serialize>(&self, key: &Key, value: &T) -> Result<Item, Error> {
        let mut item = to_item(key, value)?;
        if item.contains_key(PENDING) {
            let place = outbox::place(self.clock(), self.entropy());
            item.insert(OUTBOX.to_owned(), AttributeValue::S(place));
        }
        Ok(item)
    }

    /// The clock of the table's client.
    pub fn clock(&self) -> &kernel::Clock {
        self.aws.clock()
    }

    /// The randomness of the table's client.
    pub fn entropy(&self) -> &kernel::Entropy {
        self.aws.entropy()
    }

    /// The item under `key`, strongly consistent.
    pub async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        self.get_item(key, true).await
    }

    /// The item under `key`, eventually consistent, at half the price. An absent item is read again strongly
    /// consistent, since it may be new. For [`Recent`](crate::Recent).
    pub async fn look_up<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        match self.get_item(key, false).await? {
            Some(item) => Ok(Some(item)),
            None => self.get(key).await,
        }
    }

    async fn get_item<T: DeserializeOwned>(
        &self,
        key: &Key,
        consistent: bool,
    ) -> Result<Option<T>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .consistent_read(consistent)
            .send()
            .await
            .map_err(|error| Error::from_sdk(self.place("GetItem"), &error))?;
        let read = |item| self.read("GetItem", item);
        answer.item.map(read).transpose()
    }

    /// The items that exist under `keys`, in no order, eventually consistent. Repeated keys count once.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: Vec<Key>,
    ) -> Result<Vec<(Key, T)>, Error> {
        self.get_batches(keys, false).await
    }

    /// Like [`Table::get_many`], strongly consistent, at twice the price.
    pub async fn get_many_consistent<T: DeserializeOwned>(
        &self,
        keys: Vec<Key>,
    ) -> Result<Vec<(Key, T)>, Error> {
        self.get_batches(keys, true).await
    }

    async fn get_batches<T: DeserializeOwned>(
        &self,
        keys: Vec<Key>,
        consistent: bool,
    ) -> Result<Vec<(Key, T)>, Error> {
        let items = self.get_items(keys, consistent).await?;
        let read = |item: Item| Ok((Key::of(&item)?, self.read("BatchGetItem", item)?));
        items.into_iter().map(read).collect()
    }

    /// The items as they are stored.
    pub(crate) async fn get_items(
        &self,
        mut keys: Vec<Key>,
        consistent: bool,
    ) -> Result<Vec<Item>, Error> {
        keys.sort_unstable();
        keys.dedup();
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(GET_BATCH) {
            let mut wanted: Vec<Item> = chunk.iter().map(Key::attributes).collect();
            for round in 0.. {
                let request = KeysAndAttributes::builder()
                    .set_keys(Some(std::mem::take(&mut wanted)))
                    .consistent_read(consistent)
                    .build()
                    .map_err(|error| Error::Shape(error.to_string()))?;
                let answer = self
                    .client
                    .batch_get_item()
                    .request_items(&self.name, request)
                    .send()
                    .await
                    .map_err(|error| Error::from_sdk(self.place("BatchGetItem"), &error))?;
                let items = answer.responses.into_iter().flatten();
                found.extend(items.flat_map(|(_, items)| items));
                let left = answer
                    .unprocessed_keys
                    .unwrap_or_default()
                    .remove(&self.name);
                wanted = left.map(|left| left.keys).unwrap_or_default();
                if wanted.is_empty() {
                    break;
                }
                self.pause_or_give_up("BatchGetItem", round).await?;
            }
        }
        Ok(found)
    }

    /// Puts the item if none exists. A redelivery finds `Existing`. A write whose answer was lost is recognised by
    /// its mark and counts as `New`.
    pub async fn create<T>(&self, key: &Key, value: &T) -> Result<Created<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        match self
            .put_if(key, value, "attribute_not_exists(pk)", HashMap::new())
            .await?
        {
            None => Ok(Created::New),
            Some(existing) => Ok(Created::Existing(self.read("PutItem", existing)?)),
        }
    }

    /// Overwrites the item. Only for content that follows from the key, so that any order of repetitions gives the
    /// same item.
    pub async fn put<T: Serialize>(&self, key: &Key, value: &T) -> Result<(), Error> {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(self.to_item(key, value)?))
            .send()
            .await
            .map_err(|error| Error::from_sdk(self.place("PutItem"), &error))?;
        Ok(())
    }

    /// Overwrites many items, not atomically; unprocessed ones are sent again.
    pub async fn put_many<T: Serialize>(&self, items: &[(Key, T)]) -> Result<(), Error> {
        let requests = items
            .iter()
            .map(|(key, value)| {
                let put = PutRequest::builder()
                    .set_item(Some(self.to_item(key, value)?))
                    .build();
                let put = put.map_err(|error| Error::Shape(error.to_string()))?;
                Ok(WriteRequest::builder().put_request(put).build())
            })
            .collect::<Result<Vec<_>, Error>>()?;
        self.write_batches(&requests).await
    }

    /// Deletes many items, not atomically.
    pub async fn delete_many(&self, keys: &[Key]) -> Result<(), Error> {
        let requests = keys
            .iter()
            .map(|key| {
                let delete = DeleteRequest::builder()
                    .set_key(Some(key.attributes()))
                    .build();
                let delete = delete.map_err(|error| Error::Shape(error.to_string()))?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            })
            .collect::<Result<Vec<_>, Error>>()?;
        self.write_batches(&requests).await
    }

    /// Moves a state machine: writes `value` if the stored item still has `version = expected`. `value` carries the
    /// next version in its attribute `version`. [`Error::Conflict`] means that another writer moved it first.
    pub async fn replace<T: Serialize>(
        &self,
        key: &Key,
        value: &T,
        expected: u64,
    ) -> Result<(), Error> {
        let values = HashMap::from([(
            ":expected".to_owned(),
            AttributeValue::N(expected.to_string()),
        )]);
        match self
            .put_if(key, value, "version = :expected", values)
            .await?
        {
            None => Ok(()),
            Some(_) => Err(Error::Conflict),
        }
    }

    /// Moves a state machine whose first state has no item: `None` writes the item only if there is none.
    pub async fn replace_or_create<T>(
        &self,
        key: &Key,
        value: &T,
        expected: Option<u64>,
    ) -> Result<(), Error>
    where
        T: Serialize + DeserializeOwned,
    {
        match expected {
            Some(version) => self.replace(key, value, version).await,
            None if self.create(key, value).await?.is_new() => Ok(()),
            None => Err(Error::Conflict),
        }
    }

    /// Deletes the item if it exists.
    pub async fn delete(&self, key: &Key) -> Result<(), Error> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .send()
            .await
            .map_err(|error| Error::from_sdk(self.place("DeleteItem"), &error))?;
        Ok(())
    }

    /// Puts under a condition. `None`: written by this call. `Some`: refused, with the stored item.
    async fn put_if<T: Serialize>(
        &self,
        key: &Key,
        value: &T,
        condition: &str,
        values: HashMap<String, AttributeValue>,
    ) -> Result<Option<Item>, Error> {
        let mark = AttributeValue::S(self.aws.entropy().nonce());
        let mut item = self.to_item(key, value)?;
        item.insert(WRITE.to_owned(), mark.clone());
        let result = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = result else { return Ok(None) };
        if let SdkError::ServiceError(context) = &error
            && let PutItemError::ConditionalCheckFailedException(refusal) = context.err()
        {
            let stored = refusal.item().cloned().unwrap_or_default();
            return Ok((stored.get(WRITE) != Some(&mark)).then_some(stored));
        }
        Err(Error::from_sdk(self.place("PutItem"), &error))
    }

    async fn write_batches(&self, requests: &[WriteRequest]) -> Result<(), Error> {
        for chunk in requests.chunks(WRITE_BATCH) {
            let mut wanted = chunk.to_vec();
            for round in 0.. {
                let answer = self
                    .client
                    .batch_write_item()
                    .request_items(&self.name, wanted)
                    .send()
                    .await
                    .map_err(|error| Error::from_sdk(self.place("BatchWriteItem"), &error))?;
                wanted = answer
                    .unprocessed_items
                    .unwrap_or_default()
                    .remove(&self.name)
                    .unwrap_or_default();
                if wanted.is_empty() {
                    break;
                }
                self.pause_or_give_up("BatchWriteItem", round).await?;
            }
        }
        Ok(())
    }

    /// Random wait (full jitter) before the next round of a batch or a transaction.
    pub(crate) async fn pause_or_give_up(
        &self,
        operation: &'static str,
        round: u32,
    ) -> Result<(), Error> {
        let code = "UnprocessedEntries".to_owned();
        let place = self.place(operation);
        self.pause_or(Error::Throttled { place, code }, round).await
    }

    /// Like [`Table::pause_or_give_up`], with the error of the last round.
    pub(crate) async fn pause_or(&self, error: Error, round: u32) -> Result<(), Error> {
        if round >= ROUNDS {
            return Err(error);
        }
        let ceiling = 20u64 << round;
        tokio::time::sleep(Duration::from_millis(self.aws.entropy().u64() % ceiling)).await;
        Ok(())
    }
}
