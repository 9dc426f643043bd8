//! Chat from both sides: the widget, the API, the workers and the sockets, over the templates' tables
//! and queues.

use std::sync::Arc;
use std::time::Duration;

use accounts::{ApiKeys, Doors};
use chat::{InboxSettings, Inboxes};
use contacts::{Contacts, Identity};
use kernel::{InboxId, Limit, Scope, TenantKey};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, Kill, World, fixture, grant_of, http_event};

const SECOND: Duration = Duration::from_secs(1);
const WORKERS: [&str; 3] = ["chat-inbound", "chat-outbound", "chat-notifier"];
const DONE: &str = r#"{"batchItemFailures":[]}"#;

/// A world and one of its shops with a website inbox.
struct Shop {
    world: Arc<World>,
    tenant: TenantKey,
    inbox: InboxId,
}

/// A browser with its session.
#[derive(Clone)]
struct Browser {
    token: String,
    visitor: String,
}

impl Shop {
    async fn new() -> Self {
        Self::in_world(Arc::new(World::new()), &[]).await
    }

    async fn in_world(world: Arc<World>, origins: &[&str]) -> Self {
        let tenant = world.workspace().await;
        let settings = InboxSettings {
            name: "Website".into(),
            allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        };
        let inbox = InboxId::new(&world.clock(), &world.entropy);
        let doors = Doors::new(world.table("Directory"));
        let door = doors.create_inbox(tenant, inbox, &settings.name, &settings.allowed_origins);
        assert!(door.await.unwrap());
        let inboxes = Inboxes::new(world.table("Directory"));
        let made = inboxes.create(tenant, inbox, &settings).await.unwrap();
        assert!(made.is_some());
        Self {
            world,
            tenant,
            inbox,
        }
    }

    /// The widget's answer to a request under `/chat/{inbox}`.
    async fn widget(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> (u64, Value, Value) {
        let path = format!("/chat/{}{path}", self.inbox);
        let mut event = http_event(method, &path, body.as_ref(), None);
        for (name, value) in headers {
            event["headers"][*name] = (*value).into();
        }
        let answer = self.world.invoke("chat-widget", event).await.unwrap();
        let text = answer["body"].as_str().unwrap_or_default();
        let body = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        (
            answer["statusCode"].as_u64().unwrap(),
            body,
            answer["headers"].clone(),
        )
    }

    async fn browser(&self) -> Browser {
        let (status, body, _) = self.widget("POST", "/sessions", &[], Some(json!({}))).await;
        assert_eq!(status, 201, "{body}");
        Browser {
            token: body["token"].as_str().unwrap().to_owned(),
            visitor: body["visitor_id"].as_str().unwrap().to_owned(),
        }
    }

    async fn post(&self, browser: &Browser, body: Value) -> (u64, Value) {
        let bearer = format!("Bearer {}", browser.token);
        let headers = [("authorization", bearer.as_str())];
        let (status, body, _) = self.widget("POST", "/messages", &headers, Some(body)).await;
        (status, body)
    }

    async fn say(&self, browser: &Browser, client_msg_id: &str, text: &str) {
        let body = json!({ "client_msg_id": client_msg_id, "text": text });
        let (status, body) = self.post(browser, body).await;
        assert_eq!(
            (status, &body["client_msg_id"]),
            (202, &client_msg_id.into())
        );
    }

    /// What the visitor's browser reads: author and text of each message, and where to read on.
    async fn reads(&self, browser: &Browser, query: &str) -> (Vec<(String, String)>, Value) {
        let bearer = format!("Bearer {}", browser.token);
        let path = format!("/messages{query}");
        let headers = [("authorization", bearer.as_str())];
        let (status, body, _) = self.widget("GET", &path, &headers, None).await;
        assert_eq!(status, 200, "{body}");
        (pairs(&body["data"], "author", "text"), body["next"].clone())
    }

    /// The API's answer to an agent with these scopes.
    async fn api_as(
        &self,
        scopes: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), scopes);
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        let answer = self.world.invoke("api-chat", event).await.unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap_or("null"));
        (
            answer["statusCode"].as_u64().unwrap(),
            body.unwrap_or(Value::Null),
        )
    }

    async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        self.api_as("read write", method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.api("GET", path, None).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The only open conversation.
    async fn conversation(&self) -> String {
        let page = self.get("/v1/conversations").await;
        assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
        page["data"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn reply(&self, conversation: &str, body: Value) -> Value {
        let path = format!("/v1/conversations/{conversation}/messages");
        let (status, message) = self.api("POST", &path, Some(body)).await;
        assert_eq!(status, 201, "{message}");
        message
    }

    async fn set_status(&self, conversation: &str, status: &str) {
        let path = format!("/v1/conversations/{conversation}/status");
        let (code, body) = self
            .api("POST", &path, Some(json!({ "status": status })))
            .await;
        assert_eq!((code, &body["status"]), (200, &status.into()), "{body}");
    }

    /// All messages in staff's eyes, oldest first: type and content.
    async fn talk(&self, conversation: &str) -> Vec<(String, String)> {
        let page = self
            .get(&format!(
                "/v1/conversations/{conversation}/messages?limit=100"
            ))
            .await;
        let mut talk = pairs(&page["data"], "type", "content");
        talk.reverse();
        talk
    }

    /// Relay and workers until nothing moves; each batch so many times.
    async fn run(&self, times: usize) {
        loop {
            let mut moved = self.world.relay().await;
            for worker in WORKERS {
                let Some(batch) = self.world.take(worker) else {
                    continue;
                };
                moved += 1;
                let mut answer = Ok(Value::Null);
                for _ in 0..times {
                    answer = self.world.invoke(worker, batch.event.clone()).await;
                    assert_eq!(answer.as_ref().unwrap().to_string(), DONE, "{worker}");
                }
                self.world.acknowledge(&batch, &answer);
            }
            if moved == 0 {
                return;
            }
        }
    }

    fn contacts(&self) -> Contacts {
        let table = |name| self.world.table(name);
        Contacts::new(table("Contacts"), table("Timeline"), table("Directory"))
    }

    /// Everything stored about a visitor's conversation, without what differs from visitor to visitor.
    async fn stored(&self, browser: &Browser) -> Value {
        let rows = self.world.dump("Chat").await;
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let pointers: Vec<&Value> = rows
            .iter()
            .filter(|row| text(row, "pk").ends_with(&browser.visitor))
            .collect();
        assert_eq!(pointers.len(), 1);
        let partition = format!("{}#{}", self.tenant, text(pointers[0], "conversation"));
        let mut talk = Vec::new();
        let mut header = Value::Null;
        let mut claims = 0;
        let mut newest = String::new();
        for row in rows.iter().filter(|row| text(row, "pk") == partition) {
            match text(row, "sk").split('#').next().unwrap() {
                "HEADER" => header = row.clone(),
                "C" => claims += 1,
                _ => {
                    if row["kind"] != "activity" {
                        newest = newest.max(text(row, "sk")[2..26].to_owned());
                    }
                    let effects: Value = serde_json::from_str(&text(row, "pending")).unwrap();
                    talk.push(json!([
                        row["kind"],
                        row["content"],
                        row["delivery"],
                        row["private"],
                        effects.as_array().unwrap().len(),
                    ]));
                }
            }
        }
        assert_eq!(text(&header, "last_activity"), newest);
        let identity = Identity::Visitor {
            inbox: self.inbox,
            visitor: browser.visitor.clone(),
        };
        let contacts = self.contacts();
        let contact = contacts
            .find_identity(self.tenant, &identity)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(header["contact"], contact.to_string());
        let profile = contacts.get(self.tenant, contact).await.unwrap().unwrap();
        let timeline = contacts.timeline(self.tenant, contact, Limit::default(), None);
        let events: Vec<String> = timeline
            .await
            .unwrap()
            .data
            .into_iter()
            .map(|event| event.name)
            .collect();
        json!({
            "status": header["status"], "talk": talk, "claims": claims, "events": events,
            "name": profile.full_name, "custom": profile.custom, "email": profile.email,
        })
    }

    async fn connect(&self, connection: &str, token: &str) -> u64 {
        let event = socket_event("CONNECT", connection, Some(token));
        let answer = self.world.invoke("chat-socket", event).await.unwrap();
        answer["statusCode"].as_u64().unwrap()
    }

    async fn agent_key(&self, scopes: &[Scope]) -> String {
        let keys = ApiKeys::new(self.world.table("Directory"));
        keys.create(ACCOUNT.parse().unwrap(), self.tenant, "test", scopes)
            .await
            .unwrap()
            .token
    }
}

fn pairs(data: &Value, first: &str, second: &str) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = data.as_array().unwrap().iter();
    rows.map(|row| (text(row, first), text(row, second)))
        .collect()
}

fn said(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines
        .iter()
        .map(|(who, text)| ((*who).to_owned(), (*text).to_owned()))
        .collect()
}

fn socket_event(kind: &str, connection: &str, token: Option<&str>) -> Value {
    json!({
        "requestContext": { "connectionId": connection, "eventType": kind },
        "queryStringParameters": token.map(|token| json!({ "token": token })),
    })
}

/// The events that a connection has been sent so far.
fn shown(receiver: &mut tokio::sync::mpsc::Receiver<bytes::Bytes>) -> Vec<Value> {
    let mut events = Vec::new();
    while let Ok(frame) = receiver.try_recv() {
        let frame: Value = serde_json::from_slice(&frame).unwrap();
        events.extend(frame["events"].as_array().unwrap().iter().cloned());
    }
    events
}

fn texts(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["text"].as_str().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn a_talk_goes_both_ways_with_every_batch_delivered_twice() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let first = json!({
        "client_msg_id": "c-1", "text": "Shop ơi, còn size M không?",
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
            ["incoming", "Shop ơi, còn size M không?", "sent", false, 1],
            ["outgoing", "Dạ còn ạ", "sent", false, 1],
            ["outgoing", "Khách quen", "sent", true, 1],
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
            ["incoming", "một", "sent", false, 1],
            ["incoming", "hai", "sent", false, 1]
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
    let line = |n: usize| json!(["incoming", format!("tin {n}"), "sent", false, 1]);
    assert_eq!(stored["talk"], json!([line(0), line(1), line(2), line(3)]));
    // Who follows misses none of them: the place trails what can still turn up.
    let query = format!("?after={}", cursor.as_str().unwrap());
    assert_eq!(shop.reads(&browser, &query).await.0.len(), 4);
    shop.world.advance(Duration::from_mins(6));
    let (again, settled) = shop.reads(&browser, &query).await;
    assert_eq!(again.len(), 4);
    let query = format!("?after={}", settled.as_str().unwrap());
    assert!(shop.reads(&browser, &query).await.0.is_empty());
}

/// Kills `worker` before and after each of its calls while it handles what `prepare` has made, lets the
/// batch come again, and holds the end against an undisturbed run.
async fn survives_every_kill(worker: &str, prepare: impl AsyncFn(&Shop) -> Browser) {
    let shop = Shop::new().await;
    let browser = prepare(&shop).await;
    shop.run(1).await;
    let expected = shop.stored(&browser).await;
    for kill in [Kill::Before, Kill::After] {
        for n in 0.. {
            shop.world.advance(SECOND);
            let browser = prepare(&shop).await;
            let batch = shop.world.take(worker).unwrap();
            let killed = shop
                .world
                .invoke_and_kill(worker, batch.event.clone(), kill(n))
                .await
                .is_none();
            shop.world.release(&batch);
            shop.run(1).await;
            assert_eq!(shop.stored(&browser).await, expected, "{:?}", kill(n));
            if !killed {
                assert!(n > 0, "no calls");
                break;
            }
        }
    }
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_kill_at_any_call_of_a_first_message_changes_nothing() {
    survives_every_kill("chat-inbound", async |shop: &Shop| {
        let browser = shop.browser().await;
        let message = json!({
            "client_msg_id": "c-1", "text": "Shop ơi",
            "name": "Khách Thử", "email": "khach@example.vn",
        });
        assert_eq!(shop.post(&browser, message).await.0, 202);
        browser
    })
    .await;
}

#[tokio::test]
async fn a_kill_at_any_call_of_a_reopening_changes_nothing() {
    survives_every_kill("chat-inbound", async |shop: &Shop| {
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", "Shop ơi").await;
        shop.run(1).await;
        let page = shop.get("/v1/conversations").await;
        let conversation = page["data"][0]["id"].as_str().unwrap().to_owned();
        shop.world.advance(SECOND);
        shop.set_status(&conversation, "resolved").await;
        shop.run(1).await;
        shop.world.advance(SECOND);
        let message = json!({ "client_msg_id": "c-2", "text": "Còn nữa ạ", "phone": "0912345678" });
        assert_eq!(shop.post(&browser, message).await.0, 202);
        browser
    })
    .await;
}

#[tokio::test]
async fn a_kill_at_any_call_of_an_answer_changes_nothing() {
    survives_every_kill("chat-outbound", async |shop: &Shop| {
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", "Shop ơi").await;
        shop.run(1).await;
        let page = shop.get("/v1/conversations").await;
        let conversation = page["data"][0]["id"].as_str().unwrap().to_owned();
        shop.world.advance(SECOND);
        shop.reply(&conversation, json!({ "content": "Dạ" })).await;
        shop.world.relay().await;
        browser
    })
    .await;
}

#[tokio::test]
async fn a_customer_reopens_once_and_a_repetition_does_not() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    shop.set_status(&conversation, "resolved").await;
    // The state that is there writes no second line.
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
async fn sockets_show_each_side_what_it_may_see() {
    let shop = Shop::new().await;
    let (browser, other) = (shop.browser().await, shop.browser().await);
    let sockets = shop.world.aws.sockets();
    let mut agent = sockets.register("agent");
    let mut visitor = sockets.register("visitor");
    let mut stranger = sockets.register("stranger");
    drop(sockets.register("gone"));
    let key = shop.agent_key(&[Scope::Read]).await;
    assert_eq!(shop.connect("agent", &key).await, 200);
    assert_eq!(shop.connect("gone", &key).await, 200);
    assert_eq!(shop.connect("visitor", &browser.token).await, 200);
    assert_eq!(shop.connect("stranger", &other.token).await, 200);

    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    assert_eq!(texts(&shown(&mut agent)), ["Shop ơi"]);
    assert_eq!(texts(&shown(&mut visitor)), ["Shop ơi"]);

    let conversation = shop.conversation().await;
    shop.reply(
        &conversation,
        json!({ "content": "Khách quen", "private": true }),
    )
    .await;
    shop.run(2).await;
    let note = shown(&mut agent);
    assert!(note.iter().all(|event| event["private"] == true) && !note.is_empty());
    assert!(shown(&mut visitor).is_empty());

    shop.world.advance(SECOND);
    shop.reply(&conversation, json!({ "content": "Dạ còn ạ" }))
        .await;
    shop.run(1).await;
    let statuses: Vec<Value> = shown(&mut agent)
        .into_iter()
        .map(|event| event["status"].clone())
        .collect();
    assert_eq!(statuses, ["sending", "sent"]);
    let answer = shown(&mut visitor);
    assert_eq!(
        (texts(&answer), &answer[0]["type"]),
        (vec!["Dạ còn ạ"], &"message.new".into())
    );
    // The event's cursor leads to its message.
    let query = format!("?after={}", answer[0]["cursor"].as_str().unwrap());
    assert_eq!(
        shop.reads(&browser, &query).await.0,
        said(&[("agent", "Dạ còn ạ")])
    );

    let long = "a".repeat(20_000);
    shop.say(&browser, "c-2", &long).await;
    shop.run(1).await;
    let hint = shown(&mut agent);
    assert!(hint.len() == 1 && hint[0].get("text").is_none());
    assert!(shown(&mut stranger).is_empty());

    // The ended connection was forgotten, a disconnect forgets the others.
    for connection in ["agent", "visitor", "stranger"] {
        for _ in 0..2 {
            let event = socket_event("DISCONNECT", connection, None);
            shop.world.invoke("chat-socket", event).await.unwrap();
        }
    }
    assert!(shop.world.dump("Realtime").await.is_empty());
}

#[tokio::test]
async fn a_private_note_never_reaches_a_visitor() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    for n in 0..7 {
        shop.world.advance(SECOND);
        shop.reply(
            &conversation,
            json!({ "content": format!("ghi chú {n}"), "private": true }),
        )
        .await;
    }
    shop.world.advance(SECOND);
    shop.reply(&conversation, json!({ "content": "Dạ" })).await;
    shop.run(1).await;
    // A page is filled across notes, however small it is.
    let (first, next) = shop.reads(&browser, "?limit=1").await;
    let query = format!("?limit=1&after={}", next.as_str().unwrap());
    let (second, _) = shop.reads(&browser, &query).await;
    assert_eq!(
        [first, second].concat(),
        said(&[("visitor", "Shop ơi"), ("agent", "Dạ")])
    );
    assert_eq!(shop.talk(&conversation).await.len(), 9);
}

#[tokio::test]
async fn another_tenants_conversation_does_not_exist() {
    let world = Arc::new(World::new());
    let mine = Shop::in_world(world.clone(), &[]).await;
    let other = Shop::in_world(world, &[]).await;
    let browser = mine.browser().await;
    mine.say(&browser, "c-1", "Shop ơi").await;
    mine.run(1).await;
    let conversation = mine.conversation().await;
    let path = format!("/v1/conversations/{conversation}");
    let status = json!({ "status": "resolved" });
    for (method, tail, body) in [
        ("GET", "", None),
        ("GET", "/messages", None),
        ("POST", "/messages", Some(json!({ "content": "x" }))),
        ("POST", "/status", Some(status)),
        ("POST", "/mute", Some(json!({ "muted": true }))),
    ] {
        let (code, problem) = other.api(method, &format!("{path}{tail}"), body).await;
        assert_eq!(
            (code, &problem["code"]),
            (404, &"not_found".into()),
            "{method} {tail}"
        );
    }
    assert_eq!(other.get("/v1/conversations").await["data"], json!([]));
    assert_eq!(mine.get(&path).await["status"], "open");
    // A session of one inbox is none in another.
    let body = json!({ "client_msg_id": "c-2", "text": "x" });
    assert_eq!(other.post(&browser, body).await.0, 401);
    let inboxes = other.get("/v1/inboxes").await;
    assert_eq!(inboxes["data"].as_array().unwrap().len(), 1);
    assert_eq!(inboxes["data"][0]["id"], other.inbox.to_string());
}

#[tokio::test]
async fn bad_and_ended_sessions_are_refused() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let body = json!({ "client_msg_id": "c-1", "text": "x" });
    let (status, problem, _) = shop
        .widget("POST", "/messages", &[], Some(body.clone()))
        .await;
    assert_eq!((status, &problem["code"]), (401, &"unauthenticated".into()));
    let forged = Browser {
        token: format!("{}A", browser.token),
        ..browser.clone()
    };
    assert_eq!(shop.post(&forged, body.clone()).await.0, 401);
    assert_eq!(shop.connect("c", &forged.token).await, 401);
    assert_eq!(shop.connect("c", "").await, 401);
    assert_eq!(
        shop.connect("c", &shop.agent_key(&[Scope::Track]).await)
            .await,
        401
    );
    shop.world.advance(Duration::from_hours(25));
    assert_eq!(shop.post(&browser, body.clone()).await.0, 401);
    assert_eq!(shop.connect("c", &browser.token).await, 401);
    // The browser comes back to its conversation with its visitor id.
    let again = json!({ "visitor_id": browser.visitor });
    let (status, session, _) = shop.widget("POST", "/sessions", &[], Some(again)).await;
    assert_eq!(
        (status, &session["visitor_id"]),
        (201, &browser.visitor.as_str().into())
    );
    let (status, _, _) = shop
        .widget("POST", "/sessions", &[], Some(json!({ "visitor_id": "x" })))
        .await;
    assert_eq!(status, 400);
    assert!(shop.world.dump("Realtime").await.is_empty());
}

#[tokio::test]
async fn only_allowed_pages_may_talk() {
    let world = Arc::new(World::new());
    let origin = "https://cuahang.example.vn";
    let shop = Shop::in_world(world, &[origin]).await;
    let open = |origin| {
        let shop = &shop;
        async move {
            shop.widget("POST", "/sessions", &[("origin", origin)], Some(json!({})))
                .await
        }
    };
    let (status, _, headers) = open(origin).await;
    assert_eq!(
        (status, &headers["access-control-allow-origin"]),
        (201, &origin.into())
    );
    assert_eq!(open("https://evil.example.com").await.0, 403);
    let preflight = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
    ];
    let (status, _, headers) = shop.widget("OPTIONS", "/messages", &preflight, None).await;
    assert_eq!(status, 204);
    assert_eq!(
        headers["access-control-allow-headers"],
        "authorization, content-type"
    );
    let (status, page, headers) = shop.widget("GET", "", &[], None).await;
    assert_eq!(status, 200);
    let policy = headers["content-security-policy"].as_str().unwrap();
    assert!(
        policy.contains(&format!("frame-ancestors 'self' {origin}")),
        "{policy}"
    );
    assert!(page.as_str().unwrap().contains("<html lang=\"vi\">"));
}

#[tokio::test]
async fn bad_requests_are_named() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let long = "ơ".repeat(20_001);
    for (body, pointer) in [
        (json!({ "client_msg_id": "c", "text": " " }), "/text"),
        (json!({ "client_msg_id": "c", "text": long }), "/text"),
        (
            json!({ "client_msg_id": "", "text": "x" }),
            "/client_msg_id",
        ),
        (
            json!({ "client_msg_id": "c", "text": "x", "email": "x" }),
            "/email",
        ),
        (
            json!({ "client_msg_id": "c", "text": "x", "phone": "123" }),
            "/phone",
        ),
    ] {
        let (status, problem) = shop.post(&browser, body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &pointer.into())
        );
    }
    assert!(shop.world.take("chat-inbound").is_none());
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = format!("/v1/conversations/{}", shop.conversation().await);
    let past = json!({ "status": "snoozed", "snoozed_until": "2020-01-01T00:00:00Z" });
    for (tail, body) in [
        ("messages", json!({ "content": "" })),
        ("messages", json!({ "content": "x", "privat": true })),
        ("status", json!({ "status": "closed" })),
        (
            "status",
            json!({ "status": "open", "snoozed_until": "2030-01-01T00:00:00Z" }),
        ),
        ("status", past),
    ] {
        let (status, problem) = shop
            .api(
                "POST",
                &format!("{conversation}/{tail}"),
                Some(body.clone()),
            )
            .await;
        assert_eq!(status, 400, "{body}: {problem}");
        assert!(
            problem["errors"][0]["pointer"].is_string(),
            "{body}: {problem}"
        );
    }
    for query in [
        "cursor=x",
        "limit=0",
        "limit=101",
        "status=closed",
        "color=red",
        "assignee=",
    ] {
        let (status, problem) = shop
            .api("GET", &format!("/v1/conversations?{query}"), None)
            .await;
        assert_eq!(status, 400, "{query}: {problem}");
    }
    let write = Some(json!({ "content": "x" }));
    let (status, _) = shop
        .api_as("read", "POST", &format!("{conversation}/messages"), write)
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn lists_are_newest_first_by_status_inbox_and_assignee() {
    let shop = Shop::new().await;
    let mut browsers = Vec::new();
    for n in 0..5 {
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", &format!("khách {n}")).await;
        shop.run(1).await;
        shop.world.advance(SECOND);
        browsers.push(browser);
    }
    shop.say(&browsers[0], "c-2", "lại là khách 0").await;
    shop.run(1).await;
    let inbox = shop.inbox;
    let mut orders = Vec::new();
    for filter in [
        String::new(),
        format!("&inbox={inbox}"),
        format!("&assignee=none&inbox={inbox}"),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop
                .get(&format!("/v1/conversations?limit=2{filter}{cursor}"))
                .await;
            let rows = page["data"].as_array().unwrap();
            assert!(rows.len() <= 2);
            found.extend(
                rows.iter()
                    .map(|row| row["contact_id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        orders.push(found);
    }
    let mut expected = Vec::new();
    for n in [0, 4, 3, 2, 1] {
        let visitor = browsers[n].visitor.clone();
        let identity = Identity::Visitor { inbox, visitor };
        let contact = shop
            .contacts()
            .find_identity(shop.tenant, &identity)
            .await
            .unwrap();
        expected.push(contact.unwrap().to_string());
    }
    assert!(
        orders.iter().all(|order| *order == expected),
        "{orders:?} {expected:?}"
    );
    let newest = shop.get("/v1/conversations?limit=1").await["data"][0]["id"].clone();
    shop.set_status(newest.as_str().unwrap(), "pending").await;
    let pending = shop.get("/v1/conversations?status=pending").await;
    assert_eq!(pending["data"][0]["id"], newest);
    assert_eq!(
        shop.get("/v1/conversations").await["data"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
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
async fn a_typed_address_never_reaches_another_contact() {
    let shop = Shop::new().await;
    let victim = contacts::Incoming {
        identities: vec![Identity::Email("chu@example.vn".parse().unwrap())],
        ..contacts::Incoming::default()
    };
    let victim = shop
        .contacts()
        .upsert(shop.tenant, &victim)
        .await
        .unwrap()
        .contact;
    let before = shop.contacts().get(shop.tenant, victim).await.unwrap();
    let browser = shop.browser().await;
    let message = json!({
        "client_msg_id": "c-1", "text": "Tôi là chủ", "name": "Kẻ Mạo Danh", "email": "chu@example.vn",
    });
    assert_eq!(shop.post(&browser, message).await.0, 202);
    shop.run(1).await;
    assert_eq!(
        shop.contacts().get(shop.tenant, victim).await.unwrap(),
        before
    );
    let page = shop.get("/v1/conversations").await;
    assert_ne!(page["data"][0]["contact_id"], victim.to_string());
    // Nor does a later message change what is filled.
    let later = json!({ "client_msg_id": "c-2", "text": "Alo", "name": "Tên Khác" });
    assert_eq!(shop.post(&browser, later).await.0, 202);
    shop.run(1).await;
    assert_eq!(shop.stored(&browser).await["name"], "Kẻ Mạo Danh");
}

#[tokio::test]
async fn an_inbox_made_over_the_api_opens_its_widget() {
    let shop = Shop::new().await;
    let new = json!({ "name": "Cửa hàng", "allowed_origins": ["https://shop.example.vn"] });
    let (status, _) = shop.api("POST", "/v1/inboxes", Some(new.clone())).await;
    assert_eq!(status, 403);
    let (status, inbox) = shop.api_as("admin", "POST", "/v1/inboxes", Some(new)).await;
    assert_eq!(
        (status, &inbox["channel"]),
        (201, &"website".into()),
        "{inbox}"
    );
    let made = Shop {
        inbox: inbox["id"].as_str().unwrap().parse().unwrap(),
        world: shop.world.clone(),
        tenant: shop.tenant,
    };
    let browser = made.browser().await;
    made.say(&browser, "c-1", "Shop ơi").await;
    made.run(1).await;
    assert_eq!(
        shop.get("/v1/inboxes").await["data"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let page = shop
        .get(&format!("/v1/conversations?inbox={}", made.inbox))
        .await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    let bad = json!({ "name": "x", "allowed_origins": ["*"] });
    let (status, problem) = shop.api_as("admin", "POST", "/v1/inboxes", Some(bad)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &"/allowed_origins".into())
    );
}

#[tokio::test]
async fn sample_events_do_what_their_names_say() {
    let shop = Shop::new().await;
    let invoke = |path: &'static str| {
        let (function, _) = path.split_once('/').unwrap();
        let event = fixture(path).to_string();
        let event = event.replace("ws_00000000001", &shop.tenant.to_string());
        let event = serde_json::from_str(&event).unwrap();
        let world = shop.world.clone();
        async move { world.invoke(function, event).await }
    };
    for path in [
        "chat-inbound/ok.json",
        "chat-inbound/duplicate.json",
        "chat-inbound/mixed.json",
        "chat-inbound/malformed.json",
        "chat-outbound/ok.json",
        "chat-outbound/duplicate.json",
        "chat-outbound/mixed.json",
        "chat-outbound/malformed.json",
        "chat-notifier/ok.json",
        "chat-notifier/duplicate.json",
        "chat-notifier/mixed.json",
        "chat-notifier/malformed.json",
    ] {
        assert_eq!(invoke(path).await.unwrap().to_string(), DONE, "{path}");
    }
    // Inbound: 1 malformed and 2 of the mixed; outbound: no such message; notifier: 1 and 1.
    assert_eq!(shop.world.dead_letters().len(), 3 + 6 + 2);
    let talk = shop.talk(&shop.conversation().await).await;
    let expected = said(&[
        ("incoming", "Shop ơi, áo này còn size M không?"),
        ("incoming", "Còn hàng không?"),
    ]);
    assert_eq!(talk, expected);
    for (path, status) in [
        ("api-chat/ok.json", 200),
        ("api-chat/malformed.json", 400),
        ("api-chat/duplicate.json", 404),
        ("chat-socket/ok.json", 200),
        ("chat-socket/duplicate.json", 200),
        ("chat-socket/bad-signature.json", 401),
    ] {
        assert_eq!(invoke(path).await.unwrap()["statusCode"], status, "{path}");
    }
    assert!(invoke("chat-socket/malformed.json").await.is_err());
    let doors = Doors::new(shop.world.table("Directory"));
    let inbox = "inb_0000000000b".parse().unwrap();
    assert!(
        doors
            .create_inbox(shop.tenant, inbox, "Website", &[])
            .await
            .unwrap()
    );
    for (path, status) in [
        ("chat-widget/ok.json", 201),
        ("chat-widget/duplicate.json", 201),
        ("chat-widget/malformed.json", 400),
        ("chat-widget/bad-signature.json", 401),
    ] {
        assert_eq!(invoke(path).await.unwrap()["statusCode"], status, "{path}");
    }
}
