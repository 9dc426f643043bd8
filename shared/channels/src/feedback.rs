//! The feedback of a send: provider events, opens, clicks, unsubscribing.
//!
//! Each enters the ledger as a fact. The writer that wins the fact counts it and writes the contact's timeline, so
//! any number of repetitions counts once. Consent after a bounce, a complaint or an unsubscription must not be lost.
//! It is written before the fact, so the next delivery repairs a crash in between. A reader's action has no time of
//! its own. Its entry is written after the fact, under the time that the fact keeps. The next visit writes a missing
//! entry. An erased contact gets no entry.

use std::collections::BTreeMap;
use std::time::Duration;

use cloud::counters::{Counts, Hour};
use cloud::{Counters, Error, Message, QueueName, Resources};
use contacts::consent::{Decision, Evidence, Method, Stated};
use contacts::{Channel, Contact, Contacts, Event, Statement};
use jiff::Timestamp;
use kernel::{EmailAddress, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::Instrument;

use crate::ledger::{Fact, Ledger, LedgerKey, Marked, Row, Tally};
use crate::ses_event::About;

/// A load of the image within this time after delivery was made by a machine.
pub const TOO_SOON: Duration = Duration::from_secs(30);

/// Parts of the user agents of mail scanners and link checkers. Image proxies of mail providers
/// (`GoogleImageProxy`, `YahooMailProxy`) load an image when its reader does, so they are not here.
const MACHINES: &[&str] = &[
    "barracuda",
    "proofpoint",
    "mimecast",
    "trendmicro",
    "symantec",
    "messagelabs",
    "forcepoint",
    "sophos",
    "bitdefender",
    "kaspersky",
    "urldefense",
    "safelinks",
    "headlesschrome",
    "phantomjs",
    "bot/",
    "bot;",
    "spider",
    "crawler",
    "linkcheck",
    "virustotal",
    "urlscan",
];

/// Whether a machine sent the request: it asks for the headers only, or its user agent names a machine.
pub fn is_machine(method: &str, user_agent: &str) -> bool {
    let agent = user_agent.to_ascii_lowercase();
    method.eq_ignore_ascii_case("HEAD") || MACHINES.iter().any(|part| agent.contains(part))
}

/// Figures of several sends, to be written together: one write unit for each campaign and hour, for any number of
/// sends.
#[derive(Debug, Default)]
pub struct Gains(BTreeMap<(TenantKey, String, Hour), Counts>);

impl Gains {
    /// Adds the figures of one send in an hour. Only campaigns have a report.
    pub fn add(&mut self, tenant: TenantKey, scope: &str, hour: Hour, gained: Tally) {
        if gained == Tally::default() || scope.parse::<kernel::CampaignId>().is_err() {
            return;
        }
        let key = (tenant, scope.to_owned(), hour);
        let counts = self.0.entry(key).or_default();
        for (name, n) in gained.figures() {
            if n != 0 {
                *counts.entry(name.to_owned()).or_default() += n;
            }
        }
    }

    /// Writes one update for each campaign and hour, each up to `attempts` times. A failure of one does not stop the
    /// others. `source` spreads the writers over the counters' partitions.
    pub async fn write(
        self,
        counters: &Counters,
        source: &str,
        attempts: u32,
    ) -> Result<(), Error> {
        let mut result = Ok(());
        for ((tenant, scope, hour), counts) in self.0 {
            let written = counters.add_trying(tenant, &scope, hour, source, &counts, attempts);
            result = result.and(written.await);
        }
        result
    }
}

/// Many events of one tenant in one message, on the queue of events that wait for their turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Backlog {
    /// First version.
    #[serde(rename = "delivery.backlog.v1")]
    V1 {
        /// The events.
        events: Vec<About>,
    },
}

impl Message for Backlog {
    const QUEUE: QueueName = QueueName::new("delivery-backlog");
}

/// Records facts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Feedback {
    ledger: Ledger,
    contacts: Contacts,
}

impl Feedback {
    /// Over the tables of the ledger and of the contacts.
    pub fn over(resources: &Resources) -> Self {
        Self {
            ledger: Ledger::over(resources),
            contacts: Contacts::over(resources),
        }
    }

    /// The time of readers' visits.
    pub fn now(&self) -> Timestamp {
        self.ledger.now()
    }

    /// A provider's event, recorded under the trace id of its mail. `None`: there is no such send.
    pub async fn reported(&self, tenant: TenantKey, about: &About) -> Result<Option<Tally>, Error> {
        let (address, detail) = (&about.address, about.detail.as_deref());
        let work = self.provider(tenant, &about.key, address, about.fact, about.at, detail);
        match &about.trace {
            Some(trace) => {
                let span = tracing::info_span!("event", %trace);
                cloud::trace::scope(trace.clone(), Box::pin(work))
                    .instrument(span)
                    .await
            }
            None => Box::pin(work).await,
        }
    }

    /// A provider's event about a mail to `address`. `None`: there is no such send.
    pub async fn provider(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        address: &EmailAddress,
        fact: Fact,
        at: Timestamp,
        detail: Option<&str>,
    ) -> Result<Option<Tally>, Error> {
        let name = match fact {
            Fact::HardBounced => {
                let contact = key.contact;
                self.contacts.bounced(tenant, contact, address).await?;
                Some("message.bounced")
            }
            Fact::Complained => {
                // The complaint is the person's own decision, for any address.
                let way = (Method::ProviderReport, Decision::Complained);
                self.stop(tenant, key, way, at, detail).await?;
                Some("message.complained")
            }
            _ => None,
        };
        if let Some(name) = name {
            self.tell(tenant, key, name, at, json!({ "kind": detail }))
                .await?;
        }
        self.learn(tenant, key, fact, at)
            .await
            .map(|news| news.map(|(_, gained)| gained))
    }

    /// The image was loaded. Returns the added figures; `None` if there is no such send.
    pub async fn opened(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        machine: bool,
    ) -> Result<Option<Tally>, Error> {
        let Some(row) = self.ledger.get(tenant, key).await? else {
            return Ok(None);
        };
        let now = self.ledger.now();
        let fact = if machine || is_too_soon(&row, now) {
            Fact::MachineOpened
        } else {
            Fact::Opened
        };
        self.seen(tenant, key, &row, fact, now, json!({})).await
    }

    /// A link was followed. Only the first click of a mail counts; each click is its own entry on the timeline.
    /// Returns the added figures; `None` if there is no such send.
    pub async fn clicked(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        url: &str,
        machine: bool,
    ) -> Result<Option<Tally>, Error> {
        let Some(row) = self.ledger.get(tenant, key).await? else {
            return Ok(None);
        };
        let fact = if machine {
            Fact::MachineClicked
        } else {
            Fact::Clicked
        };
        let now = self.ledger.now();
        self.seen(tenant, key, &row, fact, now, json!({ "url": url }))
            .await
    }

    /// The reader unsubscribes from marketing. In force when this returns; safe to repeat.
    pub async fn unsubscribed(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
    ) -> Result<Option<Tally>, Error> {
        let now = self.ledger.now();
        let way = (Method::MailLink, Decision::Withdrawn);
        self.stop(tenant, key, way, now, None).await?;
        let Some((news, gained)) = self.learn(tenant, key, Fact::Unsubscribed, now).await? else {
            return Ok(None);
        };
        let name = "message.unsubscribed";
        if news {
            self.tell(tenant, key, name, now, json!({})).await?;
        } else if let Some(row) = self.ledger.get(tenant, key).await?
            && let Some(learnt) = row.facts.at(Fact::Unsubscribed)
        {
            self.make_good(tenant, key, name, learnt, json!({})).await?;
        }
        Ok(Some(gained))
    }

    /// The contact of a send, with its consent; `None` if the contact is gone.
    pub async fn preferences(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
    ) -> Result<Option<Contact>, Error> {
        self.contacts.get(tenant, key.contact).await
    }

    /// Records a decision of the reader of a mail on the preference page. Safe to repeat.
    pub async fn prefer(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        statement: &Statement,
        proven: Option<&EmailAddress>,
    ) -> Result<Stated, Error> {
        let purposes = statement.purposes.iter().map(|purpose| purpose.name());
        let channels = statement.channels.iter().map(|channel| channel.name());
        let what: Vec<&str> = channels.chain(purposes).collect();
        let cause = format!("{}#{}#{}", key.scope, key.step, what.join("#"));
        let contacts = &self.contacts;
        contacts
            .declare(tenant, key.contact, statement, &cause, proven)
            .await
    }

    /// Records a reader's action. A known fact with its timeline entry costs no write.
    async fn seen(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        row: &Row,
        fact: Fact,
        at: Timestamp,
        data: Value,
    ) -> Result<Option<Tally>, Error> {
        let name = match fact {
            Fact::Opened => Some("message.opened"),
            Fact::Clicked => Some("message.clicked"),
            _ => None,
        };
        if let Some(learnt) = row.facts.at(fact) {
            if let Some(name) = name {
                self.make_good(tenant, key, name, learnt, data).await?;
            }
            return Ok(Some(Tally::default()));
        }
        let Some((news, gained)) = self.learn(tenant, key, fact, at).await? else {
            return Ok(None);
        };
        if let Some(name) = name.filter(|_| news) {
            self.tell(tenant, key, name, at, data).await?;
        }
        Ok(Some(gained))
    }

    /// Whether the fact was new, and the added figures.
    async fn learn(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        fact: Fact,
        at: Timestamp,
    ) -> Result<Option<(bool, Tally)>, Error> {
        Ok(match self.ledger.learn(tenant, key, fact, at).await? {
            Marked::News(gained) => Some((true, gained)),
            Marked::Known => Some((false, Tally::default())),
            Marked::Absent => None,
        })
    }

    async fn stop(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        (way, decision): (Method, Decision),
        at: Timestamp,
        detail: Option<&str>,
    ) -> Result<(), Error> {
        let mail = format!("{}#{}", key.scope, key.step);
        let statement = Statement {
            evidence: Evidence {
                message_id: Some(mail.clone()),
                statement: detail.map(str::to_owned),
                ..Evidence::default()
            },
            at: Some(at),
            ..Statement::new(way, decision, [Channel::Email])
        };
        let stated = self
            .contacts
            .declare(tenant, key.contact, &statement, &mail, None);
        stated.await.map(drop)
    }

    async fn tell(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        name: &str,
        at: Timestamp,
        data: Value,
    ) -> Result<(), Error> {
        let event = event(key, name, at, data);
        let contacts = &self.contacts;
        contacts
            .record_of_known(tenant, key.contact, &event)
            .await?;
        Ok(())
    }

    /// Writes the timeline entry again in case an earlier run crashed before writing it. It uses the stored time,
    /// so there is only one entry. If the entry exists, this costs one read.
    async fn make_good(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        name: &str,
        learnt: Timestamp,
        data: Value,
    ) -> Result<(), Error> {
        let event = event(key, name, learnt, data);
        let contacts = &self.contacts;
        if !contacts.has(tenant, key.contact, &event).await? {
            contacts
                .record_of_known(tenant, key.contact, &event)
                .await?;
        }
        Ok(())
    }
}

/// A send's event on the timeline. The names in `data` are read by workflow triggers.
fn event(key: &LedgerKey, name: &str, at: Timestamp, data: Value) -> Event {
    let mut details = json!({ "scope": key.scope, "step": key.step });
    if let (Some(details), Value::Object(data)) = (details.as_object_mut(), data) {
        if key.scope.parse::<kernel::CampaignId>().is_ok() {
            details.insert("campaign_id".to_owned(), json!(key.scope));
        }
        details.extend(data);
    }
    let mut id = format!("{name}#{}#{}", key.scope, key.step);
    // A mail has many links, and a workflow may wait for one of them.
    if let Some(url) = details["url"].as_str() {
        id = format!("{id}#{}", kernel::hash::name(&[url]));
    }
    Event {
        id,
        name: name.to_owned(),
        at,
        source: key.scope.clone(),
        data: details,
    }
}

fn is_too_soon(row: &Row, now: Timestamp) -> bool {
    let facts = &row.facts;
    let arrived = facts.at(Fact::Delivered).or(facts.at(Fact::Accepted));
    let arrived = arrived.unwrap_or(row.claimed_at);
    now.duration_since(arrived) < jiff::SignedDuration::from_secs(TOO_SOON.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanners_are_machines_and_image_proxies_are_people() {
        for agent in [
            "Mozilla/5.0 (compatible; Barracuda Sentinel)",
            "Mozilla/5.0 HeadlessChrome/120",
            "Mozilla/5.0 (compatible; Googlebot/2.1)",
            "proofpoint-scanner",
        ] {
            assert!(is_machine("GET", agent), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (Windows NT 5.1) (via ggpht.com GoogleImageProxy)",
            "YahooMailProxy; https://help.yahoo.com/",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148",
            "",
        ] {
            assert!(!is_machine("GET", agent), "{agent}");
            assert!(is_machine("HEAD", agent));
        }
    }
}
