//! A shop with sources that tell of products and carts.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::TenantKey;
use serde_json::{Value, json};

use crate::support::{World, grant_of, hmac_of, http_event};

/// The secret of a provider that signs.
pub const KEY: &str = "test-client-secret-01";

pub struct Shop {
    pub world: World,
    pub tenant: TenantKey,
}

/// A source of the shop.
pub struct Door {
    provider: &'static str,
    source: Value,
}

impl Shop {
    pub async fn open() -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        world.swept().await;
        Self { world, tenant }
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let event = self.request(method, path, body.as_ref());
        let function = match path {
            _ if path.starts_with("/v1/contacts") => "api-contacts",
            _ if path.starts_with("/v1/imports") => "api-contacts",
            _ if path.starts_with("/v1/sources") => "api-sources",
            _ => "api-commerce",
        };
        self.world.ask(function, event).await
    }

    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut grant = grant_of(self.tenant.workspace(), "admin");
        grant.role = Some(kernel::Role::AccountAdmin);
        http_event(method, path, body, Some(&grant))
    }

    pub async fn door(&self, provider: &'static str, more: Value) -> Door {
        let mut new = json!({ "name": provider, "provider": provider });
        if provider != "custom" {
            new["secret"] = KEY.into();
        }
        for (name, value) in more.as_object().unwrap() {
            new[name] = value.clone();
        }
        let (status, source) = self.ask("POST", "/v1/sources", Some(new)).await;
        assert_eq!(status, 201, "{source}");
        Door { provider, source }
    }

    /// A request of the provider with its proof. `topic` is a header of Haravan and Sapo.
    pub fn call(&self, door: &Door, topic: &str, body: &Value) -> Value {
        let body = body.to_string();
        let path = door.source["path"].as_str().unwrap();
        let mut event = http_event("POST", path, None, None);
        event["pathParameters"] = json!({ "source": door.source["id"] });
        let digest = hmac_of(KEY.as_bytes(), &body);
        let headers = &mut event["headers"];
        match door.provider {
            "haravan" => {
                headers["x-haravan-topic"] = topic.into();
                headers["x-haravan-org-id"] = "1000101234".into();
                headers["x-haravan-hmacsha256"] = STANDARD.encode(digest).into();
            }
            "sapo" => {
                headers["x-sapo-topic"] = topic.into();
                headers["x-sapo-shop-domain"] = "ao-dai.mysapo.net".into();
                headers["x-sapo-hmac-sha256"] = STANDARD.encode(digest).into();
            }
            "kiotviet" => headers["x-hub-signature"] = hex::encode(digest).into(),
            _ => {
                let token = door.source["token"].as_str().unwrap();
                headers["authorization"] = format!("Bearer {token}").into();
            }
        }
        event["body"] = body.into();
        event
    }

    /// Posts a request and handles it.
    pub async fn tell(&self, door: &Door, topic: &str, body: &Value) {
        let function = format!("webhook-{}", door.provider);
        let event = self.call(door, topic, body);
        assert_eq!(self.world.ask(&function, event).await.0, 200);
        self.world.settle_twice().await;
        let path = format!(
            "/v1/sources/{}/failed-requests",
            door.source["id"].as_str().unwrap()
        );
        let (_, failed) = self.ask("GET", &path, None).await;
        assert_eq!(failed["data"], json!([]), "{topic} {body}");
    }

    /// Posts an event of an own system and handles it.
    pub async fn say(&self, door: &Door, kind: &str, at: &str, data: Value) {
        let body = json!({ "type": kind, "timestamp": at, "data": data });
        self.tell(door, "", &body).await;
    }

    /// Lets time pass, minute by minute, with what falls due.
    pub async fn wait(&self, minutes: u64) {
        for _ in 0..minutes {
            self.world.advance(Duration::from_mins(1));
            self.world.invoke("due-timer", json!({})).await.unwrap();
            self.world.settle_twice().await;
        }
    }

    /// Write units of the tables of a shop since the snapshot.
    pub fn writes(&self, before: &tanigo_local::aws::MeterSnapshot) -> f64 {
        let tables = ["Commerce", "Contacts", "Timeline", "Timers"];
        let units = tables.iter();
        units
            .map(|name| self.world.writes_since(before, name))
            .sum()
    }
}
