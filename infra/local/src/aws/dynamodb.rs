//! DynamoDB behind its JSON protocol: the embedded engine, metered, with stream capture.
//!
//! Every call runs to its end on the caller's thread (microseconds); nothing here waits.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use dynoxide::actions::{
    batch_get_item::BatchGetItemRequest, batch_write_item::BatchWriteItemRequest,
    delete_item::DeleteItemRequest, get_item::GetItemRequest, put_item::PutItemRequest,
    query::QueryRequest, scan::ScanRequest, transact_get_items::TransactGetItemsRequest,
    transact_write_items::TransactWriteItemsRequest, update_item::UpdateItemRequest,
};
use dynoxide::types::{ConsumedCapacity, item_size, write_capacity_units};
use dynoxide::{Database, DynoxideError, Item};
use http::{HeaderValue, Response, StatusCode};
use kernel::Clock;
use s3s::crypto::Crc32;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::arns::Arns;
use super::fault::ApiError;
use super::heat::{Condition, Shares};
use super::indexes::Indexes;
use super::lags::Lags;
use super::meter::{Meter, TableUsage};
use super::streams::Streams;
use super::wire;

/// The tables of the account.
pub(super) struct DynamoDb {
    pub db: Database,
    pub streams: Arc<Streams>,
    pub meter: Arc<Meter>,
    pub arns: Arns,
    pub indexes: RwLock<Indexes>,
    pub lags: Lags,
    pub clock: Clock,
}

pub(super) type Answer = Result<Bytes, Failure>;

/// Why a call has no answer.
pub(super) enum Failure {
    /// The engine refused it.
    Engine(DynoxideError),
    /// The local stack does not support the operation of this name.
    Unknown(String),
}

impl From<DynoxideError> for Failure {
    fn from(error: DynoxideError) -> Self {
        Self::Engine(error)
    }
}

/// Kind of the units that a call uses.
#[derive(Clone, Copy)]
pub(super) enum Units {
    Read,
    Write,
}

/// Parses the request, asks the engine for capacity figures, runs and counts. The caller gets only the figures
/// that it asked for. `$each` iterates over the figures of the answer, `$shares` gives their partitions.
macro_rules! metered {
    ($self:ident, $units:expr, $request:expr, $run:expr, $each:ident, $shares:expr) => {{
        let mut request = $request;
        let asked = request
            .return_consumed_capacity
            .replace("INDEXES".to_owned());
        let mut response = $run(request)?;
        for used in $each(&mut response.consumed_capacity) {
            $self.count($units, used, &$shares);
        }
        match asked.as_deref() {
            Some("INDEXES") => {}
            Some("TOTAL") => $each(&mut response.consumed_capacity).for_each(total_only),
            _ => response.consumed_capacity = None,
        }
        serialize(&response)
    }};
}

impl DynamoDb {
    /// Answers one request of the JSON protocol.
    pub fn handle(&self, operation: &str, body: &[u8]) -> Response<Bytes> {
        let answered = match self.arns.named(body) {
            None => self.run(operation, body),
            Some(named) => {
                let answer = self.run(operation, &named.body);
                answer.map(|answer| named.answered(answer))
            }
        };
        match answered {
            Ok(body) => answer(StatusCode::OK, body),
            Err(Failure::Unknown(operation)) => {
                let text = format!("{operation} is not in the local stack");
                let body = json!({"__type": UNKNOWN, "message": text});
                answer(StatusCode::BAD_REQUEST, wire::to_bytes(&body))
            }
            Err(Failure::Engine(error)) => {
                let error = enveloped(operation, error);
                let status = wire::status(error.status_code());
                answer(status, Bytes::from(error.to_json()))
            }
        }
    }

    fn run(&self, operation: &str, body: &[u8]) -> Answer {
        let stale = self.lags.seen(operation, body, self.clock.now_ms());
        let db = stale.as_ref().unwrap_or(&self.db);
        match operation {
            "GetItem" => {
                let request: GetItemRequest = parse(body)?;
                let shares = Shares::of(&request.table_name, &request.key);
                metered!(self, Units::Read, request, |r| db.get_item(r), one, shares)
            }
            "Query" => {
                let request: QueryRequest = parse(body)?;
                let shares = self.queried(&request);
                metered!(self, Units::Read, request, |r| db.query(r), one, shares)
            }
            "Scan" => {
                let request: ScanRequest = parse(body)?;
                let shares = Shares::default();
                metered!(self, Units::Read, request, |r| db.scan(r), one, shares)
            }
            "BatchGetItem" => {
                let request: BatchGetItemRequest = parse(body)?;
                let mut shares = Shares::default();
                for (table, wanted) in &request.request_items {
                    for key in &wanted.keys {
                        shares.item(table, key, 1.0);
                    }
                }
                let get = |r| db.batch_get_item(r);
                metered!(self, Units::Read, request, get, many, shares)
            }
            "TransactGetItems" => {
                let request: TransactGetItemsRequest = parse(body)?;
                let mut shares = Shares::default();
                for item in &request.transact_items {
                    shares.item(&item.get.table_name, &item.get.key, 1.0);
                }
                let get = |r| db.transact_get_items(r);
                metered!(self, Units::Read, request, get, many, shares)
            }
            "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => {
                let answer = self.write(operation, body);
                self.lags.wrote(&self.db, body, self.clock.now_ms());
                answer
            }
            _ => self.tables(operation, body),
        }
    }

    fn write(&self, operation: &str, body: &[u8]) -> Answer {
        match operation {
            "PutItem" => self.put(parse(body)?),
            "UpdateItem" => self.update(parse(body)?),
            "DeleteItem" => self.delete(parse(body)?),
            "BatchWriteItem" => self.batch_write(parse(body)?),
            _ => self.transact_write(parse(body)?),
        }
    }

    fn put(&self, request: PutItemRequest) -> Answer {
        let table = request.table_name.clone();
        let touched = self.touched(&table, &request.item);
        let size = item_size(&request.item);
        let mut shares = Shares::of(&table, &request.item);
        let write = |r| {
            let written = self.capture(touched, &mut shares, || self.db.put_item(r));
            self.refused(written, &table, &shares, || Some(size))
        };
        metered!(self, Units::Write, request, write, one, shares)
    }

    fn update(&self, request: UpdateItemRequest) -> Answer {
        let (table, key) = (request.table_name.clone(), request.key.clone());
        let touched = self.touched(&table, &key);
        let mut shares = Shares::of(&table, &key);
        let write = |r| {
            let written = self.capture(touched, &mut shares, || self.db.update_item(r));
            self.refused(written, &table, &shares, || self.stored_size(&table, key))
        };
        metered!(self, Units::Write, request, write, one, shares)
    }

    fn delete(&self, request: DeleteItemRequest) -> Answer {
        let (table, key) = (request.table_name.clone(), request.key.clone());
        let touched = self.touched(&table, &key);
        let mut shares = Shares::of(&table, &key);
        let write = |r| {
            let written = self.capture(touched, &mut shares, || self.db.delete_item(r));
            self.refused(written, &table, &shares, || self.stored_size(&table, key))
        };
        metered!(self, Units::Write, request, write, one, shares)
    }

    fn batch_write(&self, request: BatchWriteItemRequest) -> Answer {
        let mut touched = Vec::new();
        let mut shares = Shares::default();
        for (table, writes) in &request.request_items {
            for write in writes {
                let put = write.put_request.as_ref().map(|put| &put.item);
                let delete = write.delete_request.as_ref().map(|delete| &delete.key);
                for item in put.into_iter().chain(delete) {
                    touched.extend(self.touched(table, item));
                    shares.item(table, item, write_capacity_units(item_size(item)));
                }
            }
        }
        let db = &self.db;
        let write = |r| self.capture(touched, &mut shares, || db.batch_write_item(r));
        metered!(self, Units::Write, request, write, many, shares)
    }

    fn transact_write(&self, request: TransactWriteItemsRequest) -> Answer {
        let mut touched = Vec::new();
        let mut tried = Vec::new();
        let mut shares = Shares::default();
        for item in &request.transact_items {
            let put = item.put.as_ref().map(|p| (&p.table_name, &p.item));
            let update = item.update.as_ref().map(|u| (&u.table_name, &u.key));
            let delete = item.delete.as_ref().map(|d| (&d.table_name, &d.key));
            for (table, item) in [put, update, delete].into_iter().flatten() {
                let units = write_capacity_units(item_size(item));
                touched.extend(self.touched(table, item));
                tried.push((table.clone(), Shares::of(table, item), 2.0 * units));
                shares.item(table, item, units);
            }
            if let Some(check) = &item.condition_check {
                shares.item(&check.table_name, &check.key, 1.0);
            }
        }
        let db = &self.db;
        let write = |r| {
            let written = self.capture(touched, &mut shares, || db.transact_write_items(r));
            if let Err(DynoxideError::TransactionCanceledException(..)) = &written {
                for (table, shares, units) in tried {
                    self.meter.table(&table, |usage| usage.writes += units);
                    self.meter.heat.refused(&table, units, &shares);
                }
            }
            written
        };
        metered!(self, Units::Write, request, write, many, shares)
    }

    /// Writes with stream capture; adds the changes in the indexes to `shares`.
    fn capture<T>(
        &self,
        touched: Vec<(String, Item)>,
        shares: &mut Shares,
        write: impl FnOnce() -> Result<T, DynoxideError>,
    ) -> Result<T, DynoxideError> {
        let indexes = self.indexes();
        self.streams
            .capture(&self.db, touched, write, |table, old, new| {
                shares.change(&indexes, table, old, new);
            })
    }

    fn queried(&self, request: &QueryRequest) -> Shares {
        let (table, index) = (&request.table_name, request.index_name.as_deref());
        let condition = Condition {
            expression: request
                .key_condition_expression
                .as_deref()
                .unwrap_or_default(),
            names: request.expression_attribute_names.as_ref(),
            values: request.expression_attribute_values.as_ref(),
            hash: self.indexes().hash(table, index),
        };
        Shares::of_query(table, index, &condition)
    }

    pub fn indexes(&self) -> RwLockReadGuard<'_, Indexes> {
        self.indexes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failed condition costs the same units as a success, but the engine reports none.
    fn refused<T>(
        &self,
        written: Result<T, DynoxideError>,
        table: &str,
        shares: &Shares,
        size: impl FnOnce() -> Option<usize>,
    ) -> Result<T, DynoxideError> {
        if let Err(DynoxideError::ConditionalCheckFailedException(..)) = &written {
            let units = write_capacity_units(size().unwrap_or(0));
            self.meter.table(table, |usage| {
                usage.requests += 1;
                usage.writes += units;
            });
            self.meter.heat.refused(table, units, shares);
        }
        written
    }

    fn stored_size(&self, table: &str, key: Item) -> Option<usize> {
        let request = GetItemRequest {
            table_name: table.to_owned(),
            key,
            ..GetItemRequest::default()
        };
        let item = self.db.get_item(request).ok()?.item?;
        Some(item_size(&item))
    }

    /// The item's table and key, if the table declares a stream.
    fn touched(&self, table: &str, item: &Item) -> Vec<(String, Item)> {
        let key = self.streams.key_of(table, item);
        key.map(|key| (table.to_owned(), key)).into_iter().collect()
    }

    fn count(&self, units: Units, used: &ConsumedCapacity, shares: &Shares) {
        self.meter.heat.spread(units, used, shares);
        let own = used
            .table
            .as_ref()
            .map_or(used.capacity_units, |t| t.capacity_units);
        let indexes = [
            used.global_secondary_indexes.as_ref(),
            used.local_secondary_indexes.as_ref(),
        ];
        self.meter
            .table(&used.table_name, |usage: &mut TableUsage| {
                usage.requests += 1;
                match units {
                    Units::Read => usage.reads += own,
                    Units::Write => usage.writes += own,
                }
                for (name, detail) in indexes.into_iter().flatten().flatten() {
                    let index = usage.indexes.entry(name.clone()).or_default();
                    match units {
                        Units::Read => index.reads += detail.capacity_units,
                        Units::Write => index.writes += detail.capacity_units,
                    }
                }
            });
    }
}

/// Error type of the answer to an unsupported operation.
const UNKNOWN: &str = "com.amazon.coral.service#UnknownOperationException";

/// The throttling error and others that come from outside the engine.
pub(super) fn error_response(error: &ApiError) -> Response<Bytes> {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{}", error.code);
    let body = json!({"__type": kind, "message": error.message});
    answer(wire::status(error.status), wire::to_bytes(&body))
}

pub(super) fn answer(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let checksum = Crc32::checksum_u32(&body).to_string();
    let mut response = wire::response(status, wire::AWS_JSON, body);
    if let Ok(checksum) = HeaderValue::from_str(&checksum) {
        response.headers_mut().insert("x-amz-crc32", checksum);
    }
    response
}

fn one(used: &mut Option<ConsumedCapacity>) -> impl Iterator<Item = &mut ConsumedCapacity> {
    used.iter_mut()
}

fn many(used: &mut Option<Vec<ConsumedCapacity>>) -> impl Iterator<Item = &mut ConsumedCapacity> {
    used.iter_mut().flatten()
}

fn total_only(used: &mut ConsumedCapacity) {
    used.table = None;
    used.global_secondary_indexes = None;
    used.local_secondary_indexes = None;
}

/// Reads a request. The engine's readers mark the class of an error in front of its text.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let (text, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
        let marked = |marker: &str| text.strip_prefix(marker).map(str::to_owned);
        if let Some(text) = marked("VALIDATION:").or_else(|| marked("VALIDATION_AS_READ:")) {
            DynoxideError::ValidationException(text)
        } else if let Some(text) = marked("VALIDATION_REQUEST:") {
            DynoxideError::EnvelopedValidation(text)
        } else if let Some(text) =
            marked("SERIALIZATION:").or_else(|| marked("SERIALIZATION_AS_READ:"))
        {
            DynoxideError::SerializationException(text)
        } else if error.is_syntax() || text.starts_with("invalid type") {
            DynoxideError::SerializationException(text.to_owned())
        } else {
            DynoxideError::ValidationException(text.to_owned())
        }
    })
}

fn enveloped(operation: &str, error: DynoxideError) -> DynoxideError {
    match (operation, error) {
        ("PutItem" | "UpdateItem" | "DeleteItem", DynoxideError::EnvelopedValidation(text)) => {
            DynoxideError::ValidationException(format!("1 validation error detected: {text}"))
        }
        (_, error) => error,
    }
}

/// Writes an answer.
pub(super) fn serialize(response: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(response);
    text.map(Bytes::from)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()).into())
}
