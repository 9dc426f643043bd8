//! Rows in the ledger table: each operation is one conditional write.

use std::time::Duration;

use cloud::table::Created;
use cloud::{Error, Key, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use super::facts::{Fact, Row, Tally};

/// How long a claim may be somebody at work. Longer than the longest sender may run (60 s), so an
/// older claim belongs to a worker that is gone.
pub const LEASE: Duration = Duration::from_secs(90);
/// Opens and clicks of a mail are counted for so long; what they count is in the table Reports, so the
/// row is no longer needed for a report. A redrive is recognised far longer than a message can live (18
/// days). Unsubscribing needs no row.
const KEEP_SECONDS: i64 = 120 * 24 * 3600;

/// Names one send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerKey {
    /// Campaign id or enrollment id.
    pub scope: String,
    /// To whom.
    pub contact: ContactId,
    /// Node of the workflow; `0` for a campaign.
    pub step: String,
}

impl LedgerKey {
    /// A campaign's one mail to a contact.
    pub fn campaign(campaign: kernel::CampaignId, contact: ContactId) -> Self {
        Self {
            scope: campaign.to_string(),
            contact,
            step: "0".to_owned(),
        }
    }

    /// The provider takes the parts as tags: letters, digits, `_` and `-`, at most 64 of them, since
    /// tracked links carry them too.
    pub fn is_taggable(&self) -> bool {
        let plain = |part: &str| {
            (1..=64).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        plain(&self.scope) && plain(&self.step)
    }

    fn key(&self, tenant: TenantKey) -> Key {
        Key::new(
            format!("{tenant}#{}#{}", self.scope, self.contact),
            format!("email#{}", self.step),
        )
    }
}

/// Proof that a row was won; recording the outcome asks for it.
#[derive(Debug, Clone)]
pub struct Ticket {
    claim: String,
    /// Which try this is.
    pub attempt: u32,
}

/// The outcome of a claim.
#[derive(Debug, Clone)]
pub enum Claim {
    /// The row is ours: call the provider once, then record what it said.
    Won(Ticket),
    /// Somebody was here before.
    Existing(Box<Row>),
}

/// The outcome of storing a fact.
#[derive(Debug, Clone, Copy)]
pub enum Marked {
    /// It is news; what it adds to the figures.
    News(Tally),
    /// It was known already.
    Known,
    /// There is no such send.
    Absent,
}

/// The ledger of all tenants.
#[derive(Clone, Debug)]
pub struct Ledger {
    table: Table,
}

impl Ledger {
    /// Over the table `SendLedger`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("SendLedger"),
        }
    }

    /// Now, by the clock that claims go by.
    pub fn now(&self) -> Timestamp {
        self.table.clock().now()
    }

    fn ticket(&self, attempt: u32) -> Ticket {
        let claim = self.table.entropy().nonce();
        Ticket { claim, attempt }
    }

    /// The row, strongly consistent.
    pub async fn get(&self, tenant: TenantKey, key: &LedgerKey) -> Result<Option<Row>, Error> {
        self.table.get(&key.key(tenant)).await
    }

    /// Takes the row unless it exists. A row that was released counts as not existing.
    pub async fn claim(&self, tenant: TenantKey, key: &LedgerKey) -> Result<Claim, Error> {
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
            facts: super::facts::Facts::default(),
            ttl: now.as_second() + KEEP_SECONDS,
        };
        match self.table.create(&key.key(tenant), &row).await? {
            Created::New => Ok(Claim::Won(ticket)),
            Created::Existing(row) if row.released && !row.is_accepted() => {
                self.take_over(tenant, key, &row, row.attempt).await
            }
            Created::Existing(row) => Ok(Claim::Existing(Box::new(row))),
        }
    }

    /// Takes the row from the claim that was read, as this attempt: a released row, or the one
    /// repetition of a transactional send that nobody has heard of.
    pub async fn take_over(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        read: &Row,
        attempt: u32,
    ) -> Result<Claim, Error> {
        let ticket = self.ticket(attempt);
        let update = nothing_heard(Update::new())
            .set("claim", &ticket.claim)
            .set("claimed_at", self.now())
            .set("attempt", attempt)
            .set("released", false)
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

    /// Records that the provider took it. False where the row was meanwhile given up as unknown: it
    /// stays so until an event proves it, because it was counted as unknown.
    pub async fn mark_sent(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        provider_id: &str,
    ) -> Result<bool, Error> {
        let update = Update::new()
            .set("provider_id", provider_id)
            .set_if_absent(Fact::Accepted.attribute(), self.now())
            .when_equals("claim", &ticket.claim)
            .when_absent("unknown_at");
        Ok(self.table.update(&key.key(tenant), update).await?.applied())
    }

    /// Records that the provider refused it for good.
    pub async fn mark_failed(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        reason: &str,
    ) -> Result<bool, Error> {
        let update = nothing_heard(Update::new())
            .set("reason", reason)
            .set("failed_at", self.now())
            .when_equals("claim", &ticket.claim)
            .when_absent("unknown_at");
        Ok(self.table.update(&key.key(tenant), update).await?.applied())
    }

    /// Gives the row back after "not now": nothing was sent, so the next claim may win it.
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

    /// Gives up on an answer, unless something was heard of the mail. Gives the row as it stands.
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

    /// Learns a fact about a send, from anybody, in any order, any number of times; the first wins.
    pub async fn learn(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        fact: Fact,
        at: Timestamp,
    ) -> Result<Marked, Error> {
        let update = Update::new()
            .set(fact.attribute(), at)
            .when_exists()
            .when_absent(fact.attribute());
        let outcome = self.table.update(&key.key(tenant), update).await?;
        let applied = outcome.applied();
        Ok(match outcome.item::<Row>()? {
            None => Marked::Absent,
            Some(_) if !applied => Marked::Known,
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

/// Only while no outcome and no fact is known: what was heard is never overwritten by a supposition.
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
        let key = LedgerKey {
            scope: "cmp_1".into(),
            contact,
            step: "0".into(),
        };
        let Key { pk, sk } = key.key(tenant);
        assert_eq!(pk, format!("{tenant}#cmp_1#{contact}"));
        assert_eq!(sk, "email#0");
    }
}
