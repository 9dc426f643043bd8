//! The API of DynamoDB streams over the log: each stream is one shard, which stays open.
//!
//! An iterator is a position and its issue time; the service stores no iterators.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::fault::ApiError;
use super::super::{dynamodb, wire};
use super::{SHARD, Streams, seen, sequence_text, view_name};

/// Most records in one answer, and most streams in one list.
const MOST_RECORDS: u64 = 1000;
const MOST_STREAMS: u64 = 100;
/// An iterator is good for this long, milliseconds.
const ITERATOR_LIFE: i64 = 15 * 60 * 1000;

type Answer = Result<Value, ApiError>;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Request {
    table_name: Option<String>,
    stream_arn: Option<String>,
    exclusive_start_stream_arn: Option<String>,
    shard_id: Option<String>,
    shard_iterator: Option<String>,
    shard_iterator_type: String,
    sequence_number: Option<String>,
    limit: Option<u64>,
}

impl Streams {
    /// Answers one request of the JSON protocol.
    pub(in crate::aws) fn handle(&self, operation: &str, body: &[u8]) -> Response<Bytes> {
        match self.answer(operation, body) {
            Ok(answer) => dynamodb::answer(StatusCode::OK, wire::to_bytes(&answer)),
            Err(error) => dynamodb::error_response(&error),
        }
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        let request: Request = serde_json::from_slice(body)
            .map_err(|error| ApiError::new(400, "SerializationException", error.to_string()))?;
        match operation {
            "ListStreams" => self.list(&request),
            "DescribeStream" => self.describe(&request),
            "GetShardIterator" => self.iterator(&request),
            "GetRecords" => self.records(&request),
            _ => {
                let text = format!("{operation} is not in the local stack");
                Err(ApiError::new(400, "UnknownOperationException", text))
            }
        }
    }

    fn list(&self, request: &Request) -> Answer {
        let limit = limit(request, MOST_STREAMS)?;
        let wanted = request.table_name.as_deref();
        let after = request
            .exclusive_start_stream_arn
            .as_deref()
            .unwrap_or_default();
        let tables = self.declared_tables().into_iter();
        let tables = tables.filter(|table| wanted.is_none_or(|wanted| wanted == table));
        let arns = tables.map(|table| (self.arn(&table), table));
        let mut arns = arns.filter(|(arn, _)| arn.as_str() > after);
        let page: Vec<_> = arns.by_ref().take(limit).collect();
        let stream = |(arn, table): &(String, String)| json!({"StreamArn": arn, "TableName": table, "StreamLabel": label(arn)});
        let mut answer = json!({"Streams": page.iter().map(stream).collect::<Vec<_>>()});
        if let Some((last, _)) = page.last().filter(|_| arns.next().is_some()) {
            answer["LastEvaluatedStreamArn"] = json!(last);
        }
        Ok(answer)
    }

    fn describe(&self, request: &Request) -> Answer {
        let table = self.table(request)?;
        let Some(definition) = self.definition(&table) else {
            return Err(absent(&table));
        };
        let kinds = ["HASH", "RANGE"].iter().zip(&definition.keys);
        let keys = kinds.map(|(kind, name)| json!({"AttributeName": name, "KeyType": kind}));
        let first = self.lock().first(&table);
        let arn = self.arn(&table);
        Ok(json!({"StreamDescription": {
            "StreamArn": arn,
            "StreamLabel": label(&arn),
            "StreamStatus": "ENABLED",
            "StreamViewType": view_name(definition.view),
            "TableName": table,
            "KeySchema": keys.collect::<Vec<_>>(),
            "Shards": [{
                "ShardId": SHARD,
                "SequenceNumberRange": {"StartingSequenceNumber": sequence_text(first)},
            }],
        }}))
    }

    fn iterator(&self, request: &Request) -> Answer {
        let table = self.table(request)?;
        if request.shard_id.as_deref() != Some(SHARD) {
            let text = "Requested resource not found: the stream has no such shard";
            return Err(ApiError::new(400, "ResourceNotFoundException", text));
        }
        let number = request.sequence_number.as_ref();
        let number = number.map(|text| {
            text.parse::<u64>()
                .map_err(|_| invalid("SequenceNumber is no number"))
        });
        let number = number.transpose()?;
        let mut state = self.lock();
        state.trim(&table, self.clock.now_ms());
        let from = match (request.shard_iterator_type.as_str(), number) {
            ("TRIM_HORIZON", None) => state.first(&table),
            ("LATEST", None) => state.next(),
            ("AT_SEQUENCE_NUMBER", Some(number)) => number,
            ("AFTER_SEQUENCE_NUMBER", Some(number)) => number.saturating_add(1),
            _ => {
                let text = "ShardIteratorType must be TRIM_HORIZON or LATEST, or AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER with a SequenceNumber";
                return Err(invalid(text));
            }
        };
        if from < state.first(&table) {
            return Err(trimmed());
        }
        drop(state);
        Ok(json!({"ShardIterator": self.iterator_at(&table, from)}))
    }

    fn records(&self, request: &Request) -> Answer {
        let limit = limit(request, MOST_RECORDS)?;
        let text = request.shard_iterator.as_deref().unwrap_or_default();
        let parts = BASE64.decode(text).ok();
        let parts = parts.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some((table, from, given)) = parts else {
            return Err(invalid("Invalid ShardIterator"));
        };
        let (table, from, given): (String, u64, i64) = (table, from, given);
        if given + ITERATOR_LIFE < self.clock.now_ms() {
            let text = "Iterator expired. The iterator was created more than 15 minutes ago.";
            return Err(ApiError::new(400, "ExpiredIteratorException", text));
        }
        let Some(definition) = self.definition(&table) else {
            return Err(absent(&table));
        };
        let mut state = self.lock();
        state.trim(&table, self.clock.now_ms());
        if from < state.first(&table) {
            return Err(trimmed());
        }
        let records = state.from(&table, from).take(limit);
        let records: Vec<_> = records
            .map(|record| seen(record, definition.view))
            .collect();
        let last = records.last().map(|record| record.sequence + 1);
        drop(state);
        let shown = records.iter().map(|record| {
            let mut shown = self.lambda_record(record);
            if let Some(fields) = shown.as_object_mut() {
                fields.remove("eventSourceARN");
            }
            shown
        });
        let next = self.iterator_at(&table, last.unwrap_or(from));
        Ok(json!({"Records": shown.collect::<Vec<_>>(), "NextShardIterator": next}))
    }

    fn iterator_at(&self, table: &str, from: u64) -> String {
        let now = self.clock.now_ms();
        BASE64.encode(json!([table, from, now]).to_string())
    }

    /// The table whose stream a request names.
    fn table(&self, request: &Request) -> Result<String, ApiError> {
        let arn = request.stream_arn.as_deref().unwrap_or_default();
        let table = self
            .declared_tables()
            .into_iter()
            .find(|table| self.arn(table) == arn);
        table.ok_or_else(|| absent(arn))
    }
}

fn limit(request: &Request, most: u64) -> Result<usize, ApiError> {
    let limit = request.limit.unwrap_or(most);
    if !(1..=most).contains(&limit) {
        return Err(invalid(format!("Limit must be between 1 and {most}")));
    }
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

fn label(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationException", text)
}

fn absent(name: &str) -> ApiError {
    let text = format!("Requested resource not found: Stream: {name} not found");
    ApiError::new(400, "ResourceNotFoundException", text)
}

fn trimmed() -> ApiError {
    let text = "The operation attempted to read past the oldest stream record in a shard.";
    ApiError::new(400, "TrimmedDataAccessException", text)
}
