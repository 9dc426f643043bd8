//! How fast the services are, on disk. Slow on purpose, so not run by default:
//! `cargo nextest run -p tanigo-local rates --run-ignored all --no-capture`.

use std::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use bytes::Bytes;
use kernel::Clock;
use serde_json::{Value, json};

use super::open;
use crate::aws::Aws;

const COUNT: u32 = 5000;

fn report(what: &str, from: Instant) {
    let rate = f64::from(COUNT) / from.elapsed().as_secs_f64();
    tracing::info!("{what}: {rate:.0}/s");
}

async fn put(aws: &Aws, table: &str) {
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
    let from = Instant::now();
    for n in 0..COUNT {
        let put = client.put_item().table_name(table);
        let put = put.item("pk", AttributeValue::S(format!("contact-{n}")));
        let put = put.item("sk", AttributeValue::S("PROFILE".into()));
        let put = put.item("body", AttributeValue::S("x".repeat(400)));
        put.condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .unwrap();
    }
    report(&format!("put into {table}"), from);
}

/// The same without the SDK, whose own work is most of the time in a debug build.
async fn put_by_hand(aws: &Aws, table: &str) {
    let from = Instant::now();
    for n in 0..COUNT {
        let body = json!({
            "TableName": table,
            "Item": {"pk": {"S": format!("c-{n}")}, "sk": {"S": "P"}, "body": {"S": "x".repeat(400)}},
            "ConditionExpression": "attribute_not_exists(pk)",
        });
        let answer = aws
            .handle(request("DynamoDB_20120810.PutItem", &body))
            .await;
        assert_eq!(answer.status(), 200);
    }
    report(&format!("put into {table} without the SDK"), from);
}

fn request(target: &str, body: &Value) -> http::Request<Bytes> {
    let request = http::Request::post("/").header("x-amz-target", target);
    request.body(Bytes::from(body.to_string())).unwrap()
}

async fn queue_by_hand(aws: &Aws) {
    let from = Instant::now();
    for _ in 0..COUNT {
        let body = json!({"QueueUrl": "/work", "MessageBody": "x".repeat(500)});
        aws.handle(request("AmazonSQS.SendMessage", &body)).await;
    }
    report("send without the SDK", from);
    let from = Instant::now();
    for _ in 0..COUNT {
        let answer = aws.handle(request(
            "AmazonSQS.ReceiveMessage",
            &json!({"QueueUrl": "/work"}),
        ));
        assert!(answer.await.body().len() > 500);
    }
    report("receive without the SDK", from);
}

async fn mail_by_hand(aws: &Aws) {
    let mime = format!(
        "From: a@example.vn\r\nSubject: s\r\n\r\n{}",
        "x".repeat(4000)
    );
    let data = base64::engine::general_purpose::STANDARD.encode(mime);
    let from = Instant::now();
    for n in 0..COUNT {
        let body = json!({
            "FromEmailAddress": "a@example.vn",
            "Destination": {"ToAddresses": [format!("c{n}@example.vn")]},
            "Content": {"Raw": {"Data": data}},
            "ConfigurationSetName": "mkt",
        });
        let request = http::Request::post("/v2/email/outbound-emails");
        let request = request.body(Bytes::from(body.to_string())).unwrap();
        assert_eq!(aws.handle(request).await.status(), 200);
    }
    report("mail with two events without the SDK", from);
}

#[tokio::test]
#[ignore = "prints rates and asserts nothing: speed is not a test"]
async fn rates() {
    tracing_subscriber::fmt().init();
    let folder = tempfile::tempdir().unwrap();
    let aws = open(Some(folder.path()), Clock::system());
    put_by_hand(&aws, "plain").await;
    put_by_hand(&aws, "watched").await;
    queue_by_hand(&aws).await;
    aws.handle(request(
        "AmazonSQS.PurgeQueue",
        &json!({"QueueUrl": "/work"}),
    ))
    .await;
    mail_by_hand(&aws).await;
    put(&aws, "plain").await;
    put(&aws, "watched").await;
    let from = Instant::now();
    for _ in 0..COUNT {
        aws.sqs().send("work", "x".repeat(500), None).unwrap();
    }
    report("internal send", from);
    let from = Instant::now();
    for _ in 0..COUNT / 10 {
        let batch = aws.sqs().receive("work", 10, None);
        let handles: Vec<_> = batch.iter().map(|m| m.receipt_handle.as_str()).collect();
        aws.sqs().delete_all("work", &handles);
    }
    report("internal receive and delete by ten", from);
    assert_eq!(aws.sqs().depth("work").total(), 0);
    let client = aws_sdk_sqs::Client::new(&aws.sdk_config());
    let from = Instant::now();
    for _ in 0..COUNT {
        let send = client.send_message().queue_url(aws.sqs().url("work"));
        send.message_body("x".repeat(500)).send().await.unwrap();
    }
    report("SDK send", from);
    let from = Instant::now();
    for _ in 0..COUNT {
        let receive = client.receive_message().queue_url(aws.sqs().url("work"));
        receive.send().await.unwrap();
    }
    report("SDK receive", from);
    mail(&aws).await;
}

async fn mail(aws: &Aws) {
    use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
    let client = aws_sdk_sesv2::Client::new(&aws.sdk_config());
    let mime = format!(
        "From: a@example.vn\r\nSubject: s\r\n\r\n{}",
        "x".repeat(4000)
    );
    let from = Instant::now();
    for n in 0..COUNT {
        let data = aws_sdk_sesv2::primitives::Blob::new(mime.as_bytes());
        let raw = RawMessage::builder().data(data).build().unwrap();
        let to = Destination::builder()
            .to_addresses(format!("c{n}@example.vn"))
            .build();
        let send = client
            .send_email()
            .from_email_address("a@example.vn")
            .destination(to);
        let content = EmailContent::builder().raw(raw).build();
        send.content(content)
            .configuration_set_name("mkt")
            .send()
            .await
            .unwrap();
    }
    report("mail with two events", from);
}
