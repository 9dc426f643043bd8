//! Queue triggers: batches, and messages whose function failed.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;

use super::*;

fn stack(trigger: Trigger, timeout: u32) -> Stack {
    Stack {
        queues: vec![
            queue("work", Some(("work-dlq", 2))),
            queue("work-dlq", None),
        ],
        functions: vec![function("Worker", timeout, vec![trigger])],
        ..Stack::default()
    }
}

fn source(batch_size: u32, window: u32, most: u32, report_failures: bool) -> Trigger {
    Trigger::Sqs {
        queue: "work".to_owned(),
        batch_size,
        window,
        maximum_concurrency: Some(most),
        report_failures,
    }
}

fn bodies(event: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let records = event["Records"].as_array().unwrap();
    records
        .iter()
        .map(|r| (text(&r["messageId"]), text(&r["body"])))
        .collect()
}

/// Fails the messages whose body is `bad`, by report.
fn reports_bad(seen: &Seen) -> Code {
    let seen = seen.clone();
    code(move |event| {
        let seen = seen.clone();
        async move {
            let mut failed = Vec::new();
            for (id, body) in bodies(&event) {
                if body == "bad" {
                    failed.push(json!({"itemIdentifier": id}));
                }
                seen.add(body);
            }
            Ok(json!({"batchItemFailures": failed}))
        }
    })
}

fn send(stack: &LocalStack, body: &str) {
    stack
        .aws()
        .sqs()
        .send("work", body.to_owned(), None)
        .unwrap();
}

#[tokio::test]
async fn only_the_failed_message_comes_again_and_ends_in_the_dead_letter_queue() {
    let seen = Seen::default();
    let stack = start(stack(source(10, 0, 2, true), 5), reports_bad(&seen)).await;
    for body in ["a", "bad", "c"] {
        send(&stack, body);
    }
    idle(&stack).await;
    assert_eq!(
        (seen.count("a"), seen.count("bad"), seen.count("c")),
        (1, 1, 1)
    );
    // Not before its visibility timeout.
    stack.advance(SignedDuration::from_secs(50)).unwrap();
    idle(&stack).await;
    assert_eq!(seen.count("bad"), 1);
    stack.advance(SignedDuration::from_secs(11)).unwrap();
    idle(&stack).await;
    assert_eq!(seen.count("bad"), 2);
    stack.advance(SignedDuration::from_secs(61)).unwrap();
    idle(&stack).await;
    assert_eq!(
        (seen.count("a"), seen.count("bad"), seen.count("c")),
        (1, 2, 1)
    );
    assert_eq!(stack.aws().sqs().depth("work").total(), 0);
    assert_eq!(stack.aws().sqs().depth("work-dlq").visible, 1);

    // A consumer dead-letters a rejected message by sending it, so this message has no source queue.
    stack
        .aws()
        .sqs()
        .send("work-dlq", "parked".to_owned(), None)
        .unwrap();
    let request = ::http::Request::post("/_local/queues/work-dlq/redrive")
        .header("accept", "application/json")
        .body(bytes::Bytes::new())
        .unwrap();
    let answer = stack.http(request).await;
    assert_eq!(answer.status(), 200);
    idle(&stack).await;
    assert_eq!((seen.count("bad"), seen.count("parked")), (3, 1));
    assert_eq!(stack.aws().sqs().depth("work-dlq").visible, 0);
}

#[tokio::test]
async fn an_error_fails_the_whole_batch() {
    let seen = Seen::default();
    let noted = seen.clone();
    let fails = code(move |event| {
        let first = !noted.all().contains(&"first".to_owned());
        noted.add(if first { "first" } else { "again" });
        let count = bodies(&event).len();
        async move {
            if first {
                Err(failure("no"))
            } else {
                Ok(json!({"count": count}))
            }
        }
    });
    let stack = start(stack(source(10, 0, 1, false), 5), fails).await;
    send(&stack, "a");
    idle(&stack).await;
    assert_eq!(stack.aws().sqs().depth("work").in_flight, 1);
    let statistics = stack.functions().find("Worker").unwrap().statistics();
    assert_eq!((statistics.invocations, statistics.errors), (1, 1));
    assert_eq!(statistics.last_error.unwrap().1, "Test: no");
    stack.advance(SignedDuration::from_secs(61)).unwrap();
    idle(&stack).await;
    assert_eq!(seen.all(), ["first", "again"]);
    assert_eq!(stack.aws().sqs().depth("work").total(), 0);
}

#[tokio::test]
async fn a_function_over_its_time_is_killed_where_it_stands() {
    struct Dropped(Seen);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.add("dropped");
        }
    }
    let seen = Seen::default();
    let noted = seen.clone();
    let hangs = code(move |_| {
        let guard = Dropped(noted.clone());
        async move {
            std::future::pending::<()>().await;
            guard.0.add("finished");
            Ok(Value::Null)
        }
    });
    let stack = start(stack(source(1, 0, 1, true), 1), hangs).await;
    send(&stack, "a");
    idle(&stack).await;
    assert_eq!(seen.all(), ["dropped"]);
    let statistics = stack.functions().find("worker").unwrap().statistics();
    assert_eq!((statistics.errors, statistics.timeouts), (1, 1));
    assert_eq!(stack.aws().sqs().depth("work").in_flight, 1);
}

#[tokio::test]
async fn a_window_gathers_a_batch_and_the_limit_bounds_concurrency() {
    let seen = Seen::default();
    let noted = seen.clone();
    let counts = code(move |event| {
        noted.add(bodies(&event).len().to_string());
        async { Ok(Value::Null) }
    });
    let stack = start(stack(source(10, 1, 2, true), 5), counts).await;
    for body in ["a", "b", "c"] {
        send(&stack, body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    idle(&stack).await;
    assert_eq!(seen.all(), ["3"]);
    let requests = stack.aws().meter().snapshot().queues["work"].requests;
    assert_eq!(requests, 2, "one to receive them, one to delete them");
    stack.stop().await;

    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let slow = code(move |_| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(Value::Null)
        }
    });
    let template = super::queues::stack(source(1, 0, 2, true), 5);
    let stack = start(template, slow).await;
    for _ in 0..8 {
        send(&stack, "x");
    }
    idle(&stack).await;
    assert_eq!(peak.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_schedule_fires_once_however_far_the_time_jumped() {
    let seen = Seen::default();
    let noted = seen.clone();
    let notes = code(move |event| {
        noted.add(event["source"].as_str().unwrap_or_default());
        async { Ok(Value::Null) }
    });
    let beat = Trigger::Schedule {
        expression: "rate(1 minute)".to_owned(),
        input: None,
    };
    let template = Stack {
        functions: vec![function("Beat", 5, vec![beat])],
        ..Stack::default()
    };
    let stack = start(template, notes).await;
    stack.advance(SignedDuration::from_hours(72)).unwrap();
    idle(&stack).await;
    assert_eq!(seen.all(), ["aws.scheduler"]);
}

#[tokio::test]
async fn a_throttled_invocation_uses_up_a_receive() {
    let seen = Seen::default();
    let stack = start(stack(source(10, 0, 2, true), 5), reports_bad(&seen)).await;
    stack.functions().limit_concurrency(0);
    send(&stack, "a");
    idle(&stack).await;
    stack.advance(SignedDuration::from_secs(61)).unwrap();
    idle(&stack).await;
    stack.advance(SignedDuration::from_secs(61)).unwrap();
    idle(&stack).await;
    assert!(seen.all().is_empty());
    assert_eq!(stack.aws().sqs().depth("work-dlq").visible, 1);
    stack.functions().limit_concurrency(1);
    send(&stack, "b");
    idle(&stack).await;
    assert_eq!(seen.all(), ["b"]);
}
