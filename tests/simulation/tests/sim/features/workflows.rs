//! Workflows: an event that was recorded while a workflow was active enters it exactly once; no other event does; and
//! everybody who entered comes to the end.

use std::cell::RefCell;
use std::rc::Rc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use super::forms::{FORMS, Forms};
use crate::sim::Sim;

/// Nothing is promised for events that were recorded this close to a change of state, milliseconds: caches live 10 s,
/// an activation counts after 15 s, and clocks differ by 2 s each.
const MARGIN_MS: i64 = 22_000;
/// Workflows of a tenant that has many.
const MANY: usize = 40;
/// One of so many seeds has such a tenant.
const SEEDS_A_MANY: u64 = 20;

/// The known state of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Active,
    Inactive,
    Unclear,
}

/// A workflow, and when its state changed.
struct Watched {
    shop: usize,
    id: String,
    form: usize,
    /// Requests in order: when they began and ended, epoch milliseconds, and the state that they led to.
    history: Vec<(i64, i64, Known)>,
}

/// Changes workflows.
pub struct Workflows {
    forms: Rc<Forms>,
    watched: RefCell<Vec<Watched>>,
}

impl Workflows {
    /// Whose events are these forms.
    pub fn new(forms: Rc<Forms>) -> Self {
        Self {
            forms,
            watched: RefCell::default(),
        }
    }

    async fn change(&self, sim: &Sim, n: usize, change: &str) {
        let (shop, id) = {
            let watched = self.watched.borrow();
            (watched[n].shop, watched[n].id.clone())
        };
        let path = format!("/v1/workflows/{id}/{change}");
        sim.note(format!("  T{shop} {change} {id}"));
        let begun = sim.now_ms();
        let reply = sim.shops[shop]
            .api(sim, "api-workflows", "POST", &path, None)
            .await;
        let known = match change {
            _ if !reply.is_ok() => Known::Unclear,
            "activate" => Known::Active,
            _ => Known::Inactive,
        };
        let change = (begun, sim.now_ms(), known);
        self.watched.borrow_mut()[n].history.push(change);
    }
}

impl Watched {
    /// The state at a time. It is unclear close to a request.
    fn at(&self, at_ms: i64) -> Known {
        let mut state = Known::Unclear;
        for (begun, ended, known) in &self.history {
            if (begun - MARGIN_MS..=ended + MARGIN_MS).contains(&at_ms) {
                return Known::Unclear;
            }
            if *ended < at_ms {
                state = *known;
            }
        }
        state
    }
}

fn draft(shop: &crate::shop::Shop, name: &str, form: &str, every_time: bool, mail: bool) -> Value {
    let mut nodes = json!({ "tag": { "type": "add_tag", "tags": [shop.mark(name)] } });
    if mail {
        nodes["tag"]["next"] = "wait".into();
        nodes["wait"] = json!({ "type": "wait_duration", "minutes": 7, "next": "mail" });
        nodes["mail"] = json!({
            "type": "send_email",
            "sender": { "from_name": "Shop", "from_email": "shop@example.vn" },
            "subject": shop.mark(name), "html": "<p>{{ trigger.message }}</p>",
        });
    }
    json!({
        "name": shop.mark(name), "trigger": { "type": "form.submitted", "form_id": form },
        "entry": if every_time { "every_time" } else { "once" },
        "graph": { "start": "tag", "nodes": nodes },
    })
}

#[async_trait(?Send)]
impl Feature for Workflows {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[("pause or resume", 5), ("pause and resume", 3)]
    }

    async fn prepare(&self, sim: &Sim) {
        let has_many = sim.seed.is_multiple_of(SEEDS_A_MANY);
        let many = if has_many { MANY } else { 0 };
        for shop in &sim.shops {
            shop.equal(sim, "api-workflows");
            let mut drafts = vec![
                (0, draft(shop, "once", "F0", false, true)),
                (0, draft(shop, "each", "F0", true, true)),
            ];
            let extra = if shop.n == 0 { many } else { 0 };
            drafts.extend(
                (0..extra).map(|n| (FORMS, draft(shop, &format!("many-{n}"), "F9", true, false))),
            );
            for (form, draft) in drafts {
                let made = shop
                    .api(sim, "api-workflows", "POST", "/v1/workflows", Some(draft))
                    .await;
                assert_eq!(made.status, 201, "{made:?}");
                let id = made.text("id");
                let path = format!("/v1/workflows/{id}/activate");
                let reply = shop.api(sim, "api-workflows", "POST", &path, None).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                self.watched.borrow_mut().push(Watched {
                    shop: shop.n,
                    id,
                    form,
                    history: vec![(sim.now_ms(), sim.now_ms(), Known::Active)],
                });
            }
        }
        sim.forget_processes();
        sim.sleep_ms(30_000).await;
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        let n = sim.below(self.watched.borrow().len());
        if action == "pause and resume" {
            self.change(sim, n, "pause").await;
            self.change(sim, n, "activate").await;
        } else {
            let change = if sim.percent(55) { "activate" } else { "pause" };
            self.change(sim, n, change).await;
        }
    }

    async fn calm(&self, sim: &Sim) {
        let count = self.watched.borrow().len();
        for n in 0..count {
            let last = self.watched.borrow()[n].history.last().copied();
            if !matches!(last, Some((_, _, Known::Active))) {
                self.change(sim, n, "activate").await;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        let rows = Forms::rows(sim).await;
        let enrollments = sim.world.dump("Flow").await;
        for row in &enrollments {
            let status = row["status"].as_str().unwrap_or_default();
            if !matches!(status, "completed" | "exited") {
                sim.broken("enrollment stuck", format!("{status}: {row}"));
            }
        }
        for watched in self.watched.borrow().iter().filter(|one| one.form < FORMS) {
            let tenant = sim.shops[watched.shop].tenant.to_string();
            let mine: Vec<&Value> = enrollments
                .iter()
                .filter(|row| row["workflow"] == watched.id && row["tenant"] == tenant)
                .collect();
            for posted in self.forms.posted.borrow().iter() {
                if posted.shop != watched.shop || posted.form != watched.form {
                    continue;
                }
                let found = rows.get(&(posted.shop, posted.mark.clone()));
                let Some([row]) = found.map(Vec::as_slice) else {
                    continue;
                };
                let Some(at_ms) = sim.recorded_ms("Timeline", &row.pk, &row.sk) else {
                    continue;
                };
                let mark = format!("{:?}", posted.mark);
                let entered = mine
                    .iter()
                    .filter(|row| row["trigger"].to_string().contains(&mark))
                    .count();
                let story = || {
                    let seconds =
                        (at_ms - sim.now_ms() + sim.time.passed().as_millis() as i64) / 1000;
                    format!(
                        "{} of T{}, {posted:?}, recorded at {seconds} s: entered {entered} times",
                        watched.id, watched.shop
                    )
                };
                if entered > 1 {
                    sim.broken("entered twice", story());
                }
                match watched.at(at_ms) {
                    Known::Active if entered == 0 && !self.is_once(watched) => {
                        sim.broken("not entered", story());
                    }
                    Known::Inactive if entered > 0 => sim.broken("entered while inactive", story()),
                    _ => {}
                }
            }
        }
    }
}

impl Workflows {
    /// The first workflow of each shop takes a contact once.
    fn is_once(&self, watched: &Watched) -> bool {
        let all = self.watched.borrow();
        let first = all.iter().find(|one| one.shop == watched.shop);
        first.is_some_and(|first| first.id == watched.id)
    }
}
