//! Requests about personal data, as staff enters, verifies and runs them.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::lives::Person;
use crate::invoke::Reply;
use crate::shop::Shop;
use crate::sim::Sim;

const FUNCTION: &str = "api-privacy";
const PATH: &str = "/v1/privacy-requests";

/// A request that was entered.
#[derive(Debug, Clone)]
struct Asked {
    shop: usize,
    person: usize,
    kind: &'static str,
    mark: String,
    /// Its id; empty: the client has no definite answer.
    id: String,
    /// Whether `run` was answered.
    ran: bool,
}

/// The requests of a seed.
#[derive(Default)]
pub struct Requests(RefCell<Vec<Asked>>);

async fn ask(sim: &Sim, shop: &Shop, method: &str, path: &str, body: Value) -> Reply {
    let body = Some(body).filter(|body| !body.is_null());
    let event = shop.admin_request(method, path, body.as_ref());
    shop.until_definite(sim, FUNCTION, event).await
}

impl Requests {
    /// Enters a request of a person and runs it; true: the run was answered.
    pub async fn run(&self, sim: &Sim, person: &Person, kind: &'static str) -> bool {
        let shop = &sim.shops[person.shop];
        let n = self.0.borrow().len();
        let mark = shop.mark(&format!("request-{n}"));
        self.0.borrow_mut().push(Asked {
            shop: shop.n,
            person: person.n,
            kind,
            mark: mark.clone(),
            id: String::new(),
            ran: false,
        });
        let body = json!({ "type": kind, "requester": mark, "contact_id": person.id });
        let mut event = shop.admin_request("POST", PATH, Some(&body));
        event["headers"]["idempotency-key"] = mark.clone().into();
        sim.note(format!(
            "  T{} request {mark}: {kind} {}",
            shop.n, person.id
        ));
        let made = shop.until_definite(sim, FUNCTION, event).await;
        if !made.is_ok() {
            return false;
        }
        let id = made.text("id");
        self.0.borrow_mut()[n].id.clone_from(&id);
        let path = format!("{PATH}/{id}");
        let verified = ask(sim, shop, "PATCH", &path, json!({ "verified": true })).await;
        if !verified.is_ok() {
            return false;
        }
        let run = ask(sim, shop, "POST", &format!("{path}/run"), Value::Null).await;
        if run.is_ok() {
            sim.accepted("requests about data");
            self.0.borrow_mut()[n].ran = true;
        }
        run.is_ok()
    }

    /// Each request is listed once, and its run is in force.
    pub async fn check(&self, sim: &Sim, people: &[Person]) {
        let asked = self.0.borrow().clone();
        for shop in &sim.shops {
            let path = format!("{PATH}?status=all&limit=100");
            let list = ask(sim, shop, "GET", &path, Value::Null).await.body;
            let list = list["data"].as_array().cloned().unwrap_or_default();
            for one in asked.iter().filter(|one| one.shop == shop.n) {
                let found = list.iter().filter(|row| row["requester"] == one.mark);
                let count = found.clone().count();
                if count > 1 || (count == 0 && !one.id.is_empty()) {
                    sim.broken("request about data", format!("{one:?}: {count} times"));
                }
                if one.ran && found.clone().any(|row| row["ran_at"].is_null()) {
                    sim.broken("request about data", format!("{one:?} has not run"));
                }
                if one.ran {
                    Self::check_run(sim, shop, one, &people[one.person]).await;
                }
            }
        }
    }

    async fn check_run(sim: &Sim, shop: &Shop, asked: &Asked, person: &Person) {
        match asked.kind {
            "access" => {
                let key = format!("privacy/{}/{}.json", shop.tenant, asked.id);
                let bucket = sim.world.resources().bucket("Imports");
                let file = bucket.range(&key, 0, 1 << 20).await.expect("a bucket");
                let file = file.map(|file| file.bytes).unwrap_or_default();
                let file: Value = serde_json::from_slice(&file).unwrap_or_default();
                if file["contact"]["id"] != person.id {
                    sim.broken("request about data", format!("{asked:?} shows {file}"));
                }
            }
            // Readers of campaigns may come back.
            "withdraw" if !person.asked && !person.listed => {
                let path = format!("/v1/contacts/{}", person.id);
                let shown = shop.api(sim, "api-contacts", "GET", &path, None).await;
                if shown.text("email_status") != "unsubscribed" {
                    sim.broken("request about data", format!("{asked:?}: {}", shown.body));
                }
            }
            _ => {}
        }
    }
}
