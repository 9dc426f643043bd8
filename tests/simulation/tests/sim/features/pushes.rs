//! Push campaigns. No browser shows a notification of one scope twice, and a campaign's report agrees with what was shown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use contacts::{BrowserKeys, Channel, ChannelStatus, Contacts, NamedDevice, Statement, Trust};
use serde_json::json;
use tanigo_local::aws::Kind;
use tanigo_local::providers::Fault;

use super::Feature;
use crate::sim::Sim;

/// Seeds of a hundred with push notifications.
const SEEDS_WITH: u32 = 30;
/// Browsers of each known customer.
const BROWSERS: usize = 2;

/// A campaign of a shop.
#[derive(Debug, Clone)]
struct Sent {
    shop: usize,
    id: String,
    accepted: bool,
}

/// Sends push campaigns; subscriptions end.
#[derive(Default)]
pub struct Pushes {
    is_on: RefCell<bool>,
    sent: RefCell<Vec<Sent>>,
}

fn browser(shop: usize, person: usize, n: usize) -> String {
    format!("T{shop}-browser-{person}-{n}")
}

impl Pushes {
    async fn create(&self, sim: &Sim) {
        let shop = sim.shop();
        let body = json!({
            "name": shop.mark("push"), "audience": { "include": { "list_ids": [shop.list] } },
            "push": { "title": shop.mark("push"), "body": shop.mark("push"), "link": "https://shop.example/" },
        });
        let made = shop
            .api(sim, "api-campaigns", "POST", "/v1/campaigns", Some(body))
            .await;
        if !made.is_ok() {
            return;
        }
        let n = self.sent.borrow().len();
        self.sent.borrow_mut().push(Sent {
            shop: shop.n,
            id: made.text("id"),
            accepted: false,
        });
        self.command(sim, n, "send").await;
    }

    async fn command(&self, sim: &Sim, n: usize, command: &str) -> bool {
        let one = self.sent.borrow()[n].clone();
        let path = format!("/v1/campaigns/{}/{command}", one.id);
        sim.note(format!("  T{} {command} push {}", one.shop, one.id));
        let shop = &sim.shops[one.shop];
        let reply = shop.api(sim, "api-campaigns", "POST", &path, None).await;
        if reply.is_ok() && command == "send" && !one.accepted {
            self.sent.borrow_mut()[n].accepted = true;
            sim.accepted("push campaigns");
        }
        reply.is_ok()
    }

    async fn check_report(&self, sim: &Sim, one: &Sent, ids: &BTreeSet<String>) {
        let shop = &sim.shops[one.shop];
        let path = format!("/v1/campaigns/{}/report", one.id);
        let report = shop
            .api(sim, "api-campaigns", "GET", &path, None)
            .await
            .body;
        let number = |name: &str| report[name].as_u64().unwrap_or_default();
        let sum = |name: &str| -> u64 {
            let reasons = report[name].as_object().into_iter().flatten();
            reasons.filter_map(|(_, n)| n.as_u64()).sum()
        };
        let done = matches!(report["status"].as_str(), Some("sent" | "cancelled"));
        if one.accepted && !done {
            sim.broken("push campaign not finished", format!("{one:?}: {report}"));
        }
        if report["status"] != "sent" {
            return;
        }
        let settled = number("sent") + sum("skipped") + sum("failed") + number("unknown");
        if settled != number("audience") {
            sim.broken("push report", format!("{one:?}: {report}"));
        }
        // The contacts whose message some browser showed.
        let rows = sim.world.dump("SendLedger").await;
        let scope = format!("{}#{}#", shop.tenant, one.id);
        let of = rows
            .iter()
            .filter_map(|row| row["pk"].as_str()?.strip_prefix(&scope));
        let workspace = shop.tenant.to_string();
        let contacts: BTreeSet<&str> = of.collect();
        let shown = contacts.iter().filter(|contact| {
            let id = kernel::hash::name(&["push", &workspace, &one.id, contact, "0"]);
            ids.contains(&id)
        });
        let shown = shown.count() as u64;
        if shown < number("sent") || shown > number("sent") + number("unknown") {
            sim.broken(
                "push report",
                format!("{shown} were shown, {one:?}: {report}"),
            );
        }
    }
}

#[async_trait(?Send)]
impl Feature for Pushes {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[
            ("push campaign", 2),
            ("pause or resume a push campaign", 2),
            ("a subscription ends", 1),
            ("fault of a push service", 2),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
        if !*self.is_on.borrow() {
            return;
        }
        let contacts = Contacts::silent(&sim.world.resources());
        for shop in &sim.shops {
            let body = json!({ "contact_email": "shop@example.vn",
                "prompt": { "delay_seconds": 0, "text": shop.mark("question") } });
            let path = "/v1/channels/push/web";
            let made = shop.api(sim, "api-channels", "PUT", path, Some(body)).await;
            assert_eq!(made.status, 200, "{made:?}");
            let key = made.body["web"]["public_key"].as_str().unwrap().to_owned();
            for (person, id) in shop.contacts.iter().enumerate() {
                let contact = id.parse().unwrap();
                for n in 0..BROWSERS {
                    let name = browser(shop.n, person, n);
                    let made = sim.world.providers.browsers().subscribe(&name, &key, None);
                    let device = NamedDevice {
                        token: made.endpoint,
                        platform: "web".into(),
                        keys: Some(BrowserKeys {
                            p256dh: made.p256dh,
                            auth: made.auth,
                        }),
                    };
                    let noted = contacts.note_device(shop.tenant, contact, &device, Trust::Shop);
                    assert!(noted.await.unwrap());
                }
                let told = Statement::from_status(Channel::Push, ChannelStatus::Subscribed);
                let told = told.unwrap();
                let stated = contacts.declare(shop.tenant, contact, &told, "push", None);
                stated.await.unwrap();
            }
        }
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        if !*self.is_on.borrow() {
            return;
        }
        let browsers = sim.world.providers.browsers();
        match action {
            "push campaign" => self.create(sim).await,
            "a subscription ends" => {
                let shop = sim.shop();
                let name = browser(shop.n, sim.below(shop.contacts.len()), sim.below(BROWSERS));
                sim.note(format!("  the subscription of {name} ends"));
                browsers.end(&name);
            }
            "fault of a push service" => {
                let faults = [
                    Fault::Timeout,
                    Fault::Lost,
                    Fault::Down,
                    Fault::Busy,
                    Fault::Html,
                ];
                let fault = faults[sim.below(faults.len())];
                sim.note(format!("  the push service: {fault:?}"));
                browsers.fail(fault, 1 + sim.below(3));
            }
            _ => {
                let count = self.sent.borrow().len();
                if count > 0 {
                    let command = ["pause", "resume", "send"][sim.below(3)];
                    self.command(sim, sim.below(count), command).await;
                }
            }
        }
    }

    async fn calm(&self, sim: &Sim) {
        // A campaign that pauses by itself does so when its chunks run.
        for _ in 0..3 {
            sim.rest(0).await;
            let mut resumed = false;
            let count = self.sent.borrow().len();
            for n in 0..count {
                let one = self.sent.borrow()[n].clone();
                let path = format!("/v1/campaigns/{}", one.id);
                let shop = &sim.shops[one.shop];
                let now = shop.api(sim, "api-campaigns", "GET", &path, None).await;
                if now.text("status") == "paused" {
                    resumed |= self.command(sim, n, "resume").await;
                }
            }
            if !resumed {
                return;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
        for message in sim.world.aws.outbox().all(Kind::Push) {
            let id = message
                .payload
                .as_ref()
                .and_then(|payload| payload["id"].as_str());
            let id = id.unwrap_or_default().to_owned();
            *seen.entry((message.to.join(" "), id)).or_default() += 1;
        }
        for (key, count) in seen.iter().filter(|(_, count)| **count > 1) {
            sim.broken("notification doubled", format!("{key:?} x{count}"));
        }
        let ids: BTreeSet<String> = seen.into_keys().map(|(_, id)| id).collect();
        let sent = self.sent.borrow().clone();
        for one in &sent {
            self.check_report(sim, one, &ids).await;
        }
    }
}
