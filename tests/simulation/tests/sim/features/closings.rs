//! Workspaces that are archived and restored. Nobody gets a mail of an archived workspace. Whatever the workspace accepted before
//! is done after its restoration: the other features check that.

use std::cell::RefCell;

use async_trait::async_trait;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::{Feature, tag};
use crate::shop::Shop;
use crate::sim::Sim;

/// Seeds of a hundred whose workspaces are archived.
const SEEDS_WITH: u32 = 20;
/// A mail may still leave this long after the archiving was answered, milliseconds: a process remembers a workspace for ten
/// seconds, and a sub-batch had been begun.
const STOP_MS: i64 = 60_000;
/// By then every process knows a restored workspace, and its contacts go on, milliseconds.
const KNOWN_MS: u64 = 45_000;

/// The known state of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Archived since this time, epoch milliseconds.
    Closed(i64),
    /// A request has no definite answer.
    Unclear,
}

/// A time at which a workspace was archived, epoch milliseconds.
#[derive(Debug, Clone, Copy)]
struct Closed {
    shop: usize,
    since: i64,
    until: i64,
}

/// Archives and restores workspaces.
#[derive(Default)]
pub struct Closings {
    is_on: RefCell<bool>,
    /// One a shop.
    doors: RefCell<Vec<Door>>,
    closed: RefCell<Vec<Closed>>,
}

impl Closings {
    async fn request(sim: &Sim, shop: &Shop, word: &str, body: Option<Value>) -> bool {
        let path = format!("/v1/workspaces/{}/{word}", shop.tenant);
        let event = shop.admin_request("POST", &path, body.as_ref());
        sim.note(format!("  T{} {word}s the workspace", shop.n));
        shop.until_definite(sim, "api-accounts", event)
            .await
            .is_ok()
    }

    async fn archive(&self, sim: &Sim, shop: &Shop) {
        self.doors.borrow_mut()[shop.n] = Door::Unclear;
        let path = format!("/v1/workspaces/{}", shop.tenant);
        let event = shop.admin_request("GET", &path, None);
        let shown = sim.ask("api-accounts", event).await;
        let body = json!({ "name": shown.text("name") });
        if Self::request(sim, shop, "archive", Some(body)).await {
            sim.accepted("workspaces archived");
            self.doors.borrow_mut()[shop.n] = Door::Closed(sim.now_ms());
        }
    }

    /// False: there is no definite answer.
    async fn restore(&self, sim: &Sim, shop: &Shop) -> bool {
        let door = std::mem::replace(&mut self.doors.borrow_mut()[shop.n], Door::Unclear);
        let (shop_n, until) = (shop.n, sim.now_ms());
        if let Door::Closed(since) = door {
            self.closed.borrow_mut().push(Closed {
                shop: shop_n,
                since,
                until,
            });
        }
        let is_open = Self::request(sim, shop, "restore", None).await;
        if is_open {
            self.doors.borrow_mut()[shop.n] = Door::Open;
        }
        is_open
    }
}

#[async_trait(?Send)]
impl Feature for Closings {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[("archive or restore a workspace", 7)]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
        *self.doors.borrow_mut() = vec![Door::Open; sim.shops.len()];
    }

    async fn act(&self, sim: &Sim, _action: &'static str) {
        let shop = sim.shop();
        let door = self.doors.borrow()[shop.n];
        if door == Door::Open {
            self.archive(sim, shop).await;
        } else {
            self.restore(sim, shop).await;
        }
    }

    async fn calm(&self, sim: &Sim) {
        let mut any = false;
        for shop in &sim.shops {
            let door = self.doors.borrow()[shop.n];
            if door != Door::Open {
                any = true;
                if !self.restore(sim, shop).await {
                    sim.broken("archived workspace", format!("T{} stays archived", shop.n));
                }
            }
        }
        if any {
            sim.sleep_ms(KNOWN_MS).await;
        }
    }

    async fn check(&self, sim: &Sim) {
        for closed in self.closed.borrow().iter() {
            let tenant = sim.shops[closed.shop].tenant.to_string();
            for mail in sim.world.aws.outbox().all(Kind::Mail) {
                let is_late = mail.at > closed.since + STOP_MS && mail.at < closed.until;
                if is_late && tag(&mail, "tenant") == tenant {
                    let text = format!("{closed:?}: {} left at {}", mail.subject, mail.at);
                    sim.broken("archived workspace", text);
                }
            }
        }
    }
}
