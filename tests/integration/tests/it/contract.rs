//! Contract of every API function beside its own work: idempotency keys, limits, strict JSON.

use std::sync::Arc;
use std::time::Duration;

use cloud::Window;
use kernel::Grant;
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};
use tanigo_local::runtime::gateway::routes::Routes;

use crate::support::{Kill, World, grant_of, http_event};

const MINUTE: Duration = Duration::from_mins(1);

fn grant() -> Grant {
    grant_of("ws_00000000001".parse().unwrap(), "write")
}

fn post(path: &str, key: &str, body: &Value) -> Value {
    let mut event = http_event("POST", path, Some(body), Some(&grant()));
    event["headers"]["idempotency-key"] = json!(key);
    event
}

async fn ask(world: &World, event: Value) -> Value {
    world.invoke("api-contacts", event).await.unwrap()
}

async fn lists(world: &World) -> usize {
    let answer = ask(world, http_event("GET", "/v1/lists", None, Some(&grant()))).await;
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    body["data"].as_array().unwrap().len()
}

fn code(answer: &Value) -> (u64, String) {
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let code = body["code"].as_str().unwrap_or_default().to_owned();
    (answer["statusCode"].as_u64().unwrap(), code)
}

#[tokio::test]
async fn a_route_that_nothing_serves_is_answered_with_a_problem() {
    let world = World::new();
    let routes = Routes::of(&world.model);
    for (method, path) in [
        ("GET", "/nowhere"),
        ("POST", "/v1/nothing"),
        ("DELETE", "/hooks/ladipage/src_1/more"),
        ("GET", "/"),
    ] {
        let (route, _) = routes.find(method, path).unwrap();
        let (key, functions) = (route.key(), &world.model.functions);
        let function = functions.iter().find(|f| f.logical_id == route.function);
        let event = http_event(method, path, None, None);
        let answer = world.invoke(&function.unwrap().handler, event).await;
        let answer = answer.unwrap();
        assert_eq!(code(&answer), (404, "not_found".to_owned()), "{key}");
        let kind = answer["headers"]["content-type"].as_str();
        assert_eq!(kind, Some("application/problem+json"), "{method} {path}");
    }
}

#[tokio::test]
async fn whoever_makes_something_is_logged_with_its_id() {
    let world = World::new();
    let tenant = world.workspace().await;
    let grant = grant_of(tenant.workspace(), "read write admin");
    let mut made = Vec::new();
    let mut create = async |function: &str, path: &str, body: Value| {
        let mut event = http_event("POST", path, Some(&body), Some(&grant));
        if path == "/v1/imports" {
            event["headers"]["content-type"] = json!("text/csv");
        }
        let answer = world.invoke(function, event).await.unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        assert!([201, 202].contains(&status), "{answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        made.push(body["id"].as_str().unwrap().to_owned());
        body["id"].clone()
    };
    let list = create("api-contacts", "/v1/lists", json!({ "name": "Khách quen" })).await;
    let sender = json!({ "from_name": "Cửa hàng", "from_email": "shop@example.vn" });
    let campaign = json!({
        "name": "Tết", "audience": { "include": { "list_ids": [list] } }, "mail": { "sender": sender, "subject": "Chào", "text": "Chào" },
    });
    create("api-campaigns", "/v1/campaigns", campaign).await;
    let workflow = json!({
        "name": "Chào", "trigger": { "type": "form.submitted" },
        "graph": { "start": "end", "nodes": { "end": { "type": "exit" } } },
    });
    create("api-workflows", "/v1/workflows", workflow).await;
    let inbox = json!({ "name": "Website", "allowed_origins": ["https://shop.example.vn"] });
    create("api-chat", "/v1/inboxes", inbox).await;
    let import = json!("email");
    create("api-contacts", "/v1/imports", import).await;

    let audit = accounts::Audit::over(&world.resources());
    let log = audit.page(grant.account, kernel::Limit::default(), None);
    let mut logged: Vec<String> = log
        .await
        .unwrap()
        .data
        .into_iter()
        .map(|e| e.object_id)
        .collect();
    logged.sort();
    made.sort();
    assert_eq!(logged, made);
}

#[tokio::test]
async fn the_same_request_has_one_effect_and_one_answer() {
    let world = World::new();
    let body = json!({ "name": "Khách quen" });
    let first = ask(&world, post("/v1/lists", "k-1", &body)).await;
    world.advance(Duration::from_hours(20));
    let again = ask(&world, post("/v1/lists", "k-1", &body)).await;
    assert_eq!(first["statusCode"], 201, "{first}");
    assert_eq!(
        (&again["statusCode"], &again["body"]),
        (&first["statusCode"], &first["body"])
    );
    assert_eq!(again["headers"]["idempotency-replayed"], "true");
    assert_eq!(first["headers"].get("idempotency-replayed"), None);
    assert_eq!(lists(&world).await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_body_and_one_caller() {
    let world = World::new();
    let body = json!({ "name": "A" });
    ask(&world, post("/v1/lists", "k", &body)).await;
    let other = ask(&world, post("/v1/lists", "k", &json!({ "name": "B" }))).await;
    assert_eq!(code(&other), (422, "idempotency_key_reused".into()));
    let mut neighbour = post("/v1/lists", "k", &body);
    let workspace = "ws_00000000002".parse().unwrap();
    neighbour["requestContext"]["authorizer"] = json!({ "lambda": grant_of(workspace, "write") });
    let neighbour = ask(&world, neighbour).await;
    assert_eq!(neighbour["statusCode"], 201);
    assert_eq!(neighbour["headers"].get("idempotency-replayed"), None);
    for bad in ["", "kh\u{f3}a", "a b", &"x".repeat(256)] {
        let refused = ask(&world, post("/v1/lists", bad, &body)).await;
        assert_eq!(code(&refused), (400, "invalid".into()), "{bad}");
    }
}

#[tokio::test]
async fn a_refused_request_does_not_use_the_key_up() {
    let world = World::new();
    let refused = ask(&world, post("/v1/lists", "k", &json!({ "name": " " }))).await;
    assert_eq!(refused["statusCode"], 400);
    let again = ask(&world, post("/v1/lists", "k", &json!({ "name": " " }))).await;
    assert_eq!(again["statusCode"], 400);
    assert_eq!(again["headers"].get("idempotency-replayed"), None);
    assert_eq!(lists(&world).await, 0);
}

#[tokio::test]
async fn a_request_that_was_done_is_answered_though_its_answer_is_not_kept() {
    for (name, status) in [("A", 201), (" ", 400)] {
        let world = World::new();
        let body = json!({ "name": name });
        // The only updates of that table store an answer or release a key.
        world.aws.set_fault_hook(Some(Arc::new(|call: &Call| {
            let is_last = call.operation == "UpdateItem" && call.table_or_queue.contains("dedupe");
            if is_last {
                Fault::Throttle
            } else {
                Fault::None
            }
        })));
        let answer = ask(&world, post("/v1/lists", "k", &body)).await;
        assert_eq!(answer["statusCode"], status, "{answer}");
        world.aws.set_fault_hook(None);
        let early = ask(&world, post("/v1/lists", "k", &body)).await;
        assert_eq!(code(&early), (409, "in_progress".into()));
    }
}

#[tokio::test]
async fn whoever_comes_while_it_runs_is_told_to_wait() {
    let world = World::new();
    let request = || post("/v1/lists", "k", &json!({ "name": "A" }));
    // The request crashes after the claim: for other requests it still runs until its lease ends.
    let killed = world.invoke_and_kill("api-contacts", request(), Kill::After(1));
    assert!(killed.await.is_none());
    let early = ask(&world, request()).await;
    assert_eq!(code(&early), (409, "in_progress".into()));
    assert_eq!(early["headers"]["retry-after"], "1");
    world.advance(MINUTE + Duration::from_secs(1));
    assert_eq!(ask(&world, request()).await["statusCode"], 201);
    assert_eq!(lists(&world).await, 1);
}

#[tokio::test]
async fn a_save_killed_at_any_call_is_done_once_by_the_next_with_its_key() {
    for kill in [Kill::Before, Kill::After] {
        for call in 0.. {
            let world = World::new();
            let body = json!({ "email": "an@example.vn", "full_name": "An" });
            let request = || post("/v1/contacts", "k", &body);
            let survived = world
                .invoke_and_kill("api-contacts", request(), kill(call))
                .await;
            world.advance(MINUTE + Duration::from_secs(1));
            let answer = ask(&world, request()).await;
            assert!(
                [200, 201].contains(&answer["statusCode"].as_u64().unwrap()),
                "{answer}"
            );
            let found = http_event("GET", "/v1/contacts?query=an", None, Some(&grant()));
            let found = ask(&world, found).await;
            let found: Value = serde_json::from_str(found["body"].as_str().unwrap()).unwrap();
            assert_eq!(found["data"].as_array().unwrap().len(), 1, "call {call}");
            if survived.is_some() {
                assert!(call > 5, "the request makes more calls than that");
                break;
            }
        }
    }
}

/// Loses the answer of every write of this operation to a table, after it was applied.
fn lose_answers(world: &World, operation: &'static str, table: &'static str) {
    world.aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        let is_it = call.operation == operation && call.table_or_queue.contains(table);
        if is_it {
            Fault::TimeoutAfterCommit
        } else {
            Fault::None
        }
    })));
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_found_by_the_next_with_its_key() {
    let world = World::new();
    let request = || post("/v1/lists", "k", &json!({ "name": "A" }));
    lose_answers(&world, "PutItem", "directory");
    let lost = ask(&world, request()).await;
    assert!(lost["statusCode"].as_u64().unwrap() >= 500, "{lost}");
    world.aws.set_fault_hook(None);
    world.advance(Duration::from_secs(1));
    let again = ask(&world, request()).await;
    assert_eq!(again["statusCode"], 201, "{again}");
    assert_eq!(lists(&world).await, 1);
}

#[tokio::test]
async fn a_creation_killed_at_any_call_makes_one_list_with_its_key() {
    for kill in [Kill::Before, Kill::After] {
        for call in 0.. {
            let world = World::new();
            let request = || post("/v1/lists", "k", &json!({ "name": "A" }));
            let killed = world.invoke_and_kill("api-contacts", request(), kill(call));
            let finished = killed.await.is_some();
            world.advance(MINUTE + Duration::from_secs(1));
            assert_eq!(ask(&world, request()).await["statusCode"], 201);
            assert_eq!(lists(&world).await, 1, "call {call}");
            if finished {
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_answer_is_given_again_to_a_caller_who_may_still_ask() {
    let world = World::new();
    let body = json!({ "email": "an@example.vn" });
    let as_scope = |scope: &str| {
        let grant = grant_of("ws_00000000001".parse().unwrap(), scope);
        let mut event = http_event("POST", "/v1/contacts", Some(&body), Some(&grant));
        event["headers"]["idempotency-key"] = json!("k");
        event
    };
    assert_eq!(ask(&world, as_scope("write")).await["statusCode"], 201);
    let demoted = ask(&world, as_scope("read")).await;
    assert_eq!(code(&demoted), (403, "forbidden".into()));
    let again = ask(&world, as_scope("write")).await;
    assert_eq!(again["statusCode"], 201, "{again}");
    assert_eq!(again["headers"]["idempotency-replayed"], "true");
}

#[tokio::test]
async fn a_caller_learns_its_limit_and_is_stopped_at_it() {
    let world = World::new();
    let get = || http_event("GET", "/v1/lists", None, Some(&grant()));
    let first = ask(&world, get()).await;
    assert_eq!(first["headers"]["ratelimit-limit"], "600");
    assert_eq!(first["headers"]["ratelimit-remaining"], "599");
    assert_eq!(first["headers"]["ratelimit-reset"], "60");
    for _ in 1..600 {
        assert_eq!(ask(&world, get()).await["statusCode"], 200);
    }
    world.advance(Duration::from_secs(20));
    let over = ask(&world, get()).await;
    assert_eq!(code(&over), (429, "rate_limited".into()));
    assert_eq!(over["headers"]["retry-after"], "40");
    let mut other = get();
    other["requestContext"]["authorizer"]["lambda"]["actor"] = json!("key_other");
    assert_eq!(ask(&world, other).await["statusCode"], 200);
    world.advance(MINUTE);
    assert_eq!(ask(&world, get()).await["statusCode"], 200);
}

#[tokio::test]
async fn many_keys_of_an_account_share_its_limit() {
    let world = World::new();
    let get = |key: u32| {
        let mut event = http_event("GET", "/v1/lists", None, Some(&grant()));
        event["requestContext"]["authorizer"]["lambda"]["actor"] = json!(format!("key_{key}"));
        event
    };
    // Other processes have used five keys almost to their limits.
    let window = Window::over(&world.resources());
    let account = format!("{}#API", grant().account);
    window.count(&account, MINUTE, 2_985).await.unwrap();
    let before = world.aws.meter().snapshot();
    for key in 0..20 {
        let answer = ask(&world, get(key)).await;
        let expected = if key < 15 { 200 } else { 429 };
        assert_eq!(answer["statusCode"], expected, "request {key}");
    }
    let (writes, _) = world.units("Limits", &before);
    assert!(
        (22.0..22.5).contains(&writes),
        "a tenth of a unit more: {writes}"
    );
    assert_eq!(
        code(&ask(&world, get(20)).await),
        (429, "rate_limited".into())
    );
    let mut other = get(21);
    other["requestContext"]["authorizer"]["lambda"]["account"] = json!("acc_00000000002");
    assert_eq!(
        ask(&world, other).await["statusCode"],
        200,
        "another account"
    );
    world.advance(MINUTE);
    assert_eq!(ask(&world, get(20)).await["statusCode"], 200);
}

#[tokio::test]
async fn nobody_gets_past_without_a_verdict() {
    let world = World::new();
    for context in [
        json!(null),
        json!({}),
        json!({ "lambda": { "refused": "unauthenticated" } }),
        json!({ "lambda": { "workspace": "ws_00000000001", "scopes": "admin" } }),
    ] {
        let mut event = http_event("GET", "/v1/lists", None, None);
        event["requestContext"]["authorizer"] = context;
        assert_eq!(
            code(&ask(&world, event).await),
            (401, "unauthenticated".into())
        );
    }
}

#[tokio::test]
async fn a_refusal_says_whether_a_credential_came() {
    let world = World::new();
    let detail = async |authorization: Option<&str>| {
        let mut event = http_event("GET", "/v1/lists", None, None);
        if let Some(value) = authorization {
            event["headers"]["authorization"] = json!(value);
        }
        let body = ask(&world, event).await["body"]
            .as_str()
            .unwrap()
            .to_owned();
        let body: Value = serde_json::from_str(&body).unwrap();
        body["detail"].as_str().unwrap().to_owned()
    };
    let none = detail(None).await;
    let wrong = detail(Some("Bearer tng_0")).await;
    assert!(none.starts_with("send Authorization"), "{none}");
    assert!(wrong.contains("unknown, ended or revoked"), "{wrong}");
}

#[tokio::test]
async fn hostile_json_is_refused_with_its_place() {
    let world = World::new();
    let deep = "[".repeat(100_000);
    for (text, expected, pointer) in [
        (r#"{"name":"a","name":"b"}"#, "invalid", "/name"),
        (
            r#"{"name":"a","description":{"x":1,"x":2}}"#,
            "invalid",
            "/description/x",
        ),
        (
            &*format!(r#"{{"name":{deep}"#),
            "invalid",
            &*format!("/name{}", "/0".repeat(31)),
        ),
        (r#"{"name":"a","colour":"red"}"#, "invalid", "/colour"),
        (r#"{"name":1}"#, "invalid", "/name"),
        (r#"{"description":"b"}"#, "invalid", "/name"),
        ("", "malformed", ""),
        (r#"{"name":"a"} {}"#, "malformed", ""),
        (r#"{"name":"a""#, "malformed", ""),
    ] {
        let mut event = http_event("POST", "/v1/lists", None, Some(&grant()));
        event["body"] = json!(text);
        let answer = ask(&world, event).await;
        let shown = &text[..text.len().min(60)];
        assert_eq!(code(&answer), (400, expected.into()), "{shown}: {answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["errors"][0]["pointer"], pointer, "{shown}: {body}");
        let message = body["errors"][0]["message"].as_str().unwrap();
        for word in ["variant", "invalid type", "missing field", "`"] {
            assert!(!message.contains(word), "{shown}: {message}");
        }
    }
    assert_eq!(lists(&world).await, 0);
    let unknown = http_event("GET", "/v1/lists?colour=red", None, Some(&grant()));
    let unknown = ask(&world, unknown).await;
    assert!(
        unknown["body"].as_str().unwrap().contains("\"?colour\""),
        "{unknown}"
    );
}

#[tokio::test]
async fn the_rows_of_requests_begin_with_their_account() {
    let world = World::new();
    ask(&world, post("/v1/lists", "k", &json!({ "name": "A" }))).await;
    for table in ["Dedupe", "Limits"] {
        let rows = world.dump(table).await;
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            let pk = row["pk"]
                .as_str()
                .unwrap()
                .trim_start_matches("LIM#")
                .to_owned();
            assert!(pk.starts_with("acc_00000000001#"), "{pk}");
        }
    }
}
