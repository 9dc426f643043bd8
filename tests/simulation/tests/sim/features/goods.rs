//! Products and carts of an own system: versions arrive repeated and in any order. The latest version of a product stays;
//! a cart that is left behind is told once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use crate::shop::Shop;
use crate::sim::Sim;

/// Products of a shop.
const PRODUCTS: usize = 3;
/// Carts of a shop, each of its own customer.
const CARTS: usize = 4;

/// 2026-03-02T08:00:00Z.
const BASE: i64 = 1_772_438_400;

/// A version that was posted.
#[derive(Debug, Clone)]
struct Version {
    /// Its time, in seconds since [`BASE`]: no two versions share it.
    n: i64,
    kind: &'static str,
    /// Whether the source got 200.
    accepted: bool,
}

/// The number of the shop, and the id of the product or cart.
type Number = (usize, String);

/// Posts versions of products and carts.
#[derive(Default)]
pub struct Goods {
    /// Address and token of each shop's source.
    sources: RefCell<Vec<(String, String)>>,
    versions: RefCell<BTreeMap<Number, Vec<Version>>>,
}

fn at(n: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(BASE + n).unwrap()
}

impl Goods {
    fn event(&self, shop: &Shop, id: &str, version: &Version) -> Value {
        let (path, token) = self.sources.borrow()[shop.n].clone();
        let data = if version.kind.starts_with("product.") {
            json!({ "id": id, "sku": shop.mark(id), "name": shop.mark("Áo"), "price": version.n * 1_000, "stock": version.n })
        } else {
            json!({
                "id": id, "started_at": at(0), "total": version.n * 1_000,
                "customer": { "name": shop.mark("buyer"), "email": format!("{}@example.com", id.to_lowercase()) },
                "items": [{ "sku": "AO", "name": shop.mark("Áo"), "quantity": 1, "price": version.n * 1_000 }],
            })
        };
        let body = json!({ "type": version.kind, "timestamp": at(version.n), "data": data });
        let mut event = tests_world::http_event("POST", &path, Some(&body), None);
        event["pathParameters"] = json!({ "source": path.rsplit('/').next() });
        event["headers"]["authorization"] = format!("Bearer {token}").into();
        event
    }

    fn check_product(sim: &Sim, text: &str, versions: &[Version], stored: &[&Value]) {
        let accepted = versions.iter().filter(|one| one.accepted);
        let accepted = accepted.map(|one| one.n).max();
        let Some(row) = stored.first() else {
            if accepted.is_some() {
                sim.broken("product lost", format!("{text} {versions:?}"));
            }
            return;
        };
        if stored.len() > 1 {
            sim.broken("product doubled", format!("{stored:?}"));
        }
        let time = row["source_at"].as_str().unwrap_or_default();
        let time: jiff::Timestamp = time.parse().unwrap_or_default();
        let n = time.as_second() - BASE;
        let known = versions.iter().find(|one| one.n == n);
        let is_whole = known.is_some_and(|one| {
            if one.kind == "product.deleted" {
                row["status"] == "archived"
            } else {
                row["status"] == "active" && row["price"] == n * 1_000
            }
        });
        if !is_whole || accepted.is_some_and(|accepted| n < accepted) {
            let found = format!("{text} has {n} of {versions:?}: {row}");
            sim.broken("product of an older version", found);
        }
    }

    fn check_cart(sim: &Sim, text: &str, versions: &[Version], told: usize) {
        if told > 1 {
            sim.broken("cart told twice", format!("{text}: {told}"));
        }
        let is_ordered = versions.iter().any(|one| one.kind == "cart.ordered");
        let last = versions.last();
        let is_left = last.is_some_and(|one| one.kind == "cart.abandoned" && one.accepted);
        if is_left && !is_ordered && told == 0 {
            sim.broken("cart not told", format!("{text} {versions:?}"));
        }
    }
}

#[async_trait(?Send)]
impl Feature for Goods {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[("product", 4), ("cart", 4)]
    }

    async fn prepare(&self, sim: &Sim) {
        for shop in &sim.shops {
            let new = json!({ "name": shop.mark("goods"), "provider": "custom" });
            let made = shop
                .api(sim, "api-sources", "POST", "/v1/sources", Some(new))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            let source = (made.text("path"), made.text("token"));
            self.sources.borrow_mut().push(source);
        }
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        let shop = sim.shop();
        let (id, kinds): (String, &[&'static str]) = match action {
            "product" => (
                format!("P-{}", sim.below(PRODUCTS)),
                &["product.updated", "product.updated", "product.deleted"],
            ),
            _ => (
                format!("C-{}", sim.below(CARTS)),
                &["cart.updated", "cart.abandoned", "cart.ordered"],
            ),
        };
        let last = self
            .versions
            .borrow()
            .values()
            .flatten()
            .map(|one| one.n)
            .max();
        let now = sim.world.now().as_second() - BASE;
        let n = now.max(last.unwrap_or_default() + 1);
        let kind = kinds[sim.below(kinds.len())];
        let version = Version {
            n,
            kind,
            accepted: false,
        };
        let number = (shop.n, id.clone());
        let event = self.event(shop, &id, &version);
        self.versions
            .borrow_mut()
            .entry(number.clone())
            .or_default()
            .push(version);
        sim.note(format!("  {kind} {n} of {}", shop.mark(&id)));
        let mut accepted = sim.ask("webhook-custom", event.clone()).await.is_ok();
        while sim.percent(if accepted { 20 } else { 60 }) {
            accepted |= sim.ask("webhook-custom", event.clone()).await.is_ok();
        }
        if accepted {
            sim.accepted("goods");
            let mut versions = self.versions.borrow_mut();
            let mut own = versions.get_mut(&number).into_iter().flatten();
            if let Some(one) = own.find(|one| one.n == n) {
                one.accepted = true;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        let commerce = sim.world.dump("Commerce").await;
        let timeline = sim.world.dump("Timeline").await;
        for ((shop, id), versions) in &*self.versions.borrow() {
            let shop = &sim.shops[*shop];
            let tenant = shop.tenant.to_string();
            let text = shop.mark(id);
            let mine = |row: &&Value| row["pk"].as_str().is_some_and(|pk| pk.starts_with(&tenant));
            if id.starts_with("P-") {
                let stored = commerce.iter().filter(mine);
                let stored: Vec<&Value> = stored
                    .filter(|row| row["sk"] == "PRODUCT" && row["external_id"] == id.as_str())
                    .collect();
                Self::check_product(sim, &text, versions, &stored);
            } else {
                let told = timeline.iter().filter(mine);
                let told = told.filter(|row| {
                    row["name"] == "cart.abandoned" && row["data"]["cart_id"] == id.as_str()
                });
                Self::check_cart(sim, &text, versions, told.count());
            }
        }
    }
}
