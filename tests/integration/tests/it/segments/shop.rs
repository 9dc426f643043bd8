//! A shop with contacts and segments.

use std::collections::BTreeSet;

use contacts::{Contacts, Event, Identity, Incoming};
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde_json::{Value, json};

use crate::support::{World, grant_of, http_event};

/// A world, one of its tenants, and its API.
pub struct Shop {
    pub world: World,
    pub tenant: TenantKey,
}

impl Shop {
    pub async fn new() -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        Self { world, tenant }
    }

    pub fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    pub async fn contact(&self, address: &str, tags: &[&str]) -> ContactId {
        let incoming = Incoming {
            identities: vec![Identity::Email(address.parse().unwrap())],
            tags: tags.iter().map(ToString::to_string).collect(),
            ..Incoming::default()
        };
        let upserted = self.contacts().upsert(self.tenant, &incoming).await;
        upserted.unwrap().contact
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), "read write");
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        self.world.ask("api-segments", event).await
    }

    pub async fn segment(&self, name: &str, conditions: Value) -> String {
        let body = json!({ "name": name, "conditions": conditions });
        let (status, segment) = self.ask("POST", "/v1/segments", Some(body)).await;
        assert_eq!(status, 201, "{segment}");
        segment["id"].as_str().unwrap().to_owned()
    }

    /// Until builds have begun and ended. At most two builds of a workspace run at a time.
    pub async fn built(&self) {
        self.world.run_for(30).await;
        for _ in 0..20 {
            let (_, page) = self.ask("GET", "/v1/segments?limit=100", None).await;
            let segments = page["data"].as_array().unwrap();
            if segments.iter().all(|one| one["status"] == "ready") {
                return;
            }
            self.world.run_for(15).await;
        }
        panic!("a build does not end");
    }

    pub async fn show(&self, id: &str) -> Value {
        self.ask("GET", &format!("/v1/segments/{id}"), None).await.1
    }

    pub async fn members(&self, id: &str) -> BTreeSet<ContactId> {
        let path = format!("/v1/segments/{id}/members");
        let (mut all, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let (status, page) = self.ask("GET", &format!("{path}{cursor}"), None).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().unwrap().iter();
            all.extend(
                data.map(|one| -> ContactId {
                    one["contact_id"].as_str().unwrap().parse().unwrap()
                }),
            );
            let Some(next) = page["next"].as_str() else {
                return all;
            };
            cursor = format!("?cursor={next}");
        }
    }

    pub async fn submitted(&self, contact: ContactId, n: u32) {
        self.submitted_at(contact, n, self.world.now()).await;
    }

    pub async fn submitted_at(&self, contact: ContactId, n: u32, at: Timestamp) {
        let event = Event {
            id: format!("f{n}"),
            name: "form.submitted".into(),
            at,
            source: "api".into(),
            data: json!({}),
        };
        self.contacts()
            .record(self.tenant, contact, &event)
            .await
            .unwrap();
    }

    /// One run of `due-timer`, and all that follows.
    pub async fn tick(&self) {
        self.world.invoke("due-timer", json!({})).await.unwrap();
        self.world.settle().await;
    }

    pub async fn tag(&self, contact: ContactId, tag: &str, has: bool) {
        let (store, tags) = (self.contacts(), [tag.to_owned()]);
        let changed = if has {
            store.add_tags(self.tenant, contact, &tags).await
        } else {
            store.remove_tags(self.tenant, contact, &tags).await
        };
        changed.unwrap();
    }
}

pub fn tagged(tag: &str) -> Value {
    json!({"all": [{"family": "tag", "operator": "has_any", "values": [tag]}]})
}

pub fn set<const N: usize>(ids: [ContactId; N]) -> BTreeSet<ContactId> {
    ids.into()
}

/// Forms of the last `days` days.
pub fn visited(times: u32, days: u32) -> Value {
    json!({"all": [
        {"family": "event", "event": "form.submitted", "operator": "at_least", "times": times,
         "within": {"last_days": days}},
    ]})
}
