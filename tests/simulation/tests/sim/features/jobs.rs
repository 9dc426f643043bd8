//! Jobs over many contacts. A bulk job changes each contact of its selection, and gives its turn back. An export has
//! each contact once.

use std::cell::RefCell;
use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use crate::shop::{KNOWN, Shop};
use crate::sim::Sim;

/// Seeds of a hundred that have jobs.
const SEEDS_WITH: u32 = 20;
/// Longest file of an export that is read.
const MAX_FILE: u64 = 1 << 20;

/// A job that tags contacts, or takes the tag of an earlier job away.
#[derive(Debug, Clone)]
struct Bulk {
    shop: usize,
    tag: String,
    adds: bool,
    /// Empty: the client has no definite answer, or the job was refused.
    id: String,
    refused: bool,
}

/// An export.
#[derive(Debug, Clone)]
struct Export {
    shop: usize,
    id: String,
}

/// Starts jobs.
#[derive(Default)]
pub struct Jobs {
    is_on: RefCell<bool>,
    bulks: RefCell<Vec<Bulk>>,
    exports: RefCell<Vec<Export>>,
}

impl Jobs {
    async fn bulk(&self, sim: &Sim) {
        let (shop, n) = (sim.shop(), self.bulks.borrow().len());
        let (mut tag, mut change) = (shop.mark(&format!("bulk-{n}")), "add_tags");
        // Of each tag one removal, after the job that adds it has ended.
        if let Some(earlier) = self.to_take_away(sim, shop).await {
            (tag, change) = (earlier, "remove_tags");
        }
        let selection = match (change, sim.below(2)) {
            ("remove_tags", 0) => json!({ "tag": tag }),
            (_, 0) => json!({ "list_id": shop.list }),
            _ => json!({ "contact_ids": shop.contacts }),
        };
        self.bulks.borrow_mut().push(Bulk {
            shop: shop.n,
            tag: tag.clone(),
            adds: change == "add_tags",
            id: String::new(),
            refused: false,
        });
        let body = json!({ "change": { change: [tag] }, "selection": selection });
        let key = shop.mark(&format!("bulk-key-{n}"));
        sim.note(format!("  T{} {change} {tag}", shop.n));
        let path = "/v1/contacts/bulk";
        let reply = shop.post_once(sim, "api-contacts", path, &body, &key).await;
        let mut bulks = self.bulks.borrow_mut();
        bulks[n].refused = !reply.is_ok() && !reply.wants_repeat();
        if reply.is_ok() {
            sim.accepted("bulk jobs");
            bulks[n].id = reply.text("id");
        }
    }

    /// The tag of a job of this shop that has ended, if nobody has taken it away.
    async fn to_take_away(&self, sim: &Sim, shop: &Shop) -> Option<String> {
        let bulks = self.bulks.borrow().clone();
        let own = bulks.iter().filter(|one| one.shop == shop.n);
        let gone: BTreeSet<&String> = own
            .clone()
            .filter(|one| !one.adds)
            .map(|one| &one.tag)
            .collect();
        let mut left = own.filter(|one| one.adds && !one.id.is_empty() && !gone.contains(&one.tag));
        let one = left.next()?;
        let is_done = self.shown(sim, one).await["status"] == "completed";
        is_done.then(|| one.tag.clone())
    }

    async fn shown(&self, sim: &Sim, bulk: &Bulk) -> Value {
        let path = format!("/v1/contacts/bulk/{}", bulk.id);
        let shop = &sim.shops[bulk.shop];
        shop.api(sim, "api-contacts", "GET", &path, None).await.body
    }

    async fn export(&self, sim: &Sim) {
        let (shop, n) = (sim.shop(), self.exports.borrow().len());
        let body = if sim.percent(50) {
            json!({})
        } else {
            json!({ "list_id": shop.list })
        };
        let mut event = shop.admin_request("POST", "/v1/exports", Some(&body));
        event["headers"]["idempotency-key"] = shop.mark(&format!("export-{n}")).into();
        let reply = shop.until_definite(sim, "api-contacts", event).await;
        if reply.is_ok() {
            sim.accepted("exports");
            let (shop, id) = (shop.n, reply.text("id"));
            self.exports.borrow_mut().push(Export { shop, id });
        }
    }

    async fn check_bulks(&self, sim: &Sim) {
        let bulks = self.bulks.borrow().clone();
        let rows = sim.world.dump("Contacts").await;
        // Also that of a client who has no definite answer.
        let turns = rows.iter().filter(|row| row["sk"] == "RUNNING");
        for row in turns.flat_map(|row| row["items"].as_array().into_iter().flatten()) {
            sim.broken("bulk job", format!("a job keeps its turn: {row}"));
        }
        for bulk in &bulks {
            let shop = &sim.shops[bulk.shop];
            let own = format!("{}#", shop.tenant);
            let kind = if bulk.adds { "add_tags" } else { "remove_tags" };
            let is = |row: &&Value| {
                let is_own = row["pk"].as_str().is_some_and(|pk| pk.starts_with(&own));
                is_own
                    && row["sk"] == "BULK"
                    && row["action"] == json!({ "type": kind, "tags": [bulk.tag] })
            };
            let count = rows
                .iter()
                .filter(is)
                .filter(|row| row["status"] != "refused")
                .count();
            if count > 1 || (bulk.id.is_empty() == (count == 1) && bulk.refused) {
                sim.broken("write with a key", format!("{bulk:?}: {count} jobs"));
            }
            if bulk.id.is_empty() {
                continue;
            }
            let job = self.shown(sim, bulk).await;
            if job["status"] != "completed" {
                sim.broken("bulk job", format!("{bulk:?} has not ended: {job}"));
            }
            Self::check_tag(sim, bulk, &bulks, &rows);
        }
    }

    /// The customers that each shop knows are in every selection.
    fn check_tag(sim: &Sim, bulk: &Bulk, bulks: &[Bulk], rows: &[Value]) {
        let shop = &sim.shops[bulk.shop];
        let later = |one: &&Bulk| !one.adds && one.tag == bulk.tag && !one.refused;
        let removal = bulks.iter().find(later);
        let expected = match removal {
            Some(removal) if removal.id.is_empty() => return,
            removal => removal.is_none(),
        };
        for contact in &shop.contacts[..KNOWN] {
            let pk = format!("{}#{contact}", shop.tenant);
            let profile = rows
                .iter()
                .find(|row| row["pk"] == pk && row["sk"] == "PROFILE");
            let mut tags = profile
                .iter()
                .flat_map(|row| row["tags"].as_array().into_iter().flatten());
            if tags.any(|tag| *tag == bulk.tag) != expected {
                sim.broken(
                    "bulk job",
                    format!("{bulk:?}: {contact} has the tag: {}", !expected),
                );
            }
        }
    }

    async fn check_export(&self, sim: &Sim, export: &Export) {
        let shop = &sim.shops[export.shop];
        let path = format!("/v1/exports/{}", export.id);
        let event = shop.admin_request("GET", &path, None);
        let shown = sim.ask("api-contacts", event).await.body;
        let key = format!("exports/{}/{}.csv", shop.tenant, export.id);
        let bucket = sim.world.resources().bucket("Imports");
        let file = bucket.range(&key, 0, MAX_FILE).await.expect("a bucket");
        let file = file.map(|file| file.bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(&file).into_owned();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let ids = lines.iter().filter_map(|line| line.split(',').next());
        let ids: BTreeSet<&str> = ids.collect();
        let all = shop.contacts.iter().all(|id| ids.contains(id.as_str()));
        if shown["status"] != "completed"
            || shown["rows"] != lines.len()
            || ids.len() != lines.len()
            || !all
        {
            sim.broken("export", format!("{export:?}: {shown}\n{text}"));
        }
        if let Some(other) = sim.foreign(shop.n, &text) {
            sim.broken("tenant", format!("{export:?} shows {other}"));
        }
    }
}

#[async_trait(?Send)]
impl Feature for Jobs {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[("bulk job", 7), ("export", 4)]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            "bulk job" => self.bulk(sim).await,
            _ => self.export(sim).await,
        }
        if sim.percent(40) {
            sim.hurry(&["contact-bulk", "contact-export"], 2).await;
        }
    }

    async fn check(&self, sim: &Sim) {
        if !self.bulks.borrow().is_empty() {
            self.check_bulks(sim).await;
        }
        let exports = self.exports.borrow().clone();
        for export in &exports {
            self.check_export(sim, export).await;
        }
    }
}
