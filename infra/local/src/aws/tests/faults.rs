//! The fault hook as the SDK sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

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
