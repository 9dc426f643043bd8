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
