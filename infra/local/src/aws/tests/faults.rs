//! The fault hook as the SDK sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::in_memory;
use crate::aws::{Aws, Call, Fault};

/// Applies `fault` to the first put.
fn once(aws: &Aws, fault: Fault) -> Arc<AtomicU64> {
    let calls = Arc::new(AtomicU64::new(0));
    let seen = calls.clone();
    aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        if call.operation != "PutItem" {
            return Fault::None;
        }
        assert_eq!(
            (call.service, call.table_or_queue.as_str()),
            ("dynamodb", "plain")
        );
        match seen.fetch_add(1, Ordering::SeqCst) {
            0 => fault,
            _ => Fault::None,
        }
    })));
    calls
}

async fn put(aws: &Aws) -> Result<(), String> {
    let client = Client::new(&aws.sdk_config());
    let put = client.put_item().table_name("plain");
    let put = put.item("pk", AttributeValue::S("a".into()));
    let put = put.item("sk", AttributeValue::S("b".into()));
    let put = put.condition_expression("attribute_not_exists(pk)");
    let sent = put.send().await;
    sent.map(|_| ())
        .map_err(|error| error.into_service_error().to_string())
}

async fn stored(aws: &Aws) -> bool {
    let client = Client::new(&aws.sdk_config());
    client
        .scan()
        .table_name("plain")
        .send()
        .await
        .unwrap()
        .count()
        == 1
}

#[tokio::test]
async fn throttling_is_retried_by_the_sdk() {
    let aws = in_memory();
    let calls = once(&aws, Fault::Throttle);
    put(&aws).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_lost_answer_makes_the_retry_meet_its_own_write() {
    let aws = in_memory();
    let calls = once(&aws, Fault::TimeoutAfterCommit);
    let error = put(&aws).await.unwrap_err();
    assert!(error.contains("ConditionalCheckFailed"), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(stored(&aws).await);
}

#[tokio::test]
async fn a_kill_before_or_after_the_call_never_answers() {
    for (fault, written) in [(Fault::HangBefore, false), (Fault::HangAfter, true)] {
        let aws = in_memory();
        once(&aws, fault);
        let answer = tokio::time::timeout(Duration::from_millis(200), put(&aws)).await;
        assert!(answer.is_err(), "{fault:?} answered {answer:?}");
        assert_eq!(stored(&aws).await, written);
    }
}

#[tokio::test]
async fn a_part_of_a_batch_is_named_as_not_done() {
    let aws = in_memory();
    aws.set_fault_hook(Some(Arc::new(|_: &Call| Fault::Partial)));
    let sqs = aws_sdk_sqs::Client::new(&aws.sdk_config());
    let url = aws.sqs().url("work");
    let entry = |id: &str| {
        let entry = SendMessageBatchRequestEntry::builder();
        entry.id(id).message_body("x").build().unwrap()
    };
    for (entries, taken, left) in [(vec!["a"], 0, 1), (vec!["a", "b", "c"], 1, 2)] {
        let entries = entries.into_iter().map(entry).collect();
        let send = sqs.send_message_batch().queue_url(&url);
        let answer = send.set_entries(Some(entries)).send().await.unwrap();
        assert_eq!(
            (answer.successful().len(), answer.failed().len()),
            (taken, left)
        );
    }
    assert_eq!(aws.sqs().depth("work").visible, 1);
    put(&aws).await.unwrap();
    assert!(stored(&aws).await, "a call without entries runs");
}

#[tokio::test]
async fn a_throttled_transaction_is_cancelled_with_its_reasons() {
    let aws = in_memory();
    let calls = Arc::new(AtomicU64::new(0));
    let seen = calls.clone();
    aws.set_fault_hook(Some(Arc::new(move |_: &Call| {
        seen.fetch_add(1, Ordering::SeqCst);
        Fault::Throttle
    })));
    let client = Client::new(&aws.sdk_config());
    let put = |pk: &str| {
        let put = Put::builder().table_name("plain");
        let put = put.item("pk", AttributeValue::S(pk.into()));
        let put = put.item("sk", AttributeValue::S("s".into())).build();
        TransactWriteItem::builder().put(put.unwrap()).build()
    };
    let both = client
        .transact_write_items()
        .transact_items(put("a"))
        .transact_items(put("b"));
    let error = both.send().await.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(error) = error else {
        panic!("{error:?}");
    };
    let codes = error
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code());
    assert_eq!(codes.collect::<Vec<_>>(), ["ThrottlingError", "None"]);
    assert_eq!(
        calls.load(Ordering::SeqCst),
        1,
        "the SDK does not repeat it"
    );
}
