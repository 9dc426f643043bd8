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
use contacts::{Contact, Contacts, Statement};
use jiff::{SignedDuration, Timestamp};
use kernel::{EmailAddress, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::Instrument;

use crate::agents::Agent;
use crate::domain::Domain;
use crate::ledger::{Fact, Learnt, Ledger, LedgerKey, Marked, Row, State, Tally, Visit};
use crate::links::{self, Click};
use crate::ses_event::About;
use crate::told::{DELIVERED, FAILED, SOFT_BOUNCED, event, tell_if_heard};

mod gained;

pub use gained::Gained;

/// An open or a click within this time after delivery was made by a machine.
pub const TOO_SOON: Duration = Duration::from_secs(30);
/// Two links of a mail that are followed within this time were followed by a machine.
const BURST: SignedDuration = SignedDuration::from_secs(2);

/// Kinds of soft bounces that say nothing about the address (SES, bounce sub types).
const OF_CONTENT: [&str; 3] = ["MessageTooLarge", "ContentRejected", "AttachmentRejected"];

/// Figures of several sends, to be written together: one write unit for each campaign and hour, for any number of
/// sends.
#[derive(Debug, Default)]
pub struct Gains(BTreeMap<(TenantKey, String, Hour), Counts>);

impl Gains {
    /// Adds the figures of one send in an hour. Only campaigns have a report. Figures of a version are counted a second
    /// time under their name with `_a` or `_b`, in the same write.
    pub fn add(&mut self, tenant: TenantKey, scope: &str, hour: Hour, gained: &Gained) {
        let gained = gained.counts();
        if gained.is_empty() || scope.parse::<kernel::CampaignId>().is_err() {
            return;
        }
        let key = (tenant, scope.to_owned(), hour);
        let counts = self.0.entry(key).or_default();
        for (name, n) in gained {
            *counts.entry(name).or_default() += n;
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

/// The event of a link that was followed.
const CLICKED: &str = "message.clicked";

/// A visit of a reader or a machine.
struct Seen {
    fact: Fact,
    visit: Visit,
    at: Timestamp,
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
    /// Receipts of messages that are no mails.
    #[serde(rename = "delivery.receipts.v1")]
    Receipts {
        /// The receipts.
        receipts: Vec<Receipt>,
    },
}

/// A provider's report about a message that is no mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The send.
    pub key: LedgerKey,
    /// The event.
    pub fact: Fact,
    /// Its time, as the provider reports it.
    pub at: Timestamp,
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
    pub async fn reported(
        &self,
        tenant: TenantKey,
        about: &About,
    ) -> Result<Option<Gained>, Error> {
        if about.after_soft_bounces && about.fact == Fact::Delivered {
            self.contacts.arrived(tenant, about.key.contact).await?;
        }
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

    /// A provider's receipt of a message that is no mail. `None`: there is no such send.
    pub async fn received(
        &self,
        tenant: TenantKey,
        receipt: &Receipt,
    ) -> Result<Option<Gained>, Error> {
        let (key, fact, at) = (&receipt.key, receipt.fact, receipt.at);
        // A repeated receipt has a later time: the event is that of the first one, also after a crash in between.
        let (first, gained) = match self.ledger.learn(tenant, key, fact, at).await? {
            Marked::News(gained) => (at, gained),
            Marked::Known(first) => (first, Tally::default()),
            Marked::Absent => return Ok(None),
        };
        self.tell_heard(tenant, key, (fact, first), None).await?;
        Ok(Some(gained.into()))
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
    ) -> Result<Option<Gained>, Error> {
        let name = match fact {
            Fact::HardBounced => {
                let contact = key.contact;
                self.contacts.bounced(tenant, contact, address).await?;
                Some("message.bounced")
            }
            Fact::SoftBounced => {
                self.soft_bounced(tenant, key, address, detail).await?;
                None
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
        self.tell_heard(tenant, key, (fact, at), detail).await?;
        let domain = Domain::of(address);
        let details = Learnt {
            visit: None,
            domain: Some(domain),
        };
        let learnt = self.ledger.learn_by(tenant, key, fact, at, details).await?;
        Ok(told(learnt).map(|(_, tally)| Gained {
            tally,
            domain: Some(domain),
            ..Gained::default()
        }))
    }

    /// Tells those that wait for it of an event that comes with every message.
    async fn tell_heard(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        (fact, at): (Fact, Timestamp),
        detail: Option<&str>,
    ) -> Result<(), Error> {
        let (name, data) = match fact {
            Fact::Delivered => (DELIVERED, json!({})),
            Fact::SoftBounced => (SOFT_BOUNCED, json!({ "kind": detail })),
            Fact::Rejected => (FAILED, json!({ "reason": "rejected_by_provider" })),
            _ => return Ok(()),
        };
        tell_if_heard(&self.contacts, tenant, key, (name, at), data).await
    }

    /// Counts a soft bounce against its address, unless the mail arrived or was refused for its content. Automatic answers
    /// come as soft bounces after the delivery.
    async fn soft_bounced(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        address: &EmailAddress,
        detail: Option<&str>,
    ) -> Result<(), Error> {
        let kind = detail.and_then(|detail| detail.split('/').nth(1));
        if kind.is_some_and(|kind| OF_CONTENT.contains(&kind)) {
            return Ok(());
        }
        let row = self.ledger.get(tenant, key).await?;
        if row.is_some_and(|row| row.state() >= State::Delivered) {
            return Ok(());
        }
        let mail = format!("{}#{}", key.scope, key.step);
        let contacts = &self.contacts;
        contacts
            .soft_bounced(tenant, key.contact, address, &mail)
            .await
    }

    /// The image was loaded. Returns the added figures; `None` if there is no such send. Each open of a person counts in the
    /// total, the first also as an opened mail.
    pub async fn opened(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        agent: Agent,
    ) -> Result<Option<Gained>, Error> {
        let Some(row) = self.ledger.get(tenant, key).await? else {
            return Ok(None);
        };
        let now = self.ledger.now();
        let fact = if !agent.is_person() || is_too_soon(&row, now) {
            Fact::MachineOpened
        } else {
            Fact::Opened
        };
        let visit = Visit { agent, link: None };
        let seen = Seen {
            fact,
            visit,
            at: now,
        };
        let (_, gained) = self.seen(tenant, key, &row, seen, json!({})).await?;
        Ok(gained.map(|gained| Gained {
            opens: i64::from(fact == Fact::Opened),
            ..gained
        }))
    }

    /// A link was followed. Only the first click of a mail counts as a clicked mail, each click of a person in the total. Each
    /// link is its own entry on the timeline. A second link within two seconds shows that a machine follows them all: the
    /// mail then counts as not clicked. Returns the added figures; `None` if there is no such send.
    pub async fn clicked(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        url: &str,
        agent: Agent,
    ) -> Result<Option<Gained>, Error> {
        let Some(row) = self.ledger.get(tenant, key).await? else {
            return Ok(None);
        };
        let (now, link) = (self.ledger.now(), kernel::hash::name(&[url]));
        // No scanner sees a notification, and its reader answers at once.
        let may_be_scanned = key.channel != kernel::Channel::Push;
        let fact = if !agent.is_person() || (may_be_scanned && is_too_soon(&row, now)) {
            Fact::MachineClicked
        } else if is_burst(&row, &link, now) {
            Fact::ClickBurst
        } else {
            Fact::Clicked
        };
        let visit = Visit {
            agent,
            link: (fact == Fact::Clicked).then_some(link),
        };
        let seen = Seen {
            fact,
            visit,
            at: now,
        };
        let (is_new, gained) = self
            .seen(tenant, key, &row, seen, json!({ "url": url }))
            .await?;
        // Clicks of a mail whose links a machine followed count nowhere.
        let counts = fact == Fact::Clicked && !row.facts.has(Fact::ClickBurst);
        Ok(gained.map(|gained| Gained {
            clicks: i64::from(counts),
            click: counts.then(|| Click {
                url: links::plain(url).to_owned(),
                is_first: is_new,
            }),
            ..gained
        }))
    }

    /// The reader unsubscribes from marketing. In force when this returns; safe to repeat.
    pub async fn unsubscribed(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
    ) -> Result<Option<Gained>, Error> {
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
        Ok(Some(gained.into()))
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

    /// Records a reader's action. A known fact with its timeline entry costs no write. Returns whether the entry is new, and
    /// the added figures.
    async fn seen(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        row: &Row,
        Seen { fact, visit, at }: Seen,
        data: Value,
    ) -> Result<(bool, Option<Gained>), Error> {
        let gained = |tally| Gained {
            tally,
            domain: row.domain,
            ..Gained::default()
        };
        let mut is_new = false;
        let name = match fact {
            Fact::Opened => Some("message.opened"),
            Fact::Clicked => Some(CLICKED),
            _ => None,
        };
        if let Some(learnt) = row.facts.at(fact) {
            if let Some(name) = name {
                is_new = self.make_good(tenant, key, name, learnt, data).await?;
            }
            return Ok((is_new, Some(gained(Tally::default()))));
        }
        let details = Learnt {
            visit: Some(visit),
            domain: None,
        };
        let learnt = self.ledger.learn_by(tenant, key, fact, at, details);
        let Some((news, tally)) = told(learnt.await?) else {
            return Ok((false, None));
        };
        if let Some(name) = name.filter(|_| news) {
            is_new = self.tell(tenant, key, name, at, data).await?;
        }
        Ok((is_new, Some(gained(tally))))
    }

    /// Whether the fact was new, and the added figures.
    async fn learn(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        fact: Fact,
        at: Timestamp,
    ) -> Result<Option<(bool, Tally)>, Error> {
        Ok(told(self.ledger.learn(tenant, key, fact, at).await?))
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
            ..Statement::new(way, decision, [key.channel])
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
    ) -> Result<bool, Error> {
        let event = event(key, name, at, data);
        let contacts = &self.contacts;
        contacts.record_of_known(tenant, key.contact, &event).await
    }

    /// Writes the timeline entry again in case an earlier run crashed before writing it. It uses the stored time,
    /// so there is only one entry. If the entry exists, this costs one read. Returns whether it was missing.
    async fn make_good(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        name: &str,
        learnt: Timestamp,
        data: Value,
    ) -> Result<bool, Error> {
        let event = event(key, name, learnt, data);
        let contacts = &self.contacts;
        if contacts.has(tenant, key.contact, &event).await? {
            return Ok(false);
        }
        contacts.record_of_known(tenant, key.contact, &event).await
    }
}

/// Whether the fact was new, and the added figures; `None` if there is no such send.
fn told(marked: Marked) -> Option<(bool, Tally)> {
    match marked {
        Marked::News(gained) => Some((true, gained)),
        Marked::Known(_) => Some((false, Tally::default())),
        Marked::Absent => None,
    }
}

/// Whether another link of the mail was followed just before.
fn is_burst(row: &Row, link: &str, now: Timestamp) -> bool {
    let first = row.facts.at(Fact::Clicked);
    let is_near = first.is_some_and(|first| now.duration_since(first) < BURST);
    is_near
        && row
            .clicked_link
            .as_deref()
            .is_some_and(|first| first != link)
}

fn is_too_soon(row: &Row, now: Timestamp) -> bool {
    let facts = &row.facts;
    let arrived = facts.at(Fact::Delivered).or(facts.at(Fact::Accepted));
    let arrived = arrived.unwrap_or(row.claimed_at);
    now.duration_since(arrived) < jiff::SignedDuration::from_secs(TOO_SOON.as_secs() as i64)
}
