//! Reads that lack the youngest writes.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{Hand, open};
use crate::aws::Reads;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

async fn put(client: &Client, status: &str) {
    let put = client.put_item().table_name("plain");
    let put = put.item("pk", text("p")).item("sk", text("s"));
    let put = put.item("tenant", text("t")).item("status", text(status));
    let put = put.item("last_activity", text("1"));
    put.send().await.unwrap();
}

/// Items that the index has under a status.
async fn listed(client: &Client, status: &str) -> i32 {
    let query = client.query().table_name("plain").index_name("ByStatus");
    let query = query
        .key_condition_expression("tenant = :t AND #s = :s")
        .expression_attribute_names("#s", "status")
        .expression_attribute_values(":t", text("t"))
        .expression_attribute_values(":s", text(status));
    query.send().await.unwrap().count()
}

/// Status of the item.
async fn read(client: &Client, consistent: bool) -> Option<String> {
    let get = client.get_item().table_name("plain");
    let get = get.key("pk", text("p")).key("sk", text("s"));
    let item = get.consistent_read(consistent).send().await.unwrap().item;
    item.map(|item| item["status"].as_s().unwrap().clone())
}

#[tokio::test]
async fn an_index_shows_a_write_after_its_lag() {
    let hand = Hand::new();
    let aws = open(None, hand.clock());
    let client = Client::new(&aws.sdk_config());
    put(&client, "new").await;
    assert_eq!(listed(&client, "new").await, 1, "at first there is no lag");
    aws.set_lag(Reads::Indexes, Duration::from_secs(5)).unwrap();
    put(&client, "open").await;
    hand.advance_seconds(4);
    assert_eq!(
        (listed(&client, "new").await, listed(&client, "open").await),
        (1, 0)
    );
    assert_eq!(read(&client, false).await.as_deref(), Some("open"));
    hand.advance_seconds(1);
    assert_eq!(
        (listed(&client, "new").await, listed(&client, "open").await),
        (0, 1)
    );

    let delete = client.delete_item().table_name("plain");
    let delete = delete.key("pk", text("p")).key("sk", text("s"));
    delete.send().await.unwrap();
    assert_eq!(listed(&client, "open").await, 1);
    aws.set_lag(Reads::Indexes, Duration::ZERO).unwrap();
    assert_eq!(listed(&client, "open").await, 0);
}

#[tokio::test]
async fn an_eventually_consistent_read_shows_a_write_after_its_lag() {
    let hand = Hand::new();
    let aws = open(None, hand.clock());
    let client = Client::new(&aws.sdk_config());
    aws.set_lag(Reads::Items, Duration::from_secs(1)).unwrap();
    put(&client, "new").await;
    assert_eq!(read(&client, false).await, None);
    assert_eq!(read(&client, true).await.as_deref(), Some("new"));
    assert_eq!(listed(&client, "new").await, 1);
    hand.advance_seconds(1);
    assert_eq!(read(&client, false).await.as_deref(), Some("new"));
}
