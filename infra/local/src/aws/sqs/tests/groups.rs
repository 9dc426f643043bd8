//! Messages in groups: the order of FIFO queues, and fairness on the others.

use super::*;

#[tokio::test]
async fn fifo_keeps_order_within_a_group_and_one_group_in_flight_once() {
    let (aws, client, hand) = setup();
    let url = aws.sqs().url("chat.fifo");
    let send = |group: &str, body: &str| {
        let send = client.send_message().queue_url(&url).message_body(body);
        send.message_group_id(group).message_deduplication_id(body)
    };
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")] {
        send(group, body).send().await.unwrap();
    }
    let first = aws.sqs().receive("chat.fifo", 2, None);
    let of = |r: &[crate::aws::Received]| r.iter().map(|m| m.body.clone()).collect::<Vec<_>>();
    assert_eq!(of(&first), ["a1", "a2"]);
    assert_eq!(bodies(&aws, "chat.fifo"), ["b1"]);
    assert!(bodies(&aws, "chat.fifo").is_empty(), "group a is closed");
    aws.sqs().delete("chat.fifo", &first[1].receipt_handle);
    assert!(
        bodies(&aws, "chat.fifo").is_empty(),
        "a1 is still in flight"
    );
    hand.advance_seconds(30);
    // a1 and b1 are redelivered in order of arrival, a1 before a3.
    assert_eq!(bodies(&aws, "chat.fifo"), ["a1", "a3", "b1"]);
    let error = send("a", "late").delay_seconds(5).send().await.unwrap_err();
    assert_eq!(
        error.into_service_error().meta().code(),
        Some("InvalidParameterValue")
    );
    let error = client
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        error.into_service_error().meta().code(),
        Some("MissingParameter")
    );
}

#[tokio::test]
async fn fifo_drops_a_repeated_deduplication_id_for_five_minutes() {
    let (aws, client, hand) = setup();
    let send = || {
        let send = client.send_message().queue_url(aws.sqs().url("chat.fifo"));
        let send = send.message_body("m").message_group_id("g");
        send.message_deduplication_id("d")
    };
    let first = send().send().await.unwrap();
    let handle = aws
        .sqs()
        .receive("chat.fifo", 1, None)
        .remove(0)
        .receipt_handle;
    aws.sqs().delete("chat.fifo", &handle);
    hand.advance_seconds(299);
    let again = send().send().await.unwrap();
    assert_eq!(again.message_id(), first.message_id());
    assert_eq!(again.sequence_number(), first.sequence_number());
    assert_eq!(aws.sqs().depth("chat.fifo").total(), 0);
    hand.advance_seconds(1);
    send().send().await.unwrap();
    assert_eq!(aws.sqs().depth("chat.fifo").total(), 1);
}

#[tokio::test]
async fn a_noisy_group_gives_way_on_a_standard_queue() {
    let (aws, _, _) = setup();
    for _ in 0..60 {
        aws.sqs()
            .send("work", "noisy".to_owned(), Some("big"))
            .unwrap();
    }
    aws.sqs()
        .send("work", "quiet".to_owned(), Some("small"))
        .unwrap();
    assert_eq!(aws.sqs().receive("work", 29, None).len(), 29);
    assert_eq!(bodies(&aws, "work")[..3], ["noisy", "quiet", "noisy"]);
}
