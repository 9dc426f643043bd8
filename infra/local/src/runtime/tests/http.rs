//! The HTTP API: answers of the authorizer, limits, errors; and the console beside it.

use ::http::{Request, Response};
use bytes::Bytes;

use super::*;

fn template() -> Stack {
    let route = |method: &str, path: &str, authorized| Trigger::Http {
        method: method.to_owned(),
        path: path.to_owned(),
        authorized,
    };
    Stack {
        functions: vec![
            function("Guard", 5, vec![]),
            function(
                "Api",
                1,
                vec![
                    route("GET", "/v1/things/{id}", true),
                    route("POST", "/open", false),
                ],
            ),
        ],
        authorizer: Some("Guard".to_owned()),
        ..Stack::default()
    }
}

/// Both functions: the authorizer answers by the event's type, the other function by the body.
fn both() -> Code {
    code(|event| async move {
        if event["type"] == "REQUEST" {
            return match event["headers"]["authorization"]
                .as_str()
                .unwrap_or_default()
            {
                "Bearer good" => {
                    Ok(json!({"isAuthorized": true, "context": {"workspace": "ws_1"}}))
                }
                "Bearer broken" => Err(failure("no table")),
                "Bearer odd" => Ok(json!({"policy": "yes"})),
                _ => Ok(json!({"isAuthorized": false})),
            };
        }
        match event["body"].as_str().unwrap_or_default() {
            "fail" => Err(failure("secret detail")),
            "hang" => std::future::pending().await,
            "panic" => panic!("secret detail"),
            _ => Ok(
                json!({"statusCode": 200, "body": event["requestContext"]["authorizer"].to_string()}),
            ),
        }
    })
}

async fn get(stack: &LocalStack, path: &str, authorization: Option<&str>) -> Response<Bytes> {
    let builder = Request::get(path);
    let builder = match authorization {
        Some(value) => builder.header("authorization", value),
        None => builder,
    };
    stack.http(builder.body(Bytes::new()).unwrap()).await
}

async fn post(stack: &LocalStack, body: impl Into<Bytes>) -> Response<Bytes> {
    let request = Request::post("/open").header("content-type", "text/plain");
    stack.http(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn the_authorizer_decides_and_its_context_arrives() {
    let stack = start(template(), both()).await;
    for (authorization, status, body) in [
        (None, 403, r#"{"message":"Forbidden"}"#),
        (Some("Bearer bad"), 403, r#"{"message":"Forbidden"}"#),
        (
            Some("Bearer broken"),
            500,
            r#"{"message":"Internal Server Error"}"#,
        ),
        (
            Some("Bearer odd"),
            500,
            r#"{"message":"Internal Server Error"}"#,
        ),
        (
            Some("Bearer good"),
            200,
            r#"{"lambda":{"workspace":"ws_1"}}"#,
        ),
    ] {
        let answer = get(&stack, "/v1/things/1", authorization).await;
        assert_eq!(answer.status(), status, "{authorization:?}");
        assert_eq!(answer.body(), body, "{authorization:?}");
    }
}

#[tokio::test]
async fn errors_say_nothing_and_limits_hold() {
    let stack = start(template(), both()).await;
    for body in ["fail", "panic", "hang"] {
        let answer = post(&stack, body).await;
        assert_eq!(answer.status(), 500, "{body}");
        assert_eq!(answer.body(), r#"{"message":"Internal Server Error"}"#);
        assert!(answer.headers().contains_key("apigw-requestid"));
    }
    assert_eq!(
        post(&stack, vec![b'x'; 10 * 1024 * 1024 + 1])
            .await
            .status(),
        413
    );
    assert_eq!(
        post(&stack, vec![b'x'; 7 * 1024 * 1024]).await.status(),
        413
    );
    assert_eq!(post(&stack, "fine").await.status(), 200);
    let unknown = get(&stack, "/nowhere", None).await;
    assert_eq!(
        (unknown.status().as_u16(), unknown.body().as_ref()),
        (404, br#"{"message":"Not Found"}"#.as_slice())
    );
    assert_eq!(get(&stack, "/open", None).await.status(), 404);
    let long = format!("/open?{}", "x".repeat(11_000));
    assert_eq!(get(&stack, &long, None).await.status(), 431);
}

#[tokio::test]
async fn the_console_answers_pages_and_data() {
    let mut template = template();
    let queue = "http://sqs.ap-southeast-1.localhost/000000000000/work".to_owned();
    template.functions[1]
        .environment
        .insert("QUEUE".to_owned(), queue);
    let stack = start(template, both()).await;
    assert_eq!(get(&stack, "/_local/health", None).await.status(), 503);
    stack
        .set_credentials(json!({"email": "lan@example.vn"}))
        .unwrap();
    stack.set_ready();
    assert_eq!(get(&stack, "/_local/health", None).await.status(), 200);
    let credentials = get(&stack, "/_local/credentials", None).await;
    let credentials: Value = serde_json::from_slice(credentials.body()).unwrap();
    assert_eq!(credentials["email"], "lan@example.vn");
    assert_eq!(credentials["api"], stack.addresses().api);
    let environment = get(&stack, "/_local/environment", None).await;
    let environment: Value = serde_json::from_slice(environment.body()).unwrap();
    let endpoint = "http://host.docker.internal:8789";
    assert_eq!(environment["Api"]["AWS_ENDPOINT_URL"], endpoint);
    let queue = format!("{endpoint}/000000000000/work");
    assert_eq!(environment["Api"]["QUEUE"], queue.as_str());
    post(&stack, "fail").await;
    let page = get(&stack, "/_local/", None).await;
    assert!(String::from_utf8_lossy(page.body()).contains("Test: secret detail"));
    assert_eq!(get(&stack, "/_local/outbox", None).await.status(), 200);
    assert_eq!(get(&stack, "/_local/outbox/7", None).await.status(), 404);
    assert_eq!(get(&stack, "/_local/nothing", None).await.status(), 404);
}

#[tokio::test]
async fn the_clock_moves_by_json_and_by_form() {
    let stack = start(template(), both()).await;
    let before = stack.clock().now();
    let move_by = async |body: &'static str| {
        let request = Request::post("/_local/clock")
            .body(Bytes::from(body))
            .unwrap();
        stack.http(request).await.status().as_u16()
    };
    assert_eq!(move_by(r#"{"advance":"3d"}"#).await, 200);
    assert_eq!(move_by("advance=2h").await, 303);
    assert_eq!(move_by(r#"{"advance":"-1d"}"#).await, 422);
    assert_eq!(move_by("{}").await, 422);
    assert_eq!(move_by("").await, 422);
    let moved = stack.clock().now().duration_since(before);
    assert_eq!(moved.as_secs() / 3600, 74);
}
