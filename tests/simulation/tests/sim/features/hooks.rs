//! Outgoing webhooks to receivers that fail. Each event that a webhook wants is delivered under one id, or its delivery
//! shows that it failed. No receiver gets an event of another shop.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Value, json};
use tanigo_local::receiver::{Behaviour, Received};

use super::Feature;
use crate::shop::Shop;
use crate::sim::Sim;

/// Seeds of a hundred that have webhooks.
const SEEDS_WITH: u32 = 25;
/// The events that the webhooks want; the product records them under the same names.
const WANTED: [&str; 2] = ["contact.created", "order.created"];
/// Answers of a receiver that fails.
const FAILURES: [u16; 5] = [500, 503, 429, 404, 302];
/// By then every process knows a webhook, whatever its clock, milliseconds.
const KNOWN_MS: u64 = 25_000;

/// A shop's webhook.
#[derive(Debug, Clone)]
struct Hook {
    id: String,
    /// Events recorded from then on are delivered, epoch milliseconds.
    since_ms: i64,
}

/// Receives the events of shops.
#[derive(Default)]
pub struct Hooks {
    is_on: RefCell<bool>,
    /// One a shop.
    hooks: RefCell<Vec<Hook>>,
}

/// The receiver of a shop.
fn receiver(shop: &Shop) -> String {
    shop.mark("receiver")
}

fn received(sim: &Sim, shop: &Shop) -> Vec<Received> {
    sim.world.providers.receiver().received(&receiver(shop))
}

fn behave(sim: &Sim, shop: &Shop, behaviour: Behaviour) {
    let all = sim.world.providers.receiver();
    all.set(&receiver(shop), behaviour);
}

/// An event on a timeline, and the end of its delivery's id: that of the entry, or of a change that the entry tells.
struct Event {
    text: String,
    ends: [String; 2],
    recorded_ms: i64,
}

/// The recorded events of a shop that its webhook wants.
fn events(sim: &Sim, shop: &Shop, timeline: &[Value]) -> Vec<Event> {
    let tenant = format!("{}#", shop.tenant);
    let mut found = Vec::new();
    for row in timeline {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let (pk, sk, name) = (text("pk"), text("sk"), text("name"));
        let Some(contact) = pk.strip_prefix(&tenant) else {
            continue;
        };
        let (Some((_, event)), true) = (sk.split_once('#'), WANTED.contains(&name)) else {
            continue;
        };
        found.push(Event {
            text: format!("{name} {pk} {sk}"),
            ends: [event.to_owned(), format!("{event}#{name}")]
                .map(|id| format!("_{}", kernel::hash::name(&[name, contact, &id]))),
            recorded_ms: sim.recorded_ms("Timeline", pk, sk).unwrap_or_default(),
        });
    }
    found
}

impl Hooks {
    /// A receiver fails for some calls, or until it is set right.
    fn fail(sim: &Sim, shop: &Shop) {
        let behaviour = if sim.percent(20) {
            Behaviour {
                timeout: true,
                ..Behaviour::default()
            }
        } else {
            Behaviour {
                answer: Some(FAILURES[sim.below(FAILURES.len())]),
                times: sim.percent(70).then(|| 1 + sim.below(7) as u32),
                ..Behaviour::default()
            }
        };
        sim.note(format!("  T{} receives so: {behaviour:?}", shop.n));
        behave(sim, shop, behaviour);
        sim.accepted("failing receivers");
    }

    /// Staff asks for a delivery once more.
    async fn again(&self, sim: &Sim, shop: &Shop) {
        let received = received(sim, shop);
        let Some(one) = received.get(sim.below(received.len())) else {
            return;
        };
        let hook = self.hooks.borrow()[shop.n].clone();
        let path = format!("/v1/webhooks/{}/deliveries/{}/redeliver", hook.id, one.id);
        shop.api(sim, "api-sources", "POST", &path, None).await;
    }

    fn check_shop(sim: &Sim, shop: &Shop, hook: &Hook, timeline: &[Value], rows: &[Value]) {
        let received = received(sim, shop);
        let told = received.iter().filter(|one| one.answered == Some(200));
        let told: BTreeSet<&str> = told.map(|one| one.id.as_str()).collect();
        let tenant = format!("{}#", shop.tenant);
        let mine = |row: &&Value| row["pk"].as_str().is_some_and(|pk| pk.starts_with(&tenant));
        let deliveries = rows.iter().filter(mine).filter(|row| row["id"].is_string());
        let deliveries: Vec<(&str, &str)> = deliveries
            .filter_map(|row| Some((row["id"].as_str()?, row["status"].as_str()?)))
            .collect();
        for event in events(sim, shop, timeline) {
            if event.recorded_ms < hook.since_ms {
                continue;
            }
            let is_own = |id: &str| event.ends.iter().any(|end| id.ends_with(end));
            let own = deliveries.iter().filter(|(id, _)| is_own(id));
            let own: Vec<_> = own.collect();
            match own.as_slice() {
                [(id, "succeeded")] if told.contains(id) => {}
                [(_, "failed")] => {}
                [] => sim.broken("webhook lost", event.text),
                [_] => sim.broken("webhook not delivered", format!("{} {own:?}", event.text)),
                _ => sim.broken("webhook doubled", format!("{} {own:?}", event.text)),
            }
        }
        let mut ids: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for one in &received {
            let data = &one.body["data"];
            let name = format!(
                "{} {} {}",
                one.body["type"], data["contact_id"], data["order_id"]
            );
            ids.entry(name).or_default().insert(&one.id);
            let text = one.body.to_string();
            let is_own = one.body["workspace_id"] == json!(shop.tenant.workspace());
            if !is_own || sim.foreign(shop.n, &text).is_some() {
                sim.broken("tenant", format!("T{} received {text}", shop.n));
            }
            if one.verified != Some(true) || one.body["id"] != one.id.as_str() {
                sim.broken("webhook signed", format!("T{} received {one:?}", shop.n));
            }
        }
        for (name, ids) in ids.iter().filter(|(_, ids)| ids.len() > 1) {
            sim.broken("webhook doubled", format!("T{}: {name} as {ids:?}", shop.n));
        }
    }
}

#[async_trait(?Send)]
impl Feature for Hooks {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[
            ("receive webhooks otherwise", 5),
            ("deliver a webhook again", 3),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
        if !*self.is_on.borrow() {
            return;
        }
        for shop in &sim.shops {
            let url = format!("http://127.0.0.1:8787/_local/receiver/{}", receiver(shop));
            let new = json!({ "url": url, "events": WANTED });
            let made = shop
                .api(sim, "api-sources", "POST", "/v1/webhooks", Some(new))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            let secret = Some(made.text("secret"));
            let behaviour = Behaviour {
                secret,
                ..Behaviour::default()
            };
            behave(sim, shop, behaviour);
            self.hooks.borrow_mut().push(Hook {
                id: made.text("id"),
                since_ms: sim.now_ms() + KNOWN_MS as i64,
            });
        }
        sim.sleep_ms(KNOWN_MS).await;
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        let shop = sim.shop();
        if action.starts_with("receive") {
            if sim.percent(30) {
                behave(sim, shop, Behaviour::default());
            } else {
                Self::fail(sim, shop);
            }
        } else {
            self.again(sim, shop).await;
        }
    }

    async fn calm(&self, sim: &Sim) {
        for shop in &sim.shops {
            behave(sim, shop, Behaviour::default());
        }
    }

    async fn check(&self, sim: &Sim) {
        if !*self.is_on.borrow() {
            return;
        }
        let timeline = sim.world.dump("Timeline").await;
        let rows = sim.world.dump("Webhooks").await;
        let hooks = self.hooks.borrow().clone();
        for (shop, hook) in sim.shops.iter().zip(&hooks) {
            Self::check_shop(sim, shop, hook, &timeline, &rows);
        }
    }
}
