//! Own systems that track what persons do: SDKs repeat calls, clocks are wrong, and visitors become known. Each accepted
//! event is once on the timeline of its person.

use std::cell::RefCell;
use std::collections::BTreeMap;

use accounts::ApiKeys;
use async_trait::async_trait;
use jiff::SignedDuration;
use kernel::Scope;
use serde_json::{Value, json};

use super::Feature;
use crate::invoke::Reply;
use crate::shop::Shop;
use crate::sim::Sim;

/// Seeds of a hundred that track.
const SEEDS_WITH: u32 = 25;
/// Persons of a shop, each with a browser of its own.
const PERSONS: usize = 4;
/// Calls of a request at most.
const CALLS: usize = 4;
/// A clock that shows the time of Vietnam as UTC.
const AHEAD: SignedDuration = SignedDuration::from_hours(7);
/// An SDK sends again within this time, milliseconds.
const PAUSE_MS: usize = 40_000;

/// An event that was sent.
#[derive(Debug, Clone)]
struct Sent {
    shop: usize,
    mark: String,
    person: usize,
    /// Whether the call has the person's id, or the browser's alone.
    is_named: bool,
    accepted: bool,
}

/// Tracks persons.
#[derive(Default)]
pub struct Visits {
    is_on: RefCell<bool>,
    /// The secret and the public key of each shop.
    keys: RefCell<Vec<[String; 2]>>,
    sent: RefCell<Vec<Sent>>,
    /// Browsers that an accepted call has joined to their persons, by shop and person.
    joined: RefCell<Vec<(usize, usize)>>,
}

fn user(person: usize) -> String {
    format!("KH-{person}")
}

fn browser(person: usize) -> String {
    format!("browser-{person}")
}

/// A request that an SDK sends, and sends again.
struct Request {
    key: String,
    calls: Vec<Value>,
    /// By how much the sender's clock is ahead.
    ahead: SignedDuration,
}

impl Request {
    async fn send(&self, sim: &Sim) -> Reply {
        let sent = sim.world.now() + self.ahead;
        let body = json!({ "batch": self.calls, "sentAt": sent, "writeKey": self.key });
        let event = tests_world::http_event("POST", "/v1/batch", Some(&body), None);
        sim.ask("track-events", event).await
    }
}

impl Visits {
    /// A call about a person, and whether it joins the browser to the person.
    fn call(&self, sim: &Sim, shop: &Shop, person: usize, ahead: SignedDuration) -> (Value, bool) {
        let n = self.sent.borrow().len();
        let mark = shop.mark(&format!("visit-{n}"));
        let kind = sim.below(6);
        let (name, is_named, is_joined) = match kind {
            0 => ("identify", true, true),
            1 => ("alias", true, true),
            2 => ("track", true, false),
            3 => ("track", true, true),
            _ => ("page", false, false),
        };
        let age = 5_000 + sim.below(600_000) as i64;
        let at = sim.world.now() + ahead - SignedDuration::from_millis(age);
        let mut call = json!({ "type": name, "messageId": mark, "timestamp": at });
        if is_named {
            call["userId"] = user(person).into();
        }
        if is_joined || !is_named {
            let place = if name == "alias" {
                "previousId"
            } else {
                "anonymousId"
            };
            call[place] = browser(person).into();
        }
        match name {
            "identify" => {
                call["traits"] = json!({ "name": shop.mark(&format!("visitor-{person}")) });
            }
            "track" => call["event"] = shop.mark("bought").into(),
            "page" => call["properties"] = json!({ "url": "https://shop.vn/", "title": mark }),
            _ => {}
        }
        if matches!(name, "track" | "page") {
            self.sent.borrow_mut().push(Sent {
                shop: shop.n,
                mark,
                person,
                is_named,
                accepted: false,
            });
        }
        (call, is_joined)
    }

    /// Rows of events by tenant and id, each as the partition that holds it.
    async fn rows(sim: &Sim) -> BTreeMap<(usize, String), Vec<String>> {
        let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for row in sim.world.dump("Timeline").await {
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            let (pk, sk) = (text("pk"), text("sk"));
            let Some((_, id)) = sk.split_once("#t.") else {
                continue;
            };
            let of = |shop: &&Shop| pk.starts_with(&shop.tenant.to_string());
            if let Some(shop) = sim.shops.iter().find(of) {
                let rows = found.entry((shop.n, id.to_owned())).or_default();
                rows.push(pk.to_owned());
            }
        }
        found
    }

    /// The contacts of persons, by shop and the person's id; in the shape of the timeline's partitions.
    async fn owners(sim: &Sim) -> BTreeMap<(usize, String), Vec<String>> {
        let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for row in sim.world.dump("Contacts").await {
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            let pk = text("pk");
            let of = |shop: &&Shop| pk.starts_with(&shop.tenant.to_string());
            if text("sk") == "PROFILE"
                && !text("external_id").is_empty()
                && let Some(shop) = sim.shops.iter().find(of)
            {
                let own = found.entry((shop.n, text("external_id").to_owned()));
                own.or_default().push(pk.to_owned());
            }
        }
        found
    }
}

#[async_trait(?Send)]
impl Feature for Visits {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[("track", 12)]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
        if !*self.is_on.borrow() {
            return;
        }
        let keys = ApiKeys::over(&sim.world.resources());
        let account = tests_world::ACCOUNT.parse().unwrap();
        for shop in &sim.shops {
            let key = async |scopes: &[Scope]| {
                let made = keys.create(account, shop.tenant, "sdk", scopes).await;
                made.unwrap().token
            };
            let secret = key(&[Scope::Track, Scope::Write]).await;
            let public = key(&[Scope::Track]).await;
            self.keys.borrow_mut().push([secret, public]);
        }
    }

    async fn act(&self, sim: &Sim, _: &'static str) {
        let shop = sim.shop();
        let ahead = if sim.percent(15) {
            AHEAD
        } else {
            SignedDuration::ZERO
        };
        let first = self.sent.borrow().len();
        let mut calls = Vec::new();
        let mut joined = Vec::new();
        for _ in 0..=sim.below(CALLS) {
            let person = sim.below(PERSONS);
            let (call, joins) = self.call(sim, shop, person, ahead);
            if joins {
                joined.push((shop.n, person));
            }
            calls.push(call);
        }
        let last = self.sent.borrow().len();
        let request = Request {
            key: self.keys.borrow()[shop.n][sim.below(2)].clone(),
            calls,
            ahead,
        };
        sim.note(format!("  T{} tracks {}", shop.n, json!(request.calls)));
        let mut accepted = false;
        loop {
            let reply = request.send(sim).await;
            if reply.is_ok() && reply.body["accepted"] != request.calls.len() {
                sim.broken("track refused", reply.body.to_string());
            }
            accepted |= reply.is_ok();
            if !sim.percent(if accepted { 20 } else { 70 }) {
                break;
            }
            let pause = 1 + sim.below(PAUSE_MS);
            sim.sleep_ms(pause as u64).await;
        }
        if accepted {
            sim.accepted("tracking requests");
            self.joined.borrow_mut().extend(joined);
            for one in &mut self.sent.borrow_mut()[first..last] {
                one.accepted = true;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        if !*self.is_on.borrow() {
            return;
        }
        let (rows, owners) = (Self::rows(sim).await, Self::owners(sim).await);
        for (person, found) in owners.iter().filter(|(_, found)| found.len() > 1) {
            sim.broken("visitor doubled", format!("{person:?}: {found:?}"));
        }
        let joined = self.joined.borrow();
        for sent in self.sent.borrow().iter() {
            let found = rows.get(&(sent.shop, sent.mark.clone()));
            let found = found.map(Vec::as_slice).unwrap_or_default();
            if found.len() > 1 {
                sim.broken("visit doubled", format!("{sent:?} {found:?}"));
            }
            let Some(place) = found.first() else {
                if sent.accepted {
                    sim.broken("visit lost", format!("{sent:?}"));
                }
                continue;
            };
            let owner = owners.get(&(sent.shop, user(sent.person)));
            let is_own = owner.is_some_and(|own| own.contains(place));
            let is_known = sent.is_named || joined.contains(&(sent.shop, sent.person));
            let is_anonymous = place.contains("#anon_");
            if !is_own && (is_known || !is_anonymous) {
                let text = format!("{sent:?} is at {place}, not at {owner:?}");
                sim.broken("visit of another", text);
            }
        }
    }
}
