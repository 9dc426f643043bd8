//! Stream triggers: filters, checkpoints, bisection, the on-failure queue.

use super::*;

fn template() -> Stack {
    tried(Some(1), None)
}

fn tried(retries: Option<u32>, longest_age: Option<u32>) -> Stack {
    let trigger = Trigger::Stream {
        table: "things".to_owned(),
        batch_size: 100,
        filters: vec![
            r#"{"dynamodb":{"NewImage":{"pending":{"S":[{"exists":true}]}}}}"#.to_owned(),
        ],
        retries,
        longest_age,
        bisect: true,
        lanes: 1,
        report_failures: true,
        on_failure: Some("failed".to_owned()),
    };
    Stack {
        tables: vec![table("things")],
        queues: vec![queue("failed", None)],
        functions: vec![function("Relay", 5, vec![trigger])],
        ..Stack::default()
    }
}

async fn put(stack: &LocalStack, sk: &str, pending: bool) {
    let mut item = json!({"pk": {"S": "p"}, "sk": {"S": sk}});
    if pending {
        item["pending"] = json!({"S": "[]"});
    }
    let body = json!({"TableName": "things", "Item": item}).to_string();
    let request = ::http::Request::post("/")
        .header("x-amz-target", "DynamoDB_20120810.PutItem")
        .body(body.into())
        .unwrap();
    let answer = stack.aws().handle(request).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
}

fn keys(event: &Value) -> Vec<String> {
    let records = event["Records"].as_array().unwrap();
    let key = |r: &Value| {
        r["dynamodb"]["Keys"]["sk"]["S"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    records.iter().map(key).collect()
}

#[tokio::test]
async fn filters_order_and_checkpoints_hold() {
    let seen = Seen::default();
    let noted = seen.clone();
    let once_bad = code(move |event| {
        let batch = keys(&event);
        // The third record fails at first: all records from it on are redelivered.
        let fails = noted.count("3") == 0 && batch.contains(&"3".to_owned());
        for key in &batch {
            noted.add(key.clone());
        }
        let record = event["Records"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["dynamodb"]["Keys"]["sk"]["S"] == "3");
        let id = record.map(|r| r["dynamodb"]["SequenceNumber"].clone());
        async move {
            let failed: Vec<_> = id.filter(|_| fails).into_iter().collect();
            let failed: Vec<_> = failed
                .iter()
                .map(|id| json!({"itemIdentifier": id}))
                .collect();
            Ok(json!({"batchItemFailures": failed}))
        }
    });
    let stack = start(template(), once_bad).await;
    for sk in ["1", "2", "3", "4"] {
        put(&stack, sk, true).await;
    }
    put(&stack, "silent", false).await;
    idle(&stack).await;
    let all = seen.all();
    assert_eq!(seen.count("silent"), 0);
    assert_eq!(
        (seen.count("1"), seen.count("2"), seen.count("3")),
        (1, 1, 2),
        "{all:?}"
    );
    let mut firsts = all.clone();
    let mut known = std::collections::BTreeSet::new();
    firsts.retain(|key| known.insert(key.clone()));
    assert_eq!(firsts, ["1", "2", "3", "4"]);
    assert_eq!(stack.aws().streams().lag("things", "Relay"), 0);
}

#[tokio::test]
async fn bisection_parks_the_poison_record_alone() {
    let seen = Seen::default();
    let noted = seen.clone();
    let poisoned = code(move |event| {
        let batch = keys(&event);
        let bad = batch.contains(&"3".to_owned());
        if !bad {
            for key in &batch {
                noted.add(key.clone());
            }
        }
        async move {
            if bad {
                Err(failure("poison"))
            } else {
                Ok(Value::Null)
            }
        }
    });
    let stack = start(template(), poisoned).await;
    for sk in ["1", "2", "3", "4", "5"] {
        put(&stack, sk, true).await;
    }
    idle(&stack).await;
    let mut done = seen.all();
    done.sort();
    assert_eq!(done, ["1", "2", "4", "5"]);
    let parked = stack.aws().sqs().receive("failed", 10, None);
    assert_eq!(parked.len(), 1);
    let description: Value = serde_json::from_str(&parked[0].body).unwrap();
    assert_eq!(description["DDBStreamBatchInfo"]["batchSize"], 1);
    assert_eq!(
        description["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(stack.aws().streams().lag("things", "Relay"), 0);
}

#[tokio::test]
async fn without_a_limit_of_attempts_the_age_of_a_record_ends_them() {
    let seen = Seen::default();
    let noted = seen.clone();
    let fails = code(move |_| {
        noted.add("try");
        async { Err(failure("throttled")) }
    });
    let stack = start(tried(None, Some(3600)), fails).await;
    put(&stack, "1", true).await;
    // More attempts than any limit that a template here has named.
    while seen.count("try") < 7 {
        stack.advance(jiff::SignedDuration::from_mins(1)).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(stack.aws().sqs().depth("failed").total(), 0);
    stack.advance(jiff::SignedDuration::from_hours(2)).unwrap();
    idle(&stack).await;
    let parked = stack.aws().sqs().receive("failed", 10, None);
    assert_eq!(parked.len(), 1);
    assert!(parked[0].body.contains("RecordAgeExceeded"));
}

#[tokio::test]
async fn each_record_has_its_own_age() {
    let seen = Seen::default();
    let noted = seen.clone();
    let fails_first = code(move |event| {
        let batch = keys(&event);
        let fails = batch.contains(&"old".to_owned());
        noted.add(if fails { "try" } else { "done" });
        async move {
            if fails {
                Err(failure("throttled"))
            } else {
                Ok(Value::Null)
            }
        }
    });
    let mut template = tried(None, Some(3600));
    let Trigger::Stream { bisect, .. } = &mut template.functions[0].triggers[0] else {
        panic!("a stream");
    };
    *bisect = false;
    let stack = start(template, fails_first).await;
    put(&stack, "old", true).await;
    stack.advance(jiff::SignedDuration::from_mins(50)).unwrap();
    while seen.count("try") == 0 {
        tokio::task::yield_now().await;
    }
    // These wait behind the record that fails. The first of them is too old too when that record is given up.
    put(&stack, "also old", true).await;
    stack.advance(jiff::SignedDuration::from_mins(9)).unwrap();
    put(&stack, "young", true).await;
    stack.advance(jiff::SignedDuration::from_mins(55)).unwrap();
    idle(&stack).await;
    assert_eq!(seen.count("done"), 1);
    let parked = stack.aws().sqs().receive("failed", 10, None);
    let sizes: Vec<u64> = parked
        .iter()
        .map(|message| {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            assert_eq!(body["requestContext"]["condition"], "RecordAgeExceeded");
            body["DDBStreamBatchInfo"]["batchSize"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(sizes.iter().sum::<u64>(), 2);
}

#[tokio::test]
async fn records_of_more_than_a_day_are_gone() {
    let stack = start(
        Stack {
            functions: Vec::new(),
            ..template()
        },
        code(|_| async { Ok(Value::Null) }),
    )
    .await;
    put(&stack, "1", true).await;
    let streams = stack.aws().streams();
    assert_eq!(streams.poll("things", "late", 10).len(), 1);
    stack.advance(jiff::SignedDuration::from_hours(25)).unwrap();
    assert_eq!(streams.lag("things", "late"), 0);
    assert!(streams.poll("things", "late", 10).is_empty());
}

#[tokio::test]
async fn a_blocked_item_blocks_only_its_lane() {
    let seen = Seen::default();
    let noted = seen.clone();
    let blocked = code(move |event| {
        let batch = keys(&event);
        let fails = batch.contains(&"bad".to_owned());
        for key in batch.into_iter().filter(|_| !fails) {
            noted.add(key);
        }
        async move {
            if fails {
                Err(failure("throttled"))
            } else {
                Ok(Value::Null)
            }
        }
    });
    let mut template = tried(None, None);
    let Trigger::Stream { lanes, .. } = &mut template.functions[0].triggers[0] else {
        panic!("a stream");
    };
    *lanes = 4;
    let stack = start(template, blocked).await;
    put(&stack, "bad", true).await;
    for n in 0..40 {
        put(&stack, &n.to_string(), true).await;
    }
    // About three quarters of the items are in other lanes.
    while seen.all().len() < 20 {
        tokio::task::yield_now().await;
    }
    assert!(stack.aws().streams().lag("things", "Relay") > 0);
    stack.advance(jiff::SignedDuration::from_hours(25)).unwrap();
    idle(&stack).await;
    let parked = stack.aws().sqs().receive("failed", 10, None);
    let given_up: u64 = parked
        .iter()
        .map(|message| {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            body["DDBStreamBatchInfo"]["batchSize"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(seen.all().len() as u64 + given_up, 41, "none twice");
    assert!(seen.all().len() >= 20);
}

#[tokio::test]
async fn a_throttled_batch_is_no_attempt() {
    let seen = Seen::default();
    let noted = seen.clone();
    let notes = code(move |event| {
        noted.add(keys(&event).join(" "));
        async { Ok(Value::Null) }
    });
    let stack = start(template(), notes).await;
    stack.functions().limit_concurrency(0);
    put(&stack, "1", true).await;
    for _ in 0..10 {
        stack.advance(jiff::SignedDuration::from_mins(2)).unwrap();
        tokio::task::yield_now().await;
    }
    stack.functions().limit_concurrency(1);
    stack.advance(jiff::SignedDuration::from_mins(2)).unwrap();
    idle(&stack).await;
    assert_eq!(seen.all(), ["1"]);
    assert_eq!(stack.aws().sqs().depth("failed").total(), 0);
}
