//! An error from AWS names the service, the operation and the table, queue, bucket or address; it names no
//! key and no value.

use std::sync::Arc;

use bytes::Bytes;
use cloud::queue::Outgoing;
use cloud::{Error, Key, Query, QueueName, SendOptions, SocketError, Update};
use lambda::sqs::Order;
use lambda::{Failure, Function, Setup, Vars};
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};

use crate::support::World;

/// Somebody's address, which no error may show.
const ADDRESS: &str = "an@example.vn";

fn key() -> Key {
    Key::new(ADDRESS, ADDRESS)
}

fn message() -> Outgoing {
    Outgoing {
        text: ADDRESS.to_owned(),
        options: SendOptions {
            group: Some(ADDRESS.to_owned()),
            ..SendOptions::default()
        },
    }
}

#[track_caller]
fn assert_place<T>(result: Result<T, Error>, place: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{place}: no error"));
    let text = error.to_string();
    assert!(text.starts_with(&format!("{place}: throttled: ")), "{text}");
    assert!(!text.contains(ADDRESS), "{text}");
}

fn throttle(world: &World) {
    let throttle = Arc::new(|_: &Call| Fault::Throttle);
    world.aws.set_fault_hook(Some(throttle));
}

#[tokio::test]
async fn an_error_of_a_table_names_the_table_and_the_operation() {
    let world = World::new();
    throttle(&world);
    let table = world.table("Directory");
    let name = &world.spec("authorizer").environment["DIRECTORY_TABLE"];
    let place = |operation: &str| format!("dynamodb {operation} {name}");
    let (row, set) = (
        json!({ "email": ADDRESS }),
        Update::new().set("email", ADDRESS),
    );

    assert_place(table.get::<Value>(&key()).await, &place("GetItem"));
    let many = table.get_many::<Value>(vec![key()]).await;
    assert_place(many, &place("BatchGetItem"));
    assert_place(table.put(&key(), &row).await, &place("PutItem"));
    assert_place(table.create(&key(), &row).await, &place("PutItem"));
    assert_place(table.replace(&key(), &row, 1).await, &place("PutItem"));
    assert_place(table.delete(&key()).await, &place("DeleteItem"));
    let put = table.put_many(&[(key(), row)]).await;
    assert_place(put, &place("BatchWriteItem"));
    let deleted = table.delete_many(&[key()]).await;
    assert_place(deleted, &place("BatchWriteItem"));
    assert_place(
        table.update(&key(), set.clone()).await,
        &place("UpdateItem"),
    );
    let all = table.update_all(vec![(key(), set)]).await;
    assert_place(all, &place("TransactWriteItems"));
    let rows = table.query::<Value>(Query::partition(ADDRESS)).await;
    assert_place(rows, &place("Query"));
}

#[tokio::test]
async fn an_error_of_a_queue_a_bucket_or_a_socket_names_it() {
    let world = World::new();
    throttle(&world);
    let resources = world.resources();
    let name = world.queue_of("workflow-step");
    let queue = resources.queues()[&QueueName::new("workflow-step")].clone();
    let place = |operation: &str| format!("sqs {operation} {name}");
    assert_place(queue.send_text(message()).await, &place("SendMessage"));
    let rejected = queue.send_rejected(message(), ADDRESS).await;
    assert_place(rejected, &place("SendMessage"));
    let batch = queue.send_texts(&[message()]).await;
    assert_place(batch, &place("SendMessageBatch"));

    let name = &world.spec("contact-import").environment["IMPORTS_BUCKET"];
    let files = resources.bucket("Imports");
    let put = files.put(ADDRESS, "text/plain", Bytes::new()).await;
    assert_place(put, &format!("s3 PutObject {name}"));
    let got = files.range(ADDRESS, 0, 1).await;
    assert_place(got, &format!("s3 GetObject {name}"));

    let endpoint = &world.spec("chat-notifier").environment["SOCKET_ENDPOINT"];
    let failed = |error| match error {
        SocketError::Failed(error) => error,
        SocketError::Gone => panic!("gone"),
    };
    let sockets = resources.sockets();
    let posted = sockets.post(ADDRESS, Vec::new()).await.map_err(failed);
    let place = |operation: &str| format!("execute-api {operation} {endpoint}");
    assert_place(posted, &place("PostToConnection"));
    let closed = sockets.close(ADDRESS).await.map_err(failed);
    assert_place(closed, &place("DeleteConnection"));
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_named() {
    let world = World::new();
    let mut vars = world.spec("authorizer").environment.clone();
    vars.insert("DIRECTORY_TABLE".to_owned(), "absent".to_owned());
    let setup = Setup::new(Vars::from_map(vars), world.cloud());
    let table = setup.resources().table("Directory");
    let error = table.get::<Value>(&key()).await.unwrap_err();
    assert_eq!(error.name(), "Store.Misconfigured");
    let place = "dynamodb GetItem absent: cannot be used as it is set up: ResourceNotFound";
    assert!(error.to_string().starts_with(place), "{error}");
}

/// Another shape than the stored row has.
#[derive(Debug, serde::Deserialize)]
struct Row {
    #[expect(dead_code, reason = "it is never read")]
    count: u32,
}

#[tokio::test]
async fn the_reason_in_the_dead_letter_queue_names_the_place() {
    let world = World::new();
    let table = world.table("Directory");
    table
        .put(&key(), &json!({ "count": ADDRESS }))
        .await
        .unwrap();
    let setup = world.setup("workflow-step");
    let function = Function::sqs(&setup, Order::Strict, move |_| {
        let table = table.clone();
        async move {
            let row = table.get::<Row>(&key()).await.map_err(Failure::from)?;
            panic!("{row:?} was read")
        }
    });
    let event = json!({ "Records": [{ "messageId": "m", "body": "x", "attributes": {} }] });
    let invocation = lambda::Invocation {
        request_id: "request".into(),
        function_name: "workflow-step".into(),
        deadline_ms: world.clock().now_ms() + 9_000,
        trace: None,
    };
    let answer = function.unwrap().invoke(event, invocation).await.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]));
    let environment = &world.spec("workflow-step").environment;
    let dead = environment["DLQ_URL"].rsplit('/').next().unwrap();
    let dead = world.aws.sqs().receive(dead, 10, Some(0));
    let reason = dead[0].message_attributes["reason"].string_value.as_deref();
    let name = &environment["DIRECTORY_TABLE"];
    let wanted = format!(
        "Store.Shape: stored data has an unexpected shape: expected num (dynamodb GetItem {name})"
    );
    assert_eq!(reason, Some(wanted.as_str()));
}
