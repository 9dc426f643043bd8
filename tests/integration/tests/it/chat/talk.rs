//! A whole conversation: both directions, redelivered, out of order, concurrent, resolved and reopened.

use std::time::Duration;

use kernel::InboxId;
use serde_json::{Value, json};

use super::shop::{DONE, SECOND, Shop, pairs, said};
use crate::support::{Kill, grant_of, http_event};

#[tokio::test]
async fn a_talk_goes_both_ways_with_every_batch_delivered_twice() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let first = json!({
        "client_msg_id": "c-1", "content": "Shop ơi, còn size M không?",
        "name": "Khách Thử", "email": "Khach@example.vn", "phone": "0912 345 678",
    });
    assert_eq!(shop.post(&browser, first).await.0, 202);
    shop.run(2).await;
    shop.world.advance(SECOND);
    let conversation = shop.conversation().await;
    let answer = shop
        .reply(&conversation, json!({ "content": "Dạ còn ạ" }))
        .await;
    assert_eq!(
        (answer["status"].as_str(), answer["type"].as_str()),
        (Some("sending"), Some("outgoing"))
    );
    shop.world.advance(SECOND);
    shop.reply(
        &conversation,
        json!({ "content": "Khách quen", "private": true }),
    )
    .await;
    shop.run(2).await;
    let talk = said(&[
        ("visitor", "Shop ơi, còn size M không?"),
        ("agent", "Dạ còn ạ"),
    ]);
    assert_eq!(shop.reads(&browser, "").await.0, talk);
    let stored = shop.stored(&browser).await;
    let expected = json!({
        "status": "open",
        "talk": [
            ["incoming", "Shop ơi, còn size M không?", "sent", false],
            ["outgoing", "Dạ còn ạ", "sent", false],
            ["outgoing", "Khách quen", "sent", true],
        ],
        "claims": 1, "events": ["conversation.created"], "name": "Khách Thử", "email": null,
        "custom": { "chat_email": "khach@example.vn", "chat_phone": "+84912345678" },
    });
    // Two messages of one millisecond are ordered by their ids.
    let sorted = |mut stored: Value| {
        stored["talk"]
            .as_array_mut()
            .unwrap()
            .sort_by_key(Value::to_string);
        stored
    };
    assert_eq!(sorted(stored), sorted(expected));
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn the_same_message_twice_is_one_message() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    for _ in 0..2 {
        shop.say(&browser, "c-1", "Shop ơi").await;
        shop.world.advance(SECOND);
    }
    shop.run(1).await;
    shop.world.advance(Duration::from_hours(1));
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    assert_eq!(
        shop.talk(&conversation).await,
        said(&[("incoming", "Shop ơi")])
    );
    for _ in 0..2 {
        shop.reply(
            &conversation,
            json!({ "content": "Dạ", "client_msg_id": "a-1" }),
        )
        .await;
        shop.run(1).await;
        shop.world.advance(SECOND);
    }
    let talk = said(&[("incoming", "Shop ơi"), ("outgoing", "Dạ")]);
    assert_eq!(shop.talk(&conversation).await, talk);
}

#[tokio::test]
async fn two_first_messages_make_one_conversation_wherever_they_meet() {
    let shop = Shop::new().await;
    for n in 0.. {
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", "một").await;
        let first = shop.world.take("chat-inbound").unwrap();
        shop.world.advance(SECOND);
        shop.say(&browser, "c-2", "hai").await;
        let second = shop.world.take("chat-inbound").unwrap();
        let killed = shop
            .world
            .invoke_and_kill("chat-inbound", first.event.clone(), Kill::Before(n))
            .await
            .is_none();
        let answer = shop
            .world
            .invoke("chat-inbound", second.event.clone())
            .await;
        shop.world.acknowledge(&second, &answer);
        shop.world.release(&first);
        shop.run(1).await;
        let stored = shop.stored(&browser).await;
        let talk = json!([
            ["incoming", "một", "sent", false],
            ["incoming", "hai", "sent", false]
        ]);
        assert_eq!(stored["talk"], talk, "at call {n}");
        assert_eq!(
            stored["events"],
            json!(["conversation.created"]),
            "at call {n}"
        );
        shop.world.advance(SECOND);
        if !killed {
            assert!(n > 8, "too few calls: {n}");
            return;
        }
    }
}

#[tokio::test]
async fn two_workers_at_once_make_one_conversation() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let mut batches = Vec::new();
    for n in 0..6 {
        shop.say(&browser, &format!("c-{n}"), &format!("tin {n}"))
            .await;
        shop.world.advance(SECOND);
        batches.push(shop.world.take("chat-inbound").unwrap());
    }
    let work = batches
        .iter()
        .map(|batch| shop.world.invoke("chat-inbound", batch.event.clone()));
    let answers = futures::future::join_all(work).await;
    for (batch, answer) in batches.iter().zip(&answers) {
        shop.world.acknowledge(batch, answer);
        shop.world.release(batch);
    }
    shop.run(1).await;
    let lines: Vec<String> = (0..6).map(|n| format!("tin {n}")).collect();
    let lines: Vec<_> = lines
        .iter()
        .map(|line| ("incoming", line.as_str()))
        .collect();
    assert_eq!(shop.talk(&shop.conversation().await).await, said(&lines));
}

#[tokio::test]
async fn messages_out_of_order_end_in_order() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let mut batches = Vec::new();
    for n in 0..4 {
        shop.say(&browser, &format!("c-{n}"), &format!("tin {n}"))
            .await;
        shop.world.advance(SECOND);
        batches.push(shop.world.take("chat-inbound").unwrap());
    }
    let mut cursor = Value::Null;
    for batch in [3, 1, 0, 2].map(|n| &batches[n]) {
        let answer = shop.world.invoke("chat-inbound", batch.event.clone()).await;
        shop.world.acknowledge(batch, &answer);
        let query = cursor.as_str().map(|cursor| format!("?after={cursor}"));
        cursor = shop.reads(&browser, &query.unwrap_or_default()).await.1;
    }
    // `stored` also holds the newest time against the messages.
    let stored = shop.stored(&browser).await;
    let line = |n: usize| json!(["incoming", format!("tin {n}"), "sent", false]);
    assert_eq!(stored["talk"], json!([line(0), line(1), line(2), line(3)]));
    // A reader that follows the cursor misses none of them: the cursor stays before messages that can still
    // appear.
    let query = format!("?after={}", cursor.as_str().unwrap());
    assert_eq!(shop.reads(&browser, &query).await.0.len(), 4);
    shop.world.advance(Duration::from_mins(7));
    let (again, settled) = shop.reads(&browser, &query).await;
    assert_eq!(again.len(), 4);
    let query = format!("?after={}", settled.as_str().unwrap());
    assert!(shop.reads(&browser, &query).await.0.is_empty());
}

#[tokio::test]
async fn a_customer_reopens_once_and_a_repetition_does_not() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    shop.set_status(&conversation, "resolved").await;
    // Setting the current status writes no second activity line.
    shop.set_status(&conversation, "resolved").await;
    shop.world.advance(SECOND);
    shop.say(&browser, "c-2", "Còn nữa ạ").await;
    let batch = shop.world.take("chat-inbound").unwrap();
    for _ in 0..2 {
        shop.world
            .invoke("chat-inbound", batch.event.clone())
            .await
            .unwrap();
    }
    assert_eq!(shop.conversation().await, conversation);
    shop.world.advance(SECOND);
    shop.set_status(&conversation, "resolved").await;
    let answer = shop.world.invoke("chat-inbound", batch.event.clone()).await;
    shop.world.acknowledge(&batch, &answer);
    let path = format!("/v1/conversations/{conversation}");
    assert_eq!(shop.get(&path).await["status"], "resolved");
    let talk = shop.talk(&conversation).await;
    let kinds: Vec<&str> = talk.iter().map(|(kind, _)| kind.as_str()).collect();
    let activities = kinds.iter().filter(|kind| **kind == "activity").count();
    assert_eq!((kinds.len(), activities), (5, 3), "{talk:?}");
    // The visitor sees none of the lines.
    assert_eq!(shop.reads(&browser, "").await.0.len(), 2);
}

#[tokio::test]
async fn a_muted_conversation_stays_closed_for_six_hours() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    shop.set_status(&conversation, "resolved").await;
    let mute = format!("/v1/conversations/{conversation}/mute");
    assert_eq!(
        shop.api("POST", &mute, Some(json!({ "muted": true })))
            .await
            .0,
        200
    );
    let path = format!("/v1/conversations/{conversation}");
    for (wait, id, expected) in [(1, "c-2", "resolved"), (6, "c-3", "open")] {
        shop.world.advance(Duration::from_hours(wait));
        shop.say(&browser, id, "Alo").await;
        shop.run(1).await;
        assert_eq!(shop.get(&path).await["status"], expected);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_delivered_lets_the_next_one_through() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    for text in ["một", "hai"] {
        shop.world.advance(SECOND);
        shop.reply(&conversation, json!({ "content": text })).await;
    }
    shop.world.relay().await;
    let batch = shop.world.take("chat-outbound").unwrap();
    let mut event = batch.event.clone();
    let first = event["Records"][0]["body"].as_str().unwrap().to_owned();
    event["Records"][0]["body"] = first.replace("\"website\"", "\"pigeon\"").into();
    let answer = shop.world.invoke("chat-outbound", event).await;
    assert_eq!(answer.as_ref().unwrap().to_string(), DONE);
    shop.world.acknowledge(&batch, &answer);
    shop.run(1).await;
    let page = shop
        .get(&format!("/v1/conversations/{conversation}/messages"))
        .await;
    let states = pairs(&page["data"], "content", "status");
    assert_eq!(
        states,
        said(&[("hai", "sent"), ("một", "failed"), ("Shop ơi", "sent")])
    );
    let seen = said(&[("visitor", "Shop ơi"), ("agent", "hai")]);
    assert_eq!(shop.reads(&browser, "").await.0, seen);
}

#[tokio::test]
async fn a_conversation_starts_the_workflow_of_its_inbox() {
    let shop = Shop::new().await;
    let mut workflows = Vec::new();
    let other = InboxId::new(&shop.world.clock(), &shop.world.entropy);
    let inboxes = chat::Inboxes::over(&shop.world.resources());
    let settings = serde_json::from_value(json!({ "name": "Cửa hàng" })).unwrap();
    let made = inboxes.create(shop.tenant, other, shop.world.clock().now(), &settings);
    made.await.unwrap();
    for inbox in [shop.inbox, other] {
        let draft = json!({
            "name": "Chào",
            "trigger": { "type": "conversation.created", "inbox_id": inbox },
            "graph": { "start": "end", "nodes": { "end": { "type": "exit" } } },
        });
        let grant = grant_of(shop.tenant.workspace(), "read write");
        let ask = async |method: &str, path: &str, body: Option<&Value>| {
            let event = http_event(method, path, body, Some(&grant));
            let answer = shop.world.invoke("api-workflows", event).await.unwrap();
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert!(answer["statusCode"].as_u64().unwrap() < 300, "{body}");
            body
        };
        let workflow = ask("POST", "/v1/workflows", Some(&draft)).await;
        let id = workflow["id"].as_str().unwrap().to_owned();
        ask("POST", &format!("/v1/workflows/{id}/activate"), None).await;
        workflows.push(id);
    }
    shop.world.lead();
    let browser = shop.browser().await;
    shop.say(&browser, "m1", "Shop ơi").await;
    shop.world.settle().await;
    let mut entered = Vec::new();
    for id in workflows {
        let grant = grant_of(shop.tenant.workspace(), "read");
        let event = http_event(
            "GET",
            &format!("/v1/workflows/{id}/report"),
            None,
            Some(&grant),
        );
        let answer = shop.world.invoke("api-workflows", event).await.unwrap();
        let report: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        entered.push(report["entered"].clone());
    }
    assert_eq!(entered, [json!(1), json!(0)]);
}

/// Loses the answers of the message's write; the client repeats the request under its key.
#[tokio::test]
async fn an_answer_that_is_repeated_under_its_key_is_one_answer() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    let path = format!("/v1/conversations/{conversation}/messages");
    let grant = crate::support::grant_of(shop.tenant.workspace(), "write");
    let body = serde_json::json!({ "content": "Còn size M" });
    let mut request = crate::support::http_event("POST", &path, Some(&body), Some(&grant));
    request["headers"]["idempotency-key"] = "k".into();
    shop.world.aws.set_fault_hook(Some(std::sync::Arc::new(
        |call: &tanigo_local::aws::Call| {
            let is_it = call.operation == "PutItem" && call.table_or_queue.contains("chat");
            if is_it {
                tanigo_local::aws::Fault::TimeoutAfterCommit
            } else {
                tanigo_local::aws::Fault::None
            }
        },
    )));
    let lost = shop
        .world
        .invoke("api-chat", request.clone())
        .await
        .unwrap();
    assert!(lost["statusCode"].as_u64().unwrap() >= 500, "{lost}");
    shop.world.aws.set_fault_hook(None);
    shop.world.advance(SECOND);
    for _ in 0..2 {
        let again = shop
            .world
            .invoke("api-chat", request.clone())
            .await
            .unwrap();
        assert_eq!(again["statusCode"], 201, "{again}");
    }
    shop.run(1).await;
    let page = shop.get(&path).await;
    let answers = page["data"].as_array().unwrap().iter();
    let answers = answers.filter(|one| one["type"] == "outgoing");
    assert_eq!(answers.count(), 1, "{page}");
}
