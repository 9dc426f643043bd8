//! One mail to one contact: consent, claim, render, one call to SES, record.
//!
//! Nothing here repeats a call to SES. A redelivered message finds the row, which shows the outcome of the first
//! try.

mod prepared;

use cloud::{Error, Mailer, OutgoingMail, Resources, mailer::SendError};
use contacts::{Contact, Definitions, Fields, Profiles};
use content::links::LinkSet;
use content::tokens::TokenKey;
use kernel::TenantKey;
use serde_json::Value;

use crate::consent::{SkipReason, address_of, refusal};
use crate::ledger::{Claim, LEASE, Ledger, LedgerKey, Row, Ticket, is_in_flight};
use crate::send::Class;
use crate::ses_event::AFTER_SOFT_BOUNCES;

pub use prepared::{Letterhead, Prepared};

/// The outcome of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The provider accepted it now.
    Sent,
    /// The provider accepted it at an earlier try.
    SentBefore,
    /// Nothing was sent, and nothing will be sent.
    Skipped(SkipReason),
    /// The provider, or the mail's own template, refused it. The refusal is final.
    Failed(String),
    /// An earlier try called the provider and its outcome is unknown; it stays unknown.
    Unknown,
    /// This try called the provider and got no answer: the outcome is unknown.
    NoAnswer,
    /// Another worker may be sending it, or a repetition must wait. Try again after the lease.
    InFlight,
    /// The provider throttled the call. Nothing was sent, and the row is free.
    Throttled,
    /// The account or the sender may not send at all. Nothing was sent, and the row is free.
    Stopped(String),
}

/// Sends mails; cheap to clone.
#[derive(Clone, Debug)]
pub struct EmailChannel {
    ledger: Ledger,
    contacts: Profiles,
    fields: Fields,
    mailer: Mailer,
    token_key: TokenKey,
    base_url: String,
}

impl EmailChannel {
    /// Over the tables `SendLedger`, Contacts and Directory, and SES. Links in the mails lead to `base_url` and are signed with
    /// `token_key`.
    pub fn over(resources: &Resources, base_url: &str, token_key: TokenKey) -> Self {
        Self {
            ledger: Ledger::over(resources),
            contacts: Profiles::over(resources),
            fields: Fields::over(resources),
            mailer: resources.mailer(),
            token_key,
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    /// Sends the mail to the contact unless this send was made before. `None` for a contact that no longer exists.
    /// An error means that the store gave no answer; the next try continues from the row.
    pub async fn deliver(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        mail: &Prepared,
        contact: Option<&Contact>,
        data: &Value,
    ) -> Result<Delivery, Error> {
        let reason = match (refusal(contact, mail.class(), mail.is_strict()), contact) {
            (None, Some(contact)) => self.shared(tenant, key, mail, contact).await?,
            (reason, _) => reason,
        };
        if let Some(reason) = reason {
            // A send that was made before the contact was deleted is still a send.
            let row = self.ledger.get(tenant, key).await?;
            return match row.filter(|row| !row.released || row.is_accepted()) {
                Some(row) => self.settle(tenant, key, &row, mail.class()).await,
                None => Ok(Delivery::Skipped(reason)),
            };
        }
        let Some(contact) = contact else {
            return Ok(Delivery::Skipped(SkipReason::Gone));
        };
        let fields = self.fields.recent(tenant).await?;
        let ticket = match self.ledger.claim(tenant, key).await? {
            Claim::Won(ticket) => ticket,
            Claim::Existing(row) if self.may_repeat(&row, mail.class()) => {
                match self
                    .ledger
                    .take_over(tenant, key, &row, row.attempt + 1)
                    .await?
                {
                    Claim::Won(ticket) => ticket,
                    Claim::Existing(row) => {
                        return self.settle(tenant, key, &row, mail.class()).await;
                    }
                }
            }
            Claim::Existing(row) => return self.settle(tenant, key, &row, mail.class()).await,
        };
        let mime = match self.compose(tenant, key, mail, (contact, &fields), data) {
            Ok(mime) => mime,
            Err(reason) => return self.fail(tenant, key, &ticket, &reason).await,
        };
        self.send(tenant, key, &ticket, mail.class(), mime).await
    }

    /// Why nothing is sent to an address that the contact shares. The refusal of the address's owner counts too. A
    /// campaign sends to it once. One read unit for a contact with a shared address, two more if
    /// the address has an owner.
    async fn shared(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        mail: &Prepared,
        contact: &Contact,
    ) -> Result<Option<SkipReason>, Error> {
        let (None, Some(address)) = (&contact.email, address_of(contact)) else {
            return Ok(None);
        };
        let mut owner = self.contacts.email_owner(tenant, address).await?;
        if let Some(id) = owner {
            let found = self.contacts.get(tenant, id).await?;
            // The owner's own mail may go to another of its addresses.
            let gets_it_here = |found: &Contact| found.email.as_ref() == Some(address);
            owner = owner.filter(|_| found.as_ref().is_none_or(gets_it_here));
            let refused = found.and_then(|owner| refusal(Some(&owner), mail.class(), false));
            if let Some(reason) = refused.filter(|reason| reason.is_refusal()) {
                return Ok(Some(reason));
            }
        }
        let is_free = !key.is_campaign()
            || self
                .ledger
                .take_address(tenant, key, address, owner)
                .await?;
        Ok((!is_free).then_some(SkipReason::DuplicateAddress))
    }

    /// Records that the mail cannot be sent at all, unless this send was made before.
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

    async fn send(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        class: Class,
        mail: OutgoingMail,
    ) -> Result<Delivery, Error> {
        match self.mailer.send(mail).await {
            Ok(provider_id) => {
                let recorded = self
                    .ledger
                    .mark_sent(tenant, key, ticket, &provider_id)
                    .await?;
                Ok(if recorded {
                    Delivery::Sent
                } else {
                    Delivery::Unknown
                })
            }
            Err(SendError::Refused { code, .. }) => self.fail(tenant, key, ticket, &code).await,
            Err(SendError::Throttled { .. }) => {
                self.ledger.release(tenant, key, ticket).await?;
                Ok(Delivery::Throttled)
            }
            Err(SendError::Stopped { code, .. }) => {
                self.ledger.release(tenant, key, ticket).await?;
                Ok(Delivery::Stopped(code))
            }
            Err(SendError::Unknown(_)) => {
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

    async fn fail(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        reason: &str,
    ) -> Result<Delivery, Error> {
        self.ledger.mark_failed(tenant, key, ticket, reason).await?;
        Ok(Delivery::Failed(reason.to_owned()))
    }

    /// Transactional mail may be sent a second time after the lease if the first try has no known outcome.
    fn may_repeat(&self, row: &Row, class: Class) -> bool {
        let now = self.ledger.now();
        let waited = row
            .unknown_at
            .is_none_or(|at| now.duration_since(at).unsigned_abs() >= LEASE);
        class == Class::Transactional
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
            let counted_unknown = given_up && class == Class::Marketing;
            return Ok(if counted_unknown {
                Delivery::Unknown
            } else {
                Delivery::SentBefore
            });
        }
        if row.is_duplicate() {
            return Ok(Delivery::Skipped(SkipReason::DuplicateAddress));
        }
        if row.failed_at.is_some() {
            let reason = row.reason.clone().unwrap_or_default();
            return Ok(Delivery::Failed(reason));
        }
        if given_up {
            let again = class == Class::Transactional && row.attempt < 2;
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

    /// The finished message, or the stable name of its flaw.
    fn compose(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        mail: &Prepared,
        (contact, fields): (&Contact, &Definitions),
        data: &Value,
    ) -> Result<OutgoingMail, String> {
        let (workspace, contact_id) = (tenant.to_string(), key.contact.to_string());
        let links = LinkSet::new(
            &self.base_url,
            &self.token_key,
            &workspace,
            &key.scope,
            &contact_id,
            &key.step,
        );
        let mut links = links.map_err(|_| "links".to_owned())?;
        if let Some(address) = address_of(contact) {
            links = links.to(address.as_str());
        }
        let tags = [
            ("tenant", workspace.as_str()),
            ("scope", &key.scope),
            ("contact", &contact_id),
            ("step", &key.step),
        ];
        let named = (contact, fields);
        let (to, raw) = mail.compose(named, data, &links, &tags, self.ledger.now())?;
        // Its delivery then forgets the mails that came back before. Other deliveries cost no write for that.
        let after = contact
            .has_soft_bounces
            .then_some((AFTER_SOFT_BOUNCES, "1"));
        let tags = tags.into_iter().chain(after);
        Ok(OutgoingMail {
            from: mail.sender().from_email.to_string(),
            to,
            raw,
            tags: tags
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }
}
