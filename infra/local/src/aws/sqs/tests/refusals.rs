//! Messages and receives that SQS refuses, and the queue settings that decide this.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageSystemAttributeValue;

use super::*;

fn code<E: ProvideErrorMetadata>(error: &E) -> &str {
    error.code().unwrap_or_default()
}

#[tokio::test]
async fn attributes_of_a_message_have_a_name_a_type_and_a_value() {
    let (aws, client, _) = setup();
    let send = async |name: &str, kind: &str, text: Option<&str>| {
        let value = MessageAttributeValue::builder().data_type(kind);
        let value = value
            .set_string_value(text.map(str::to_owned))
            .build()
            .unwrap();
        let send = client.send_message().queue_url(aws.sqs().url("work"));
        let sent = send
            .message_body("m")
            .message_attributes(name, value)
            .send()
            .await;
        sent.map_err(|error| code(&error.into_service_error()).to_owned())
    };
    for (name, kind, text) in [
        ("a", "String", Some("")),
        ("a", "String", None),
        ("a", "Binary", Some("text")),
        ("a", "Foo", Some("x")),
        ("AWS.x", "String", Some("x")),
        ("amazon.x", "String", Some("x")),
        (".x", "String", Some("x")),
        ("x y", "String", Some("x")),
        ("n", "Number", Some("q")),
        ("n", "Number.int", Some("inf")),
    ] {
        let sent = send(name, kind, text).await;
        assert_eq!(
            sent.unwrap_err(),
            "InvalidParameterValue",
            "{name} {kind} {text:?}"
        );
    }
    send("a.b-c_1", "String.custom", Some("x")).await.unwrap();
    send("n", "Number", Some("-1.5e3")).await.unwrap();
    let binary = MessageAttributeValue::builder().data_type("Binary");
    let binary = binary.binary_value(Blob::new([1])).build().unwrap();
    let send = client
        .send_message()
        .queue_url(aws.sqs().url("work"))
        .message_body("m");
    send.message_attributes("b", binary).send().await.unwrap();
    let value = MessageSystemAttributeValue::builder().data_type("Number");
    let value = value.string_value("1").build().unwrap();
    let send = client
        .send_message()
        .queue_url(aws.sqs().url("work"))
        .message_body("m");
    let send = send.message_system_attributes("AWSTraceHeader".into(), value);
    let error = send.send().await.unwrap_err().into_service_error();
    assert_eq!(code(&error), "InvalidParameterValue");
    assert_eq!(aws.sqs().depth("work").total(), 3);
}

#[tokio::test]
async fn a_group_is_short_printable_text() {
    let (aws, client, _) = setup();
    for (group, fits) in [
        ("g 1", false),
        ("nhóm", false),
        (&*"g".repeat(129), false),
        (&*"g".repeat(128), true),
    ] {
        let send = client.send_message().queue_url(aws.sqs().url("work"));
        let sent = send.message_body("m").message_group_id(group).send().await;
        assert_eq!(sent.is_ok(), fits, "{group}");
    }
}

#[tokio::test]
async fn the_queue_sets_the_largest_message_and_the_wait() {
    let (aws, client, _) = setup();
    let url = aws.sqs().url("work");
    let set = client.set_queue_attributes().queue_url(&url);
    let set = set.attributes(QueueAttributeName::MaximumMessageSize, "1024");
    let set = set.attributes(QueueAttributeName::ReceiveMessageWaitTimeSeconds, "20");
    set.send().await.unwrap();
    let send = client
        .send_message()
        .queue_url(&url)
        .message_body("x".repeat(1025));
    let error = send.send().await.unwrap_err().into_service_error();
    assert_eq!(code(&error), "InvalidParameterValue");

    let error = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(21)
        .send()
        .await;
    assert_eq!(
        code(&error.unwrap_err().into_service_error()),
        "InvalidParameterValue"
    );
    // The receive names no wait time, so it uses the wait time of the queue.
    let receive = client.receive_message().queue_url(&url).send();
    let send = async {
        tokio::task::yield_now().await;
        aws.sqs().send("work", "m".to_owned(), None).unwrap();
    };
    let (got, ()) = tokio::join!(receive, send);
    assert_eq!(got.unwrap().messages().len(), 1);
    let now = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(0);
    assert!(now.send().await.unwrap().messages().is_empty());
}

#[tokio::test]
async fn a_deduplication_id_counts_in_the_scope_that_the_queue_sets() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let aws = open(Some(folder.path()), hand.clock());
    let url = aws.sqs().url("chat.fifo");
    let send = async |aws: &Aws, group: &str| {
        let client = Client::new(&aws.sdk_config());
        let send = client.send_message().queue_url(&url).message_body("m");
        let send = send.message_group_id(group).message_deduplication_id("d");
        send.send().await.unwrap();
    };
    send(&aws, "a").await;
    send(&aws, "b").await;
    assert_eq!(aws.sqs().depth("chat.fifo").total(), 1);
    hand.advance_seconds(300);
    let client = Client::new(&aws.sdk_config());
    let set = client.set_queue_attributes().queue_url(&url);
    let set = set.attributes(QueueAttributeName::DeduplicationScope, "messageGroup");
    set.send().await.unwrap();
    for group in ["a", "b", "a", "b"] {
        send(&aws, group).await;
    }
    assert_eq!(aws.sqs().depth("chat.fifo").total(), 3);
}

#[tokio::test]
async fn a_body_deduplicates_by_its_sha256() {
    let (aws, client, _) = setup();
    let url = aws.sqs().url("chat.fifo");
    let set = client.set_queue_attributes().queue_url(&url);
    let set = set.attributes(QueueAttributeName::ContentBasedDeduplication, "true");
    set.send().await.unwrap();
    for _ in 0..2 {
        let send = client.send_message().queue_url(&url).message_body("m");
        send.message_group_id("g").send().await.unwrap();
    }
    let got = aws.sqs().receive("chat.fifo", 10, None);
    assert_eq!(got.len(), 1);
    // printf m | sha256sum
    let digest = "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a";
    assert_eq!(got[0].attributes["MessageDeduplicationId"], digest);
}

#[tokio::test]
async fn a_fifo_queue_refuses_a_handle_of_an_earlier_receive() {
    let (aws, client, hand) = setup();
    let url = aws.sqs().url("chat.fifo");
    let send = client.send_message().queue_url(&url).message_body("m");
    let send = send.message_group_id("g").message_deduplication_id("d");
    send.send().await.unwrap();
    let first = aws
        .sqs()
        .receive("chat.fifo", 1, None)
        .remove(0)
        .receipt_handle;
    hand.advance_seconds(30);
    let second = aws
        .sqs()
        .receive("chat.fifo", 1, None)
        .remove(0)
        .receipt_handle;
    let delete = |handle: &str| {
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(handle)
            .send()
    };
    let error = delete(&first).await.unwrap_err().into_service_error();
    assert_eq!(code(&error), "InvalidParameterValue");
    delete(&second).await.unwrap();
    delete(&second).await.unwrap();
    assert_eq!(aws.sqs().depth("chat.fifo").total(), 0);
}
