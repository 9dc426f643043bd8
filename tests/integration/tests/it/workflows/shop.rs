//! A tenant with workflows, in its own world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use contacts::{Contacts, Event, Identity, Incoming, Merge, Source};
use kernel::{ContactId, TenantKey};
use serde_json::{Value, json};

use crate::support::{World, grant_of, http_event};

pub(super) const DAY: Duration = Duration::from_hours(24);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A world, one of its tenants, and the events that the test has seen.
pub(super) struct Shop {
    pub(super) world: Arc<World>,
    pub(super) tenant: TenantKey,
}

impl Shop {
    pub(super) async fn new() -> Self {
        Self::in_world(Arc::new(World::new())).await
    }

    pub(super) async fn in_world(world: Arc<World>) -> Self {
        let tenant = world.workspace().await;
        Self { world, tenant }
    }

    pub(super) fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    pub(super) async fn contact(&self, address: &str) -> ContactId {
        let incoming = incoming(address);
        self.contacts()
            .upsert(self.tenant, &incoming)
            .await
            .unwrap()
            .contact
    }

    pub(super) async fn form(&self, contact: ContactId, id: &str) {
        let event = Event {
            id: id.into(),
            name: "form.submitted".into(),
            at: self.world.now(),
            source: "ladipage".into(),
            data: json!({ "form_id": "FORM8", "message": "Tư vấn size M" }),
        };
        self.contacts()
            .record(self.tenant, contact, &event)
            .await
            .unwrap();
    }

    /// The API's answer: status and body.
    pub(super) async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        self.api_as("read write", method, path, body).await
    }

    pub(super) async fn api_as(
        &self,
        scopes: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), scopes);
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        self.world.ask("api-workflows", event).await
    }

    pub(super) async fn create(&self, draft: Value) -> String {
        let (status, workflow) = self.api("POST", "/v1/workflows", Some(draft)).await;
        assert_eq!(status, 201, "{workflow}");
        workflow["id"].as_str().unwrap().to_owned()
    }

    /// Changes the workflow's state, and lets the time pass after which every process knows it.
    pub(super) async fn change(&self, id: &str, change: &str) {
        let path = format!("/v1/workflows/{id}/{change}");
        let (status, workflow) = self.api("POST", &path, None).await;
        assert_eq!(status, 200, "{workflow}");
        self.world.lead();
    }

    pub(super) async fn active(&self, draft: Value) -> String {
        let id = self.create(draft).await;
        self.change(&id, "activate").await;
        id
    }

    /// `[entered, active, waiting, completed, exited, failed]`.
    pub(super) async fn report(&self, id: &str) -> [u64; 6] {
        let (status, report) = self
            .api("GET", &format!("/v1/workflows/{id}/report"), None)
            .await;
        assert_eq!(status, 200, "{report}");
        [
            "entered",
            "active",
            "waiting",
            "completed",
            "exited",
            "failed",
        ]
        .map(|name| report[name].as_u64().unwrap())
    }

    /// Runs relay, trigger and step worker until no message is left; each batch `times` times. Gives the events
    /// that were delivered.
    pub(super) async fn run(&self, times: usize) -> Vec<(&'static str, Value)> {
        let mut delivered = Vec::new();
        loop {
            let mut moved = self.world.relay().await;
            for worker in ["workflow-trigger", "workflow-step"] {
                let Some(batch) = self.world.take(worker) else {
                    continue;
                };
                moved += 1;
                let mut answer = Ok(Value::Null);
                for _ in 0..times {
                    answer = self.world.invoke(worker, batch.event.clone()).await;
                    assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
                }
                self.world.acknowledge(&batch, &answer);
                delivered.push((worker, batch.event));
            }
            if moved == 0 {
                return delivered;
            }
        }
    }

    pub(super) async fn tick(&self) {
        self.world.invoke("due-timer", json!({})).await.unwrap();
    }

    /// Everything on the queue of messages, taken off it.
    pub(super) fn messages(&self) -> Vec<Value> {
        let queue = self.world.queue_of("message-sender");
        let mut bodies = Vec::new();
        loop {
            let batch = self.world.aws.sqs().receive(&queue, 10, None);
            if batch.is_empty() {
                return bodies;
            }
            for message in batch {
                bodies.push(serde_json::from_str(&message.body).unwrap());
                self.world.aws.sqs().delete(&queue, &message.receipt_handle);
            }
        }
    }

    /// End state of the step worker and the sweep, without the values that differ from run to run.
    pub(super) async fn state(&self) -> Value {
        let mut state = json!({
            "flow": self.world.dump("Flow").await,
            "contacts": self.world.dump("Contacts").await,
            "timers": self.world.dump("Timers").await,
        });
        forget_traces(&mut state);
        state
    }
}

fn forget_traces(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("trace");
            if let Some(Value::String(text)) = fields.get("pending") {
                let pending = serde_json::from_str(text).unwrap();
                fields.insert("pending".into(), pending);
            }
            fields.values_mut().for_each(forget_traces);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_traces),
        _ => {}
    }
}

pub(super) fn sends(messages: &[Value]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = messages.iter().map(|message| &message["body"]);
    names
        .map(|body| (text(&body["scope"]), text(&body["step"])))
        .collect()
}

pub(super) fn incoming(address: &str) -> Incoming {
    Incoming {
        identities: vec![Identity::Email(address.parse().unwrap())],
        person: contacts::Person::default(),
        trust: contacts::Trust::Shop,
        tags: Vec::new(),
        lists: Vec::new(),
        custom: BTreeMap::new(),
        owner: None,
        source: Source::Form,
        consent: Vec::new(),
        merge: Merge::FillEmpty,
        operation: None,
        at: None,
    }
}

/// Tag, a day's wait, a mail.
pub(super) fn greeting() -> Value {
    json!({
        "name": "Chào khách mới",
        "trigger": { "type": "form.submitted", "form_id": "FORM8" },
        "graph": { "start": "tag", "nodes": {
            "tag": { "type": "add_tag", "tags": ["khách mới"], "next": "wait" },
            "wait": { "type": "wait_duration", "days": 1, "next": "mail" },
            "mail": {
                "type": "send_email",
                "sender": { "from_name": "Cửa hàng", "from_email": "shop@example.vn" },
                "subject": "Chào {{ contact.first_name }}",
                "html": "<p>Bạn hỏi: {{ trigger.message }}</p>",
            },
        }},
    })
}
