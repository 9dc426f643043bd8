//! Readers of campaigns open mails and follow links. The counters of a campaign are the sum of the facts in its ledger.
//! They differ only as ADR 0003 says.

use std::cell::RefCell;
use std::collections::BTreeMap;

use async_trait::async_trait;
use content::tokens::{Token, TokenKey, TokenKind};
use serde_json::Value;
use tanigo_local::aws::Kind;
use tests_world::http_event;

use super::{Feature, tag};
use crate::sim::Sim;

/// Seeds of a hundred that have readers.
const SEEDS_WITH: u32 = 30;
/// The functions that learn facts and count them.
const COUNTING: &[&str] = &["delivery-status", "delivery-backlog", "link-tracker"];
/// The functions that send campaigns and learn of their mails.
const SENDING: &[&str] = &[
    "campaign-planner",
    "campaign-sender-email",
    "delivery-status",
];
/// The user agent of a person.
const READER: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148";
/// The fault after which an addition may be made twice.
const TWICE: &str = "answer lost";

/// Counts by name.
type Counts = BTreeMap<String, i64>;

/// Opens mails and follows links.
#[derive(Default)]
pub struct Readers {
    is_on: RefCell<bool>,
}

/// The share of a ledger's row in the figures of a report.
fn figures(row: &Value) -> [(&'static str, bool); 9] {
    let has = |name: &str| row[name].is_string();
    let any = |names: &[&str]| names.iter().any(|name| has(name));
    let bounced = has("hard_bounced_at");
    let read = [
        "opened_at",
        "clicked_at",
        "machine_opened_at",
        "machine_clicked_at",
        "click_burst_at",
    ];
    let told = ["delivered_at", "complained_at", "unsubscribed_at"];
    let arrived = any(&read) || any(&told);
    let soft_bounced = has("soft_bounced_at") && !bounced && !arrived;
    let provider = ["soft_bounced_at", "accepted_at", "rejected_at"];
    let accepted = arrived || bounced || any(&provider);
    [
        ("delivered", arrived && !bounced),
        ("bounced", bounced),
        ("soft_bounced", soft_bounced),
        ("complained", has("complained_at")),
        ("opened", has("opened_at")),
        ("clicked", has("clicked_at") && !has("click_burst_at")),
        ("unsubscribed", has("unsubscribed_at")),
        ("resolved", has("unknown_at") && accepted),
        (
            "rejected",
            has("rejected_at") && !bounced && !soft_bounced && !arrived,
        ),
    ]
}

/// The facts of each campaign's ledger, by the beginning of its keys.
async fn facts(sim: &Sim) -> BTreeMap<String, Counts> {
    let mut facts: BTreeMap<String, Counts> = BTreeMap::new();
    for row in sim.world.dump("SendLedger").await {
        let pk = row["pk"].as_str().unwrap_or_default();
        let Some((campaign, _)) = pk.rsplit_once('#') else {
            continue;
        };
        if !campaign.contains("#cmp_") {
            continue;
        }
        let counts = facts.entry(campaign.to_owned()).or_default();
        for (name, is_so) in figures(&row) {
            *counts.entry(name.to_owned()).or_default() += i64::from(is_so);
            if let Some(variant) = row["variant"].as_str() {
                let name = format!("{name}_{variant}");
                *counts.entry(name).or_default() += i64::from(is_so);
            }
        }
    }
    facts
}

/// The counters of each campaign, by the beginning of their keys.
async fn counters(sim: &Sim) -> BTreeMap<String, Counts> {
    let mut counters: BTreeMap<String, Counts> = BTreeMap::new();
    for row in sim.world.dump("Reports").await {
        let pk = row["pk"].as_str().unwrap_or_default();
        let Some((campaign, _)) = pk.rsplit_once("#c") else {
            continue;
        };
        let counts = counters.entry(campaign.to_owned()).or_default();
        for (name, value) in row.as_object().into_iter().flatten() {
            if let (Some(name), Some(n)) = (name.strip_prefix("n_"), value.as_i64()) {
                *counts.entry(name.to_owned()).or_default() += n;
            }
        }
    }
    counters
}

#[async_trait(?Send)]
impl Feature for Readers {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[("open or follow a link", 8)]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
    }

    async fn act(&self, sim: &Sim, _: &'static str) {
        let sent = || {
            let mut mails = sim.world.aws.outbox().all(Kind::Mail);
            mails.retain(|mail| tag(mail, "scope").starts_with("cmp_"));
            mails
        };
        if sent().is_empty() {
            sim.hurry(SENDING, 3).await;
        }
        let mut mails = sent();
        if mails.is_empty() {
            return;
        }
        let mail = mails.swap_remove(sim.below(mails.len()));
        let (kind, place) = if sim.percent(50) {
            (TokenKind::Open, "o")
        } else {
            let url = format!("https://example.vn/qua/{}", sim.below(2));
            (TokenKind::Click { url }, "c")
        };
        let token = Token {
            kind,
            channel: kernel::Channel::Email,
            workspace: tag(&mail, "tenant"),
            scope: tag(&mail, "scope"),
            contact: tag(&mail, "contact"),
            step: tag(&mail, "step"),
        };
        sim.note(format!("  {} at {place} of {}", token.contact, token.scope));
        let setup = sim.world.setup("link-tracker");
        let key = TokenKey::new(setup.secret("TRACKING_SECRET"));
        let path = format!("/{place}/{}", token.encode(&key).expect("a token"));
        let mut event = http_event("GET", &path, None, None);
        event["headers"]["user-agent"] = READER.into();
        sim.ask("link-tracker", event).await;
        sim.accepted("visits of readers");
    }

    async fn check(&self, sim: &Sim) {
        let (mut may_lose, mut may_double) = (false, false);
        for (handler, kinds) in sim.hit.borrow().iter() {
            if COUNTING.contains(&handler.as_str()) {
                may_lose = true;
                may_double |= kinds.contains(TWICE);
            }
        }
        let (facts, counters) = (facts(sim).await, counters(sim).await);
        for (campaign, facts) in &facts {
            let none = Counts::new();
            let counts = counters.get(campaign).unwrap_or(&none);
            for (name, fact) in facts {
                let count = counts.get(name).copied().unwrap_or_default();
                if (count < *fact && !may_lose) || (count > *fact && !may_double) {
                    let text = format!("{campaign}: {name} is {count}, not {fact}");
                    sim.broken("counter", text);
                }
            }
        }
    }
}
