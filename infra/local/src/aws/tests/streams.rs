//! Streams: images, order, checkpoints, and the write that a crash interrupted.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, PutRequest, TransactWriteItem, WriteRequest};
use serde_json::json;

use super::{Hand, in_memory, open};
use crate::aws::Aws;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

async fn put(aws: &Aws, table: &str, pk: &str, name: &str) {
    let client = Client::new(&aws.sdk_config());
    let put = client
        .put_item()
        .table_name(table)
        .item("pk", text(pk))
        .item("sk", text("s"));
    put.item("name", text(name)).send().await.unwrap();
}

fn names(aws: &Aws, table: &str) -> Vec<String> {
    let records = aws.streams().poll(table, "Relay", 100);
    records
        .into_iter()
        .map(|r| r.event_name.into_owned())
        .collect()
}

#[tokio::test]
async fn each_kind_of_write_leaves_its_images() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let woken = aws.streams().notified("watched");
    put(&aws, "watched", "a", "one").await;
    tokio::time::timeout(std::time::Duration::from_secs(1), woken)
        .await
        .unwrap();
    put(&aws, "watched", "a", "two").await;
    put(&aws, "watched", "a", "two").await; // changes nothing
    let update = client
        .update_item()
        .table_name("watched")
        .key("pk", text("a"));
    let update = update.key("sk", text("s")).update_expression("SET n = :n");
    let update = update.expression_attribute_values(":n", AttributeValue::N("1".into()));
    update.send().await.unwrap();
    let delete = client
        .delete_item()
        .table_name("watched")
        .key("pk", text("a"));
    delete.key("sk", text("s")).send().await.unwrap();
    let refused = client
        .put_item()
        .table_name("watched")
        .item("pk", text("z"));
    let refused = refused
        .item("sk", text("s"))
        .condition_expression("attribute_exists(pk)");
    refused.send().await.unwrap_err();

    let records = aws.streams().poll("watched", "Relay", 100);
    assert_eq!(
        names(&aws, "watched"),
        ["INSERT", "MODIFY", "MODIFY", "REMOVE"]
    );
    assert_eq!(
        records[1].old_image.as_ref().unwrap()["name"],
        json!({"S": "one"})
    );
    assert_eq!(
        records[1].new_image.as_ref().unwrap()["name"],
        json!({"S": "two"})
    );
    assert_eq!(records[3].new_image, None);
    let event = aws.streams().lambda_event(&records[..1]);
    let record = &event["Records"][0];
    assert_eq!(record["eventSource"], "aws:dynamodb");
    assert_eq!(
        record["dynamodb"]["Keys"],
        json!({"pk": {"S": "a"}, "sk": {"S": "s"}})
    );
    assert_eq!(record["dynamodb"]["NewImage"]["name"], json!({"S": "one"}));
    assert!(record["dynamodb"].get("OldImage").is_none());
    assert!(record["dynamodb"]["SizeBytes"].as_u64().unwrap() > 4);
}

#[tokio::test]
async fn batches_and_transactions_are_captured_and_the_view_is_kept() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let writes = ["a", "b"].map(|pk| {
        let put = PutRequest::builder()
            .item("pk", text(pk))
            .item("sk", text("s"));
        WriteRequest::builder()
            .put_request(put.build().unwrap())
            .build()
    });
    let batch = client
        .batch_write_item()
        .request_items("fresh", writes.to_vec());
    batch.send().await.unwrap();
    let item = |table: &str| {
        let put = Put::builder()
            .table_name(table)
            .item("pk", text("a"))
            .item("sk", text("s"));
        let put = put.item("n", text("1")).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let both = client.transact_write_items();
    let both = both
        .transact_items(item("fresh"))
        .transact_items(item("watched"));
    both.transact_items(item("plain")).send().await.unwrap();
    assert_eq!(names(&aws, "fresh"), ["INSERT", "INSERT", "MODIFY"]);
    assert_eq!(names(&aws, "watched"), ["INSERT"]);
    let records = aws.streams().poll("fresh", "Relay", 100);
    assert!(
        records
            .iter()
            .all(|r| r.old_image.is_none() && r.new_image.is_some())
    );
}

#[tokio::test]
async fn a_consumer_sees_records_until_it_commits_also_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let aws = open(Some(folder.path()), hand.clock());
    for name in ["one", "two", "three"] {
        put(&aws, "watched", "a", name).await;
    }
    let records = aws.streams().poll("watched", "Relay", 2);
    assert_eq!(records.len(), 2);
    aws.streams()
        .commit("watched", "Relay", records[0].sequence);
    drop(aws);
    let aws = open(Some(folder.path()), hand.clock());
    let left = aws.streams().poll("watched", "Relay", 100);
    assert_eq!(left.len(), 2);
    assert_eq!(left[0], records[1]);
    assert_eq!(aws.streams().lag("watched", "Relay"), 2);
    put(&aws, "watched", "a", "four").await;
    let last = aws.streams().poll("watched", "Relay", 100).pop().unwrap();
    assert!(last.sequence > left[1].sequence);
}

#[tokio::test]
async fn a_write_that_a_death_cut_off_from_its_record_is_recorded_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let log = folder.path().join("streams.jsonl");
    let aws = open(Some(folder.path()), hand.clock());
    put(&aws, "watched", "a", "one").await;
    let before = std::fs::read_to_string(&log).unwrap().lines().count();
    put(&aws, "watched", "a", "two").await;
    drop(aws);
    // As if the process had crashed after the second write, before its last line.
    let text = std::fs::read_to_string(&log).unwrap();
    let kept: Vec<_> = text.lines().take(before + 1).collect();
    std::fs::write(&log, kept.join("\n") + "\n").unwrap();
    let aws = open(Some(folder.path()), hand.clock());
    assert_eq!(names(&aws, "watched"), ["INSERT", "MODIFY"]);
    drop(aws);
    // As if it had crashed before the write: nothing changed, so there is no record.
    let aws = open(Some(folder.path()), hand.clock());
    let text = std::fs::read_to_string(&log).unwrap();
    put(&aws, "watched", "a", "two").await;
    let cut = std::fs::read_to_string(&log).unwrap();
    let line = cut.lines().nth(text.lines().count()).unwrap();
    drop(aws);
    std::fs::write(&log, text + line + "\n").unwrap();
    let aws = open(Some(folder.path()), hand.clock());
    assert_eq!(names(&aws, "watched"), ["INSERT", "MODIFY"]);
}
