//! Contacts. Edits are not undone by a file that was read before. Every row of a file is stored. A write with an
//! `Idempotency-Key` is made once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use crate::shop::{KNOWN, email};
use crate::sim::Sim;

/// A list that was asked for.
#[derive(Debug, Clone)]
struct Asked {
    shop: usize,
    mark: String,
    accepted: bool,
}

/// Staff at work.
#[derive(Default)]
pub struct Contacts {
    lists: RefCell<Vec<Asked>>,
    imports: RefCell<Vec<(usize, String)>>,
    edits: RefCell<u32>,
    /// Names of files that staff replaced; they may never come back. By shop and contact.
    replaced: RefCell<BTreeMap<(usize, String), Vec<String>>>,
}

impl Contacts {
    async fn edit(&self, sim: &Sim) {
        let (shop, person) = (sim.shop(), sim.below(KNOWN));
        let contact = shop.contacts[person].clone();
        let path = format!("/v1/contacts/{contact}");
        let before = shop.api(sim, "api-contacts", "GET", &path, None).await;
        let n = {
            let mut edits = self.edits.borrow_mut();
            *edits += 1;
            *edits
        };
        let name = shop.mark(&format!("edit-{n}"));
        let body = json!({ "email": email(person), "full_name": name, "overwrite": true });
        sim.note(format!("  T{} person {person} is now {name}", shop.n));
        let reply = shop
            .api(sim, "api-contacts", "POST", "/v1/contacts", Some(body))
            .await;
        let was = before.text("full_name");
        if reply.is_ok() {
            sim.accepted("edits");
            if was.contains("-import-") {
                let mut replaced = self.replaced.borrow_mut();
                replaced.entry((shop.n, contact)).or_default().push(was);
            }
        }
    }

    async fn list(&self, sim: &Sim) {
        let (shop, n) = (sim.shop(), self.lists.borrow().len());
        let mark = shop.mark(&format!("list-{n}"));
        self.lists.borrow_mut().push(Asked {
            shop: shop.n,
            mark: mark.clone(),
            accepted: false,
        });
        let body = json!({ "name": mark });
        let reply = shop
            .post_once(sim, "api-contacts", "/v1/lists", &body, &mark)
            .await;
        if reply.is_ok() {
            sim.accepted("lists");
            self.lists.borrow_mut()[n].accepted = true;
        }
    }

    async fn import(&self, sim: &Sim) {
        let (shop, n) = (sim.shop(), self.imports.borrow().len());
        let mut file = "Họ và tên;Email\n".to_owned();
        for person in 0..KNOWN {
            file += &format!(
                "{};{}\n",
                shop.mark(&format!("import-{n}-{person}")),
                email(person)
            );
        }
        let mut event = shop.request("POST", "/v1/imports", None);
        event["headers"]["content-type"] = "text/csv".into();
        event["body"] = file.into();
        let reply = sim.ask("api-contacts", event).await;
        if reply.is_ok() {
            sim.accepted("imports");
            self.imports.borrow_mut().push((shop.n, reply.text("id")));
        }
    }

    async fn join(&self, sim: &Sim) {
        let (shop, person) = (sim.shop(), sim.below(KNOWN));
        let path = format!("/v1/contacts/{}/lists", shop.contacts[person]);
        let body = json!({ "list_id": shop.list });
        shop.api(sim, "api-contacts", "POST", &path, Some(body))
            .await;
    }
}

#[async_trait(?Send)]
impl Feature for Contacts {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[("edit", 7), ("list", 3), ("import", 2), ("join", 1)]
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            "edit" => self.edit(sim).await,
            "list" => self.list(sim).await,
            "import" => self.import(sim).await,
            _ => self.join(sim).await,
        }
    }

    async fn check(&self, sim: &Sim) {
        let directory = sim.world.dump("Directory").await;
        for asked in self.lists.borrow().iter() {
            let tenant = sim.shops[asked.shop].tenant.to_string();
            let is = |row: &&Value| {
                row["name"] == asked.mark
                    && row["pk"].as_str().is_some_and(|pk| pk.starts_with(&tenant))
            };
            let found = directory.iter().filter(is).count();
            if found > 1 || (asked.accepted && found == 0) {
                sim.broken("write with a key", format!("{asked:?}: {found} lists"));
            }
        }
        let imports = self.imports.borrow().clone();
        for (shop, id) in &imports {
            let path = format!("/v1/imports/{id}");
            let job = sim.shops[*shop]
                .api(sim, "api-contacts", "GET", &path, None)
                .await
                .body;
            if job["status"] != "completed" {
                sim.broken("import not finished", format!("T{shop} {job}"));
            } else if job["failed"] != 0
                || job["processed"] != job["total"]
                || job["total"] != KNOWN
            {
                sim.broken("import lost a row", format!("T{shop} {job}"));
            }
        }
        let replaced = self.replaced.borrow().clone();
        for ((shop, contact), names) in &replaced {
            let path = format!("/v1/contacts/{contact}");
            let now = sim.shops[*shop]
                .api(sim, "api-contacts", "GET", &path, None)
                .await;
            let name = now.text("full_name");
            if names.contains(&name) {
                sim.broken("edit undone", format!("T{shop} {contact} is {name} again"));
            }
        }
    }
}
