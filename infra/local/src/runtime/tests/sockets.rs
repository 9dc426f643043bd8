//! The WebSocket API, over real sockets.

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;

fn template() -> Stack {
    let route = |route: &str| Trigger::WebSocket {
        route: route.to_owned(),
        authorized: false,
    };
    let routes = ["$connect", "$default", "$disconnect"].map(route).to_vec();
    Stack {
        functions: vec![function("Chat", 5, routes)],
        ..Stack::default()
    }
}

fn chat(seen: &Seen) -> Code {
    let seen = seen.clone();
    code(move |event| {
        let context = &event["requestContext"];
        let kind = context["eventType"].as_str().unwrap().to_owned();
        let id = context["connectionId"].as_str().unwrap().to_owned();
        seen.add(kind.clone());
        let refused = event["queryStringParameters"]["token"] == "bad";
        let body = event["body"].as_str().unwrap_or_default().to_owned();
        async move {
            match (kind.as_str(), body.as_str()) {
                ("CONNECT", _) if refused => Ok(json!({"statusCode": 401})),
                ("MESSAGE", "who") => Ok(json!({"statusCode": 200, "body": id})),
                ("MESSAGE", "fail") => Err(failure("secret")),
                _ => Ok(json!({"statusCode": 200})),
            }
        }
    })
}

#[tokio::test]
async fn a_connection_is_refused_before_the_upgrade() {
    let seen = Seen::default();
    let stack = start_at(template(), Some(Ports::from(0)), chat(&seen)).await;
    let url = format!("{}/?token=bad", stack.addresses().websocket);
    match connect_async(url).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 401),
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(seen.all(), ["CONNECT"]);
    stack.stop().await;
}

#[tokio::test]
async fn the_authorizer_decides_first_and_its_context_stays() {
    let route = |route: &str| Trigger::WebSocket {
        route: route.to_owned(),
        authorized: route == "$connect",
    };
    let guarded = Stack {
        functions: vec![
            function("Chat", 5, ["$connect", "$default"].map(route).to_vec()),
            function("Guard", 5, vec![]),
        ],
        authorizer: Some("Guard".to_owned()),
        ..Stack::default()
    };
    let both = code(|event| async move {
        let context = &event["requestContext"];
        let Some(arn) = event["methodArn"].as_str() else {
            let who = context["authorizer"]["principalId"].clone();
            return Ok(json!({"statusCode": 200, "body": who}));
        };
        let token = event["queryStringParameters"]["token"].clone();
        let effect = if token == "bad" { "Deny" } else { "Allow" };
        let statement =
            json!([{"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}]);
        Ok(json!({"principalId": token, "policyDocument": {"Statement": statement}}))
    });
    let stack = start_at(guarded, Some(Ports::from(0)), both).await;
    let url = |token: &str| format!("{}/?token={token}", stack.addresses().websocket);
    match connect_async(url("bad")).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 403),
        other => panic!("not refused: {other:?}"),
    }
    let (mut socket, _) = connect_async(url("good")).await.unwrap();
    socket.send(Message::text("who")).await.unwrap();
    let who = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert_eq!(who, "good");
    stack.stop().await;
}

#[tokio::test]
async fn messages_answers_pushes_and_the_end_arrive() {
    let seen = Seen::default();
    let stack = start_at(template(), Some(Ports::from(0)), chat(&seen)).await;
    let url = format!("{}/?token=good", stack.addresses().websocket);
    let (mut socket, _) = connect_async(url).await.unwrap();
    socket.send(Message::text("who")).await.unwrap();
    let id = socket.next().await.unwrap().unwrap().into_text().unwrap();

    let push = ::http::Request::post(format!("/@connections/{}", id.replace('=', "%3D")))
        .body("pushed".into())
        .unwrap();
    assert_eq!(stack.aws().handle(push).await.status(), 200);
    let pushed = socket.next().await.unwrap().unwrap();
    assert_eq!(pushed, Message::text("pushed"));

    socket.send(Message::text("fail")).await.unwrap();
    let error = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(
        error.contains("Internal server error") && !error.contains("secret"),
        "{error}"
    );

    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    let gone = async {
        while seen.count("DISCONNECT") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .unwrap();
    assert_eq!(stack.aws().sockets().count(), 0);
    stack.stop().await;
}

#[tokio::test]
async fn a_connection_ends_after_ten_idle_minutes() {
    let seen = Seen::default();
    let stack = start_at(template(), Some(Ports::from(0)), chat(&seen)).await;
    let (mut socket, _) = connect_async(&stack.addresses().websocket).await.unwrap();
    stack.advance(jiff::SignedDuration::from_mins(11)).unwrap();
    match socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("not closed: {other:?}"),
    }
    stack.stop().await;
}
