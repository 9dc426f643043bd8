//! Rows in the ledger table: each operation is one conditional write.

use std::time::Duration;

use cloud::table::Created;
use cloud::{Error, Key, Resources, Table, Update};
use contacts::Channel;
use jiff::Timestamp;
use kernel::{CampaignId, ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use super::facts::{DUPLICATE, Fact, Row, Tally, Variant, Visit};
use crate::consent::Address;
use crate::domain::Domain;

/// How long the claimant of a row may still be at work. This is longer than the longest run of a sender (60 s). So
/// an older claim belongs to a worker that has ended.
pub const LEASE: Duration = Duration::from_secs(90);
/// How long opens and clicks of a mail are counted. Their counts are in the table Reports, so reports do not need
/// the row. The row outlives every message (28 days), so it is still there for a redrive. Unsubscribing needs no
/// row.
pub const KEPT_DAYS: i64 = 120;
const KEEP_SECONDS: i64 = KEPT_DAYS * 24 * 3600;

/// Names one send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerKey {
    /// Campaign id or enrollment id.
    pub scope: String,
    /// The contact.
    pub contact: ContactId,
    /// The channel of the message.
    pub channel: Channel,
    /// Node of the workflow; `0` for a campaign.
    pub step: String,
}

impl LedgerKey {
    /// A campaign's one message to a contact.
    pub fn campaign(campaign: CampaignId, contact: ContactId, channel: Channel) -> Self {
        Self {
            scope: campaign.to_string(),
            contact,
            channel,
            step: "0".to_owned(),
        }
    }

    /// The provider accepts the parts as tags: letters, digits, `_` and `-`, at most 64 of them. The limit also
    /// holds for tracked links.
    pub fn is_taggable(&self) -> bool {
        let plain = |part: &str| {
            (1..=64).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        plain(&self.scope) && plain(&self.step)
    }

    /// Whether the scope is a campaign, which sends once to each address.
    pub fn is_campaign(&self) -> bool {
        self.scope.parse::<CampaignId>().is_ok()
    }

    /// Names the send among the counts of a person.
    pub(crate) fn count_name(&self) -> String {
        let contact = self.contact.to_string();
        let mut name =
            kernel::hash::name(&[&self.scope, &contact, self.channel.name(), &self.step]);
        name.truncate(16);
        name
    }

    /// The row of an address in the scope.
    fn address(&self, tenant: TenantKey, address: &Address) -> Key {
        address_key(tenant, &self.scope, self.channel, address)
    }

    pub(super) fn key(&self, tenant: TenantKey) -> Key {
        Key::new(
            format!("{tenant}#{}#{}", self.scope, self.contact),
            format!("{}#{}", kind(self.channel), self.step),
        )
    }
}

/// The kind of message. Zalo's messages of templates to phone numbers are ZNS.
pub(super) fn kind(channel: Channel) -> &'static str {
    match channel {
        Channel::Zalo => "zns",
        other => other.name(),
    }
}

/// The row of an address in a scope.
fn address_key(tenant: TenantKey, scope: &str, channel: Channel, address: &Address) -> Key {
    let name = kernel::hash::name(&["address", address.as_str()]);
    Key::new(format!("{tenant}#{scope}#adr_{name}"), kind(channel))
}

/// Proof that this worker claimed the row; it is required to record the outcome.
#[derive(Debug, Clone)]
pub struct Ticket {
    claim: String,
    /// Number of this try.
    pub attempt: u32,
    /// How often the provider asked for a pause before.
    pub later: u32,
}

/// The contact that a scope sends to at an address which several contacts have.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    contact: ContactId,
    ttl: i64,
}

/// The outcome of a claim.
#[derive(Debug, Clone)]
pub enum Claim {
    /// The row is claimed: call the provider once, then record its answer.
    Won(Ticket),
    /// Another worker claimed the row before.
    Existing(Box<Row>),
}

/// Details that come with a fact.
#[derive(Debug, Clone, Default)]
pub struct Learnt {
    /// The visit that shows it.
    pub visit: Option<Visit>,
    /// The provider of the mailbox that it is about.
    pub domain: Option<Domain>,
}

/// The outcome of storing a fact.
#[derive(Debug, Clone, Copy)]
pub enum Marked {
    /// It is new; the figures that it adds.
    News(Tally),
    /// It was known already, since this time.
    Known(Timestamp),
    /// There is no such send.
    Absent,
}

/// The ledger of all tenants.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) table: Table,
}

impl Ledger {
    /// Over the table `SendLedger`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("SendLedger"),
        }
    }

    /// The current time, by the clock of the claims.
    pub fn now(&self) -> Timestamp {
        self.table.clock().now()
    }

    fn ticket(&self, attempt: u32) -> Ticket {
        let claim = self.table.entropy().nonce();
        Ticket {
            claim,
            attempt,
            later: 0,
        }
    }

    /// The row, strongly consistent.
    pub async fn get(&self, tenant: TenantKey, key: &LedgerKey) -> Result<Option<Row>, Error> {
        self.table.get(&key.key(tenant)).await
    }

    /// Takes the row unless it exists. A row that was released counts as not existing.
    pub async fn claim(&self, tenant: TenantKey, key: &LedgerKey) -> Result<Claim, Error> {
        self.claim_for(tenant, key, None).await
    }

    /// Like [`Ledger::claim`], for a version of a campaign. The row keeps the version of the claim that holds it.
    pub async fn claim_for(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        variant: Option<Variant>,
    ) -> Result<Claim, Error> {
        let ticket = self.ticket(1);
        let now = self.now();
        let row = Row {
            claim: ticket.claim.clone(),
            claimed_at: now,
            attempt: ticket.attempt,
            released: false,
            provider_id: None,
            reason: None,
            failed_at: None,
            unknown_at: None,
            clicked_link: None,
            domain: None,
            variant,
            later: 0,
            facts: super::facts::Facts::default(),
            ttl: now.as_second() + KEEP_SECONDS,
        };
        match self.table.create(&key.key(tenant), &row).await? {
            Created::New => Ok(Claim::Won(ticket)),
            Created::Existing(row) if row.released && !row.is_accepted() => {
                self.take(tenant, key, &row, (row.attempt, variant)).await
            }
            Created::Existing(row) => Ok(Claim::Existing(Box::new(row))),
        }
    }

    /// Takes over the row from the claim that was read, for this attempt. Allowed for a released row, and for the
    /// one repetition of a transactional send without a known outcome.
    pub async fn take_over(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        read: &Row,
        attempt: u32,
    ) -> Result<Claim, Error> {
        self.take(tenant, key, read, (attempt, read.variant)).await
    }

    async fn take(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        read: &Row,
        (attempt, variant): (u32, Option<Variant>),
    ) -> Result<Claim, Error> {
        let mut ticket = self.ticket(attempt);
        ticket.later = read.later;
        let update = nothing_heard(Update::new())
            .set("claim", &ticket.claim)
            .set("claimed_at", self.now())
            .set("attempt", attempt)
            .set("released", false)
            .set_some("variant", variant)
            .remove("unknown_at")
            .when_equals("claim", &read.claim);
        let outcome = self.table.update(&key.key(tenant), update).await?;
        let applied = outcome.applied();
        match outcome.item::<Row>()? {
            // The SDK repeats an update whose answer was lost; the row then carries our claim.
            Some(row) if applied || row.claim == ticket.claim => Ok(Claim::Won(ticket)),
            Some(row) => Ok(Claim::Existing(Box::new(row))),
            None => Err(Error::Conflict),
        }
    }

    /// Records that the provider accepted it; returns since when that is known. `None` if the row was given up as unknown
    /// in the meantime. It was counted as unknown, so it stays unknown until an event proves it accepted.
    pub async fn mark_sent(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        provider_id: &str,
    ) -> Result<Option<Timestamp>, Error> {
        let now = self.now();
        let update = Update::new()
            .set("provider_id", provider_id)
            .set_if_absent(Fact::Accepted.attribute(), now)
            .when_equals("claim", &ticket.claim)
            .when_absent("unknown_at");
        let outcome = self.table.update(&key.key(tenant), update).await?;
        if !outcome.applied() {
            return Ok(None);
        }
        let row = outcome.item::<Row>()?;
        Ok(Some(
            row.and_then(|row| row.facts.at(Fact::Accepted))
                .unwrap_or(now),
        ))
    }

    /// Records that the provider refused it, at this time. The refusal is final. False: the row says something else.
    pub async fn mark_failed(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        (reason, at): (&str, Timestamp),
    ) -> Result<bool, Error> {
        let update = nothing_heard(Update::new())
            .set("reason", reason)
            .set("failed_at", at)
            .when_equals("claim", &ticket.claim)
            .when_absent("unknown_at");
        Ok(self.table.update(&key.key(tenant), update).await?.applied())
    }

    /// Records that a mail is not sent, for this reason. False if it was claimed before: then its row says more.
    pub async fn cancel(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        reason: &str,
    ) -> Result<bool, Error> {
        let now = self.now();
        let row = Row {
            claim: self.ticket(1).claim,
            claimed_at: now,
            attempt: 1,
            released: false,
            provider_id: None,
            reason: Some(reason.to_owned()),
            failed_at: Some(now),
            unknown_at: None,
            clicked_link: None,
            domain: None,
            variant: None,
            later: 0,
            facts: super::facts::Facts::default(),
            ttl: now.as_second() + KEEP_SECONDS,
        };
        match self.table.create(&key.key(tenant), &row).await? {
            Created::New => Ok(true),
            Created::Existing(found) if found.released => {
                let update = nothing_heard(Update::new())
                    .set("reason", reason)
                    .set("failed_at", now)
                    .set("released", false)
                    .when_equals("claim", &found.claim)
                    .when_equals("released", true);
                Ok(self.table.update(&key.key(tenant), update).await?.applied())
            }
            Created::Existing(_) => Ok(false),
        }
    }

    /// Takes a shared address for the contact of this send, before anything is sent. False: another contact has it in
    /// this scope, or its owner was sent to. Two write units, and one without an owner. Safe to repeat.
    ///
    /// The owner's own row is taken too, so that the owner needs no row of the address.
    pub async fn take_address(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        address: &Address,
        owner: Option<ContactId>,
    ) -> Result<bool, Error> {
        let holder = Holder {
            contact: key.contact,
            ttl: self.now().as_second() + KEEP_SECONDS,
        };
        let place = key.address(tenant, address);
        if let Created::Existing(found) = self.table.create(&place, &holder).await?
            && found.contact != key.contact
        {
            return Ok(false);
        }
        let Some(owner) = owner.filter(|owner| *owner != key.contact) else {
            return Ok(true);
        };
        let own = LedgerKey {
            contact: owner,
            ..key.clone()
        };
        if self.cancel(tenant, &own, DUPLICATE).await? {
            return Ok(true);
        }
        // This contact holds the address, so an earlier run of this send took the row.
        let row = self.get(tenant, &own).await?;
        Ok(row.is_some_and(|row| row.is_duplicate()))
    }

    /// The contact that a scope sends to at a shared address.
    pub async fn holder(
        &self,
        tenant: TenantKey,
        scope: &str,
        channel: Channel,
        address: &Address,
    ) -> Result<Option<ContactId>, Error> {
        let place = address_key(tenant, scope, channel, address);
        let found: Option<Holder> = self.table.look_up(&place).await?;
        Ok(found.map(|holder| holder.contact))
    }

    /// Releases the row after a throttle: nothing was sent, so the next claim may win it.
    pub async fn release(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
    ) -> Result<(), Error> {
        let update = nothing_heard(Update::new())
            .set("released", true)
            .when_equals("claim", &ticket.claim);
        self.table.update(&key.key(tenant), update).await?;
        Ok(())
    }

    /// Like [`Ledger::release`], for a provider that asked for a pause: the row counts it.
    pub async fn postpone(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
    ) -> Result<(), Error> {
        let update = nothing_heard(Update::new())
            .set("released", true)
            .set("later", ticket.later + 1)
            .when_equals("claim", &ticket.claim);
        self.table.update(&key.key(tenant), update).await?;
        Ok(())
    }

    /// Gives up waiting for an answer, unless a fact about the mail is known. Returns the current row.
    pub async fn mark_unknown(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        claim: &str,
    ) -> Result<Row, Error> {
        let update = nothing_heard(Update::new())
            .set_if_absent("unknown_at", self.now())
            .when_equals("claim", claim);
        let outcome = self.table.update(&key.key(tenant), update).await?;
        outcome.item::<Row>()?.ok_or(Error::Conflict)
    }

    /// Records a fact about a send, from any writer, in any order, any number of times; the first wins.
    pub async fn learn(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        fact: Fact,
        at: Timestamp,
    ) -> Result<Marked, Error> {
        self.learn_by(tenant, key, fact, at, Learnt::default())
            .await
    }

    /// Like [`Ledger::learn`]: the row keeps the kind of program of a visit, and the mailbox provider of an event.
    pub async fn learn_by(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        fact: Fact,
        at: Timestamp,
        Learnt { visit, domain }: Learnt,
    ) -> Result<Marked, Error> {
        let (agent, link) = visit.map_or((None, None), |visit| (Some(visit.agent), visit.link));
        let update = Update::new()
            .set(fact.attribute(), at)
            .set_some(&fact.agent_attribute(), agent)
            .set_some("clicked_link", link)
            .set_some("domain", domain)
            .when_exists()
            .when_absent(fact.attribute());
        let outcome = self.table.update(&key.key(tenant), update).await?;
        let applied = outcome.applied();
        Ok(match outcome.item::<Row>()? {
            None => Marked::Absent,
            Some(row) if !applied => Marked::Known(row.facts.at(fact).unwrap_or(at)),
            Some(row) => Marked::News(row.gained_by(fact)),
        })
    }
}

impl Ticket {
    /// The claim's mark in the row.
    pub fn claim(&self) -> &str {
        &self.claim
    }
}

/// Only if no outcome and no fact is known: a supposition never overwrites a fact.
fn nothing_heard(update: Update) -> Update {
    let update = update.when_absent("failed_at");
    Fact::ALL
        .into_iter()
        .fold(update, |update, fact| update.when_absent(fact.attribute()))
}

/// Whether the claimant of the row may still be at work.
pub fn is_in_flight(row: &Row, now: Timestamp) -> bool {
    now.duration_since(row.claimed_at).unsigned_abs() < LEASE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_fixed() {
        let clock = kernel::Clock::from_fn(|| Timestamp::from_second(1_772_438_400).unwrap());
        let ids = kernel::Entropy::seeded(1);
        #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
        let tenant = TenantKey::authenticated(kernel::WorkspaceId::new(&clock, &ids));
        let contact = ContactId::new(&clock, &ids);
        let key = |channel| LedgerKey {
            scope: "cmp_1".into(),
            contact,
            channel,
            step: "0".into(),
        };
        for (channel, expected) in [
            (Channel::Email, "email#0"),
            (Channel::Sms, "sms#0"),
            (Channel::Zalo, "zns#0"),
        ] {
            let Key { pk, sk } = key(channel).key(tenant);
            assert_eq!(pk, format!("{tenant}#cmp_1#{contact}"));
            assert_eq!(sk, expected);
        }
    }
}
