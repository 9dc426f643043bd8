//! The fault hook as the SDK sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::in_memory;
use crate::aws::{Aws, Call, Fault, Reason, Role};

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

#[tokio::test(start_paused = true)]
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

/// Puts `a` and `b` in one transaction; gives the reasons of its cancellation.
async fn reasons_of_both(aws: &Aws) -> Vec<String> {
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
    let reasons = error.cancellation_reasons().iter();
    let codes = reasons.filter_map(|reason| reason.code());
    codes.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_throttled_transaction_is_cancelled_with_its_reasons() {
    let aws = in_memory();
    let cases = [
        (Fault::Throttle, ["ThrottlingError", "None"]),
        (
            Fault::Cancel(Reason::ThrottlingError),
            ["None", "ThrottlingError"],
        ),
        (
            Fault::Cancel(Reason::ProvisionedThroughputExceeded),
            ["None", "ProvisionedThroughputExceeded"],
        ),
        (
            Fault::Cancel(Reason::TransactionConflict),
            ["None", "TransactionConflict"],
        ),
    ];
    for (fault, expected) in cases {
        let calls = Arc::new(AtomicU64::new(0));
        let seen = calls.clone();
        aws.set_fault_hook(Some(Arc::new(move |_: &Call| {
            seen.fetch_add(1, Ordering::SeqCst);
            fault
        })));
        assert_eq!(reasons_of_both(&aws).await, expected, "{fault:?}");
        assert_eq!(
            calls.load(Ordering::SeqCst),
            1,
            "the SDK does not repeat it"
        );
    }
    aws.set_fault_hook(None);
    assert!(!stored(&aws).await);
}

#[tokio::test]
async fn a_write_of_one_item_gets_the_error_of_its_reason() {
    // The SDK repeats throttles, but not a conflict.
    for (reason, calls_made) in [
        (Reason::ThrottlingError, 2),
        (Reason::ProvisionedThroughputExceeded, 2),
        (Reason::TransactionConflict, 1),
    ] {
        let aws = in_memory();
        let calls = once(&aws, Fault::Cancel(reason));
        let put = put(&aws).await;
        assert_eq!(calls.load(Ordering::SeqCst), calls_made, "{reason:?}");
        let refused = put.err().unwrap_or_default();
        let conflict = reason == Reason::TransactionConflict;
        assert_eq!(
            refused.contains("TransactionConflict"),
            conflict,
            "{refused}"
        );
        assert_eq!(stored(&aws).await, !conflict);
    }
}

#[tokio::test(start_paused = true)]
async fn delayed_calls_end_in_the_order_of_their_delays() {
    let aws = in_memory();
    aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        // The first call is the slowest.
        Fault::Delay(100_u64.saturating_sub(call.sequence * 10))
    })));
    let begun = tokio::time::Instant::now();
    let ended = std::sync::Mutex::new(Vec::new());
    let client = Client::new(&aws.sdk_config());
    let one = async |n: usize| {
        let scan = client.scan().table_name("plain").send();
        scan.await.unwrap();
        ended.lock().unwrap().push(n);
    };
    tokio::join!(one(0), one(1), one(2));
    assert_eq!(*ended.lock().unwrap(), [2, 1, 0]);
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_fault_can_be_aimed_at_a_function() {
    let aws = in_memory();
    let allows = Arc::new(|_: &Call| true);
    let of = |function: &str| {
        let function = function.into();
        let allows = allows.clone();
        Client::new(&aws.sdk_config_of(Role { function, allows }))
    };
    aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        match call.function.as_deref() {
            Some("ingest") => Fault::HangBefore,
            _ => Fault::None,
        }
    })));
    let scan = |client: Client| async move {
        let scan = client.scan().table_name("plain").send();
        tokio::time::timeout(Duration::from_millis(200), scan).await
    };
    scan(of("due-timer")).await.unwrap().unwrap();
    scan(Client::new(&aws.sdk_config())).await.unwrap().unwrap();
    assert!(scan(of("ingest")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_as_in_a_deployed_function() {
    let begun = tokio::time::Instant::now();
    for (fault, written) in [(Fault::HangBefore, false), (Fault::HangAfter, true)] {
        let aws = in_memory();
        aws.set_fault_hook(Some(Arc::new(move |_: &Call| fault)));
        let error = put(&aws).await.unwrap_err();
        // Another attempt after an applied write meets that write only if it is answered.
        assert!(!error.contains("ConditionalCheckFailed"), "{error}");
        aws.set_fault_hook(None);
        assert_eq!(stored(&aws).await, written);
    }
    assert_eq!(begun.elapsed().as_secs(), 2 * 8, "two operation time-outs");
}
