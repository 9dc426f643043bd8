//! Orders of an own system: versions arrive repeated and in any order, and the latest version counts once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use crate::shop::{PEOPLE, Shop, email, phone};
use crate::sim::Sim;

/// Orders of a shop that versions are about.
const ORDERS: usize = 4;
/// Statuses of versions, the last of which counts among the contact's totals.
const STATUSES: [&str; 4] = ["new", "confirmed", "shipping", "completed"];

/// 2026-03-02T08:00:00Z.
const BASE: i64 = 1_772_438_400;

/// A version that was posted.
#[derive(Debug, Clone, Copy)]
struct Version {
    /// Its time and its total, in thousands of dong: no two versions share it.
    n: i64,
    status: &'static str,
    /// Whether the source got 200.
    accepted: bool,
}

/// An order's number in its shop, and the number of the shop.
type Number = (usize, usize);

/// Posts versions of orders.
#[derive(Default)]
pub struct Orders {
    /// Address and token of each shop's source.
    sources: RefCell<Vec<(String, String)>>,
    versions: RefCell<BTreeMap<Number, Vec<Version>>>,
}

/// The buyer of an order is always the same.
fn buyer(order: usize) -> usize {
    PEOPLE - 1 - order
}

fn code(shop: &Shop, order: usize) -> String {
    shop.mark(&format!("order-{order}"))
}

impl Orders {
    fn event(&self, shop: &Shop, order: usize, version: Version) -> Value {
        let (path, token) = self.sources.borrow()[shop.n].clone();
        let base = jiff::Timestamp::from_second(BASE).unwrap();
        let at = base + jiff::SignedDuration::from_secs(version.n);
        let body = json!({
            "type": "order.updated", "timestamp": at,
            "data": {
                "id": format!("W-{order}"), "code": code(shop, order), "status": version.status,
                "ordered_at": base, "total": version.n * 1_000,
                "customer": { "name": shop.mark("buyer"), "email": email(buyer(order)), "phone": phone(buyer(order)) },
                "items": [{ "sku": "AO", "name": shop.mark("Áo"), "quantity": 1, "price": version.n * 1_000 }],
            },
        });
        let mut event = tests_world::http_event("POST", &path, Some(&body), None);
        event["pathParameters"] = json!({ "source": path.rsplit('/').next() });
        event["headers"]["authorization"] = format!("Bearer {token}").into();
        event
    }

    /// The stored orders of a shop by their ids at the source, and the timeline's entries of new orders.
    fn check_shop(&self, sim: &Sim, shop: &Shop, rows: &Tables) {
        let mine = |row: &&Value| {
            let tenant = shop.tenant.to_string();
            row["pk"].as_str().is_some_and(|pk| pk.starts_with(&tenant))
        };
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for order in 0..ORDERS {
            let all = self.versions.borrow();
            let versions = all.get(&(shop.n, order)).cloned().unwrap_or_default();
            let id = format!("W-{order}");
            let stored = rows.commerce.iter().filter(mine);
            let stored: Vec<&Value> = stored
                .filter(|row| row["sk"] == "ORDER" && row["external_id"] == id.as_str())
                .collect();
            let accepted = versions
                .iter()
                .filter(|one| one.accepted)
                .map(|one| one.n)
                .max();
            let Some(row) = stored.first() else {
                if accepted.is_some() {
                    sim.broken("order lost", format!("{} {versions:?}", code(shop, order)));
                }
                continue;
            };
            if stored.len() > 1 {
                sim.broken("order doubled", format!("{stored:?}"));
            }
            let total = row["total"].as_i64().unwrap_or_default() / 1_000;
            let is_known = versions.iter().any(|one| one.n == total);
            if !is_known || accepted.is_some_and(|accepted| total < accepted) {
                let text = format!("{} has {total} of {versions:?}", code(shop, order));
                sim.broken("order of an older version", text);
            }
            let told = rows.timeline.iter().filter(mine).filter(|entry| {
                entry["name"] == "order.created" && entry["data"]["order_id"] == row["id"]
            });
            let told = told.count();
            if told != 1 {
                sim.broken(
                    "order told",
                    format!("{} told {told} times", code(shop, order)),
                );
            }
            let contact = row["contact_id"].as_str().unwrap_or_default().to_owned();
            if contact.is_empty() {
                continue;
            }
            let counts = row["status"] == "completed";
            *sums.entry(contact).or_default() += if counts { total * 1_000 } else { 0 };
        }
        for (contact, sum) in sums {
            let states = rows
                .contacts
                .iter()
                .filter(mine)
                .filter(|row| row["sk"] == "STATE");
            let state = states
                .clone()
                .find(|row| row["pk"].as_str().is_some_and(|pk| pk.ends_with(&contact)));
            let known = state
                .and_then(|row| row["ord"]["sum"].as_i64())
                .unwrap_or_default();
            if known != sum {
                sim.broken("order totals", format!("{contact} has {known}, not {sum}"));
            }
        }
    }
}

/// The rows that the checks read.
struct Tables {
    commerce: Vec<Value>,
    contacts: Vec<Value>,
    timeline: Vec<Value>,
}

#[async_trait(?Send)]
impl Feature for Orders {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[("order", 8)]
    }

    async fn prepare(&self, sim: &Sim) {
        for shop in &sim.shops {
            let new = json!({ "name": shop.mark("source"), "provider": "custom" });
            let made = shop
                .api(sim, "api-sources", "POST", "/v1/sources", Some(new))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            let source = (made.text("path"), made.text("token"));
            self.sources.borrow_mut().push(source);
        }
    }

    async fn act(&self, sim: &Sim, _: &'static str) {
        let (shop, order) = (sim.shop(), sim.below(ORDERS));
        let number = (shop.n, order);
        let n = self
            .versions
            .borrow()
            .values()
            .map(|all| all.len() as i64)
            .sum::<i64>()
            + 1;
        let status = STATUSES[sim.below(STATUSES.len())];
        let version = Version {
            n,
            status,
            accepted: false,
        };
        self.versions
            .borrow_mut()
            .entry(number)
            .or_default()
            .push(version);
        sim.note(format!("  version {n} ({status}) of {}", code(shop, order)));
        let event = self.event(shop, order, version);
        let mut accepted = sim.ask("webhook-custom", event.clone()).await.is_ok();
        while sim.percent(if accepted { 20 } else { 60 }) {
            accepted |= sim.ask("webhook-custom", event.clone()).await.is_ok();
        }
        if accepted {
            sim.accepted("orders");
            let mut versions = self.versions.borrow_mut();
            if let Some(one) = versions
                .get_mut(&number)
                .and_then(|all| all.iter_mut().find(|one| one.n == n))
            {
                one.accepted = true;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        let rows = Tables {
            commerce: sim.world.dump("Commerce").await,
            contacts: sim.world.dump("Contacts").await,
            timeline: sim.world.dump("Timeline").await,
        };
        for shop in &sim.shops {
            self.check_shop(sim, shop, &rows);
        }
    }
}
