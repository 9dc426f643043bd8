//! The stack with small test functions behind its triggers.

mod http;
mod queues;
mod sockets;
mod streams;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::functions::{Code, Failure};
use super::{LocalStack, Ports};
use crate::template::model::{Function, Queue, Stack, StreamView, Table, Trigger};

/// Code from a plain function over the event.
fn code<F>(run: impl Fn(Value) -> F + Send + Sync + 'static) -> Code
where
    F: Future<Output = Result<Value, Failure>> + Send + 'static,
{
    Arc::new(move |event, _| Box::pin(run(event)))
}

fn failure(text: &str) -> Failure {
    Failure {
        kind: "Test".to_owned(),
        message: text.to_owned(),
    }
}

fn function(name: &str, timeout: u32, triggers: Vec<Trigger>) -> Function {
    Function {
        logical_id: name.to_owned(),
        handler: name.to_lowercase(),
        timeout,
        memory: 128,
        environment: BTreeMap::new(),
        triggers,
    }
}

fn queue(name: &str, redrive: Option<(&str, u32)>) -> Queue {
    Queue {
        logical_id: name.to_owned(),
        name: name.to_owned(),
        fifo: false,
        content_based_deduplication: false,
        deduplicates_by_group: false,
        throughput_limit: None,
        policy: None,
        visibility_timeout: 60,
        delay: 0,
        retention: 345_600,
        wait: 0,
        largest: None,
        redrive: redrive.map(|(target, most)| (target.to_owned(), most)),
    }
}

fn table(name: &str) -> Table {
    Table {
        logical_id: name.to_owned(),
        name: name.to_owned(),
        create_request: json!({
            "TableName": name,
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
        }),
        stream: Some(StreamView::NewImage),
        ttl_attribute: None,
    }
}

async fn start(template: Stack, code: Code) -> LocalStack {
    start_at(template, None, code).await
}

async fn start_at(template: Stack, ports: Option<Ports>, code: Code) -> LocalStack {
    let started = LocalStack::with_code(template, ports, |_| Arc::clone(&code)).await;
    started.unwrap()
}

/// Waits until idle, or fails: a test must not hang.
async fn idle(stack: &LocalStack) {
    let waited = tokio::time::timeout(Duration::from_secs(20), stack.run_until_idle()).await;
    waited.expect("the stack came to rest");
}

/// Events that the functions of a test received.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|seen| *seen == what).count()
    }
}
