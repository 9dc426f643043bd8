//! A shop with a website inbox: its visitors' browsers, its staff, and the stored rows of their conversations.

use std::sync::Arc;
use std::time::Duration;

use accounts::ApiKeys;
use chat::{InboxDoors, InboxSettings, Inboxes};
use contacts::{Contacts, Identity};
use kernel::{InboxId, Limit, Scope, TenantKey};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, World, grant_of, http_event};

pub const SECOND: Duration = Duration::from_secs(1);
pub const DONE: &str = r#"{"batchItemFailures":[]}"#;
const WORKERS: [&str; 3] = ["chat-inbound", "chat-outbound", "chat-notifier"];

/// A world and one of its shops with a website inbox.
pub struct Shop {
    pub world: Arc<World>,
    pub tenant: TenantKey,
    pub inbox: InboxId,
}

/// A browser with its session.
#[derive(Clone)]
pub struct Browser {
    pub token: String,
    pub visitor: String,
}

impl Shop {
    pub async fn new() -> Self {
        Self::in_world(Arc::new(World::new()), &[]).await
    }

    pub async fn in_world(world: Arc<World>, origins: &[&str]) -> Self {
        let tenant = world.workspace().await;
        Self::of_tenant(world, tenant, origins).await
    }

    pub async fn of_tenant(world: Arc<World>, tenant: TenantKey, origins: &[&str]) -> Self {
        let settings = InboxSettings {
            name: "Website".into(),
            allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        };
        let inbox = InboxId::new(&world.clock(), &world.entropy);
        let doors = InboxDoors::over(&world.resources());
        let door = doors.create(tenant, inbox, &settings.name, &settings.allowed_origins);
        assert!(door.await.unwrap());
        let inboxes = Inboxes::over(&world.resources());
        let made = inboxes
            .create(tenant, inbox, world.now(), &settings)
            .await
            .unwrap();
        assert!(made.is_some());
        Self {
            world,
            tenant,
            inbox,
        }
    }

    /// The widget's answer to a request under `/chat/{inbox}`.
    pub async fn widget(
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

    pub async fn browser(&self) -> Browser {
        let (status, body, _) = self.widget("POST", "/sessions", &[], Some(json!({}))).await;
        assert_eq!(status, 201, "{body}");
        Browser {
            token: body["token"].as_str().unwrap().to_owned(),
            visitor: body["visitor_id"].as_str().unwrap().to_owned(),
        }
    }

    pub async fn post(&self, browser: &Browser, body: Value) -> (u64, Value) {
        let bearer = format!("Bearer {}", browser.token);
        let headers = [("authorization", bearer.as_str())];
        let (status, body, _) = self.widget("POST", "/messages", &headers, Some(body)).await;
        (status, body)
    }

    pub async fn say(&self, browser: &Browser, client_msg_id: &str, text: &str) {
        let body = json!({ "client_msg_id": client_msg_id, "content": text });
        let (status, body) = self.post(browser, body).await;
        assert_eq!(
            (status, &body["client_msg_id"]),
            (202, &client_msg_id.into())
        );
    }

    /// Messages that the visitor's browser reads: author and text of each message, and the cursor for the next
    /// read.
    pub async fn reads(&self, browser: &Browser, query: &str) -> (Vec<(String, String)>, Value) {
        let (lines, next, sync) = self.reads_page(browser, query).await;
        (lines, if next.is_null() { sync } else { next })
    }

    /// Like [`Shop::reads`], with the place to read on and the place to read from later.
    pub async fn reads_page(
        &self,
        browser: &Browser,
        query: &str,
    ) -> (Vec<(String, String)>, Value, Value) {
        let bearer = format!("Bearer {}", browser.token);
        let path = format!("/messages{query}");
        let headers = [("authorization", bearer.as_str())];
        let (status, body, _) = self.widget("GET", &path, &headers, None).await;
        assert_eq!(status, 200, "{body}");
        (
            pairs(&body["data"], "author", "content"),
            body["next"].clone(),
            body["sync"].clone(),
        )
    }

    /// The API's answer to an agent with these scopes.
    pub async fn api_as(
        &self,
        scopes: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), scopes);
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        self.world.ask("api-chat", event).await
    }

    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        self.api_as("read write", method, path, body).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.api("GET", path, None).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The only open conversation.
    pub async fn conversation(&self) -> String {
        let page = self.get("/v1/conversations").await;
        assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
        page["data"][0]["id"].as_str().unwrap().to_owned()
    }

    pub async fn reply(&self, conversation: &str, body: Value) -> Value {
        let path = format!("/v1/conversations/{conversation}/messages");
        let (status, message) = self.api("POST", &path, Some(body)).await;
        assert_eq!(status, 201, "{message}");
        message
    }

    pub async fn set_status(&self, conversation: &str, status: &str) {
        let path = format!("/v1/conversations/{conversation}/status");
        let (code, body) = self
            .api("POST", &path, Some(json!({ "status": status })))
            .await;
        assert_eq!((code, &body["status"]), (200, &status.into()), "{body}");
    }

    /// All messages as staff reads them, oldest first: type and content.
    pub async fn talk(&self, conversation: &str) -> Vec<(String, String)> {
        let page = self
            .get(&format!(
                "/v1/conversations/{conversation}/messages?limit=100"
            ))
            .await;
        let mut talk = pairs(&page["data"], "type", "content");
        talk.reverse();
        talk
    }

    /// Runs relay and workers until no message is left; each batch is delivered this number of times.
    pub async fn run(&self, times: usize) {
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

    pub fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    /// Everything stored about a visitor's conversation, without the values that differ from visitor to visitor.
    pub async fn stored(&self, browser: &Browser) -> Value {
        let rows = self.world.dump("Chat").await;
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let pointers: Vec<&Value> = rows
            .iter()
            .filter(|row| {
                let pk = text(row, "pk");
                pk.starts_with(&self.tenant.to_string()) && pk.ends_with(&browser.visitor)
            })
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
                    talk.push(json!([
                        row["kind"],
                        row["content"],
                        row["delivery"],
                        row["private"],
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
            "name": profile.person.full_name, "custom": profile.custom, "email": profile.email,
        })
    }

    pub async fn connect(&self, connection: &str, token: &str) -> u64 {
        let mut event = socket_event("CONNECT", connection, Some(token));
        event["queryStringParameters"]["workspace"] = self.tenant.to_string().into();
        let event = self.world.authorized(event).await;
        let answer = self.world.invoke("chat-socket", event).await.unwrap();
        answer["statusCode"].as_u64().unwrap()
    }

    pub async fn agent_key(&self, scopes: &[Scope]) -> String {
        let keys = ApiKeys::over(&self.world.resources());
        keys.create(ACCOUNT.parse().unwrap(), self.tenant, "test", scopes)
            .await
            .unwrap()
            .token
    }
}

pub fn pairs(data: &Value, first: &str, second: &str) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = data.as_array().unwrap().iter();
    rows.map(|row| (text(row, first), text(row, second)))
        .collect()
}

pub fn said(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines
        .iter()
        .map(|(who, text)| ((*who).to_owned(), (*text).to_owned()))
        .collect()
}

pub fn socket_event(kind: &str, connection: &str, token: Option<&str>) -> Value {
    json!({
        "requestContext": { "connectionId": connection, "eventType": kind },
        "queryStringParameters": token.map(|token| json!({ "token": token })),
    })
}

/// The events that a connection has been sent so far.
pub fn shown(receiver: &mut tokio::sync::mpsc::Receiver<bytes::Bytes>) -> Vec<Value> {
    let mut events = Vec::new();
    while let Ok(frame) = receiver.try_recv() {
        let frame: Value = serde_json::from_slice(&frame).unwrap();
        events.extend(frame["events"].as_array().unwrap().iter().cloned());
    }
    events
}

pub fn texts(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["content"].as_str().unwrap_or_default())
        .collect()
}
