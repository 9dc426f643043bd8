//! The send machine: consent, the gate of marketing, claim, compose, one call to the provider, record. It knows no provider and no channel.
//!
//! Nothing here repeats a call to a provider. A redelivered message finds the row, which shows the outcome of the first
//! try.

use cloud::{Error, Resources};
use contacts::{Channel, Contact, Contacts, Device, Fields, Profiles, Purpose};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, TenantKey};
use serde_json::Value;

use crate::channel::{Answer, Recipient, Replaced, SendChannel};
use crate::consent::{Address, SkipReason, address_of, own_address, refusal};
use crate::frequency::{self, Frequency, Taken};
use crate::gate::{Cap, Gate};
use crate::ledger::{Claim, Fact, LEASE, Ledger, LedgerKey, Row, Ticket, Variant, is_in_flight};
use crate::send::{Class, Terms};
use crate::told::{FAILED, SENT, tell_if_heard};

/// Calls for one message that the provider may answer with *later*.
const MOST_LATER: u32 = 10;
/// The failure of a message whose provider asked for a pause at each of these calls.
const PROVIDER_BUSY: &str = "provider_busy";

/// The kind of the counts of a contact's marketing, by all channels.
const MARKETING: &str = "MKT";

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

    /// Why nothing is sent, as the contact and the settings say it: consent, the control group, the owner of a shared address.
    /// Otherwise the shared address that this send must take.
    async fn refusal(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        terms: Terms,
        contact: Option<&Contact>,
        gate: &Gate,
    ) -> Result<Result<Option<Shared>, SkipReason>, Error> {
        let refused = refusal(contact, C::CHANNEL, terms);
        let (None, Some(contact)) = (refused, contact) else {
            return Ok(Err(refused.unwrap_or(SkipReason::Gone)));
        };
        let is_marketing = terms.class == Class::Marketing;
        if is_marketing && gate.holds_out(tenant, key.contact) {
            return Ok(Err(SkipReason::Holdout));
        }
        self.shared(tenant, key, terms.class, contact).await
    }

    /// Counts the message against the caps of the workspace and of the law. No unit without a cap.
    async fn too_often(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        contact: &Contact,
        gate: &Gate,
    ) -> Result<Option<SkipReason>, Error> {
        let id = key.count_name();
        let own = key.contact.to_string();
        let caps = caps_of(contact, C::CHANNEL, gate);
        let horizon = horizon(contact, gate);
        if let Some(horizon) = horizon {
            let subject = (own.as_str(), MARKETING);
            let limits = (caps.as_slice(), horizon);
            let taken = self.frequency.take(tenant, subject, &id, limits).await?;
            if taken != Taken::Yes {
                return Ok(Some(SkipReason::FrequencyCap));
            }
        }
        let (Some(law), Some(to)) = (C::LAW, address_of(contact, C::CHANNEL)) else {
            return Ok(None);
        };
        let to = frequency::address(to.as_str());
        let taken = self
            .frequency
            .take(tenant, (&to, law.name), &id, (&[law.cap], law.cap.window()))
            .await?;
        let reason = match taken {
            Taken::Yes => return Ok(None),
            Taken::Full => SkipReason::FrequencyCap,
            Taken::Listed => SkipReason::DoNotAdvertise,
        };
        if horizon.is_some() {
            self.frequency
                .give_back(tenant, (&own, MARKETING), &id)
                .await?;
        }
        Ok(Some(reason))
    }

    /// Takes back what a send that is not made after all has counted.
    pub async fn uncount(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        contact: Option<&Contact>,
        gate: &Gate,
    ) -> Result<(), Error> {
        let (id, own) = (key.count_name(), key.contact.to_string());
        if contact.is_some_and(|contact| horizon(contact, gate).is_some()) {
            let subject = (own.as_str(), MARKETING);
            self.frequency.give_back(tenant, subject, &id).await?;
        }
        let to = contact.and_then(|contact| address_of(contact, C::CHANNEL));
        if let (Some(law), Some(to)) = (C::LAW, to) {
            let subject = frequency::address(to.as_str());
            let subject = (subject.as_str(), law.name);
            self.frequency.give_back(tenant, subject, &id).await?;
        }
        Ok(())
    }

    /// Why nothing is sent to an address that the contact shares: the refusal of the address's owner counts too. Otherwise the
    /// address and its owner, of a campaign, which sends to it once. One read unit for a contact with a shared address, two more
    /// if the address has an owner.
    async fn shared(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        class: Class,
        contact: &Contact,
    ) -> Result<Result<Option<Shared>, SkipReason>, Error> {
        let own = own_address(contact, C::CHANNEL);
        let (None, Some(address)) = (own, address_of(contact, C::CHANNEL)) else {
            return Ok(Ok(None));
        };
        let mut owner = self.contacts.owner(tenant, &address.identity()).await?;
        if let Some(id) = owner {
            let found = self.contacts.get(tenant, id).await?;
            // The owner's own message may go to another of its addresses.
            let gets_it_here =
                |found: &Contact| own_address(found, C::CHANNEL).as_ref() == Some(&address);
            owner = owner.filter(|_| found.as_ref().is_none_or(gets_it_here));
            let terms = Terms {
                class,
                is_strict: false,
            };
            let refused = found.and_then(|owner| refusal(Some(&owner), C::CHANNEL, terms));
            if let Some(reason) = refused.filter(|reason| reason.is_refusal()) {
                return Ok(Err(reason));
            }
        }
        Ok(Ok(key.is_campaign().then_some((address, owner))))
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

    /// Records the provider's answer to the one call of a claim.
    pub(crate) async fn record(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        class: Class,
        answer: Answer,
    ) -> Result<Delivery, Error> {
        match answer {
            Answer::Accepted { id } => {
                let sent = self.ledger.mark_sent(tenant, key, ticket, &id).await?;
                let Some(at) = sent else {
                    return Ok(Delivery::Unknown);
                };
                self.tell_sent(tenant, key, at).await?;
                Ok(Delivery::Sent)
            }
            Answer::Refused { code } => self.fail(tenant, key, ticket, &code).await,
            Answer::Throttled => {
                self.ledger.release(tenant, key, ticket).await?;
                Ok(Delivery::Throttled)
            }
            // A provider that always asks for a pause must not hold the others of the campaign.
            Answer::Later(_) if ticket.later + 1 >= MOST_LATER => {
                self.fail(tenant, key, ticket, PROVIDER_BUSY).await
            }
            Answer::Later(seconds) => {
                self.ledger.postpone(tenant, key, ticket).await?;
                Ok(Delivery::Later(seconds))
            }
            Answer::Stopped { code } => {
                self.ledger.release(tenant, key, ticket).await?;
                Ok(Delivery::Stopped(code))
            }
            Answer::NoAnswer => {
                let row = self
                    .ledger
                    .mark_unknown(tenant, key, ticket.claim())
                    .await?;
                Ok(match self.settle(tenant, key, &row, class).await? {
                    Delivery::Unknown => Delivery::NoAnswer,
                    other => other,
                })
            }
        }
    }

    /// Records that the message is refused for good.
    pub(crate) async fn fail(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        reason: &str,
    ) -> Result<Delivery, Error> {
        let at = self.ledger.now();
        let failed = self.ledger.mark_failed(tenant, key, ticket, (reason, at));
        if failed.await? {
            self.tell_failed(tenant, key, at, reason).await?;
        }
        Ok(Delivery::Failed(reason.to_owned()))
    }

    /// Tells those that wait for it that the message was sent. A repetition tells the same event.
    async fn tell_sent(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        at: Timestamp,
    ) -> Result<(), Error> {
        let data = Value::Object(serde_json::Map::new());
        Box::pin(tell_if_heard(&self.timeline, tenant, key, (SENT, at), data)).await
    }

    async fn tell_failed(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), Error> {
        let data = serde_json::json!({ "reason": reason });
        Box::pin(tell_if_heard(
            &self.timeline,
            tenant,
            key,
            (FAILED, at),
            data,
        ))
        .await
    }

    /// A transactional message may be sent a second time after the lease if the first try has no known outcome.
    fn may_repeat(&self, key: &LedgerKey, row: &Row, class: Class) -> bool {
        let now = self.ledger.now();
        let waited = row
            .unknown_at
            .is_none_or(|at| now.duration_since(at).unsigned_abs() >= LEASE);
        repeats(key, class)
            && row.attempt < 2
            && !row.is_accepted()
            && row.failed_at.is_none()
            && !is_in_flight(row, now)
            && waited
    }

    /// The outcome of an existing row. An expired claim becomes `unknown` here.
    async fn settle(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        row: &Row,
        class: Class,
    ) -> Result<Delivery, Error> {
        let given_up = row.unknown_at.is_some();
        if row.is_accepted() {
            // A marketing row that was given up was counted as unknown. The event that proved it accepted has
            // corrected the count.
            let counted_unknown = given_up && !repeats(key, class);
            if counted_unknown {
                return Ok(Delivery::Unknown);
            }
            // The run that sent it may have ended before it told so.
            if let Some(at) = row.facts.at(Fact::Accepted) {
                self.tell_sent(tenant, key, at).await?;
            }
            return Ok(Delivery::SentBefore);
        }
        if row.is_duplicate() {
            return Ok(Delivery::Skipped(SkipReason::DuplicateAddress));
        }
        if let Some(at) = row.failed_at {
            let reason = row.reason.clone().unwrap_or_default();
            self.tell_failed(tenant, key, at, &reason).await?;
            return Ok(Delivery::Failed(reason));
        }
        if given_up {
            let again = repeats(key, class) && row.attempt < 2;
            return Ok(if again {
                Delivery::InFlight
            } else {
                Delivery::Unknown
            });
        }
        if row.released || is_in_flight(row, self.ledger.now()) {
            return Ok(Delivery::InFlight);
        }
        let row = self.ledger.mark_unknown(tenant, key, &row.claim).await?;
        Ok(if row.unknown_at.is_some() {
            Delivery::Unknown
        } else if row.is_accepted() {
            Delivery::SentBefore
        } else {
            // Another worker claimed or failed it in the meantime. The next try reads the outcome.
            Delivery::InFlight
        })
    }
}

/// How long a marketing message counts: the longest window of the workspace's cap and of the promises of all channels, since all
/// channels share one row of counts. `None`: nothing is counted.
fn horizon(contact: &Contact, gate: &Gate) -> Option<SignedDuration> {
    let channels = Channel::ALL.into_iter();
    let caps = channels.flat_map(|channel| caps_of(contact, channel, gate));
    caps.map(Cap::window).max()
}

/// A shared address with its owner.
type Shared = (Address, Option<ContactId>);

/// The caps on messages of the channel to this contact: that of the workspace, and the promise of the contact's consent.
fn caps_of(contact: &Contact, channel: Channel, gate: &Gate) -> Vec<Cap> {
    let promise = contact.consents.promise(channel, Purpose::Marketing);
    let promised = promise.map(|promise| Cap {
        messages: promise.messages.into(),
        days: promise.days.into(),
    });
    gate.cap.into_iter().chain(promised).collect()
}
