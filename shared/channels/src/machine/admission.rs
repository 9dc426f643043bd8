//! Why a send may not be made: consent, the control group, a shared address, the caps. It counts messages and claims no row.

use cloud::Error;
use contacts::{Channel, Contact, Purpose};
use jiff::SignedDuration;
use kernel::{ContactId, TenantKey};

use super::SendMachine;
use crate::channel::SendChannel;
use crate::consent::{Address, SkipReason, address_of, own_address, refusal};
use crate::frequency::{self, Taken};
use crate::gate::{Cap, Gate};
use crate::ledger::LedgerKey;
use crate::send::{Class, Terms};

/// The kind of the counts of a contact's marketing, by all channels.
const MARKETING: &str = "MKT";

/// A shared address with its owner.
pub(super) type Shared = (Address, Option<ContactId>);

impl<C: SendChannel> SendMachine<C> {
    /// Why nothing is sent, as the contact and the settings say it: consent, the control group, the owner of a shared address.
    /// Otherwise the shared address that this send must take.
    pub(super) async fn refusal(
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
    pub(super) async fn too_often(
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
}

/// How long a marketing message counts: the longest window of the workspace's cap and of the promises of all channels, since all
/// channels share one row of counts. `None`: nothing is counted.
fn horizon(contact: &Contact, gate: &Gate) -> Option<SignedDuration> {
    let channels = Channel::ALL.into_iter();
    let caps = channels.flat_map(|channel| caps_of(contact, channel, gate));
    caps.map(Cap::window).max()
}

/// The caps on messages of the channel to this contact: that of the workspace, and the promise of the contact's consent.
fn caps_of(contact: &Contact, channel: Channel, gate: &Gate) -> Vec<Cap> {
    let promise = contact.consents.promise(channel, Purpose::Marketing);
    let promised = promise.map(|promise| Cap {
        messages: promise.messages.into(),
        days: promise.days.into(),
    });
    gate.cap.into_iter().chain(promised).collect()
}
