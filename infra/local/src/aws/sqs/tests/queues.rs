//! Queues as a whole: their URLs, what a caller may set, what is shown, lists and tags.

use std::collections::HashMap;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use http::Request;
use serde_json::Value;

use super::*;

/// The attributes of a queue by name.
async fn shown(client: &Client, url: &str) -> HashMap<String, String> {
    let all = client.get_queue_attributes().queue_url(url);
    let all = all.attribute_names(QueueAttributeName::All).send().await;
    let all = all.unwrap().attributes.unwrap();
    all.into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect()
}

/// The code of the answer to `CreateQueue`; `ok` if the queue was made or found.
async fn create(client: &Client, name: &str, attributes: &[(&str, &str)]) -> String {
    let mut create = client.create_queue().queue_name(name);
    for (name, value) in attributes {
        create = create.attributes(QueueAttributeName::from(*name), *value);
    }
    match create.send().await {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.into_service_error().code().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn urls_lead_to_the_host_that_was_asked() {
    let (aws, _, _) = setup();
    for (operation, request, field) in [
        ("GetQueueUrl", json!({"QueueName": "work"}), "/QueueUrl"),
        ("CreateQueue", json!({"QueueName": "work"}), "/QueueUrl"),
        (
            "ListQueues",
            json!({"QueueNamePrefix": "work"}),
            "/QueueUrls/0",
        ),
        (
            "ListDeadLetterSourceQueues",
            json!({"QueueUrl": "x/work-dlq"}),
            "/queueUrls/0",
        ),
    ] {
        let call = Request::post("/").header("host", "127.0.0.1:27312");
        let call = call.header("x-amz-target", format!("AmazonSQS.{operation}"));
        let call = call.body(request.to_string().into()).unwrap();
        let answer = aws.handle(call).await;
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        let url = answer.pointer(field).and_then(Value::as_str);
        assert_eq!(
            url,
            Some("http://127.0.0.1:27312/000000000000/work"),
            "{operation} {answer}"
        );
    }
}

#[tokio::test]
async fn a_queue_that_exists_keeps_its_attributes() {
    let (aws, client, _) = setup();
    let url = aws.sqs().url("work");
    let before = shown(&client, &url).await;
    assert_eq!(create(&client, "work", &[]).await, "ok");
    assert_eq!(
        create(&client, "work", &[("VisibilityTimeout", "30")]).await,
        "ok"
    );
    let other = create(&client, "work", &[("VisibilityTimeout", "99")]).await;
    // The name of `QueueNameExists` in the query protocol, which SDKs show.
    assert_eq!(other, "QueueAlreadyExists");
    assert_eq!(shown(&client, &url).await, before);
    assert!(before.contains_key("RedrivePolicy"));
}

#[tokio::test]
async fn attributes_out_of_bounds_and_unknown_ones_are_refused() {
    let (_, client, _) = setup();
    let arn = |name: &str| format!("arn:aws:sqs:ap-southeast-1:000000000000:{name}");
    let policy = |target: &str, most: u32| {
        json!({"deadLetterTargetArn": target, "maxReceiveCount": most}).to_string()
    };
    let wrong = "InvalidAttributeValue";
    for (name, value, code) in [
        ("Nope", "1", "InvalidAttributeName"),
        ("FifoQueue", "false", "InvalidAttributeName"),
        ("DeduplicationScope", "queue", "InvalidAttributeName"),
        ("VisibilityTimeout", "99999", wrong),
        ("VisibilityTimeout", "soon", wrong),
        ("DelaySeconds", "901", wrong),
        ("MessageRetentionPeriod", "10", wrong),
        ("ReceiveMessageWaitTimeSeconds", "21", wrong),
        ("MaximumMessageSize", "1023", wrong),
        ("RedrivePolicy", "work", "InvalidParameterValue"),
        (
            "RedrivePolicy",
            &policy(&arn("absent"), 5),
            "InvalidParameterValue",
        ),
        (
            "RedrivePolicy",
            &policy(&arn("chat-dlq.fifo"), 5),
            "InvalidParameterValue",
        ),
        (
            "RedrivePolicy",
            &policy(&arn("work-dlq"), 0),
            "InvalidParameterValue",
        ),
        (
            "RedrivePolicy",
            &policy("arn:aws:sqs:us-east-1:9:work-dlq", 5),
            "InvalidParameterValue",
        ),
        ("RedrivePolicy", &policy(&arn("work-dlq"), 1000), "ok"),
    ] {
        assert_eq!(
            create(&client, "new", &[(name, value)]).await,
            code,
            "{name}={value}"
        );
    }
    let fifo = ("FifoQueue", "true");
    assert_eq!(
        create(&client, "new.fifo", &[]).await,
        "InvalidParameterValue"
    );
    assert_eq!(
        create(&client, "other", &[fifo]).await,
        "InvalidParameterValue"
    );
    let limit = ("FifoThroughputLimit", "perMessageGroupId");
    assert_eq!(create(&client, "new.fifo", &[fifo, limit]).await, wrong);
    let scope = ("DeduplicationScope", "messageGroup");
    assert_eq!(
        create(&client, "new.fifo", &[fifo, limit, scope]).await,
        "ok"
    );
}

#[tokio::test]
async fn what_was_set_is_shown_with_its_time_and_an_empty_policy_goes() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let aws = open(Some(folder.path()), hand.clock());
    let client = Client::new(&aws.sdk_config());
    let url = aws.sqs().url("work");
    hand.advance_seconds(60);
    let set = |name: &str, value: &str| {
        let set = client.set_queue_attributes().queue_url(&url);
        set.attributes(QueueAttributeName::from(name), value).send()
    };
    set("RedrivePolicy", "").await.unwrap();
    set("Policy", "{}").await.unwrap();
    set("ReceiveMessageWaitTimeSeconds", "2").await.unwrap();
    let found = shown(&client, &url).await;
    assert!(!found.contains_key("RedrivePolicy"), "{found:?}");
    assert_eq!(
        (
            found["Policy"].as_str(),
            found["ReceiveMessageWaitTimeSeconds"].as_str()
        ),
        ("{}", "2")
    );
    assert_eq!(found["CreatedTimestamp"], "1772438400");
    assert_eq!(found["LastModifiedTimestamp"], "1772438460");
    let fifo = shown(&client, &aws.sqs().url("chat.fifo")).await;
    assert_eq!(fifo["DeduplicationScope"], "queue");
    assert_eq!(fifo["FifoThroughputLimit"], "perQueue");
    let name = QueueAttributeName::from("Nope");
    let ask = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(name);
    let error = ask.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("InvalidAttributeName"));

    let tag = client
        .tag_queue()
        .queue_url(&url)
        .tags("team", "care")
        .tags("stage", "local");
    tag.send().await.unwrap();
    let untag = client.untag_queue().queue_url(&url).tag_keys("stage");
    untag.send().await.unwrap();
    aws.sqs().lock().rewrite().unwrap();
    drop((aws, client));
    // The template is applied again at the start; a tag is not part of it.
    let aws = open(Some(folder.path()), hand.clock());
    let client = Client::new(&aws.sdk_config());
    let tags = client
        .list_queue_tags()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    let tags = tags.tags.unwrap();
    assert_eq!((tags.len(), tags["team"].as_str()), (1, "care"));
    assert_eq!(shown(&client, &url).await["CreatedTimestamp"], "1772438400");
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let (aws, client, _) = setup();
    let mut names = Vec::new();
    let mut pages = client.list_queues().max_results(2).into_paginator().send();
    while let Some(page) = pages.next().await {
        let urls = page.unwrap().queue_urls.unwrap_or_default();
        assert!(urls.len() <= 2);
        names.extend(
            urls.iter()
                .filter_map(|url| url.rsplit('/').next())
                .map(str::to_owned),
        );
    }
    assert_eq!(names, aws.sqs().names());
    let error = client
        .list_queues()
        .max_results(1001)
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        error.into_service_error().code(),
        Some("InvalidParameterValue")
    );
}

#[tokio::test]
async fn a_second_purge_within_a_minute_is_refused() {
    let (aws, client, hand) = setup();
    let url = aws.sqs().url("work");
    let purge = || client.purge_queue().queue_url(&url).send();
    purge().await.unwrap();
    hand.advance_seconds(59);
    let error = purge().await.unwrap_err().into_service_error();
    assert!(error.is_purge_queue_in_progress(), "{error:?}");
    hand.advance_seconds(1);
    purge().await.unwrap();
}

#[tokio::test]
async fn a_consumer_may_hide_a_message_for_twelve_hours_in_all() {
    let (aws, client, hand) = setup();
    let url = aws.sqs().url("work");
    aws.sqs().send("work", "x".to_owned(), None).unwrap();
    let receipt = aws.sqs().receive("work", 1, None).remove(0).receipt_handle;
    let change = async |seconds: i32| {
        let change = client.change_message_visibility().queue_url(&url);
        let sent = change.receipt_handle(&receipt).visibility_timeout(seconds);
        let sent = sent.send().await;
        sent.map_err(|error| error.into_service_error().to_string())
    };
    change(43_200).await.unwrap();
    hand.advance_seconds(20);
    let refused = change(43_200).await.unwrap_err();
    assert!(refused.contains("InvalidParameterValue"), "{refused}");
    change(43_180).await.unwrap();
    hand.advance_seconds(43_179);
    assert!(aws.sqs().receive("work", 1, None).is_empty());
    hand.advance_seconds(1);
    let again = aws.sqs().receive("work", 1, None);
    assert_eq!(again[0].attributes["ApproximateReceiveCount"], "2");
    // The first handle names the first receive.
    let refused = change(10).await.unwrap_err();
    assert!(refused.contains("InvalidParameterValue"), "{refused}");
    aws.sqs().delete("work", &again[0].receipt_handle);
    let refused = change(10).await.unwrap_err();
    assert!(refused.contains("InvalidParameterValue"), "{refused}");
}
