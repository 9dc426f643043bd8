//! The API of DynamoDB streams, called by its wire protocol, because the project has no client for it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::{Hand, open};
use crate::aws::Aws;

/// The stream of the table `watched`.
const ARN: &str =
    "arn:aws:dynamodb:ap-southeast-1:000000000000:table/watched/stream/2026-01-01T00:00:00.000";

async fn call(aws: &Aws, operation: &str, request: Value) -> Value {
    let target = format!("DynamoDBStreams_20120810.{operation}");
    let call = http::Request::post("/").header("x-amz-target", target);
    let call = call.body(request.to_string().into()).unwrap();
    let answer = aws.handle(call).await;
    serde_json::from_slice(answer.body()).unwrap()
}

/// Writes an item whose sort key is `sk`.
async fn put(aws: &Aws, sk: &str) {
    let put = Client::new(&aws.sdk_config())
        .put_item()
        .table_name("watched");
    let put = put.item("pk", AttributeValue::S("a".into()));
    let put = put.item("sk", AttributeValue::S(sk.into()));
    put.send().await.unwrap();
}

/// The request for an iterator.
fn at(kind: &str, number: Option<&str>) -> Value {
    let mut request = json!({
        "StreamArn": ARN,
        "ShardId": crate::aws::SHARD,
        "ShardIteratorType": kind,
    });
    if let Some(number) = number {
        request["SequenceNumber"] = json!(number);
    }
    request
}

/// The records from an iterator on.
async fn get(aws: &Aws, iterator: Value, limit: u32) -> Value {
    let iterator = call(aws, "GetShardIterator", iterator).await;
    let iterator = &iterator["ShardIterator"];
    let request = json!({"ShardIterator": iterator, "Limit": limit});
    call(aws, "GetRecords", request).await
}

/// The sort keys of the records in an answer.
fn keys(answer: &Value) -> Vec<String> {
    let key = |record: &Value| {
        let key = record["dynamodb"]["Keys"]["sk"]["S"].as_str();
        key.unwrap().to_owned()
    };
    let records = answer["Records"].as_array().unwrap();
    records.iter().map(key).collect()
}

fn is_error(answer: &Value, code: &str) -> bool {
    let kind = answer["__type"].as_str();
    kind.is_some_and(|kind| kind.ends_with(code))
}

#[tokio::test]
async fn streams_are_listed_in_pages_and_described() {
    let aws = open(None, Hand::new().clock());
    let first = call(&aws, "ListStreams", json!({"Limit": 1})).await;
    assert_eq!(first["Streams"][0]["TableName"], "fresh");
    let last = &first["LastEvaluatedStreamArn"];
    let request = json!({"ExclusiveStartStreamArn": last});
    let rest = call(&aws, "ListStreams", request).await;
    assert_eq!(rest["Streams"][0]["StreamArn"], ARN);
    let described = call(&aws, "DescribeStream", json!({"StreamArn": ARN})).await;
    let described = &described["StreamDescription"];
    let key = json!({"AttributeName": "sk", "KeyType": "RANGE"});
    assert_eq!(described["KeySchema"][1], key);
    assert_eq!(described["Shards"][0]["ShardId"], crate::aws::SHARD);
    let unknown = call(&aws, "UpdateStream", json!({})).await;
    assert!(
        is_error(&unknown, "#UnknownOperationException"),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_stream_is_read_again_after_its_consumer_is_done() {
    let aws = open(None, Hand::new().clock());
    for sk in ["1", "2", "3"] {
        put(&aws, sk).await;
    }
    let records = aws.streams().poll("watched", "Relay", 10);
    let last = records[2].sequence;
    aws.streams().commit("watched", "Relay", last);
    assert_eq!(aws.streams().lag("watched", "Relay"), 0);

    let all = get(&aws, at("TRIM_HORIZON", None), 2).await;
    assert_eq!(keys(&all), ["1", "2"]);
    let next = json!({"ShardIterator": all["NextShardIterator"]});
    assert_eq!(keys(&call(&aws, "GetRecords", next).await), ["3"]);
    let second = all["Records"][1]["dynamodb"]["SequenceNumber"].as_str();
    let from = get(&aws, at("AT_SEQUENCE_NUMBER", second), 9).await;
    assert_eq!(keys(&from), ["2", "3"]);
    let after = get(&aws, at("AFTER_SEQUENCE_NUMBER", second), 9).await;
    assert_eq!(keys(&after), ["3"]);
    let latest = get(&aws, at("LATEST", None), 9).await;
    assert!(keys(&latest).is_empty());
}

#[tokio::test]
async fn an_iterator_is_good_for_a_quarter_of_an_hour_and_a_record_for_a_day() {
    let hand = Hand::new();
    let aws = open(None, hand.clock());
    put(&aws, "1").await;
    let first = get(&aws, at("TRIM_HORIZON", None), 9).await;
    let number = first["Records"][0]["dynamodb"]["SequenceNumber"].as_str();
    hand.advance_seconds(15 * 60 + 1);
    let next = json!({"ShardIterator": first["NextShardIterator"]});
    let late = call(&aws, "GetRecords", next).await;
    assert!(is_error(&late, "#ExpiredIteratorException"), "{late}");
    hand.advance_seconds(24 * 3600);
    put(&aws, "2").await;
    let gone = call(&aws, "GetShardIterator", at("AT_SEQUENCE_NUMBER", number)).await;
    assert!(is_error(&gone, "#TrimmedDataAccessException"), "{gone}");
    let left = get(&aws, at("TRIM_HORIZON", None), 9).await;
    assert_eq!(keys(&left), ["2"]);
}
