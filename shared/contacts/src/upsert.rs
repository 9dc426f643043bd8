//! Create or update, safe to run twice, late, at once with others, and to be killed at any point.
//!
//! Writes, in this order:
//! 1. A new contact's id is reserved by a conditional put, since ids alone may collide. The row is
//!    nobody yet: no index has it and reads skip it.
//! 2. Identities are claimed by conditional puts, each naming the contact. The first claim decides:
//!    whoever loses it goes on with the winner's contact.
//! 3. Names for search and places on lists: rows whose content follows from their key.
//! 4. One merging update of the profile. It is the commit: a profile that holds a value says that
//!    steps 2 and 3 are done for it, so a known contact with nothing new costs no write. An address
//!    and what was agreed for it change in this one write, and only where the profile still shows
//!    what was read before; otherwise all begins again.
//! 5. Identities that an overwrite replaced are given up.
//!
//! A repetition finds what is there and does the rest.

use cloud::{Error, Key, Update};
use futures::future::try_join_all;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::consent::ChannelStatus;
use crate::keys;
use crate::model::{Contact, Identity, Incoming, Merge, Upserted};
use crate::names;
use crate::store::{Claim, Contacts, Membership, Profile, Row};

/// A row that only reserves a contact's id. Also read from a profile, where ids collide.
#[derive(Serialize, Deserialize)]
struct Reservation {
    #[serde(default)]
    reserved: bool,
}

impl Contacts {
    /// Creates the contact or merges into the one that an identity names.
    pub async fn upsert(&self, tenant: TenantKey, incoming: &Incoming) -> Result<Upserted, Error> {
        let nonce = || self.contacts.entropy().nonce();
        let operation = incoming.operation.clone().unwrap_or_else(nonce);
        // Each refusal is somebody else's success, so this ends.
        loop {
            let done = self.try_upsert(tenant, incoming, &operation).await?;
            if let Some(upserted) = done {
                return Ok(upserted);
            }
        }
    }

    /// `None`: the profile changed meanwhile.
    async fn try_upsert(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
        operation: &str,
    ) -> Result<Option<Upserted>, Error> {
        let identities = in_order(&incoming.identities);
        if identities.is_empty() {
            return Err(Error::Shape("a contact needs an identity".into()));
        }
        let claims = identities.iter().map(|one| self.look_up(tenant, one));
        let claims = try_join_all(claims).await?;
        let (id, claims) = match claims.iter().find_map(|claim| claim.contact) {
            Some(id) => (id, self.claim_all(tenant, id, &identities, claims).await?),
            None => self.found(tenant, &identities).await?,
        };
        // What belongs to another is not this contact's.
        let pairs = identities.into_iter().zip(claims);
        let (own, taken): (Vec<_>, Vec<_>) =
            pairs.partition(|(_, claim)| claim.contact == Some(id));
        let taken: Vec<Identity> = taken.into_iter().map(|(identity, _)| identity).collect();
        let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, id)).await?;
        let change = Change::of(profile.as_ref(), incoming, &own);
        let created = self
            .write(tenant, id, profile, incoming, change, operation)
            .await?;
        Ok(created.map(|created| Upserted {
            contact: id,
            created,
            taken,
        }))
    }

    /// Reserves an id and claims the first identity for it; where somebody else was faster, theirs
    /// is the contact and the reservation is taken back.
    async fn found(
        &self,
        tenant: TenantKey,
        identities: &[Identity],
    ) -> Result<(ContactId, Vec<Claim>), Error> {
        let mut claims = vec![Claim::default(); identities.len()];
        let reserved = self.reserve(tenant).await?;
        let first = self.claim(tenant, reserved, &identities[0]).await?;
        let owner = first.contact.unwrap_or(reserved);
        if owner != reserved {
            // In a batch of one: a right that every writer of names has already.
            let lost = [keys::profile(tenant, reserved)];
            self.contacts.delete_many(&lost).await?;
        }
        claims[0] = first;
        let claims = self.claim_all(tenant, owner, identities, claims).await?;
        Ok((owner, claims))
    }

    async fn reserve(&self, tenant: TenantKey) -> Result<ContactId, Error> {
        loop {
            let id = ContactId::new(self.contacts.clock(), self.contacts.entropy());
            let key = keys::profile(tenant, id);
            let row = Reservation { reserved: true };
            if self.contacts.create(&key, &row).await?.is_new() {
                return Ok(id);
            }
        }
    }

    /// Claims for a contact those identities that nobody has; gives what is stored of all of them.
    async fn claim_all(
        &self,
        tenant: TenantKey,
        id: ContactId,
        identities: &[Identity],
        claims: Vec<Claim>,
    ) -> Result<Vec<Claim>, Error> {
        let claimed = identities.iter().zip(claims).map(async |(one, claim)| {
            if claim.contact.is_some() {
                return Ok(claim);
            }
            self.claim(tenant, id, one).await
        });
        try_join_all(claimed).await
    }

    /// Claims an identity; its owner is `id` unless somebody else was first.
    async fn claim(
        &self,
        tenant: TenantKey,
        id: ContactId,
        identity: &Identity,
    ) -> Result<Claim, Error> {
        let key = keys::identity(tenant, identity);
        let update = Update::new().set("contact", id).when_absent("contact");
        let claim: Option<Claim> = self.contacts.update(&key, update).await?.item()?;
        claim.ok_or(Error::Conflict)
    }

    /// Steps 3 to 5. Says whether this operation made the contact; `None`: the profile changed meanwhile.
    async fn write(
        &self,
        tenant: TenantKey,
        id: ContactId,
        profile: Option<Profile>,
        incoming: &Incoming,
        change: Change,
        operation: &str,
    ) -> Result<Option<bool>, Error> {
        let mut rows: Vec<(Key, Row)> = Vec::new();
        if let Some(name) = &change.indexed_name {
            rows.extend(Self::name_rows(tenant, id, name));
        }
        rows.extend(change.lists.iter().map(|&list| {
            let row = Row::Membership(Membership::new(tenant, id, list));
            (keys::membership(tenant, id, list), row)
        }));
        if !rows.is_empty() {
            self.contacts.put_many(&rows).await?;
        }
        let version = profile.as_ref().and_then(|row| row.identity_version);
        let made_by = profile.as_ref().and_then(|row| row.operation.clone());
        let before = profile.and_then(|row| row.given());
        let now = self.contacts.clock().now();
        let reason = incoming.operation.as_deref().unwrap_or("upsert");
        let mut update = change.onto(self.touch(), incoming.merge, version, (now, reason));
        if before.is_none() {
            update = self.founded(tenant, id, incoming, operation, update);
        }
        if before.is_none() || !change.is_empty() {
            let key = keys::profile(tenant, id);
            if !self.contacts.update(&key, update).await?.applied() {
                return Ok(None);
            }
        }
        let Some(before) = before else {
            return Ok(Some(true));
        };
        if incoming.merge == Merge::Overwrite {
            self.give_up_replaced(tenant, &before, &change).await?;
        }
        Ok(Some(made_by.as_deref() == Some(operation)))
    }

    /// What turns the reservation into a contact. Of two that do so at once one is refused, and then
    /// merges into what the other made.
    fn founded(
        &self,
        tenant: TenantKey,
        id: ContactId,
        incoming: &Incoming,
        operation: &str,
        update: Update,
    ) -> Update {
        update
            .set("tenant", tenant.workspace())
            .set("shard", crate::shard(id))
            .set("contact", id)
            .set("source", incoming.source)
            .set("created_at", self.contacts.clock().now())
            .set("operation", operation)
            .remove("reserved")
            .when_absent("created_at")
    }

    /// Frees identities that the contact no longer has. Old names stay in the search until then and
    /// are passed over there, since the profile does not carry them any more.
    async fn give_up_replaced(
        &self,
        tenant: TenantKey,
        before: &Contact,
        change: &Change,
    ) -> Result<(), Error> {
        for old in before.identities() {
            let replaced = change.identities.iter().any(|new| {
                keys::kind(new) == keys::kind(&old) && keys::value(new) != keys::value(&old)
            });
            if replaced {
                // A no goes with the address.
                let status = match old {
                    Identity::Email(_) => before.email_status,
                    Identity::Phone(_) => before.sms_status,
                    Identity::External(_) | Identity::Visitor { .. } => ChannelStatus::None,
                };
                let update = Update::new()
                    .remove("contact")
                    .set_some("status", status.refuses().then_some(status))
                    .when_equals("contact", before.id);
                self.contacts
                    .update(&keys::identity(tenant, &old), update)
                    .await?;
            }
        }
        let name = |contact: &Contact| contact.clone().complete_names().full_name;
        if let (Some(new), Some(old)) = (&change.indexed_name, name(before)) {
            let new = names::rotations(new);
            let stale: Vec<Key> = names::rotations(&old)
                .difference(&new)
                .map(|rotation| keys::name(tenant, rotation, before.id))
                .collect();
            self.contacts.delete_many(&stale).await?;
        }
        Ok(())
    }
}

/// Distinct identities in the order in which they decide: external id, email, phone, visitor.
fn in_order(identities: &[Identity]) -> Vec<Identity> {
    let mut ordered = identities.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    ordered
}
