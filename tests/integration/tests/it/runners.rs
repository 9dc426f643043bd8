//! Log lines of the runners about an invocation, and their handling of a whole batch.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use lambda::http::{Raw, limit_body};
use lambda::sqs::{Order, Record};
use lambda::{Failure, Function, Invocation, Setup};
use serde_json::{Value, json};
use tanigo_local::aws::Received;
use tanigo_local::runtime::registry;

use crate::support::{World, grant_of, http_event};

/// A set-up whose metrics lines a test reads.
fn observed(world: &World, handler: &str) -> (Setup, Arc<Mutex<Vec<Value>>>) {
    let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
    let sink = lines.clone();
    let setup = world.setup(handler).emit_to(move |line| {
        let line = serde_json::from_str(line).expect("one line of JSON");
        sink.lock().unwrap().push(line);
    });
    (setup, lines)
}

fn invocation(world: &World, milliseconds: i64) -> Invocation {
    Invocation {
        request_id: "request-1".into(),
        function_name: "test".into(),
        deadline_ms: world.clock().now_ms() + milliseconds,
        trace: None,
    }
}

fn event(bodies: &[&str]) -> Value {
    let records = bodies.iter().map(|body| {
        json!({
            "messageId": format!("m-{body}"), "receiptHandle": "r", "body": body,
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1772438399000" },
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "ap-southeast-1",
            "eventSourceARN": "arn:aws:sqs:ap-southeast-1:000000000000:test",
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn failed(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let ids = failures
        .iter()
        .map(|one| one["itemIdentifier"].as_str().unwrap());
    ids.collect()
}

fn dead(world: &World) -> Vec<Received> {
    let url = &world.spec("workflow-step").environment["DLQ_URL"];
    let name = url.rsplit('/').next().unwrap();
    world.aws.sqs().receive(name, 10, Some(0))
}

/// The outcome that a record's text asks for.
async fn act(record: Record) -> Result<String, Failure> {
    tokio::task::yield_now().await;
    assert!(record.body != "panic", "as asked");
    match record.body.as_str() {
        "retry" => Err(Failure::retry("Test.Later", "not yet")),
        "reject" => Err(Failure::reject("Test.Never", "no\nand \u{7}never\u{ffff}")),
        body => Ok(body.to_owned()),
    }
}

#[tokio::test]
async fn an_invocation_with_an_incident_writes_one_line() {
    let world = World::new();
    let (setup, lines) = observed(&world, "workflow-step");
    let order = Order::Any { concurrency: 2 };
    let function = Function::sqs(&setup, order, |record| async {
        act(record).await.map(drop)
    });
    let function = function.unwrap();
    for cold in [true, false] {
        let answer = function.invoke(
            event(&["a", "retry", "reject", "panic"]),
            invocation(&world, 9_000),
        );
        assert_eq!(failed(&answer.await.unwrap()), ["m-retry", "m-panic"]);
        let written = std::mem::take(&mut *lines.lock().unwrap());
        assert_eq!(written.len(), 1);
        let line = &written[0];
        for (name, value) in [
            ("RecordsIn", 4),
            ("RecordsFailed", 2),
            ("RecordsRejected", 1),
            ("LagMs", 1000),
            ("Weight", 1),
        ] {
            assert_eq!(line[name], value, "{name}: {line}");
        }
        assert_eq!(
            (&line["Function"], &line["ColdStart"]),
            (&json!("test"), &json!(cold))
        );
        assert!(line["DurationMs"].is_number());
        assert!(
            line.get("_aws").is_none(),
            "a custom metric costs by the month"
        );
    }
}

#[tokio::test]
async fn one_of_twenty_successes_writes_a_line_that_represents_the_others() {
    let world = World::new();
    let (setup, lines) = observed(&world, "workflow-step");
    let function = Function::sqs(&setup, Order::Strict, |_| async { Ok(()) }).unwrap();
    for _ in 0..400 {
        let answer = function.invoke(event(&["a"]), invocation(&world, 9_000));
        assert!(failed(&answer.await.unwrap()).is_empty());
    }
    let lines = lines.lock().unwrap();
    let (cold, warm) = lines.split_first().unwrap();
    assert_eq!(
        (&cold["ColdStart"], &cold["Weight"]),
        (&json!(true), &json!(1))
    );
    assert!((10..30).contains(&warm.len()), "{}", warm.len());
    for line in warm {
        assert_eq!(
            (&line["Weight"], &line["RecordsIn"]),
            (&json!(20), &json!(1))
        );
    }
}

#[tokio::test]
async fn an_invocation_that_fails_or_panics_writes_its_line_too() {
    let world = World::new();
    let (setup, lines) = observed(&world, "due-timer");
    let function = Function::schedule(&setup, |_| async { panic!("as asked") }).unwrap();
    let error = function
        .invoke(json!({}), invocation(&world, 9_000))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, "Panic");
    let (setup, more) = observed(&world, "workflow-step");
    let function = Function::sqs(&setup, Order::Strict, |_| async { Ok(()) }).unwrap();
    function
        .invoke(json!("x"), invocation(&world, 9_000))
        .await
        .unwrap_err();
    for lines in [lines, more] {
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["ColdStart"], true);
    }
}

#[tokio::test]
async fn every_refused_request_is_counted_by_its_code() {
    let world = World::new();
    let (setup, lines) = observed(&world, "api-workflows");
    let code = registry::code("api-workflows", &setup).unwrap();
    let workspace = "ws_00000000001".parse().unwrap();
    let grant = grant_of(workspace, "write");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = http_event("POST", "/v1/workflows", Some(&json!({})), Some(&grant));
        change(&mut event);
        event
    };
    let cases = [
        (
            with(&|e| e["headers"]["content-type"] = json!("text/plain")),
            "ProblemUnsupportedMediaType",
        ),
        (with(&|e| e["body"] = json!("{")), "ProblemMalformed"),
        (
            with(&|e| e["body"] = json!("{\"nam\": 1}")),
            "ProblemInvalid",
        ),
        (
            with(&|e| e["body"] = json!("x".repeat(5 * 1024 * 1024 + 1))),
            "ProblemTooLarge",
        ),
        (
            with(&|e| e["rawPath"] = json!("/v1/elsewhere")),
            "ProblemNotFound",
        ),
        (
            with(&|e| e["requestContext"]["http"]["method"] = json!("DELETE")),
            "ProblemMethodNotAllowed",
        ),
        (
            with(&|e| e["requestContext"]["authorizer"] = Value::Null),
            "ProblemUnauthenticated",
        ),
        (
            http_event(
                "GET",
                "/v1/workflows",
                None,
                Some(&grant_of(workspace, "track")),
            ),
            "ProblemForbidden",
        ),
    ];
    for (event, name) in cases {
        let answer = code(event, invocation(&world, 9_000)).await;
        assert!(answer.is_ok(), "{name}");
        let line = lines.lock().unwrap().pop().unwrap();
        assert_eq!(line[name], 1, "{line}");
        let fields = line.as_object().unwrap().keys();
        assert_eq!(
            fields.filter(|field| field.starts_with("Problem")).count(),
            1,
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_handler_that_panics_answers_a_problem() {
    let world = World::new();
    let (setup, lines) = observed(&world, "api-workflows");
    let router = Router::new().route("/boom", get(async || -> &'static str { panic!("secret") }));
    let function = Function::http(&setup, router).unwrap();
    let event = http_event("GET", "/boom", None, None);
    let answer = function
        .invoke(event, invocation(&world, 9_000))
        .await
        .unwrap();
    assert_eq!(answer["statusCode"], 500);
    assert_eq!(
        answer["headers"]["content-type"],
        "application/problem+json"
    );
    let body = answer["body"].as_str().unwrap();
    assert!(
        body.contains("request-1") && !body.contains("secret"),
        "{body}"
    );
    let line = &lines.lock().unwrap()[0];
    assert_eq!(
        (&line["Panics"], &line["ProblemInternal"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_told_the_limit_of_its_route() {
    let world = World::new();
    let read = async |raw: Raw| raw.body.len().to_string();
    let small = limit_body(Router::new().route("/small", post(read)), 10);
    let router = small.route("/large", post(read));
    let function = Function::http(&world.setup("api-workflows"), router).unwrap();
    for (path, length, status, limit) in [
        ("/small", 10, 200, ""),
        ("/small", 11, 413, "may hold 10 bytes"),
        ("/large", 11, 200, ""),
        ("/large", 5 * 1024 * 1024 + 1, 413, "may hold 5242880 bytes"),
    ] {
        let mut event = http_event("POST", path, None, None);
        event["body"] = json!("x".repeat(length));
        let answer = function
            .invoke(event, invocation(&world, 9_000))
            .await
            .unwrap();
        assert_eq!(answer["statusCode"], status, "{path} {length}");
        if status == 413 {
            let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!(
                problem["errors"],
                json!([{ "pointer": "", "message": limit }])
            );
        }
    }
    let mut form = http_event("POST", "/w/ladipage/src_00000000001", None, None);
    form["body"] = json!("x".repeat(256 * 1024 + 1));
    let answer = world.invoke("webhook-ladipage", form).await.unwrap();
    assert_eq!(answer["statusCode"], 413);
    assert!(
        answer["body"]
            .as_str()
            .unwrap()
            .contains("may hold 262144 bytes"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_reason_is_one_that_sqs_takes() {
    let world = World::new();
    let function = Function::sqs(
        &world.setup("workflow-step"),
        Order::Strict,
        |record| async { act(record).await.map(drop) },
    );
    let function = function.unwrap();
    let answer = function.invoke(event(&["reject"]), invocation(&world, 9_000));
    assert!(failed(&answer.await.unwrap()).is_empty());
    let dead = dead(&world);
    let reason = dead[0].message_attributes["reason"].string_value.clone();
    assert_eq!(reason.as_deref(), Some("Test.Never: noand never"));
}

#[tokio::test]
async fn no_reason_quotes_a_message() {
    let world = World::new();
    let form = "{\"email\": \"an@example.vn\",, }";
    let inbound = json!({ "tenant": "ws_00000000001", "body": {
        "type": "inbound.v1", "source": "src_00000000001", "provider": "ladipage",
        "received_at": "2026-03-02T08:00:00Z", "headers": { "content-type": "application/json" }, "body": form,
        "tags": [], "lists": [], "mapping": {},
    }});
    let wrong = json!({ "tenant": "an@example.vn", "body": { "type": "an@example.vn" } });
    let mut dead = 0;
    for (handler, body) in [
        ("ingest", inbound.to_string()),
        ("ingest", wrong.to_string()),
        ("workflow-step", wrong.to_string()),
        (
            "delivery-status",
            "{\"detail\": \"an@example.vn\"}".to_owned(),
        ),
        ("account-mailer", "\"an@example.vn\"".to_owned()),
    ] {
        let answer = world.invoke(handler, event(&[&body])).await.unwrap();
        assert!(failed(&answer).is_empty(), "{handler}");
        let url = &world.spec(handler).environment["DLQ_URL"];
        let name = url.rsplit('/').next().unwrap();
        for message in world.aws.sqs().receive(name, 10, None) {
            let reason = message.message_attributes["reason"]
                .string_value
                .clone()
                .unwrap();
            assert!(
                reason.contains("line") || reason.contains("JSON"),
                "{handler}: {reason}"
            );
            assert!(!reason.contains("example"), "{handler}: {reason}");
            dead += 1;
        }
    }
    // A form that cannot be read is kept at its source.
    assert_eq!(dead, 4);
}

/// A worker that collects the results of its records.
fn gathering<F>(
    world: &World,
    common: impl Fn(Vec<String>) -> F + Send + Sync + 'static,
) -> Function
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let part = |_: &String| ();
    Function::sqs_gathered(&world.setup("workflow-step"), 4, act, part, common).unwrap()
}

#[tokio::test]
async fn records_that_are_gathered_fail_alone() {
    let world = World::new();
    let gathered: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = gathered.clone();
    let function = gathering(&world, move |values| {
        log.lock().unwrap().extend(values);
        async { Ok(()) }
    });
    let bodies = ["a", "panic", "b", "reject", "retry", "c"];
    let answer = function
        .invoke(event(&bodies), invocation(&world, 9_000))
        .await
        .unwrap();
    assert_eq!(failed(&answer), ["m-panic", "m-retry"]);
    assert_eq!(*gathered.lock().unwrap(), ["a", "b", "c"]);
    assert_eq!(dead(&world).len(), 1);
    // Too late for the records and the work after them: nothing is started.
    let answer = function
        .invoke(event(&["d"]), invocation(&world, 3_000))
        .await
        .unwrap();
    assert_eq!(failed(&answer), ["m-d"]);
    assert_eq!(gathered.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_part_of_a_batch_fails_alone() {
    let world = World::new();
    let common = |values: Vec<String>| async move {
        if values.contains(&"b".to_owned()) {
            return Err(Failure::retry("Test.Later", "x"));
        }
        Ok(())
    };
    let part = |value: &String| value < &"c".to_owned();
    let setup = world.setup("workflow-step");
    let function = Function::sqs_gathered(&setup, 4, act, part, common).unwrap();
    let answer = function
        .invoke(event(&["a", "c", "b", "d"]), invocation(&world, 9_000))
        .await;
    assert_eq!(failed(&answer.unwrap()), ["m-a", "m-b"]);
}

#[tokio::test]
async fn what_fails_for_all_fails_those_that_took_part() {
    let world = World::new();
    let later = gathering(&world, |_| async { Err(Failure::retry("Test.Later", "x")) });
    let answer = later
        .invoke(event(&["a", "reject", "b"]), invocation(&world, 9_000))
        .await;
    assert_eq!(failed(&answer.unwrap()), ["m-a", "m-b"]);
    assert_eq!(dead(&world).len(), 1);
    let panics = gathering(&world, |_| async { panic!("as asked") });
    let answer = panics
        .invoke(event(&["a"]), invocation(&world, 9_000))
        .await;
    assert_eq!(failed(&answer.unwrap()), ["m-a"]);
    let slow = gathering(&world, |_| async {
        tokio::time::sleep(Duration::from_hours(1)).await;
        Ok(())
    });
    let answer = slow.invoke(event(&["a"]), invocation(&world, 3_600)).await;
    assert_eq!(
        failed(&answer.unwrap()),
        ["m-a"],
        "stopped before the time-out"
    );
    let never = gathering(&world, |_| async {
        Err(Failure::reject("Test.Never", "x"))
    });
    let answer = never
        .invoke(event(&["a", "b"]), invocation(&world, 9_000))
        .await;
    assert!(failed(&answer.unwrap()).is_empty());
    assert_eq!(dead(&world).len(), 3);
}
