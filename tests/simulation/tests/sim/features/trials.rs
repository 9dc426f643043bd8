//! A/B campaigns. Nobody gets two versions, a winner is final, and the sums of the versions are those of the campaign.
//! Some seeds have a crowd: a test of fewer people is none.

use std::cell::RefCell;
use std::collections::BTreeMap;

use async_trait::async_trait;
use contacts::{Channel, ChannelStatus, Identity, Incoming, Statement};
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::{Feature, tag};
use crate::sim::Sim;

/// Seeds of a hundred that have a crowd.
const SEEDS_WITH: u32 = 6;
/// Its people: 95 percent of them are a test.
const CROWD: u32 = 110;
/// Subjects of version B begin so.
const B: &str = "B ";

/// A campaign of a shop.
#[derive(Debug, Clone)]
struct Sent {
    shop: usize,
    id: String,
    accepted: bool,
    /// The version that a person chose, by a definite answer.
    chosen: Option<String>,
}

/// Tests versions.
#[derive(Default)]
pub struct Trials {
    /// The list of the crowd.
    crowd: RefCell<Option<String>>,
    sent: RefCell<Vec<Sent>>,
}

impl Trials {
    async fn create(&self, sim: &Sim) {
        let crowd = self.crowd.borrow_mut().take();
        let (shop, list, percent) = if let Some(list) = crowd {
            (&sim.shops[0], list, 95)
        } else {
            let shop = sim.shop();
            (shop, shop.list.clone(), [20, 100][sim.below(2)])
        };
        let rule = ["open_rate", "click_rate", "manual"][sim.below(3)];
        let body = json!({
            "name": shop.mark("trial"), "audience": { "include": { "list_ids": [list] } },
            "mail": {
                "sender": { "from_name": "Shop", "from_email": "tin@example.vn" },
                "subject": shop.mark("trial"), "html": "<p>Chào bạn</p>",
            },
            "ab": {
                "variable": "subject", "b": { "subject": format!("{B}{}", shop.mark("trial")) },
                "test_percent": percent, "winner_rule": rule, "wait_hours": 1,
            },
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
            chosen: None,
        });
        self.command(sim, n, "send").await;
    }

    fn some(&self, sim: &Sim) -> Option<usize> {
        let count = self.sent.borrow().len();
        (count > 0).then(|| sim.below(count))
    }

    async fn command(&self, sim: &Sim, n: usize, command: &str) -> bool {
        let one = self.sent.borrow()[n].clone();
        let path = format!("/v1/campaigns/{}/{command}", one.id);
        sim.note(format!("  T{} {command} {}", one.shop, one.id));
        let shop = &sim.shops[one.shop];
        let reply = shop.api(sim, "api-campaigns", "POST", &path, None).await;
        if reply.is_ok() && command == "send" && !one.accepted {
            self.sent.borrow_mut()[n].accepted = true;
            sim.accepted("tests of two versions");
        }
        reply.is_ok()
    }

    async fn choose(&self, sim: &Sim, n: usize) {
        let one = self.sent.borrow()[n].clone();
        let variant = ["a", "b"][sim.below(2)];
        let path = format!("/v1/campaigns/{}/winner", one.id);
        sim.note(format!("  T{} chooses {variant} in {}", one.shop, one.id));
        let body = Some(json!({ "variant": variant }));
        let shop = &sim.shops[one.shop];
        let reply = shop.api(sim, "api-campaigns", "POST", &path, body).await;
        if reply.is_ok() {
            self.sent.borrow_mut()[n].chosen = Some(variant.to_owned());
            sim.accepted("choices of a version");
        }
    }

    async fn shown(&self, sim: &Sim, one: &Sent, rest: &str) -> Value {
        let path = format!("/v1/campaigns/{}{rest}", one.id);
        let shop = &sim.shops[one.shop];
        shop.api(sim, "api-campaigns", "GET", &path, None)
            .await
            .body
    }

    async fn check_one(&self, sim: &Sim, one: &Sent) {
        let report = self.shown(sim, one, "/report").await;
        let status = report["status"].as_str().unwrap_or_default();
        if one.accepted && !matches!(status, "sent" | "cancelled") {
            sim.broken("A/B campaign not finished", format!("{one:?}: {report}"));
        }
        let winner = report["ab"]["winner"]["variant"].as_str();
        if one.chosen.is_some() && one.chosen.as_deref() != winner {
            sim.broken("choice lost", format!("{one:?}: {report}"));
        }
        if status != "sent" {
            return;
        }
        let number = |of: &Value, name: &str| of[name].as_u64().unwrap_or_default();
        let mut mails: BTreeMap<&str, u64> = BTreeMap::new();
        for mail in sim.world.aws.outbox().all(Kind::Mail) {
            if tag(&mail, "scope") == one.id
                && tag(&mail, "tenant") == sim.shops[one.shop].tenant.to_string()
            {
                let subject = mail.subject.trim_start_matches("[QC] ");
                let is_b = subject.starts_with(B);
                *mails.entry(if is_b { "b" } else { "a" }).or_default() += 1;
            }
        }
        let versions = report["ab"]["versions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mut all = 0;
        for version in &versions {
            let (sent, unknown) = (number(version, "sent"), number(version, "unknown"));
            all += sent + unknown + number(version, "skipped") + number(version, "failed");
            let name = version["variant"].as_str().unwrap_or_default();
            let got = mails.get(name).copied().unwrap_or_default();
            if got < sent || got > sent + unknown {
                sim.broken(
                    "version",
                    format!("{got} mails of {name}, {one:?}: {report}"),
                );
            }
        }
        if all != number(&report, "audience") {
            sim.broken("versions", format!("{one:?}: {report}"));
        }
    }
}

#[async_trait(?Send)]
impl Feature for Trials {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[
            ("A/B campaign", 2),
            ("pause or resume a test", 2),
            ("choose a version", 1),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        if !sim.percent(SEEDS_WITH) {
            return;
        }
        let (world, tenant) = (&sim.world, sim.shops[0].tenant);
        let lists = contacts::Lists::over(&world.resources());
        let list = kernel::ListId::new(&world.clock(), &world.entropy);
        let name = sim.shops[0].mark("crowd");
        let made = lists.create(tenant, list, world.now(), &name, None).await;
        made.expect("a list");
        let store = contacts::Contacts::over(&world.resources());
        for n in 0..CROWD {
            let address = format!("crowd{n}@example.com").parse().expect("an address");
            let agrees = Statement::from_status(Channel::Email, ChannelStatus::Subscribed);
            let incoming = Incoming {
                identities: vec![Identity::Email(address)],
                lists: vec![list],
                consent: agrees.into_iter().collect(),
                ..Incoming::default()
            };
            store.upsert(tenant, &incoming).await.expect("a contact");
        }
        *self.crowd.borrow_mut() = Some(list.to_string());
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match (action, self.some(sim)) {
            ("A/B campaign", _) => self.create(sim).await,
            ("choose a version", Some(n)) => self.choose(sim, n).await,
            (_, Some(n)) => {
                let command = ["pause", "resume", "send"][sim.below(3)];
                self.command(sim, n, command).await;
            }
            _ => {}
        }
    }

    async fn calm(&self, sim: &Sim) {
        for _ in 0..4 {
            sim.rest(0).await;
            let mut moved = false;
            let count = self.sent.borrow().len();
            for n in 0..count {
                let one = self.sent.borrow()[n].clone();
                let now = self.shown(sim, &one, "").await;
                match now["status"].as_str() {
                    Some("paused") => moved |= self.command(sim, n, "resume").await,
                    Some("awaiting_winner") if now["ab"]["winner_rule"] == "manual" => {
                        self.choose(sim, n).await;
                        moved = true;
                    }
                    _ => {}
                }
            }
            if !moved {
                return;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        let sent = self.sent.borrow().clone();
        for one in &sent {
            self.check_one(sim, one).await;
        }
    }
}
