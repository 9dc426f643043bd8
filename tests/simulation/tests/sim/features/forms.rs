//! Forms of pages: an accepted form is on its contact's timeline exactly once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use crate::shop::{PEOPLE, email, phone};
use crate::sim::Sim;

/// Forms on the pages; workflows listen to the first.
pub const FORMS: usize = 2;

/// A form that was posted.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Number of the shop.
    pub shop: usize,
    /// The message, which only this form has.
    pub mark: String,
    /// The person.
    pub person: usize,
    /// Number of the form.
    pub form: usize,
    /// Whether the page got 200.
    pub accepted: bool,
}

/// A form's row on a timeline.
#[derive(Debug, Clone)]
pub struct Row {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// Posts forms.
#[derive(Default)]
pub struct Forms {
    /// All forms so far.
    pub posted: RefCell<Vec<Posted>>,
}

impl Forms {
    /// Rows of each form, by shop and mark.
    pub async fn rows(sim: &Sim) -> BTreeMap<(usize, String), Vec<Row>> {
        let mut found: BTreeMap<_, Vec<Row>> = BTreeMap::new();
        for row in sim.world.dump("Timeline").await {
            if row["name"] != "form.submitted" {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (pk, sk, mark) = (
                text(&row["pk"]),
                text(&row["sk"]),
                text(&row["data"]["message"]),
            );
            let shop = sim
                .shops
                .iter()
                .find(|shop| pk.starts_with(&shop.tenant.to_string()));
            let key = (shop.map_or(usize::MAX, |shop| shop.n), mark);
            found.entry(key).or_default().push(Row { pk, sk });
        }
        found
    }
}

#[async_trait(?Send)]
impl Feature for Forms {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[("form", 14)]
    }

    async fn act(&self, sim: &Sim, _: &'static str) {
        let shop = sim.shop();
        let (person, form) = (sim.below(PEOPLE), sim.below(FORMS));
        let mark = shop.mark(&format!("form-{}", self.posted.borrow().len()));
        let mut body = json!({
            "Họ và tên": shop.mark(&format!("person-{person}")), "email": email(person),
            "Số điện thoại": phone(person), "message": mark, "ladi_form_id": format!("F{form}"),
        });
        if sim.percent(50) {
            // A page's form of a person has one time a second; see docs/forms.md. No two forms here share it.
            let earlier = self.posted.borrow().len() as i64;
            let local = sim.world.now() + jiff::SignedDuration::from_hours(7);
            let local = local - jiff::SignedDuration::from_mins(3 * earlier + sim.now_ms() % 3);
            let local = local.strftime("%d/%m/%Y %H:%M:%S");
            body["message_time"] = local.to_string().into();
        }
        let event = shop.form(&body);
        let n = self.posted.borrow().len();
        self.posted.borrow_mut().push(Posted {
            shop: shop.n,
            mark: mark.clone(),
            person,
            form,
            accepted: false,
        });
        sim.note(format!("  form F{form} {mark} of person {person}"));
        let mut reply = sim.ask("webhook-ladipage", event.clone()).await;
        let mut accepted = reply.is_ok();
        while sim.percent(if accepted { 12 } else { 60 }) {
            reply = sim.ask("webhook-ladipage", event.clone()).await;
            accepted |= reply.is_ok();
        }
        if accepted {
            sim.accepted("forms");
            self.posted.borrow_mut()[n].accepted = true;
        }
    }

    async fn check(&self, sim: &Sim) {
        let rows = Self::rows(sim).await;
        let mut addresses = BTreeMap::new();
        for row in sim.world.dump("Contacts").await {
            if row["sk"] == "PROFILE" {
                addresses.insert(row["pk"].to_string(), row["email"].clone());
            }
        }
        for posted in self.posted.borrow().iter() {
            let found = rows.get(&(posted.shop, posted.mark.clone()));
            let found = found.map(Vec::as_slice).unwrap_or_default();
            if posted.accepted && found.is_empty() {
                sim.broken("form lost", format!("{posted:?}"));
            }
            if found.len() > 1 {
                sim.broken("form doubled", format!("{posted:?} {found:?}"));
            }
            for row in found {
                let address = addresses.get(&Value::from(row.pk.clone()).to_string());
                if address.is_none_or(|address| *address != email(posted.person)) {
                    sim.broken("form of another", format!("{posted:?} {row:?} {address:?}"));
                }
            }
        }
    }
}
