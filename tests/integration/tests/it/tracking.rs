//! Event tracking: requests of SDKs through the public door, to contacts and timelines. Here is the shop of these tests.

mod doors;
mod people;
mod segments;
mod units;

use std::io::Write;

use accounts::ApiKeys;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contacts::{Contact, Contacts, Identity};
use flate2::Compression;
use flate2::write::GzEncoder;
use kernel::{ContactId, Limit, Scope, TenantKey};
use serde_json::{Value, json};

use crate::support::{World, http_event};

struct Shop {
    world: World,
    tenant: TenantKey,
    /// Of a page that everybody can read.
    public: String,
    /// Of the shop's own server.
    secret: String,
}

impl Shop {
    async fn open() -> Self {
        Self::in_world(World::new()).await
    }

    async fn in_world(world: World) -> Self {
        let tenant = world.workspace().await;
        let public = key(&world, tenant, &[Scope::Track]).await;
        let secret = key(&world, tenant, &[Scope::Track, Scope::Write]).await;
        Self {
            world,
            tenant,
            public,
            secret,
        }
    }

    /// Posts as an SDK of a server does: with the key as user name.
    async fn post(&self, key: &str, path: &str, body: &Value) -> Value {
        let mut event = http_event("POST", path, Some(body), None);
        event["headers"]["authorization"] = basic(key).into();
        self.world.invoke("track-events", event).await.unwrap()
    }

    /// Posts a batch; all its calls are accepted.
    async fn batch(&self, key: &str, calls: Value) {
        let n = calls.as_array().unwrap().len();
        let body = json!({ "batch": calls, "sentAt": self.world.now() });
        let answer = self.post(key, "/v1/batch", &body).await;
        let (status, body) = read(&answer);
        assert_eq!((status, &body["accepted"]), (200, &json!(n)), "{body}");
    }

    /// Posts a batch and writes it.
    async fn take(&self, key: &str, calls: Value) {
        self.batch(key, calls).await;
        self.world.settle().await;
        let dead = self.world.dead_letters();
        assert!(dead.is_empty(), "{dead:?}");
    }

    fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    async fn owner(&self, identity: &Identity) -> Option<ContactId> {
        let owner = self.contacts().find_identity(self.tenant, identity).await;
        owner.unwrap()
    }

    async fn user(&self, id: &str) -> Contact {
        let owner = self.owner(&Identity::own(id)).await.expect("a contact");
        let contact = self.contacts().get(self.tenant, owner).await.unwrap();
        contact.expect("a contact")
    }

    /// The names of a contact's events, oldest first, without those of changes.
    async fn names(&self, id: ContactId) -> Vec<String> {
        let events = self.events(id).await.into_iter();
        events.map(|event| event.name).collect()
    }

    async fn events(&self, id: ContactId) -> Vec<contacts::Event> {
        let contacts = self.contacts();
        let page = contacts.timeline(self.tenant, id, Limit::new(100).unwrap(), None);
        let mut all = page.await.unwrap().data;
        all.retain(|event| event.id.starts_with("t."));
        all.reverse();
        all
    }

    /// Rows of unknown visitors.
    async fn unowned(&self) -> usize {
        let rows = self.world.dump("Timeline").await;
        let of = |row: &&Value| row["pk"].as_str().unwrap().contains("#anon_");
        rows.iter().filter(of).count()
    }
}

async fn key(world: &World, tenant: TenantKey, scopes: &[Scope]) -> String {
    let keys = ApiKeys::over(&world.resources());
    let account = tests_world::ACCOUNT.parse().unwrap();
    let made = keys.create(account, tenant, "sdk", scopes).await;
    made.unwrap().token
}

fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:")))
}

fn read(answer: &Value) -> (u64, Value) {
    let status = answer["statusCode"].as_u64().unwrap();
    let body = answer["body"].as_str().unwrap_or("null");
    (status, serde_json::from_str(body).unwrap())
}

fn packed(body: &str) -> String {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(body.as_bytes()).unwrap();
    STANDARD.encode(packer.finish().unwrap())
}

fn track(id: &str, user: &str, event: &str) -> Value {
    json!({ "type": "track", "messageId": id, "userId": user, "event": event,
        "timestamp": "2026-03-02T07:59:00Z" })
}

fn page(id: &str, visitor: &str, url: &str) -> Value {
    json!({ "type": "page", "messageId": id, "anonymousId": visitor, "timestamp": "2026-03-02T07:58:00Z",
        "properties": { "url": url, "title": "Áo dài" } })
}
