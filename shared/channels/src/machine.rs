//! The send machine: consent, the gate of marketing, claim, compose, one call to the provider, record. It knows no provider and no channel.
//!
//! Nothing here repeats a call to a provider. A redelivered message finds the row, which shows the outcome of the first
//! try.

mod admission;
mod record;

use cloud::{Error, Resources};
use contacts::{Contact, Contacts, Device, Fields, Profiles};
use futures::FutureExt;
use kernel::TenantKey;
use serde_json::Value;

use crate::channel::{Recipient, Replaced, SendChannel};
use crate::consent::SkipReason;
use crate::frequency::Frequency;
use crate::gate::Gate;
use crate::ledger::{Claim, Ledger, LedgerKey, Ticket, Variant};
use crate::send::{Class, Terms};

/// The outcome of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The provider accepted it now.
    Sent,
    /// The provider accepted it at an earlier try.
    SentBefore,
    /// Nothing was sent, and nothing will be sent.
    Skipped(SkipReason),
    /// The provider, or the message's own template, refused it. The refusal is final.
    Failed(String),
    /// An earlier try called the provider and its outcome is unknown; it stays unknown.
    Unknown,
    /// This try called the provider and got no answer: the outcome is unknown.
    NoAnswer,
    /// Another worker may be sending it, or a repetition must wait. Try again after the lease.
    InFlight,
    /// The provider throttled the call. Nothing was sent, and the row is free.
    Throttled,
    /// The provider sends nothing now; try again after these seconds. Nothing was sent, and the row is free.
    Later(u16),
    /// The provider refused it, and another message took its place.
    Replaced {
        /// Why it was refused.
        reason: String,
        /// The final outcome of the other message.
        by: Box<Delivery>,
    },
    /// The account or the sender may not send at all. Nothing was sent, and the row is free.
    Stopped(String),
}

/// A send whose row is claimed.
pub(crate) struct Admitted {
    /// The proof of the claim.
    pub ticket: Ticket,
    /// The devices of the contact, for a channel that reaches devices.
    pub devices: Vec<Device>,
}

impl Delivery {
    /// Whether no later try changes it.
    pub fn is_final(&self) -> bool {
        !matches!(
            self,
            Self::InFlight | Self::Throttled | Self::Later(_) | Self::Stopped(_)
        )
    }
}

/// Whether a call without an answer is followed by one more try. A campaign counts it as unknown at once, of any class.
fn repeats(key: &LedgerKey, class: Class) -> bool {
    class == Class::Transactional && !key.is_campaign()
}

/// Sends the messages of one channel; cheap to clone.
#[derive(Clone, Debug)]
pub struct SendMachine<C> {
    pub(crate) ledger: Ledger,
    contacts: Profiles,
    timeline: Contacts,
    pub(crate) fields: Fields,
    frequency: Frequency,
    pub(crate) channel: C,
}

impl<C: SendChannel> SendMachine<C> {
    /// Over the tables `SendLedger`, Contacts, Timeline, Directory and Limits, and the channel.
    pub fn over(resources: &Resources, channel: C) -> Self {
        Self {
            ledger: Ledger::over(resources),
            contacts: Profiles::over(resources),
            timeline: Contacts::over(resources),
            fields: Fields::over(resources),
            frequency: Frequency::over(resources),
            channel,
        }
    }

    /// The channel.
    pub fn channel(&self) -> &C {
        &self.channel
    }

    /// Sends the message to the contact unless this send was made before. `None` for a contact that no longer exists.
    /// An error means that the store gave no answer; the next try continues from the row. A message that the channel sends in place
    /// of a refused one must have its outcome too.
    pub async fn deliver(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ready: &C::Prepared,
        contact: Option<&Contact>,
        data: &Value,
        gate: &Gate,
    ) -> Result<Delivery, Error> {
        let of = (ready, None);
        self.deliver_version(tenant, key, of, contact, data, gate)
            .await
    }

    /// The version that the contact was sent; `None` without a row, and for a send without versions.
    pub async fn version(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
    ) -> Result<Option<Variant>, Error> {
        let row = self.ledger.get(tenant, key).await?;
        Ok(row.and_then(|row| row.variant))
    }

    /// Like [`SendMachine::deliver`], for one version of a campaign. A contact that was sent another version before gets
    /// nothing.
    pub async fn deliver_version(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        (ready, variant): (&C::Prepared, Option<Variant>),
        contact: Option<&Contact>,
        data: &Value,
        gate: &Gate,
    ) -> Result<Delivery, Error> {
        let of = (ready, variant);
        let reason = match self
            .deliver_own(tenant, key, of, (contact, data), gate)
            .await?
        {
            Delivery::Failed(reason) => reason,
            other => return Ok(other),
        };
        let replaced = Replaced {
            tenant,
            key,
            contact,
            data,
            gate,
            reason: &reason,
        };
        Ok(match self.channel.replace(ready, &replaced).await? {
            None => Delivery::Failed(reason),
            Some(by) if by.is_final() => Delivery::Replaced {
                reason,
                by: Box::new(by),
            },
            Some(by) => by,
        })
    }

    async fn deliver_own(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        (ready, variant): (&C::Prepared, Option<Variant>),
        (contact, data): (Option<&Contact>, &Value),
        gate: &Gate,
    ) -> Result<Delivery, Error> {
        let terms = C::terms(ready);
        // The compiler bounds the depth of futures that hold one another: this one is of no known type.
        let admitted = self.admit(tenant, key, (terms, variant), contact, gate);
        let Admitted { ticket, devices } = match admitted.boxed().await? {
            Ok(admitted) => admitted,
            Err(delivery) => return Ok(delivery),
        };
        let fields = self.fields.recent(tenant).await?;
        let Some(contact) = contact else {
            return Ok(Delivery::Skipped(SkipReason::Gone));
        };
        let recipient = Recipient {
            tenant,
            key,
            contact,
            devices: &devices,
            fields: &fields,
            data,
            now: self.ledger.now(),
        };
        let message = match self.channel.compose(&recipient, ready) {
            Ok(message) => message,
            Err(reason) => return self.fail(tenant, key, &ticket, &reason).await,
        };
        let answer = self.channel.call(message).await;
        self.record(tenant, key, &ticket, terms.class, answer).await
    }

    /// Claims the row of a send that may be made. Otherwise the outcome: a refusal, or that of an earlier try.
    pub(crate) async fn admit(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        (terms, variant): (Terms, Option<Variant>),
        contact: Option<&Contact>,
        gate: &Gate,
    ) -> Result<Result<Admitted, Delivery>, Error> {
        let class = terms.class;
        let (mut refused, shared) = match self.refusal(tenant, key, terms, contact, gate).await? {
            Ok(shared) => (None, shared),
            Err(reason) => (Some(reason), None),
        };
        let mut devices = None;
        if let (None, Some(contact)) = (refused, contact) {
            devices = self.channel.devices(tenant, contact).await?;
            let is_unreachable = devices.as_ref().is_some_and(Vec::is_empty);
            refused = is_unreachable.then_some(SkipReason::NoAddress);
            if refused.is_none() && class == Class::Marketing {
                refused = self.too_often(tenant, key, contact, gate).await?;
            }
        }
        // The last refusal: the holder of an address is sent to, unless its own row says otherwise.
        if let (None, Some((address, owner))) = (refused, shared)
            && !self
                .ledger
                .take_address(tenant, key, &address, owner)
                .await?
        {
            self.uncount(tenant, key, contact, gate).await?;
            refused = Some(SkipReason::DuplicateAddress);
        }
        let devices = devices.unwrap_or_default();
        let won = |ticket| Ok(Ok(Admitted { ticket, devices }));
        if let Some(reason) = refused {
            // A send that was made before the contact was deleted is still a send.
            let row = self.ledger.get(tenant, key).await?;
            return Ok(Err(
                match row.filter(|row| !row.released || row.is_accepted()) {
                    Some(row) => self.settle(tenant, key, &row, class).await?,
                    None => Delivery::Skipped(reason),
                },
            ));
        }
        // Read before the claim: a store that gives no answer then leaves no row behind.
        self.fields.recent(tenant).await?;
        let row = match self.ledger.claim_for(tenant, key, variant).await? {
            Claim::Won(ticket) => return won(ticket),
            Claim::Existing(row) => row,
        };
        if !self.may_repeat(key, &row, class) {
            return Ok(Err(self.settle(tenant, key, &row, class).await?));
        }
        let again = self.ledger.take_over(tenant, key, &row, row.attempt + 1);
        match again.await? {
            Claim::Won(ticket) => won(ticket),
            Claim::Existing(row) => Ok(Err(self.settle(tenant, key, &row, class).await?)),
        }
    }

    /// Records that the message cannot be sent at all, unless this send was made before.
    pub async fn refuse(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        class: Class,
        reason: &str,
    ) -> Result<Delivery, Error> {
        match self.ledger.claim(tenant, key).await? {
            Claim::Won(ticket) => self.fail(tenant, key, &ticket, reason).await,
            Claim::Existing(row) => self.settle(tenant, key, &row, class).await,
        }
    }
}
