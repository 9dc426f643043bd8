//! Tests of the queues through the SDK and the internal API, with a clock that tests move.

mod groups;
mod moves;
mod queues;
mod refusals;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use serde_json::json;

use super::super::Aws;
use super::super::tests::{Hand, in_memory, open};
use super::Depth;

fn setup() -> (Aws, Client, Hand) {
    let hand = Hand::new();
    let aws = open(None, hand.clock());
    let client = Client::new(&aws.sdk_config());
    (aws, client, hand)
}

fn bodies(aws: &Aws, queue: &str) -> Vec<String> {
    let received = aws.sqs().receive(queue, 10, None);
    received.into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn a_message_travels_with_its_attributes() {
    let (aws, client, _) = setup();
    let url = aws.sqs().url("work");
    let text = |kind: &str, value: &str| {
        let value = MessageAttributeValue::builder()
            .data_type(kind)
            .string_value(value);
        value.build().unwrap()
    };
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("chào")
        .message_attributes("trace", text("String", "t-1"))
        .message_attributes("n", text("Number", "7"))
        .message_group_id("ws_1")
        .send()
        .await
        .unwrap();
    assert_eq!(
        sent.md5_of_message_body(),
        Some("1b0c9960b0fe198b92abc6c88baa6cd3")
    );
    // Computed apart, by the rule in the SQS documentation.
    assert_eq!(
        sent.md5_of_message_attributes(),
        Some("ea8065d245573afba6e5c3ce7124fc8a")
    );
    let got = client
        .receive_message()
        .queue_url(&url)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let message = &got.messages()[0];
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(
        message.md5_of_message_attributes(),
        sent.md5_of_message_attributes()
    );
    assert_eq!(
        message.message_attributes().unwrap()["n"].string_value(),
        Some("7")
    );
    let system = message.attributes().unwrap();
    assert_eq!(
        system[&MessageSystemAttributeName::ApproximateReceiveCount],
        "1"
    );
    assert_eq!(system[&MessageSystemAttributeName::MessageGroupId], "ws_1");
    let handle = message.receipt_handle().unwrap();
    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(handle)
        .send()
        .await
        .unwrap();
    assert_eq!(aws.sqs().depth("work"), Depth::default());
    assert_eq!(aws.meter().snapshot().queues["work"].requests, 3);
    assert_eq!(aws.meter().snapshot().queues["work"].fair_messages, 1);
}

#[tokio::test]
async fn delay_hides_and_visibility_gives_back() {
    let (aws, client, hand) = setup();
    let url = aws.sqs().url("work");
    let send = |delay: i32| {
        client
            .send_message()
            .queue_url(&url)
            .message_body("m")
            .delay_seconds(delay)
    };
    let error = send(901).send().await.unwrap_err().into_service_error();
    assert_eq!(
        error.meta().code(),
        Some("InvalidParameterValue"),
        "{error:?}"
    );
    send(900).send().await.unwrap();
    assert_eq!(aws.sqs().depth("work").delayed, 1);
    hand.advance_seconds(899);
    assert!(bodies(&aws, "work").is_empty());
    hand.advance_seconds(1);
    let received = aws.sqs().receive("work", 1, Some(60));
    assert_eq!(aws.sqs().depth("work").in_flight, 1);
    hand.advance_seconds(59);
    assert!(bodies(&aws, "work").is_empty());
    let woken = aws.sqs().notified("work");
    aws.sqs()
        .change_visibility("work", &received[0].receipt_handle, 0);
    woken.await;
    let again = aws.sqs().receive("work", 1, None);
    assert_eq!(again[0].attributes["ApproximateReceiveCount"], "2");
    // The first receive's handle is out of date: it deletes nothing.
    aws.sqs().delete("work", &received[0].receipt_handle);
    assert_eq!(aws.sqs().depth("work").total(), 1);
    assert!(aws.sqs().next_visible_at("work").is_some());
}

#[tokio::test]
async fn a_message_out_of_receives_is_dead_lettered_and_can_be_moved_back() {
    let (aws, client, hand) = setup();
    let id = aws.sqs().send("work", "poison".to_owned(), None).unwrap();
    for _ in 0..2 {
        assert_eq!(bodies(&aws, "work").len(), 1);
        hand.advance_seconds(30);
    }
    assert!(bodies(&aws, "work").is_empty());
    assert_eq!(aws.sqs().depth("work-dlq").visible, 1);
    let dead = aws.sqs().receive("work-dlq", 1, Some(0));
    assert_eq!(dead[0].message_id, id);
    assert_eq!(
        dead[0].attributes["DeadLetterQueueSourceArn"],
        aws.sqs().arn("work")
    );
    let start = client
        .start_message_move_task()
        .source_arn(aws.sqs().arn("work-dlq"));
    start.send().await.unwrap();
    assert_eq!(aws.sqs().depth("work-dlq").total(), 0);
    let back = aws.sqs().receive("work", 1, None);
    assert_eq!(back[0].body, "poison");
    assert_eq!(back[0].attributes["ApproximateReceiveCount"], "1");
}

#[tokio::test]
async fn a_batch_fails_entry_by_entry_or_as_a_whole() {
    let (aws, client, _) = setup();
    let entry = |id: &str, body: String, delay: i32| {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(body);
        entry.delay_seconds(delay).build().unwrap()
    };
    let batch = |entries: Vec<_>| {
        let batch = client.send_message_batch().queue_url(aws.sqs().url("work"));
        batch.set_entries(Some(entries)).send()
    };
    let entries = vec![entry("good", "m".into(), 0), entry("bad", "m".into(), 901)];
    let sent = batch(entries).await.unwrap();
    assert_eq!(sent.successful()[0].id(), "good");
    assert_eq!(
        (sent.failed()[0].id(), sent.failed()[0].code()),
        ("bad", "InvalidParameterValue")
    );
    assert!(sent.failed()[0].sender_fault());
    let many = (0..11)
        .map(|n| entry(&n.to_string(), "m".into(), 0))
        .collect();
    let error = batch(many).await.unwrap_err().into_service_error();
    assert!(error.is_too_many_entries_in_batch_request(), "{error:?}");
    let twice = vec![entry("a", "m".into(), 0), entry("a", "m".into(), 0)];
    let error = batch(twice).await.unwrap_err().into_service_error();
    assert!(error.is_batch_entry_ids_not_distinct(), "{error:?}");
    let large = (0..2)
        .map(|n| entry(&n.to_string(), "x".repeat(600 * 1024), 0))
        .collect();
    let error = batch(large).await.unwrap_err().into_service_error();
    assert!(error.is_batch_request_too_long(), "{error:?}");
}

#[tokio::test]
async fn a_message_may_have_one_mebibyte_and_no_more() {
    let (aws, client, _) = setup();
    let send = |size: usize| {
        let send = client.send_message().queue_url(aws.sqs().url("work"));
        send.message_body("x".repeat(size)).send()
    };
    send(1024 * 1024).await.unwrap();
    let error = send(1024 * 1024 + 1)
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(
        error.meta().code(),
        Some("InvalidParameterValue"),
        "{error:?}"
    );
    let error = client
        .send_message()
        .queue_url(aws.sqs().url("work"))
        .message_body("\u{1}");
    let error = error.send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_message_contents(), "{error:?}");
    assert_eq!(aws.meter().snapshot().queues["work"].requests, 16);
}

#[tokio::test]
async fn old_messages_expire_and_a_purge_empties() {
    let (aws, client, hand) = setup();
    aws.sqs().send("work", "old".to_owned(), None).unwrap();
    hand.advance_seconds(3 * 24 * 3600);
    aws.sqs().send("work", "young".to_owned(), None).unwrap();
    hand.advance_seconds(24 * 3600);
    assert_eq!(bodies(&aws, "work"), ["young"]);
    client
        .purge_queue()
        .queue_url(aws.sqs().url("work"))
        .send()
        .await
        .unwrap();
    assert_eq!(aws.sqs().depth("work").total(), 0);
}

#[tokio::test]
async fn queues_are_found_described_and_missing_ones_named() {
    let (aws, client, _) = setup();
    let found = client
        .get_queue_url()
        .queue_name("work")
        .send()
        .await
        .unwrap();
    let url = found.queue_url().unwrap().to_owned();
    let all = client.get_queue_attributes().queue_url(&url);
    let all = all
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    let policy = &all.attributes().unwrap()[&QueueAttributeName::RedrivePolicy];
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let target = aws.sqs().arn("work-dlq");
    assert_eq!(
        policy,
        json!({"deadLetterTargetArn": target, "maxReceiveCount": 2})
    );
    let error = client
        .get_queue_url()
        .queue_name("absent")
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_queue_does_not_exist());
    let made = client
        .create_queue()
        .queue_name("new")
        .send()
        .await
        .unwrap();
    let send = client.send_message().queue_url(made.queue_url().unwrap());
    send.message_body("m").send().await.unwrap();
    assert_eq!(aws.sqs().depth("new").visible, 1);
}

#[tokio::test]
async fn a_long_poll_ends_when_a_message_comes() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let receive = client
        .receive_message()
        .queue_url(aws.sqs().url("work"))
        .wait_time_seconds(20);
    let send = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        aws.sqs().send("work", "m".to_owned(), None).unwrap();
    };
    let from = std::time::Instant::now();
    let (got, ()) = tokio::join!(receive.send(), send);
    assert_eq!(got.unwrap().messages().len(), 1);
    assert!(from.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn the_lambda_event_has_its_exact_shape() {
    let (aws, client, _) = setup();
    let value = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("v");
    let send = client
        .send_message()
        .queue_url(aws.sqs().url("work"))
        .message_body("{}");
    send.message_attributes("k", value.build().unwrap())
        .send()
        .await
        .unwrap();
    let batch = aws.sqs().receive("work", 10, None);
    let event = aws.sqs().lambda_event("work", &batch);
    assert_eq!(
        event["Records"][0],
        json!({
            "messageId": batch[0].message_id,
            "receiptHandle": batch[0].receipt_handle,
            "body": "{}",
            "attributes": {
                "ApproximateFirstReceiveTimestamp": "1772438400000",
                "ApproximateReceiveCount": "1",
                "SenderId": "LOCAL",
                "SentTimestamp": "1772438400000",
            },
            "messageAttributes": {"k": {
                "stringValue": "v",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }},
            "md5OfBody": "99914b932bd37a50b983c5e7c90ae93b",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:ap-southeast-1:000000000000:work",
            "awsRegion": "ap-southeast-1",
        })
    );
}

#[tokio::test]
async fn a_rewritten_log_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let aws = open(Some(folder.path()), hand.clock());
    let client = Client::new(&aws.sdk_config());
    let send = |aws: &Aws| {
        let send = client.send_message().queue_url(aws.sqs().url("chat.fifo"));
        let send = send.message_body("m").message_group_id("g");
        send.message_deduplication_id("d").send()
    };
    let first = send(&aws).await.unwrap();
    aws.sqs().send("work", "kept".to_owned(), None).unwrap();
    aws.sqs().send("work", "gone".to_owned(), None).unwrap();
    let received = aws.sqs().receive("work", 2, None);
    aws.sqs().delete("work", &received[1].receipt_handle);
    let handle = aws
        .sqs()
        .receive("chat.fifo", 1, None)
        .remove(0)
        .receipt_handle;
    aws.sqs().delete("chat.fifo", &handle);
    let log = folder.path().join("sqs.jsonl");
    let before = std::fs::metadata(&log).unwrap().len();
    aws.sqs().lock().rewrite().unwrap();
    assert!(std::fs::metadata(&log).unwrap().len() < before);
    aws.sqs().send("work", "after".to_owned(), None).unwrap();
    drop((aws, client));

    let aws = open(Some(folder.path()), hand.clock());
    let client = Client::new(&aws.sdk_config());
    let kept = aws.sqs().receive("work", 10, None);
    let counts = kept
        .iter()
        .map(|m| (&*m.body, &*m.attributes["ApproximateReceiveCount"]));
    assert_eq!(counts.collect::<Vec<_>>(), [("kept", "2"), ("after", "1")]);
    let again = client
        .send_message()
        .queue_url(aws.sqs().url("chat.fifo"))
        .message_body("m");
    let again = again.message_group_id("g").message_deduplication_id("d");
    assert_eq!(again.send().await.unwrap().message_id(), first.message_id());
}
