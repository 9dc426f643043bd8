//! The shops of a simulation: two tenants whose lists, contacts, workflows and conversations have equal ids, and whose
//! customers have equal addresses. Every text of a shop carries its mark.

use kernel::{Entropy, TenantKey};
use serde_json::{Value, json};
use sources::{NewSource, Provider, Sources};
use tests_world::{grant_of, http_event};

use crate::invoke::Reply;
use crate::sim::Sim;

/// Tenants of a world. Two show each key that lacks its tenant, and a third costs a quarter of a seed's time.
const SHOPS: usize = 2;
/// Customers that each shop knows from the start.
pub const KNOWN: usize = 3;
/// Customers that may come.
pub const PEOPLE: usize = 12;
const HEADER: &str = "x-ladipage-token";
/// The account's administrator.
const ADMIN: &str = "usr_00000000001";

/// One tenant.
pub struct Shop {
    /// Number, from 0.
    pub n: usize,
    /// The tenant.
    pub tenant: TenantKey,
    /// Its LadiPage source and the token.
    pub source: (String, String),
    /// Its chat inbox.
    pub inbox: String,
    /// Its list of customers.
    pub list: String,
    /// Contact ids of the known customers.
    pub contacts: Vec<String>,
}

/// Address of a customer; the same in each shop.
pub fn email(person: usize) -> String {
    format!("p{person}@example.com")
}

/// Number of a customer; the same in each shop.
pub fn phone(person: usize) -> String {
    format!("09123456{person:02}")
}

impl Shop {
    /// Opens all shops; equal steps with equal randomness give equal ids.
    pub async fn open_all(sim: &Sim) -> Vec<Self> {
        let mut shops = Vec::new();
        for n in 0..SHOPS {
            shops.push(Self::open(sim, n).await);
        }
        for shop in &mut shops {
            shop.fill(sim).await;
        }
        sim.forget_processes();
        shops
    }

    /// The parts whose ids are public, and so differ.
    async fn open(sim: &Sim, n: usize) -> Self {
        let world = &sim.world;
        let tenant = world.workspace().await;
        let new = NewSource::of(Provider::Ladipage);
        let sources = Sources::over(&world.resources());
        let (source, token) = sources.create(tenant, new, HEADER).await.unwrap();
        let mut shop = Self {
            n,
            tenant,
            source: (source.to_string(), token),
            inbox: String::new(),
            list: String::new(),
            contacts: Vec::new(),
        };
        let body = json!({ "name": "Website", "allowed_origins": [] });
        let inbox = shop
            .api(sim, "api-chat", "POST", "/v1/inboxes", Some(body))
            .await;
        assert_eq!(inbox.status, 201, "{inbox:?}");
        shop.inbox = inbox.text("id");
        shop
    }

    async fn fill(&mut self, sim: &Sim) {
        self.equal(sim, "api-contacts");
        let name = self.mark("list");
        let list = self
            .api(
                sim,
                "api-contacts",
                "POST",
                "/v1/lists",
                Some(json!({ "name": name })),
            )
            .await;
        assert_eq!(list.status, 201, "{list:?}");
        self.list = list.text("id");
        for person in 0..KNOWN {
            let body = json!({
                "email": email(person), "phone": phone(person), "full_name": self.mark(&format!("person-{person}")),
                "list_ids": [self.list], "email_status": "subscribed",
            });
            let made = self
                .api(sim, "api-contacts", "POST", "/v1/contacts", Some(body))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            self.contacts.push(made.text("id"));
        }
    }

    /// Gives the function a process that draws the same ids in each shop.
    pub fn equal(&self, sim: &Sim, handler: &str) {
        let process = sim.start(handler, 0, Entropy::twin(sim.seed, 1 + self.n as u64));
        sim.install(handler, process);
    }

    /// A text that shows the shop that it belongs to.
    pub fn mark(&self, text: &str) -> String {
        format!("T{}-{text}", self.n)
    }

    /// A request of the shop's staff.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let grant = grant_of(self.tenant.workspace(), "read write admin");
        http_event(method, path, body, Some(&grant))
    }

    /// A request of the account's administrator.
    pub fn admin_request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut grant = grant_of(self.tenant.workspace(), "read write admin");
        grant.role = Some(kernel::Role::AccountAdmin);
        grant.actor = ADMIN.into();
        http_event(method, path, body, Some(&grant))
    }

    /// The API's answer to the shop's staff.
    pub async fn api(
        &self,
        sim: &Sim,
        function: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        sim.ask(function, self.request(method, path, body.as_ref()))
            .await
    }

    /// A POST with an `Idempotency-Key`, repeated while the client has no definite answer.
    pub async fn post_once(
        &self,
        sim: &Sim,
        function: &str,
        path: &str,
        body: &Value,
        key: &str,
    ) -> Reply {
        let mut event = self.request("POST", path, Some(body));
        event["headers"]["idempotency-key"] = key.into();
        self.until_definite(sim, function, event).await
    }

    /// The answer to a request that is repeated while the client has no definite answer.
    pub async fn until_definite(&self, sim: &Sim, function: &str, event: Value) -> Reply {
        let path = event["rawPath"].as_str().unwrap_or_default().to_owned();
        let mut reply = sim.ask_to_repeat(function, event.clone()).await;
        for _ in 0..3 {
            if !reply.wants_repeat() {
                break;
            }
            let pause = 1_000 + sim.below(90_000) as u64;
            sim.sleep_ms(pause).await;
            sim.note(format!("  T{} repeat {path}", self.n));
            reply = sim.ask(function, event.clone()).await;
        }
        reply
    }

    /// A form of a page, as LadiPage posts it.
    pub fn form(&self, body: &Value) -> Value {
        let path = format!("/w/ladipage/{}", self.source.0);
        let mut event = http_event("POST", &path, Some(body), None);
        event["headers"][HEADER] = self.source.1.clone().into();
        event
    }
}
