//! Create or update. Safe to run twice, late and concurrently with other runs, and to be killed at any point.
//!
//! Writes, in this order:
//! 1. A new contact's id is reserved by a conditional put, since random ids may collide. The row is no contact yet:
//!    it is in no index, and reads skip it.
//! 2. Identities are claimed by conditional updates that name the contact. Those of a new contact are claimed all or
//!    none, in one transaction. A writer that loses continues with the winner's contact.
//! 3. Names for search and places on lists are written. The content of these rows follows from their key.
//! 4. One merging update of the profile is the commit. A value in the profile means that steps 2 and 3 are done for
//!    it. So a known contact without new data costs no write. An address and its consent change in this one write,
//!    and only if the profile still has the values that were read. Otherwise the upsert starts again.
//! 5. Identities that an overwrite replaced are released (see [`crate::claims`]).
//!
//! A repetition finds the finished steps and does the rest.

use cloud::{Error, Key, Update};
use futures::future::try_join_all;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::bounds::Surplus;
use crate::change::{self, Change};
use crate::consent;
use crate::keys;
use crate::model::{Contact, Identity, Incoming, Upserted};
use crate::names;
use crate::rows::{Claim, Membership, Profile, Row};
use crate::store::Contacts;

/// A row that only reserves a contact's id. It is also read from a profile if ids collide.
#[derive(Serialize, Deserialize)]
struct Reservation {
    #[serde(default)]
    reserved: bool,
    /// The row of a run that crashed expires.
    #[serde(default)]
    ttl: i64,
}

/// Life of a reservation in seconds, longer than any run that may still found its contact.
const RESERVED_SECONDS: i64 = 24 * 3600;

/// A contact and the stored row of each identity of the input.
struct Held {
    id: ContactId,
    profile: Option<Profile>,
    rows: Vec<Claim>,
}

/// The treatment of values that a full contact has no room for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Full {
    /// Write the others.
    LeaveOut,
    /// Write nothing.
    Refuse,
}

impl Contacts {
    /// Creates the contact or merges into the one that an identity names. Values without room are left out; the
    /// outcome names them.
    pub async fn upsert(&self, tenant: TenantKey, incoming: &Incoming) -> Result<Upserted, Error> {
        let done = self.upsert_as(tenant, incoming, Full::LeaveOut).await?;
        done.map_err(|_| Error::Conflict)
    }

    /// Like [`Contacts::upsert`], but all or nothing: if there is no room for some value, nothing is written.
    pub async fn upsert_whole(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
    ) -> Result<Result<Upserted, Surplus>, Error> {
        self.upsert_as(tenant, incoming, Full::Refuse).await
    }

    async fn upsert_as(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
        full: Full,
    ) -> Result<Result<Upserted, Surplus>, Error> {
        let nonce = || self.contacts.entropy().nonce();
        let operation = incoming.operation.clone().unwrap_or_else(nonce);
        let incoming = &*consent::change::dated(incoming, self.contacts.clock().now());
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let done = self.try_upsert(tenant, incoming, &operation, full).await?;
            if let Some(outcome) = done {
                return Ok(outcome);
            }
        }
    }

    /// `None`: another run changed the profile in between.
    async fn try_upsert(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
        operation: &str,
        full: Full,
    ) -> Result<Option<Result<Upserted, Surplus>>, Error> {
        let identities = in_order(&incoming.identities);
        if identities.is_empty() {
            return Err(Error::Shape("a contact needs an identity".into()));
        }
        let rows = identities.iter().map(|one| self.look_up(tenant, one));
        let rows = try_join_all(rows).await?;
        let known = rows.iter().find_map(|row| row.contact);
        let profile: Option<Profile> = match known {
            Some(id) => self.contacts.get(&keys::profile(tenant, id)).await?,
            None => None,
        };
        if full == Full::Refuse {
            // Before anything is claimed. Identities take no room of their own.
            let surplus = Change::of(profile.as_ref(), incoming, &[]).surplus;
            if !surplus.is_empty() {
                return Ok(Some(Err(surplus)));
            }
        }
        let held = match known {
            Some(id) => self.join(tenant, id, &identities, rows, profile).await?,
            None => self.found(tenant, &identities, rows).await?,
        };
        let Some(Held { id, profile, rows }) = held else {
            return Ok(None);
        };
        // An identity of another contact is not this contact's.
        let pairs = identities.into_iter().zip(rows);
        let (own, taken): (Vec<_>, Vec<_>) = pairs.partition(|(_, row)| row.contact == Some(id));
        let change = Change::of(profile.as_ref(), incoming, &own);
        let showed = profile.as_ref().and_then(|row| row.identity_version);
        if showed.is_some() && !self.claim_again(tenant, id, &own, &change).await? {
            return Ok(None);
        }
        let created = self
            .write(tenant, id, profile, incoming, &change, operation)
            .await?;
        Ok(created.map(|created| {
            Ok(Upserted {
                contact: id,
                created,
                taken: taken.into_iter().map(|(identity, _)| identity).collect(),
                surplus: change.surplus.clone(),
            })
        }))
    }

    /// Claims for a known contact the identities without an owner. `None`: the contact had identities to release.
    /// They are now released, and may be among these. The profile was read before the claims. So an identity that it
    /// shows later is not mistaken for one that was claimed here.
    async fn join(
        &self,
        tenant: TenantKey,
        id: ContactId,
        identities: &[Identity],
        rows: Vec<Claim>,
        profile: Option<Profile>,
    ) -> Result<Option<Held>, Error> {
        let version = profile.as_ref().and_then(|row| row.identity_version);
        let replaced = profile.as_ref().map_or(&[][..], |row| &row.replaced);
        if !replaced.is_empty() {
            self.give_up(tenant, id, version, replaced).await?;
            return Ok(None);
        }
        let rows = self.claim_all(tenant, id, identities, rows).await?;
        Ok(Some(Held { id, profile, rows }))
    }

    /// Reserves an id and claims the identities for it. `None`: another run was faster and made the contact, or not
    /// all identities are free any more. The reservation is then deleted.
    async fn found(
        &self,
        tenant: TenantKey,
        identities: &[Identity],
        mut rows: Vec<Claim>,
    ) -> Result<Option<Held>, Error> {
        let id = self.reserve(tenant).await?;
        if !self.claim_together(tenant, id, identities, &rows).await? {
            // A batch of one: every writer of names already has the right to `BatchWriteItem`.
            let lost = [keys::profile(tenant, id)];
            self.contacts.delete_many(&lost).await?;
            return Ok(None);
        }
        for row in &mut rows {
            row.contact = Some(id);
        }
        let profile = None;
        Ok(Some(Held { id, profile, rows }))
    }

    async fn reserve(&self, tenant: TenantKey) -> Result<ContactId, Error> {
        loop {
            let id = ContactId::new(self.contacts.clock(), self.contacts.entropy());
            let key = keys::profile(tenant, id);
            let row = Reservation {
                reserved: true,
                ttl: self.contacts.clock().now().as_second() + RESERVED_SECONDS,
            };
            if self.contacts.create(&key, &row).await?.is_new() {
                return Ok(id);
            }
        }
    }

    /// Steps 3 to 5. Returns whether this operation made the contact; `None`: another run changed the profile in
    /// between.
    async fn write(
        &self,
        tenant: TenantKey,
        id: ContactId,
        profile: Option<Profile>,
        incoming: &Incoming,
        change: &Change,
        operation: &str,
    ) -> Result<Option<bool>, Error> {
        self.vocabulary.meet(tenant, &change.tags).await?;
        let mut rows: Vec<(Key, Row)> = Vec::new();
        if let Some(name) = &change.indexed_name {
            rows.extend(Self::name_rows(tenant, id, name));
        }
        rows.extend(change.lists.iter().map(|&list| {
            let row = Row::Membership(Membership::new(tenant, id, list));
            (keys::membership(tenant, id, list), row)
        }));
        rows.extend(change.agreed.records.iter().map(|record| {
            let key = record.key(tenant, id);
            (key, Row::Consent(record.clone()))
        }));
        if !rows.is_empty() {
            self.contacts.put_many(&rows).await?;
        }
        let now = self.contacts.clock().now();
        let mut update = change.onto(self.touch(), profile.as_ref(), now);
        let version = profile.as_ref().and_then(|row| row.identity_version);
        let made_by = profile.as_ref().and_then(|row| row.operation.clone());
        let before = profile.and_then(Profile::given);
        if before.is_none() {
            update = self.founded(tenant, id, incoming, operation, update);
        }
        if before.is_none() || !change.is_empty() {
            let update = self.telling(tenant, update, change.names(before.is_none()));
            let update = update.await?;
            let key = keys::profile(tenant, id);
            if !self.contacts.update(&key, update).await?.applied() {
                return Ok(None);
            }
        }
        let Some(before) = before else {
            return Ok(Some(true));
        };
        if !change.replaced.is_empty() {
            let version = Some(change::next(version));
            self.give_up(tenant, id, version, &change.replaced).await?;
        }
        self.forget_names(tenant, &before, change).await?;
        Ok(Some(made_by.as_deref() == Some(operation)))
    }

    /// The update that turns the reservation into a contact. Of two concurrent writers one is refused, and then
    /// merges into the other's contact.
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
            .remove("ttl")
            .when_absent("created_at")
    }

    /// Removes a replaced name from the search. Until then the search skips the row, since the profile no longer has
    /// the name. Another writer may have given the contact this name again meanwhile: its rows are then put back.
    async fn forget_names(
        &self,
        tenant: TenantKey,
        before: &Contact,
        change: &Change,
    ) -> Result<(), Error> {
        let name = |contact: &Contact| contact.clone().complete_names().person.full_name;
        if let (Some(new), Some(old)) = (&change.indexed_name, name(before)) {
            let new = names::rotations(new);
            let stale: Vec<Key> = names::rotations(&old)
                .difference(&new)
                .map(|rotation| keys::name(tenant, rotation, before.id))
                .collect();
            self.contacts.delete_many(&stale).await?;
            let shown = self.get(tenant, before.id).await?;
            let shown = shown.and_then(|contact| contact.person.full_name);
            let lost = shown
                .iter()
                .flat_map(|name| Self::name_rows(tenant, before.id, name))
                .filter(|(key, _)| stale.contains(key));
            let lost: Vec<(Key, Row)> = lost.collect();
            if !lost.is_empty() {
                self.contacts.put_many(&lost).await?;
            }
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
