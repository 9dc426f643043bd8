//! Campaigns and single mails. Nobody gets a mail of one scope twice, or one after the unsubscription. Every campaign
//! that was sent comes to its end with a correct report.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use async_trait::async_trait;
use content::tokens::{Token, TokenKey, TokenKind, address_mark};
use serde_json::json;
use tanigo_local::aws::Kind;
use tests_world::http_event;

use super::segments::Segments;
use super::{Feature, tag};
use crate::shop::Shop;
use crate::sim::Sim;

/// A mail may still leave this long after the unsubscription was answered, milliseconds: a sub-batch had read the
/// contact already.
const STOP_MS: i64 = 60_000;

/// A campaign of a shop.
#[derive(Debug, Clone)]
struct Sent {
    shop: usize,
    id: String,
    /// The API accepted `send`.
    accepted: bool,
    /// A timer starts it. The start fails if a segment was deleted meanwhile.
    is_scheduled: bool,
}

/// Sends campaigns; people unsubscribe.
pub struct Campaigns {
    segments: Rc<Segments>,
    sent: RefCell<Vec<Sent>>,
    /// Campaigns that no accepted command sends, by shop.
    kept_back: RefCell<Vec<(usize, String)>>,
    /// When an unsubscription was answered, by shop and address.
    stopped: RefCell<BTreeMap<(usize, String), i64>>,
    /// Earlier unsubscriptions of people who came back.
    returned: RefCell<Vec<Gone>>,
}

/// The time between an unsubscription and the return.
#[derive(Debug, Clone)]
struct Gone {
    shop: usize,
    address: String,
    since: i64,
    until: i64,
}

/// The address in `Name <address>`.
fn address(to: &str) -> &str {
    to.rsplit('<').next().unwrap_or(to).trim_end_matches('>')
}

impl Campaigns {
    pub fn new(segments: Rc<Segments>) -> Self {
        Self {
            segments,
            sent: RefCell::default(),
            kept_back: RefCell::default(),
            stopped: RefCell::default(),
            returned: RefCell::default(),
        }
    }

    fn some(&self, sim: &Sim) -> Option<(usize, Sent)> {
        let sent = self.sent.borrow();
        let n = sim.below(sent.len());
        sent.get(n).map(|one| (n, one.clone()))
    }

    async fn create(&self, sim: &Sim) {
        let shop = sim.shop();
        let audience = match (sim.below(3), self.segments.of(shop)) {
            (0, Some(segment)) => json!({ "include": { "segment_ids": [segment] } }),
            (1, Some(segment)) => json!({
                "include": { "list_ids": [shop.list] },
                "exclude": { "segment_ids": [segment] },
            }),
            _ => json!({ "include": { "list_ids": [shop.list] } }),
        };
        let body = Self::letter(shop, &audience);
        let made = shop
            .api(sim, "api-campaigns", "POST", "/v1/campaigns", Some(body))
            .await;
        if !made.is_ok() {
            return;
        }
        let id = made.text("id");
        let n = self.sent.borrow().len();
        self.sent.borrow_mut().push(Sent {
            shop: shop.n,
            id,
            accepted: false,
            is_scheduled: false,
        });
        self.command(sim, n, "send").await;
    }

    /// A later start of a new campaign or of a copy. Some schedules are moved or taken back.
    async fn schedule(&self, sim: &Sim) {
        let Some((shop, id)) = self.draft(sim).await else {
            return;
        };
        let one = &sim.shops[shop];
        let mut scheduled = false;
        for _ in 0..=sim.below(2) {
            let at = sim.now_ms() + 60_000 * (1 + sim.below(10) as i64);
            let at = jiff::Timestamp::from_millisecond(at).unwrap();
            let path = format!("/v1/campaigns/{id}/send");
            sim.note(format!("  T{shop} schedules {id} for {at}"));
            let body = Some(json!({ "at": at }));
            let reply = one.api(sim, "api-campaigns", "POST", &path, body).await;
            scheduled |= reply.is_ok();
        }
        let taken_back = sim.percent(30);
        if taken_back {
            let path = format!("/v1/campaigns/{id}/unschedule");
            sim.note(format!("  T{shop} unschedules {id}"));
            let reply = one.api(sim, "api-campaigns", "POST", &path, None).await;
            if reply.is_ok() {
                self.kept_back.borrow_mut().push((shop, id));
                return;
            }
        }
        // A lost answer to `unschedule` leaves open whether the campaign is sent.
        let accepted = scheduled && !taken_back;
        if accepted {
            sim.accepted("schedules");
        }
        self.sent.borrow_mut().push(Sent {
            shop,
            id,
            accepted,
            is_scheduled: true,
        });
    }

    /// A new draft, or a copy of a campaign.
    async fn draft(&self, sim: &Sim) -> Option<(usize, String)> {
        if let Some((_, one)) = self.some(sim).filter(|_| sim.percent(50)) {
            let path = format!("/v1/campaigns/{}/copy", one.id);
            let shop = &sim.shops[one.shop];
            let made = shop.api(sim, "api-campaigns", "POST", &path, None).await;
            return made.is_ok().then(|| (one.shop, made.text("id")));
        }
        let shop = sim.shop();
        let body = Self::letter(shop, &json!({ "include": { "list_ids": [shop.list] } }));
        let path = "/v1/campaigns";
        let made = shop
            .api(sim, "api-campaigns", "POST", path, Some(body))
            .await;
        made.is_ok().then(|| (shop.n, made.text("id")))
    }

    /// A draft that is changed and then deleted, or asks for an approval. It must never be sent.
    async fn change(&self, sim: &Sim) {
        let Some((shop, id)) = self.draft(sim).await else {
            return;
        };
        let one = &sim.shops[shop];
        let path = format!("/v1/campaigns/{id}");
        let name = Some(json!({ "name": one.mark("changed") }));
        one.api(sim, "api-campaigns", "PATCH", &path, name).await;
        if sim.percent(50) {
            one.api(sim, "api-campaigns", "DELETE", &path, None).await;
        } else {
            let path = format!("{path}/approval");
            let note = Some(json!({ "note": one.mark("note") }));
            one.api(sim, "api-campaigns", "POST", &path, note).await;
        }
        self.kept_back.borrow_mut().push((shop, id));
    }

    fn letter(shop: &Shop, audience: &serde_json::Value) -> serde_json::Value {
        json!({
            "name": shop.mark("campaign"), "audience": audience,
            "mail": {
                "sender": { "from_name": "Shop", "from_email": "tin@example.vn" },
                "subject": shop.mark("campaign"), "html": "<p>Chào bạn</p>",
            },
        })
    }

    async fn command(&self, sim: &Sim, n: usize, command: &str) -> bool {
        let one = self.sent.borrow()[n].clone();
        let path = format!("/v1/campaigns/{}/{command}", one.id);
        sim.note(format!("  T{} {command} {}", one.shop, one.id));
        let reply = sim.shops[one.shop]
            .api(sim, "api-campaigns", "POST", &path, None)
            .await;
        if reply.is_ok() && command == "send" && !one.accepted {
            self.sent.borrow_mut()[n].accepted = true;
            sim.accepted("campaigns");
        }
        reply.is_ok()
    }

    /// Somebody follows the link of a mail of a campaign: nobody has a link before the mail was sent. Some come back
    /// by the preference page.
    async fn unsubscribe(&self, sim: &Sim) {
        let mut mails = sim.world.aws.outbox().all(Kind::Mail);
        mails.retain(|mail| tag(mail, "scope").starts_with("cmp_"));
        if mails.is_empty() {
            return;
        }
        let mail = mails.swap_remove(sim.below(mails.len()));
        let setup = sim.world.setup("link-tracker");
        let key = TokenKey::new(setup.secret("TRACKING_SECRET"));
        let token = Token {
            kind: TokenKind::Unsubscribe {
                address: address_mark(address(&mail.to[0])),
            },
            channel: kernel::Channel::Email,
            workspace: tag(&mail, "tenant"),
            scope: tag(&mail, "scope"),
            contact: tag(&mail, "contact"),
            step: tag(&mail, "step"),
        };
        let shops = &sim.shops;
        let shop = shops
            .iter()
            .position(|shop| shop.tenant.to_string() == token.workspace);
        let (shop, address) = (shop.expect("a shop"), address(&mail.to[0]).to_owned());
        let token = token.encode(&key).unwrap();
        let is_gone = self.stopped.borrow().contains_key(&(shop, address.clone()));
        if is_gone && sim.percent(50) {
            return self.come_back(sim, &token, shop, address).await;
        }
        let path = format!("/u/{token}");
        sim.note(format!("  {address} unsubscribes from T{shop}"));
        let reply = sim
            .ask("link-tracker", http_event("POST", &path, None, None))
            .await;
        if reply.is_ok() {
            sim.accepted("unsubscriptions");
            let mut stopped = self.stopped.borrow_mut();
            stopped.entry((shop, address)).or_insert(sim.now_ms());
        }
    }

    /// The person subscribes again. Whether a lost answer was recorded is not known, so the stop then no longer counts.
    async fn come_back(&self, sim: &Sim, token: &str, shop: usize, address: String) {
        let mut event = http_event("POST", &format!("/p/{token}"), None, None);
        event["body"] = "shown=email.marketing&email.marketing=on".into();
        sim.note(format!("  {address} comes back to T{shop}"));
        let since = self.stopped.borrow_mut().remove(&(shop, address.clone()));
        self.returned.borrow_mut().extend(since.map(|since| Gone {
            shop,
            address,
            since,
            until: sim.now_ms(),
        }));
        if sim.ask("link-tracker", event).await.is_ok() {
            sim.accepted("returns");
        }
    }

    fn check_mails(&self, sim: &Sim) {
        let mut seen: BTreeMap<[String; 3], u32> = BTreeMap::new();
        for mail in sim.world.aws.outbox().all(Kind::Mail) {
            let (tenant, scope) = (tag(&mail, "tenant"), tag(&mail, "scope"));
            if self.kept_back.borrow().iter().any(|(_, id)| *id == scope) {
                sim.broken("campaign kept back", format!("{scope} was sent"));
            }
            if scope.starts_with("frm_") {
                // Transactional: the feature of signup forms looks at them.
                continue;
            }
            let contact = format!("{} {}", tag(&mail, "contact"), tag(&mail, "step"));
            *seen
                .entry([tenant.clone(), scope.clone(), contact])
                .or_default() += 1;
            let shop = sim
                .shops
                .iter()
                .find(|shop| shop.tenant.to_string() == tenant);
            let Some(shop) = shop.filter(|_| scope.starts_with("cmp_")) else {
                continue;
            };
            for to in &mail.to {
                let address = address(to);
                let returned = self.returned.borrow();
                let away = |one: &&Gone| one.shop == shop.n && one.address == address;
                for gone in returned.iter().filter(away) {
                    if mail.at > gone.since + STOP_MS && mail.at < gone.until {
                        sim.broken("mail after unsubscription", format!("{gone:?} got {scope}"));
                    }
                }
                let stopped = self.stopped.borrow();
                let stopped = stopped.get(&(shop.n, address.to_owned()));
                if let Some(at) = stopped.filter(|at| mail.at > **at + STOP_MS) {
                    let late = (mail.at - at) / 1000;
                    let text = format!(
                        "T{} {address} got {scope} {late} s after it unsubscribed",
                        shop.n
                    );
                    sim.broken("mail after unsubscription", text);
                }
            }
        }
        for (key, count) in seen.iter().filter(|(_, count)| **count > 1) {
            sim.broken("mail doubled", format!("{key:?} x{count}"));
        }
    }

    /// The receivers of a campaign by its chunks and the ledger, and those of them that got nothing.
    async fn receivers(sim: &Sim, one: &Sent) -> (u64, u64) {
        let shop = &sim.shops[one.shop];
        let (mut all, mut skipped, mut cursor) = (0, 0, String::new());
        loop {
            let path = format!("/v1/campaigns/{}/receivers?limit=100{cursor}", one.id);
            let page = shop.api(sim, "api-campaigns", "GET", &path, None).await;
            for row in page.body["data"].as_array().into_iter().flatten() {
                all += 1;
                skipped += u64::from(row["status"] == "skipped");
            }
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (all, skipped),
            }
        }
    }

    async fn check_report(&self, sim: &Sim, one: &Sent) {
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
        let has_failed = one.is_scheduled && report["status"] == "failed";
        if one.accepted && !done && !has_failed {
            sim.broken("campaign not finished", format!("{one:?}: {report}"));
        }
        if report["status"] != "sent" {
            return;
        }
        let settled = number("sent") + sum("skipped") + sum("failed") + number("unknown");
        if settled != number("audience") {
            sim.broken("report", format!("{one:?}: {report}"));
        }
        let (receivers, skipped) = Self::receivers(sim, one).await;
        if receivers != number("audience") || skipped != sum("skipped") {
            let text = format!("{receivers} receivers, {skipped} skipped, {one:?}: {report}");
            sim.broken("receivers", text);
        }
        let tags = [
            ("tenant", shop.tenant.to_string()),
            ("scope", one.id.clone()),
        ];
        let mails = sim
            .world
            .aws
            .outbox()
            .all(Kind::Mail)
            .into_iter()
            .filter(|mail| {
                let has = |(name, value): &(&str, String)| {
                    mail.tags.iter().any(|(n, v)| n == name && v == value)
                };
                tags.iter().all(has)
            });
        let mails = mails.count() as u64;
        if mails < number("sent") || mails > number("sent") + number("unknown") {
            sim.broken("report", format!("{mails} mails, {one:?}: {report}"));
        }
    }
}

#[async_trait(?Send)]
impl Feature for Campaigns {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[
            ("campaign", 3),
            ("pause or resume a campaign", 3),
            ("schedule a campaign", 3),
            ("change a draft", 2),
            ("unsubscribe", 8),
        ]
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            "campaign" => self.create(sim).await,
            "unsubscribe" => self.unsubscribe(sim).await,
            "schedule a campaign" => self.schedule(sim).await,
            "change a draft" => self.change(sim).await,
            _ => {
                if let Some((n, _)) = self.some(sim) {
                    let command = ["pause", "resume", "send"][sim.below(3)];
                    self.command(sim, n, command).await;
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
        self.check_mails(sim);
        let sent = self.sent.borrow().clone();
        for one in &sent {
            self.check_report(sim, one).await;
        }
    }
}
