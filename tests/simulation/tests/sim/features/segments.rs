//! Segments. At rest the members of a segment are the contacts for which its conditions hold, whatever was late, twice
//! or in another order.

use std::cell::RefCell;
use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use crate::shop::{KNOWN, Shop, email};
use crate::sim::Sim;

const TAG: &str = "vip";
/// Seeds of a hundred that have segments.
const SEEDS_WITH: u32 = 20;

/// Staff that tags contacts, and changes conditions.
#[derive(Default)]
pub struct Segments {
    /// The segment of each shop; none in most seeds, since each segment is built in 16 shards.
    ids: RefCell<Vec<String>>,
}

fn conditions(tag: &str) -> Value {
    json!({"all": [{"family": "tag", "operator": "has_any", "values": [tag]}]})
}

impl Segments {
    /// The segment of a shop whose members have the tag, if this seed has segments.
    pub fn of(&self, shop: &Shop) -> Option<String> {
        self.ids.borrow().get(shop.n).cloned()
    }

    async fn tag(&self, sim: &Sim) {
        let (shop, person) = (sim.shop(), sim.below(KNOWN));
        let (path, body) = if sim.percent(50) {
            let body = json!({ "email": email(person), "tags": [TAG] });
            ("/v1/contacts", body)
        } else {
            let contact = &shop.contacts[person];
            let body = json!({
                "change": { "remove_tags": [TAG] }, "selection": { "contact_ids": [contact] },
            });
            ("/v1/contacts/bulk", body)
        };
        shop.api(sim, "api-contacts", "POST", path, Some(body))
            .await;
    }

    /// The same conditions once more: a new version is built while contacts change.
    async fn rebuild(&self, sim: &Sim) {
        let shop = sim.shop();
        let Some(id) = self.of(shop) else { return };
        let path = format!("/v1/segments/{id}");
        let body = json!({ "conditions": conditions(TAG) });
        shop.api(sim, "api-segments", "PATCH", &path, Some(body))
            .await;
    }

    async fn members(sim: &Sim, shop: &Shop, id: &str) -> BTreeSet<String> {
        let (mut all, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("/v1/segments/{id}/members{cursor}");
            let page = shop.api(sim, "api-segments", "GET", &path, None).await.body;
            let data = page["data"].as_array().into_iter().flatten();
            all.extend(data.filter_map(|one| one["contact_id"].as_str().map(str::to_owned)));
            let Some(next) = page["next"].as_str() else {
                return all;
            };
            cursor = format!("?cursor={next}");
        }
    }
}

#[async_trait(?Send)]
impl Feature for Segments {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[("tag", 4), ("rebuild a segment", 1)]
    }

    async fn prepare(&self, sim: &Sim) {
        if !sim.percent(SEEDS_WITH) {
            return;
        }
        for shop in &sim.shops {
            shop.equal(sim, "api-segments");
            let body = json!({ "name": shop.mark("segment"), "conditions": conditions(TAG) });
            let made = shop
                .api(sim, "api-segments", "POST", "/v1/segments", Some(body))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            self.ids.borrow_mut().push(made.text("id"));
        }
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            "tag" => self.tag(sim).await,
            _ => self.rebuild(sim).await,
        }
    }

    async fn check(&self, sim: &Sim) {
        let rows = sim.world.dump("Contacts").await;
        for shop in &sim.shops {
            let Some(id) = self.of(shop) else { return };
            let path = format!("/v1/segments/{id}");
            let shown = shop.api(sim, "api-segments", "GET", &path, None).await;
            if shown.text("status") != "ready" {
                sim.broken("segment not built", format!("T{} {}", shop.n, shown.body));
            }
            let own = format!("{}#", shop.tenant);
            let has = |row: &&Value| {
                let tags = row["tags"].as_array().into_iter().flatten();
                // An archived contact is in no segment with conditions.
                let is_in_use = row["sk"] == "PROFILE" && row["archived_at"].is_null();
                is_in_use && tags.into_iter().any(|tag| tag == TAG)
            };
            let contact = |row: &Value| Some(row["pk"].as_str()?.strip_prefix(&own)?.to_owned());
            let expected: BTreeSet<String> = rows.iter().filter(has).filter_map(contact).collect();
            let members = Self::members(sim, shop, &id).await;
            if members != expected {
                let text = format!("T{} {id}: {members:?}, not {expected:?}", shop.n);
                sim.broken("members", text);
            }
        }
    }
}
