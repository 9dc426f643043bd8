//! Tests of the services through real SDK clients and the in-process connector.

mod buckets;
mod dynamodb;
mod faults;
mod lags;
mod mail;
mod objects;
mod rates;
mod restart;
mod roles;
mod routes;
mod stream_api;
mod streams;
mod tables;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use kernel::Clock;
use serde_json::json;

use super::{Aws, Options};
use crate::template::model::{
    ConfigurationSet, Function, Queue, Rule, Stack, StreamView, Table, Trigger,
};

/// A clock that a test moves.
#[derive(Clone)]
pub(super) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_772_438_400_000)))
    }

    pub fn clock(&self) -> Clock {
        let now = self.0.clone();
        Clock::from_fn(move || {
            jiff::Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap()
        })
    }

    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

fn table(name: &str, stream: Option<StreamView>) -> Table {
    Table {
        logical_id: name.to_owned(),
        name: name.to_owned(),
        create_request: json!({
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "tenant", "AttributeType": "S"},
                {"AttributeName": "status", "AttributeType": "S"},
                {"AttributeName": "last_activity", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "ByStatus",
                "KeySchema": [
                    {"AttributeName": "tenant", "KeyType": "HASH"},
                    {"AttributeName": "status", "KeyType": "HASH"},
                    {"AttributeName": "last_activity", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }],
            "BillingMode": "PAY_PER_REQUEST",
        }),
        stream,
        ttl_attribute: Some("ttl".to_owned()),
    }
}

pub(super) fn queue(name: &str) -> Queue {
    Queue {
        logical_id: name.to_owned(),
        name: name.to_owned(),
        fifo: Path::new(name).extension().is_some(),
        content_based_deduplication: false,
        deduplicates_by_group: false,
        throughput_limit: None,
        policy: None,
        visibility_timeout: 30,
        delay: 0,
        retention: 4 * 24 * 3600,
        wait: 0,
        largest: None,
        redrive: None,
    }
}

/// Two tables, some queues, a bucket, a mail rule and a stream consumer.
pub(super) fn stack() -> Stack {
    let work = Queue {
        redrive: Some(("work-dlq".to_owned(), 2)),
        ..queue("work")
    };
    let chat = Queue {
        redrive: Some(("chat-dlq.fifo".to_owned(), 2)),
        ..queue("chat.fifo")
    };
    Stack {
        tables: vec![
            table("plain", None),
            table("watched", Some(StreamView::NewAndOldImages)),
            table("fresh", Some(StreamView::NewImage)),
        ],
        queues: vec![
            work,
            queue("work-dlq"),
            chat,
            queue("chat-dlq.fifo"),
            queue("mail-events"),
        ],
        buckets: vec!["imports".to_owned()],
        configuration_sets: vec![ConfigurationSet {
            name: "mkt".to_owned(),
            suppressed_reasons: vec!["BOUNCE".to_owned(), "COMPLAINT".to_owned()],
        }],
        functions: vec![Function {
            logical_id: "Relay".to_owned(),
            handler: "relay".to_owned(),
            timeout: 3,
            memory: 128,
            environment: [].into(),
            triggers: vec![Trigger::Stream {
                table: "watched".to_owned(),
                batch_size: 10,
                filters: Vec::new(),
                retries: Some(3),
                longest_age: None,
                bisect: false,
                lanes: 1,
                report_failures: true,
                on_failure: None,
            }],
        }],
        rules: vec![Rule {
            logical_id: "MailEvents".to_owned(),
            pattern: json!({"source": ["aws.ses"]}),
            queue: "mail-events".to_owned(),
        }],
        ..Stack::default()
    }
}

pub(super) fn open(folder: Option<&Path>, clock: Clock) -> Aws {
    let aws = Aws::open(Options {
        data_dir: folder.map(Path::to_owned),
        clock,
        region: "ap-southeast-1".to_owned(),
        account: "000000000000".to_owned(),
    })
    .unwrap();
    aws.create_missing(&stack()).unwrap();
    aws
}

pub(super) fn in_memory() -> Aws {
    open(None, Clock::system())
}
