//! Message move tasks and the queues around a dead-letter queue.

use aws_sdk_sqs::error::ProvideErrorMetadata;

use super::*;

#[tokio::test]
async fn only_a_dead_letter_queue_of_this_account_is_moved() {
    let (aws, client, _) = setup();
    let start = async |source: &str, target: Option<&str>| {
        let start = client.start_message_move_task().source_arn(source);
        let started = start
            .set_destination_arn(target.map(str::to_owned))
            .send()
            .await;
        started.map_err(|error| error.into_service_error().code().unwrap().to_owned())
    };
    let arn = |name: &str| aws.sqs().arn(name);
    let foreign = "arn:aws:sqs:us-east-1:999999999999:work-dlq";
    for (source, target, code) in [
        (&*arn("mail-events"), None, "InvalidParameterValue"),
        (&*arn("absent"), None, "ResourceNotFoundException"),
        (foreign, None, "ResourceNotFoundException"),
        (
            &*arn("work-dlq"),
            Some(&*arn("absent")),
            "ResourceNotFoundException",
        ),
        (
            &*arn("work-dlq"),
            Some(&*arn("chat.fifo")),
            "InvalidParameterValue",
        ),
    ] {
        assert_eq!(
            start(source, target).await.unwrap_err(),
            code,
            "{source} {target:?}"
        );
    }
    start(&arn("work-dlq"), Some(&arn("mail-events")))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_list_says_what_a_task_moved_and_what_it_could_not() {
    let (aws, client, hand) = setup();
    let source = aws.sqs().arn("work-dlq");
    aws.sqs().send("work", "poison".to_owned(), None).unwrap();
    for _ in 0..3 {
        aws.sqs().receive("work", 1, None);
        hand.advance_seconds(30);
    }
    aws.sqs()
        .send("work-dlq", "parked".to_owned(), None)
        .unwrap();
    let start = || client.start_message_move_task().source_arn(&source);
    start().send().await.unwrap();
    // The message that was sent directly to the dead-letter queue has no source queue.
    let back = start()
        .destination_arn(aws.sqs().arn("work"))
        .max_number_of_messages_per_second(50);
    let handle = back.send().await.unwrap().task_handle.unwrap();
    assert_eq!(aws.sqs().depth("work").total(), 2);
    let list = client
        .list_message_move_tasks()
        .source_arn(&source)
        .max_results(10);
    let list = list.send().await.unwrap();
    let told: Vec<_> = list
        .results()
        .iter()
        .map(|task| {
            let moved = task.approximate_number_of_messages_moved();
            (task.status().unwrap(), moved, task.failure_reason())
        })
        .collect();
    let reason = Some("CouldNotDetermineMessageSource");
    assert_eq!(told, [("COMPLETED", 1, None), ("FAILED", 1, reason)]);
    let one = client
        .list_message_move_tasks()
        .source_arn(&source)
        .send()
        .await
        .unwrap();
    assert_eq!(one.results().len(), 1);
    let cancel = client
        .cancel_message_move_task()
        .task_handle(handle)
        .send()
        .await;
    let error = cancel.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_dead_letter_queue_knows_its_sources() {
    let (aws, client, _) = setup();
    let list = |queue: &str| {
        client
            .list_dead_letter_source_queues()
            .queue_url(aws.sqs().url(queue))
            .send()
    };
    let sources = list("work-dlq").await.unwrap().queue_urls;
    assert_eq!(sources.len(), 1);
    assert!(sources[0].ends_with("/work"), "{sources:?}");
    assert!(list("work").await.unwrap().queue_urls.is_empty());
}
