//! The runners: the result of a batch, a stream or a request with a fault in it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::{Grant, Verdict};
use lambda::sqs::{Order, Record};
use lambda::{Failure, Function, Invocation, Setup, Vars};
use serde::Deserialize;
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};
use tanigo_local::runtime::registry;

use crate::support::{World, grant_of, http_event};

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Task {
    #[serde(rename = "task.v1")]
    V1 { n: u32 },
}

fn invocation(world: &World, milliseconds: i64) -> Invocation {
    Invocation {
        request_id: "request-1".into(),
        function_name: "test".into(),
        deadline_ms: world.clock().now_ms() + milliseconds,
        trace: None,
    }
}

fn message(n: u32, body: &str) -> Value {
    json!({
        "messageId": format!("m{n}"),
        "receiptHandle": format!("r{n}"),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "2", "SentTimestamp": "1772438399000", "MessageGroupId": "g",
        },
        "messageAttributes": {
            "trace": { "stringValue": format!("trace-{n}"), "dataType": "String" },
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:ap-southeast-1:000000000000:test",
        "awsRegion": "ap-southeast-1",
    })
}

fn task(n: u32) -> Value {
    let body = json!({ "tenant": "ws_00000000001", "body": { "type": "task.v1", "n": n } });
    message(n, &body.to_string())
}

fn ten() -> Vec<Value> {
    (0..10).map(task).collect()
}

fn failed(ids: &[&str]) -> Value {
    let items: Vec<Value> = ids
        .iter()
        .map(|id| json!({ "itemIdentifier": id }))
        .collect();
    json!({ "batchItemFailures": items })
}

/// A worker over the queue of workflow steps' dead letters, and the tasks that it has done.
struct Worker {
    function: Function,
    done: Arc<Mutex<Vec<u32>>>,
}

impl Worker {
    fn new<F>(
        world: &World,
        order: Order,
        act: impl Fn(u32) -> F + Send + Sync + Copy + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let done: Arc<Mutex<Vec<u32>>> = Arc::default();
        let log = done.clone();
        let setup = world.setup("workflow-step");
        let function = Function::sqs(&setup, order, move |record: Record| {
            let log = log.clone();
            async move {
                let (_, Task::V1 { n }) = record.open::<Task>()?;
                act(n).await?;
                log.lock().unwrap().push(n);
                Ok(())
            }
        });
        let function = function.unwrap();
        Self { function, done }
    }

    async fn take(&self, world: &World, records: Vec<Value>) -> Value {
        let event = json!({ "Records": records });
        self.function
            .invoke(event, invocation(world, 15_000))
            .await
            .unwrap()
    }

    fn done(&self) -> Vec<u32> {
        let mut done = self.done.lock().unwrap().clone();
        done.sort_unstable();
        done
    }
}

fn all_but(n: u32) -> Vec<u32> {
    (0..10).filter(|i| *i != n).collect()
}

const ANY: Order = Order::Any { concurrency: 4 };

fn dead_letter_queue(world: &World) -> String {
    let url = &world.spec("workflow-step").environment["DLQ_URL"];
    url.rsplit('/').next().unwrap().to_owned()
}

fn dead_letters(world: &World) -> Vec<tanigo_local::aws::sqs::Received> {
    world
        .aws
        .sqs()
        .receive(&dead_letter_queue(world), 10, Some(0))
}

#[tokio::test]
async fn a_bad_body_among_ten_is_parked_with_its_reason() {
    let world = World::new();
    let worker = Worker::new(&world, ANY, |_| async { Ok(()) });
    let mut records = ten();
    records[3] = message(3, "{\"tenant\":");
    assert_eq!(worker.take(&world, records).await, failed(&[]));
    assert_eq!(worker.done(), all_but(3));
    let dead = dead_letters(&world);
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, "{\"tenant\":", "as it came, for a redrive");
    let attributes = format!("{:?}", dead[0].message_attributes);
    assert!(
        attributes.contains("Message.Malformed") && attributes.contains("trace-3"),
        "{attributes}"
    );
}

#[tokio::test]
async fn an_unknown_version_is_parked_and_can_be_redriven() {
    let world = World::new();
    let worker = Worker::new(&world, ANY, |_| async { Ok(()) });
    let queue = world.queue_of("workflow-step");
    let body = json!({ "tenant": "ws_00000000001", "body": { "type": "task.v2", "n": 1 } });
    assert_eq!(
        worker
            .take(&world, vec![message(1, &body.to_string())])
            .await,
        failed(&[])
    );
    // SQS does not know where a dead-lettered message came from: the redrive names its destination.
    let client = aws_sdk_sqs::Client::new(&world.aws.sdk_config());
    let dead = world.aws.sqs().arn(&dead_letter_queue(&world));
    let redrive = client.start_message_move_task().source_arn(dead);
    let redrive = redrive.destination_arn(world.aws.sqs().arn(&queue));
    redrive.send().await.unwrap();
    let back = world.aws.sqs().receive(&queue, 10, None);
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].body, body.to_string());
}

#[tokio::test]
async fn a_reject_that_cannot_be_parked_stays_in_its_queue() {
    let world = World::new();
    let worker = Worker::new(&world, ANY, |_| async {
        Err(Failure::reject("Test.Never", "no"))
    });
    world.aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        if call.service == "sqs" {
            Fault::Throttle
        } else {
            Fault::None
        }
    })));
    assert_eq!(worker.take(&world, vec![task(1)]).await, failed(&["m1"]));
    world.aws.set_fault_hook(None);
    assert_eq!(worker.take(&world, vec![task(1)]).await, failed(&[]));
    assert_eq!(dead_letters(&world).len(), 1);
}

#[tokio::test]
async fn a_panic_among_ten_fails_one() {
    let world = World::new();
    let worker = Worker::new(&world, ANY, |n| async move {
        assert!(n != 6, "six");
        Ok(())
    });
    assert_eq!(worker.take(&world, ten()).await, failed(&["m6"]));
    assert_eq!(worker.done(), all_but(6));
    assert!(dead_letters(&world).is_empty());
}

#[tokio::test]
async fn a_record_that_is_too_slow_is_stopped_before_the_time_out() {
    let world = World::new();
    let worker = Worker::new(&world, ANY, |n| async move {
        if n == 2 {
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        Ok(())
    });
    // The runner keeps half a second for its answer, so the slow record has 200 ms.
    let event = json!({ "Records": ten() });
    let answer = worker
        .function
        .invoke(event, invocation(&world, 700))
        .await
        .unwrap();
    assert_eq!(answer, failed(&["m2"]));
    assert_eq!(worker.done(), all_but(2));
}

#[tokio::test]
async fn near_the_deadline_nothing_is_begun() {
    let world = World::new();
    let worker = Worker::new(&world, Order::Strict, |_| async { Ok(()) });
    let event = json!({ "Records": [task(0), task(1)] });
    let answer = worker
        .function
        .invoke(event, invocation(&world, 400))
        .await
        .unwrap();
    assert_eq!(answer, failed(&["m0", "m1"]));
    assert!(worker.done().is_empty());
}

#[tokio::test]
async fn a_missing_message_id_fails_the_invocation() {
    let world = World::new();
    let worker = Worker::new(&world, ANY, |_| async { Ok(()) });
    for id in [Value::Null, json!("")] {
        let mut record = task(1);
        record["messageId"] = id;
        let event = json!({ "Records": [task(0), record] });
        let error = worker
            .function
            .invoke(event, invocation(&world, 15_000))
            .await
            .unwrap_err();
        assert_eq!(error.error_type, "Event.Malformed");
    }
    let error = worker
        .function
        .invoke(json!("x"), invocation(&world, 15_000))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, "Event.Malformed");
    assert!(worker.done().is_empty());
}

#[tokio::test]
async fn a_failure_holds_back_its_own_group_only() {
    let world = World::new();
    let worker = Worker::new(&world, Order::Strict, |n| async move {
        match n {
            1 => Err(Failure::reject(
                "Test.Never",
                "parked, and the group goes on",
            )),
            4 => Err(Failure::retry("Test.Later", "not yet")),
            _ => Ok(()),
        }
    });
    let mut records = ten();
    for record in records.iter_mut().skip(1).step_by(2) {
        record["attributes"]["MessageGroupId"] = json!("h");
    }
    let answer = worker.take(&world, records).await;
    assert_eq!(answer, failed(&["m4", "m6", "m8"]));
    assert_eq!(worker.done.lock().unwrap().clone(), [0, 2, 3, 5, 7, 9]);
    assert_eq!(dead_letters(&world).len(), 1);
}

/// A record that was sent so many hours ago and received so many times.
fn aged(n: u32, hours: i64, receives: u32) -> Value {
    let mut record = task(n);
    let sent = 1_772_438_400_000 - hours * 3_600_000;
    record["attributes"]["SentTimestamp"] = json!(sent.to_string());
    record["attributes"]["ApproximateReceiveCount"] = json!(receives.to_string());
    record
}

#[tokio::test]
async fn age_and_not_the_number_of_receives_gives_a_message_up() {
    let world = World::new();
    let worker = Worker::new(&world, ANY, |n| async move {
        match n {
            0..10 => panic!("poison"),
            10..20 => Err(Failure::retry("Store.Throttled", "overload")),
            _ => Err(Failure::retry("Store.Misconfigured", "a right")),
        }
    });
    let young = vec![aged(1, 11, 900), aged(10, 12 * 24, 900), aged(20, 11, 900)];
    let first = vec![aged(2, 13, 4), aged(11, 14 * 24, 4)];
    let old = vec![aged(3, 12, 5), aged(12, 13 * 24, 5), aged(21, 12, 5)];
    let answer = worker.take(&world, [young, first].concat()).await;
    assert_eq!(answer, failed(&["m1", "m10", "m20", "m2", "m11"]));
    assert!(dead_letters(&world).is_empty());
    assert_eq!(worker.take(&world, old).await, failed(&[]));
    let dead = dead_letters(&world);
    let reasons: std::collections::BTreeSet<String> = dead
        .iter()
        .filter_map(|message| message.message_attributes["reason"].string_value.clone())
        .collect();
    let expected = [
        "Panic: poison",
        "Store.Misconfigured: a right",
        "Store.Throttled: overload",
    ];
    assert_eq!(reasons, expected.map(str::to_owned).into());
}

#[tokio::test]
async fn records_run_at_once_but_not_more_than_allowed() {
    static RUNNING: AtomicU32 = AtomicU32::new(0);
    static MOST: AtomicU32 = AtomicU32::new(0);
    let world = World::new();
    let worker = Worker::new(&world, ANY, |_| async {
        MOST.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    });
    assert_eq!(worker.take(&world, ten()).await, failed(&[]));
    assert_eq!(MOST.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_record_carries_its_trace_and_its_attempt() {
    type Seen = Arc<Mutex<Vec<(Option<String>, u32)>>>;
    let world = World::new();
    let seen = Seen::default();
    let log = seen.clone();
    let setup = world.setup("workflow-step");
    let function = Function::sqs(&setup, ANY, move |record: Record| {
        let log = log.clone();
        async move {
            log.lock()
                .unwrap()
                .push((cloud::trace::current(), record.receive_count));
            Ok(())
        }
    });
    let mut bare = task(2);
    bare["messageAttributes"] = json!({});
    let event = json!({ "Records": [task(1), bare] });
    function
        .unwrap()
        .invoke(event, invocation(&world, 15_000))
        .await
        .unwrap();
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(
        seen,
        [(Some("m2".to_owned()), 2), (Some("trace-1".to_owned()), 2)]
    );
}

#[tokio::test]
async fn a_schedule_may_ask_for_its_time() {
    let world = World::new();
    let function = Function::schedule(&world.setup("workflow-step"), |tick| async move {
        let (soon, later) = (Duration::from_secs(9), Duration::from_secs(11));
        assert!(!tick.ends_within(soon) && tick.ends_within(later));
        Err(Failure::retry("Test.Later", "x"))
    })
    .unwrap();
    let error = function
        .invoke(json!({}), invocation(&world, 10_000))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, "Test.Later");
}

#[tokio::test]
async fn the_authorizer_reads_the_bearer_token() {
    let world = World::new();
    let function = Function::authorizer(&world.setup("workflow-step"), |presented| async move {
        if presented.bearer.as_deref() == Some("broken") {
            return Err(Failure::retry("Store.Throttled", "x"));
        }
        Ok(match presented.bearer.as_deref() {
            Some("good") => Verdict::Granted(grant("read")),
            _ => Verdict::refused(),
        })
    })
    .unwrap();
    let ask = async |header: &str, value: &str| {
        let event = json!({ "version": "2.0", "headers": { header: value } });
        function.invoke(event, invocation(&world, 1000)).await
    };
    for (header, value) in [
        ("authorization", "Bearer good"),
        ("Authorization", "bearer  good "),
        ("AUTHORIZATION", "BEARER good"),
    ] {
        let answer = ask(header, value).await.unwrap();
        assert_eq!(answer["isAuthorized"], true, "{header}: {value}");
        assert_eq!(answer["context"], json!(grant("read")));
    }
    let long = format!("Bearer {}", "x".repeat(5000));
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "good",
        "Basic good",
        "Bearer bad",
        long.as_str(),
    ] {
        let answer = ask("authorization", value).await.unwrap();
        assert_eq!(
            answer["isAuthorized"], true,
            "the functions refuse, with a problem: {value}"
        );
        assert_eq!(
            answer["context"],
            json!({ "refused": "unauthenticated" }),
            "{value}"
        );
    }
    let error = ask("authorization", "Bearer broken").await.unwrap_err();
    assert_eq!(
        error.error_type, "Store.Throttled",
        "never access, never a refusal"
    );
}

#[tokio::test]
async fn the_authorizer_answers_a_socket_with_a_policy() {
    let world = World::new();
    let function = Function::authorizer(&world.setup("workflow-step"), |presented| async move {
        Ok(match presented.bearer.as_deref() {
            Some("good") => {
                assert_eq!(presented.workspace.as_deref(), Some("ws_00000000001"));
                Verdict::Granted(grant("read"))
            }
            _ => Verdict::refused(),
        })
    })
    .unwrap();
    let arn = "arn:aws:execute-api:ap-southeast-1:000000000000:local-socket/live/$connect";
    let ask = async |query: Value| {
        let event = json!({
            "type": "REQUEST", "methodArn": arn, "queryStringParameters": query,
            "headers": { "authorization": "Bearer good" },
        });
        function
            .invoke(event, invocation(&world, 1000))
            .await
            .unwrap()
    };
    let let_in = json!([{ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": arn }]);
    let answer = ask(json!({ "token": "good", "workspace": "ws_00000000001" })).await;
    assert_eq!(answer["policyDocument"]["Statement"], let_in);
    assert_eq!(answer["context"], json!(grant("read")));
    for query in [json!(null), json!({}), json!({ "token": "bad" })] {
        let answer = ask(query).await;
        assert_eq!(answer["policyDocument"]["Statement"], let_in);
        assert_eq!(answer["context"], json!({ "refused": "unauthenticated" }));
        assert_eq!(answer["principalId"], "nobody");
    }
}

fn grant(scopes: &str) -> Grant {
    grant_of("ws_00000000001".parse().unwrap(), scopes)
}

/// Status, headers and body of an answer of api-workflows.
async fn ask(world: &World, event: Value) -> (u64, Value, Value) {
    let answer = world.invoke("api-workflows", event).await.unwrap();
    let body =
        serde_json::from_str(answer["body"].as_str().unwrap_or("null")).unwrap_or(Value::Null);
    (
        answer["statusCode"].as_u64().unwrap(),
        answer["headers"].clone(),
        body,
    )
}

#[tokio::test]
async fn wrong_requests_get_problem_answers() {
    let world = World::new();
    let base = || {
        http_event(
            "POST",
            "/v1/workflows",
            Some(&json!({})),
            Some(&grant("write")),
        )
    };
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = base();
        change(&mut event);
        event
    };
    let path = |method: &str, path: &str| http_event(method, path, None, Some(&grant("write")));
    let cases = [
        (
            with(&|e| e["headers"]["content-type"] = json!("text/plain")),
            415,
            "unsupported_media_type",
        ),
        (
            with(&|e| drop(e["headers"].as_object_mut().unwrap().remove("content-type"))),
            415,
            "unsupported_media_type",
        ),
        (
            with(&|e| {
                e["body"] = json!("eyJuYW1lIjog/yJ9");
                e["isBase64Encoded"] = json!(true);
            }),
            400,
            "malformed",
        ),
        (with(&|e| e["body"] = json!("{\"name\":")), 400, "malformed"),
        (with(&|e| e["body"] = json!("{} {}")), 400, "invalid"),
        (with(&|e| e["body"] = json!("{\"nam\": 1}")), 400, "invalid"),
        (
            with(&|e| e["body"] = json!("x".repeat(5 * 1024 * 1024 + 1))),
            413,
            "too_large",
        ),
        (path("GET", "/v1/elsewhere"), 404, "not_found"),
        (
            path("GET", "/v1/workflows/con_00000000001"),
            404,
            "not_found",
        ),
        (path("DELETE", "/v1/workflows"), 405, "method_not_allowed"),
        (path("GET", "/v1/workflows?limit=0"), 400, "invalid"),
        (path("GET", "/v1/workflows?unknown=1"), 400, "invalid"),
        (
            http_event("GET", "/v1/workflows", None, None),
            401,
            "unauthenticated",
        ),
        (
            http_event("GET", "/v1/workflows", None, Some(&grant("track"))),
            403,
            "forbidden",
        ),
    ];
    for (event, status, code) in cases {
        let shown = event["rawPath"].clone();
        let (actual, headers, problem) = ask(&world, event).await;
        assert_eq!(
            (actual, &problem["code"]),
            (status, &json!(code)),
            "{shown}: {problem}"
        );
        assert_eq!(problem["status"], status);
        assert_eq!(
            headers["content-type"], "application/problem+json",
            "{code}"
        );
        assert!(
            problem["request_id"]
                .as_str()
                .unwrap()
                .starts_with("request-")
        );
        assert_eq!(headers["x-request-id"], problem["request_id"]);
    }
}

#[tokio::test]
async fn an_unknown_field_is_pointed_at() {
    let world = World::new();
    let body = json!({
        "name": "x", "trigger": { "type": "form.submitted" },
        "graph": { "start": "a", "nodes": {}, "edges": [] },
    });
    let event = http_event("POST", "/v1/workflows", Some(&body), Some(&grant("write")));
    let (status, _, problem) = ask(&world, event).await;
    assert_eq!(status, 400);
    assert_eq!(problem["errors"][0]["pointer"], "/graph/edges");
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("start") && message.contains("nodes"),
        "{message}"
    );
}

#[tokio::test]
async fn a_failure_of_ours_says_only_the_request_id() {
    let world = World::new();
    let mut vars: BTreeMap<String, String> = world.spec("api-workflows").environment.clone();
    vars.insert("DIRECTORY_TABLE".into(), "secret-table-name".into());
    let setup = Setup::new(Vars::from_map(vars), world.cloud());
    let code = registry::code("api-workflows", &setup).unwrap();
    let event = http_event("GET", "/v1/workflows", None, Some(&grant("read")));
    let answer = code(event, invocation(&world, 10_000)).await;
    let answer = answer.map_err(|failure| failure.to_string()).unwrap();
    // A wrong deployment is temporary: the client may retry.
    assert_eq!(answer["statusCode"], 503);
    let body = answer["body"].as_str().unwrap();
    assert!(
        body.contains("request-1") && !body.contains("secret-table-name"),
        "{body}"
    );
}

#[tokio::test]
async fn a_throttled_store_asks_to_come_back() {
    let world = World::new();
    world
        .aws
        .set_fault_hook(Some(Arc::new(|_: &Call| Fault::Throttle)));
    let event = http_event("GET", "/v1/workflows", None, Some(&grant("read")));
    let (status, headers, _) = ask(&world, event).await;
    assert_eq!((status, &headers["retry-after"]), (503, &json!("1")));
}
