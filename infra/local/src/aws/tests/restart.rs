//! State in the data folder after the services are opened again.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Hand, open};
use crate::aws::{Aws, Kind, Options};

#[tokio::test]
async fn tables_queues_mail_and_objects_are_still_there() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let aws = open(Some(folder.path()), hand.clock());
    let config = aws.sdk_config();
    let put = aws_sdk_dynamodb::Client::new(&config)
        .put_item()
        .table_name("plain");
    let put = put.item("pk", AttributeValue::S("a".into()));
    put.item("sk", AttributeValue::S("b".into()))
        .send()
        .await
        .unwrap();
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
    let s3 = aws_sdk_s3::Client::new(&config);
    s3.put_object()
        .bucket("imports")
        .key("k")
        .body(body)
        .send()
        .await
        .unwrap();
    aws.sqs().send("work", "one".to_owned(), None).unwrap();
    let first = aws.sqs().send("work", "two".to_owned(), None).unwrap();
    let received = aws.sqs().receive("work", 2, None);
    aws.sqs().delete("work", &received[0].receipt_handle);
    aws.outbox()
        .append_message(Kind::Push, 1, "token", "id", serde_json::json!({}))
        .unwrap();
    drop((aws, s3, config));

    let aws = open(Some(folder.path()), hand.clock());
    let config = aws.sdk_config();
    let scan = aws_sdk_dynamodb::Client::new(&config)
        .scan()
        .table_name("plain");
    assert_eq!(scan.send().await.unwrap().count(), 1);
    let s3 = aws_sdk_s3::Client::new(&config);
    s3.get_object()
        .bucket("imports")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(aws.outbox().count(None), 1);
    // The message was in flight before; now it is visible at once, with its receive count kept.
    let again = aws.sqs().receive("work", 10, None);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].message_id, first);
    assert_eq!(again[0].attributes["ApproximateReceiveCount"], "2");
    // A handle from before the restart still names an earlier receive.
    aws.sqs().delete("work", &received[1].receipt_handle);
    assert_eq!(aws.sqs().depth("work").total(), 1);
    let next = aws.sqs().send("work", "three".to_owned(), None).unwrap();
    assert!(![first, received[0].message_id.clone()].contains(&next));
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let aws = open(Some(folder.path()), Hand::new().clock());
    let again = || {
        Aws::open(Options {
            data_dir: Some(folder.path().to_owned()),
            clock: Hand::new().clock(),
            region: "ap-southeast-1".to_owned(),
            account: "000000000000".to_owned(),
        })
    };
    let error = again().unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
    drop(aws);
    again().unwrap();
}
