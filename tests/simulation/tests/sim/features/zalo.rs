//! Campaigns by Zalo with a text message in place of a refused one, while tokens end and calls get no answer. Nobody gets a message of a
//! campaign twice, by either channel; each campaign comes to its end with a correct report.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tanigo_local::providers::zalo::TEMPLATE;
use tanigo_local::providers::{Fault, SECRET};
use tests_world::http_event;

use super::Feature;
use crate::shop::{PEOPLE, Shop, phone};
use crate::sim::Sim;

/// Seeds of a hundred that are connected to Zalo.
const SEEDS_WITH: u32 = 20;
/// Fates of calls; a refused token is renewed.
const FAULTS: [Fault; 6] = [
    Fault::Timeout,
    Fault::Lost,
    Fault::Html,
    Fault::Down,
    Fault::Busy,
    Fault::Refuse,
];
/// Codes of numbers: about the person, and about the message.
const CODES: [i64; 3] = [-118, -141, -1124];
/// Digits of an id in a tracking id.
const DIGITS: usize = 11;

/// A campaign of a shop.
#[derive(Debug, Clone)]
struct Sent {
    shop: usize,
    id: String,
}

/// Sends campaigns by Zalo.
#[derive(Default)]
pub struct Zalo {
    is_on: Cell<bool>,
    /// The brandname of each shop.
    brandnames: RefCell<Vec<String>>,
    /// Campaigns whose `send` was accepted.
    sent: RefCell<Vec<Sent>>,
}

/// The account of a shop.
fn oa_of(shop: &Shop) -> String {
    format!("340000000000000000{}", shop.n)
}

impl Zalo {
    /// An administrator of the shop's account agrees, and the templates are read.
    async fn connect(&self, sim: &Sim, shop: &Shop) {
        let path = "/v1/channels/zalo/authorize";
        let asked = shop.api(sim, "api-channels", "POST", path, None).await;
        if !asked.is_ok() {
            return;
        }
        sim.note(format!("  T{} connects Zalo", shop.n));
        sim.world.providers.zalo().next_account(&oa_of(shop));
        let url: http::Uri = asked.text("url").parse().expect("an address");
        let request = Request::get(url.clone()).body(Bytes::new()).unwrap();
        let (host, path) = (url.host().unwrap_or_default(), url.path());
        let answer = sim.world.providers.answer(host, path, &request);
        let answer = answer.expect("a page of the provider");
        let to = answer.headers()["location"].to_str().unwrap();
        let to: http::Uri = to.parse().expect("an address");
        let back = http_event("GET", &to.path_and_query().unwrap().to_string(), None, None);
        sim.ask("api-channels", back).await;
        let path = format!("/v1/channels/zalo/{}/sync", oa_of(shop));
        shop.api(sim, "api-channels", "POST", &path, None).await;
    }

    /// The brandname of the text messages.
    async fn texts(&self, sim: &Sim, shop: &Shop) -> String {
        let keys = json!({ "api_key": shop.mark("esms"), "secret_key": SECRET });
        let path = "/v1/channels/sms";
        shop.api(sim, "api-channels", "PUT", path, Some(keys)).await;
        let body = json!({ "name": "ACME", "kind": "care", "carriers": [{ "carrier": "vinaphone", "status": "approved",
            "price_per_segment": 700, "expires_at": "2035-01-01T00:00:00Z" }] });
        let path = "/v1/channels/sms/brandnames";
        let made = shop.api(sim, "api-channels", "POST", path, Some(body));
        made.await.text("id")
    }

    async fn create(&self, sim: &Sim) {
        let shop = sim.shop();
        let brandname = self.brandnames.borrow()[shop.n].clone();
        let body = json!({ "name": shop.mark("zns"), "audience": { "include": { "list_ids": [shop.list] } },
            "zns": { "oa_id": oa_of(shop), "template_id": TEMPLATE,
                "params": { "customer_name": shop.mark("an"), "order_code": "DH1" },
                "fallback": { "brandname_id": brandname, "text": "ACME: Don hang DH1" } } });
        let made = shop
            .api(sim, "api-campaigns", "POST", "/v1/campaigns", Some(body))
            .await;
        if !made.is_ok() {
            return;
        }
        let one = Sent {
            shop: shop.n,
            id: made.text("id"),
        };
        if Self::command(sim, &one, "send").await {
            sim.accepted("campaigns by Zalo");
            self.sent.borrow_mut().push(one);
        }
    }

    async fn command(sim: &Sim, one: &Sent, command: &str) -> bool {
        let path = format!("/v1/campaigns/{}/{command}", one.id);
        sim.note(format!("  T{} {command} {}", one.shop, one.id));
        let shop = &sim.shops[one.shop];
        let reply = shop.api(sim, "api-campaigns", "POST", &path, None).await;
        reply.is_ok()
    }

    fn fail(sim: &Sim) {
        let zalo = sim.world.providers.zalo();
        if sim.percent(50) {
            let number = format!("84{}", &phone(sim.below(PEOPLE))[1..]);
            let code = CODES[sim.below(CODES.len())];
            sim.note(format!("  Zalo refuses a number with {code}"));
            zalo.refuse(&number, code);
            return;
        }
        if sim.percent(20) {
            sim.note("  the access tokens of Zalo end");
            zalo.end_tokens();
            return;
        }
        let (fault, times) = (FAULTS[sim.below(FAULTS.len())], 1 + sim.below(3));
        sim.note(format!("  Zalo answers {fault:?} {times} times"));
        zalo.fail(fault, times);
        sim.accepted("faults of Zalo");
    }

    /// Receipts of messages, each twice.
    async fn receipts(sim: &Sim) {
        let zalo = sim.world.providers.zalo();
        for posted in zalo.receipts(sim.now_ms()) {
            let mut event = http_event("POST", "/w/zalo", None, None);
            event["body"] = posted.body.into();
            for (name, text) in posted.headers {
                event["headers"][name] = text.into();
            }
            sim.ask("webhook-zalo", event.clone()).await;
            sim.ask("webhook-zalo", event).await;
        }
    }

    fn check_messages(sim: &Sim) -> BTreeMap<String, u64> {
        let mut names: BTreeMap<String, u64> = BTreeMap::new();
        let mut campaigns: BTreeMap<String, u64> = BTreeMap::new();
        for message in sim.world.providers.zalo().sent() {
            let campaign = &message.tracking_id[DIGITS..2 * DIGITS];
            *campaigns.entry(campaign.to_owned()).or_default() += 1;
            *names.entry(message.tracking_id).or_default() += 1;
        }
        for text in sim.world.providers.esms().sent() {
            // A group of a campaign has one id for all its numbers.
            let name = format!("{} {}", text.request_id, text.phone);
            *names.entry(name).or_default() += 1;
        }
        for (name, count) in names.iter().filter(|(_, count)| **count > 1) {
            sim.broken("message doubled", format!("{name} x{count}"));
        }
        campaigns
    }

    async fn check_report(sim: &Sim, one: &Sent, campaigns: &BTreeMap<String, u64>) {
        let shop = &sim.shops[one.shop];
        let path = format!("/v1/campaigns/{}/report", one.id);
        let report = shop
            .api(sim, "api-campaigns", "GET", &path, None)
            .await
            .body;
        let number = |name: &str| report[name].as_u64().unwrap_or_default();
        let sum = |report: &Value, name: &str| -> u64 {
            let reasons = report[name].as_object().into_iter().flatten();
            reasons.filter_map(|(_, n)| n.as_u64()).sum()
        };
        if report["status"] != "sent" {
            sim.broken("campaign not finished", format!("{one:?}: {report}"));
            return;
        }
        let settled =
            number("sent") + sum(&report, "skipped") + sum(&report, "failed") + number("unknown");
        let texts = sum(&report, "fallback_sms");
        if settled != number("audience") || texts > sum(&report, "failed") {
            sim.broken("report", format!("{one:?}: {report}"));
        }
        let digits = one.id.trim_start_matches("cmp_");
        let messages = campaigns.get(digits).copied().unwrap_or_default();
        if messages < number("sent") || messages > number("sent") + number("unknown") {
            let text = format!("{messages} messages, {one:?}: {report}");
            sim.broken("report", text);
        }
    }
}

#[async_trait(?Send)]
impl Feature for Zalo {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[
            ("campaign by Zalo", 2),
            ("fault of Zalo", 2),
            ("receipts of Zalo", 2),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        if !sim.percent(SEEDS_WITH) {
            return;
        }
        self.is_on.set(true);
        for shop in &sim.shops {
            self.connect(sim, shop).await;
            let brandname = self.texts(sim, shop).await;
            self.brandnames.borrow_mut().push(brandname);
        }
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            _ if !self.is_on.get() => {}
            "campaign by Zalo" => self.create(sim).await,
            "fault of Zalo" => Self::fail(sim),
            _ => Self::receipts(sim).await,
        }
    }

    async fn calm(&self, sim: &Sim) {
        if !self.is_on.get() {
            return;
        }
        sim.world.providers.zalo().heal();
        // A token may be lost between Zalo's answer and our write: then an administrator agrees again.
        for shop in &sim.shops {
            self.connect(sim, shop).await;
        }
        for _ in 0..4 {
            sim.rest(0).await;
            let mut resumed = false;
            let sent = self.sent.borrow().clone();
            for one in sent {
                let path = format!("/v1/campaigns/{}", one.id);
                let shop = &sim.shops[one.shop];
                let now = shop.api(sim, "api-campaigns", "GET", &path, None).await;
                if now.text("status") == "paused" {
                    resumed |= Self::command(sim, &one, "resume").await;
                }
            }
            if !resumed {
                return;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        if !self.is_on.get() {
            return;
        }
        let campaigns = Self::check_messages(sim);
        let sent = self.sent.borrow().clone();
        for one in sent {
            Self::check_report(sim, &one, &campaigns).await;
        }
    }
}
