//! Campaigns of text messages by a provider that fails. Nobody gets a text of a campaign twice or at night, or more than three
//! texts a day. No call has fewer than 30 numbers. Every campaign that was sent comes to its end with a correct report.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use contacts::{Channel, ChannelStatus, Contacts, Identity, Incoming, Lists, Statement};
use kernel::{Entropy, ListId};
use serde_json::json;
use tanigo_local::providers::{Fault, SECRET};

use super::Feature;
use crate::shop::Shop;
use crate::sim::Sim;

/// Seeds of a hundred that send text messages.
const SEEDS_WITH: u32 = 10;
/// People with a number; in about half of the seeds they are too few for a call.
const MOST_PEOPLE: usize = 60;
const FAULTS: [Fault; 5] = [
    Fault::Timeout,
    Fault::Lost,
    Fault::Html,
    Fault::Busy,
    Fault::Refuse,
];

/// A shop with an account at the provider.
#[derive(Debug, Clone)]
struct Account {
    shop: usize,
    list: String,
    brandname: String,
    people: usize,
}

/// A campaign.
#[derive(Debug, Clone)]
struct Sent {
    account: usize,
    id: String,
    accepted: bool,
}

/// Sends campaigns of text messages.
#[derive(Default)]
pub struct Texts {
    accounts: RefCell<Vec<Account>>,
    sent: RefCell<Vec<Sent>>,
}

impl Texts {
    async fn open(&self, sim: &Sim, shop: &Shop) {
        let keys = json!({ "api_key": shop.mark("key"), "secret_key": SECRET });
        let path = "/v1/channels/sms";
        shop.api(sim, "api-channels", "PUT", path, Some(keys)).await;
        let brandname = json!({ "name": format!("T{}", shop.n), "kind": "advertising", "opt_out": "TC 1551",
            "carriers": [{ "carrier": "viettel", "status": "approved" }] });
        let path = "/v1/channels/sms/brandnames";
        let made = shop
            .api(sim, "api-channels", "POST", path, Some(brandname))
            .await;
        let resources = sim.world.resources();
        let ids = Entropy::twin(sim.seed, 40 + shop.n as u64);
        let list = ListId::new(&sim.world.clock(), &ids);
        let lists = Lists::over(&resources);
        let name = shop.mark("numbers");
        let created = lists.create(shop.tenant, list, sim.world.now(), &name, None);
        created.await.unwrap();
        let store = Contacts::over(&resources);
        let people = sim.below(MOST_PEOPLE);
        for n in 0..people {
            let phone = format!("0931{}{n:05}", shop.n);
            let consent = Statement::from_status(Channel::Sms, ChannelStatus::Subscribed);
            let incoming = Incoming {
                identities: vec![Identity::Phone(phone.parse().unwrap())],
                lists: vec![list],
                consent: consent.into_iter().collect(),
                ..Incoming::default()
            };
            store.upsert(shop.tenant, &incoming).await.unwrap();
        }
        self.accounts.borrow_mut().push(Account {
            shop: shop.n,
            list: list.to_string(),
            brandname: made.text("id"),
            people,
        });
    }

    async fn create(&self, sim: &Sim) {
        let accounts = self.accounts.borrow().clone();
        let n = sim.below(accounts.len());
        let Some(account) = accounts.get(n) else {
            return;
        };
        let shop = &sim.shops[account.shop];
        let body = json!({
            "name": shop.mark("texts"), "audience": { "include": { "list_ids": [account.list] } },
            "sms": { "brandname_id": account.brandname, "text": format!("T{} giảm giá", shop.n) },
        });
        let path = "/v1/campaigns";
        let made = shop
            .api(sim, "api-campaigns", "POST", path, Some(body))
            .await;
        if !made.is_ok() {
            return;
        }
        let (id, at) = (made.text("id"), self.sent.borrow().len());
        self.sent.borrow_mut().push(Sent {
            account: n,
            id,
            accepted: false,
        });
        self.command(sim, at, "send").await;
    }

    fn shop<'a>(&self, sim: &'a Sim, one: &Sent) -> &'a Shop {
        &sim.shops[self.accounts.borrow()[one.account].shop]
    }

    async fn command(&self, sim: &Sim, n: usize, command: &str) -> bool {
        let one = self.sent.borrow()[n].clone();
        let shop = self.shop(sim, &one);
        let path = format!("/v1/campaigns/{}/{command}", one.id);
        sim.note(format!("  T{} {command} {}", shop.n, one.id));
        let reply = shop.api(sim, "api-campaigns", "POST", &path, None).await;
        if reply.is_ok() && command == "send" && !one.accepted {
            self.sent.borrow_mut()[n].accepted = true;
            sim.accepted("campaigns of texts");
        }
        reply.is_ok()
    }

    /// The provider keeps what it accepted: the law, the size of the calls, and one text for a number and campaign.
    fn check_provider(sim: &Sim) {
        let sent = sim.world.providers.esms().sent();
        let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
        let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for one in sent.iter().filter(|one| one.kind == "1") {
            *calls.entry(&one.id).or_default() += 1;
            times.entry(&one.phone).or_default().push(one.at);
            // Seconds since midnight in Vietnam.
            let second = (one.at + 7 * 3600).rem_euclid(86_400);
            if !(7 * 3600..22 * 3600).contains(&second) {
                sim.broken("advertising at night", format!("{one:?}"));
            }
            if !one.content.starts_with("[QC] ") || !one.content.ends_with("TC 1551") {
                sim.broken("advertising without its label", format!("{one:?}"));
            }
        }
        for (call, size) in calls.iter().filter(|(_, size)| **size < 30) {
            sim.broken("small call", format!("{call} has {size} numbers"));
        }
        for (phone, times) in &mut times {
            times.sort_unstable();
            // The provider's clock has whole seconds, and a call follows the count by moments.
            if times.windows(4).any(|four| four[3] - four[0] < 86_000) {
                sim.broken(
                    "more than three advertisements a day",
                    format!("{phone}: {times:?}"),
                );
            }
        }
    }

    async fn check_report(&self, sim: &Sim, one: &Sent) -> u64 {
        let shop = self.shop(sim, one);
        let path = format!("/v1/campaigns/{}/report", one.id);
        let reply = shop.api(sim, "api-campaigns", "GET", &path, None).await;
        let report = reply.body;
        let number = |name: &str| report[name].as_u64().unwrap_or_default();
        let sum = |name: &str| -> u64 {
            let reasons = report[name].as_object().into_iter().flatten();
            reasons.filter_map(|(_, n)| n.as_u64()).sum()
        };
        if one.accepted && report["status"] != "sent" {
            sim.broken(
                "campaign of texts not finished",
                format!("{one:?}: {report}"),
            );
        }
        let settled = number("sent") + sum("skipped") + sum("failed") + number("unknown");
        let people = self.accounts.borrow()[one.account].people as u64;
        if report["status"] == "sent" && (settled != number("audience") || settled != people) {
            sim.broken("report of texts", format!("{one:?}: {report}"));
        }
        number("sent") + number("unknown")
    }
}

#[async_trait(?Send)]
impl Feature for Texts {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[
            ("campaign of texts", 2),
            ("pause or resume texts", 1),
            ("eSMS fails", 1),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        if sim.percent(SEEDS_WITH) {
            for shop in &sim.shops {
                self.open(sim, shop).await;
            }
        }
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        if self.accounts.borrow().is_empty() {
            return;
        }
        match action {
            "campaign of texts" => self.create(sim).await,
            "eSMS fails" => {
                let fault = FAULTS[sim.below(FAULTS.len())];
                sim.world.providers.esms().fail(fault, 1 + sim.below(2));
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
        if self.accounts.borrow().is_empty() {
            return;
        }
        // A call without an answer pauses its campaign; each of the faults that are left does so once.
        for _ in 0..40 {
            sim.rest(0).await;
            let mut resumed = false;
            let count = self.sent.borrow().len();
            for n in 0..count {
                let one = self.sent.borrow()[n].clone();
                let path = format!("/v1/campaigns/{}", one.id);
                let shop = self.shop(sim, &one);
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
        if self.accounts.borrow().is_empty() {
            return;
        }
        Self::check_provider(sim);
        let sent = self.sent.borrow().clone();
        let mut asked: BTreeMap<usize, u64> = BTreeMap::new();
        for one in &sent {
            *asked.entry(one.account).or_default() += self.check_report(sim, one).await;
        }
        let accepted = sim.world.providers.esms().sent();
        for (n, account) in self.accounts.borrow().iter().enumerate() {
            let prefix = format!("84931{}", account.shop);
            let ours = accepted.iter().filter(|one| one.phone.starts_with(&prefix));
            let received = ours.clone().count() as u64;
            let most = asked.get(&n).copied().unwrap_or_default();
            if received > most {
                sim.broken(
                    "texts",
                    format!("T{}: {received} texts of {most}", account.shop),
                );
            }
            let names: BTreeSet<&str> = ours.map(|one| one.brandname.as_str()).collect();
            if names
                .iter()
                .any(|name| *name != format!("T{}", account.shop))
            {
                sim.broken("texts", format!("T{}: names {names:?}", account.shop));
            }
        }
    }
}
