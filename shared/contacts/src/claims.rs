//! The owner of an identity, and its release.
//!
//! An identity's row names its contact. A writer claims the row before a profile shows the identity. A writer that
//! replaces an identity lists it in the profile (`replaced`) in the same write, and deletes the row afterwards.
//! An upsert that finds the list releases those rows first. So a crash leaves no row with a contact that does not
//! show the identity. A row that was claimed again is not released: each claim writes another mark, and the
//! release requires the mark that was read before the profile.

use cloud::{Error, Update};
use futures::future::try_join_all;
use kernel::{ContactId, TenantKey};

use crate::change::{Change, next};
use crate::keys;
use crate::model::Identity;
use crate::rows::{Claim, Profile, REPLACED, Replaced, VERSION};
use crate::store::Contacts;

/// The claim of a row without an owner. A row that did not exist gets the refusal that was kept for the address.
fn claiming(id: ContactId, read: &Claim) -> Update {
    let update = Update::new().set("contact", id).when_absent("contact");
    match read.mark {
        Some(_) => update,
        None => update
            .set_some("status", read.status)
            .set_some("status_since", read.status_since),
    }
}

impl Contacts {
    /// The contact that owns the identity.
    pub async fn find_identity(
        &self,
        tenant: TenantKey,
        identity: &Identity,
    ) -> Result<Option<ContactId>, Error> {
        Ok(self.look_up(tenant, identity).await?.contact)
    }

    /// The stored row of an identity. Without one, the refusal that an erased contact left with the address.
    pub(crate) async fn look_up(
        &self,
        tenant: TenantKey,
        identity: &Identity,
    ) -> Result<Claim, Error> {
        let key = keys::identity(tenant, identity);
        match self.contacts.get(&key).await? {
            Some(row) => Ok(row),
            None => self.suppression(tenant, identity).await,
        }
    }

    /// Claims for a contact the identities that have no owner. Returns the stored rows of all of them.
    pub(crate) async fn claim_all(
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
            self.claim(tenant, id, one, &claim).await
        });
        try_join_all(claimed).await
    }

    /// Claims identities that had no owner when their rows were read, all or none. Two concurrent creations of one
    /// person collide here. The loser finds the winner's contact by any of its identities. Returns whether they are
    /// claimed. A single identity, the usual case, costs half.
    pub(crate) async fn claim_together(
        &self,
        tenant: TenantKey,
        id: ContactId,
        identities: &[Identity],
        rows: &[Claim],
    ) -> Result<bool, Error> {
        let claims = identities.iter().zip(rows).map(|(identity, row)| {
            let update = claiming(id, row);
            // The opt-out of the address must still be the value that was read.
            let update = update.when_as_read("update_id", row.mark.as_ref());
            (keys::identity(tenant, identity), update)
        });
        let mut claims: Vec<_> = claims.collect();
        match (claims.pop(), claims.is_empty()) {
            (Some((key, update)), true) => Ok(self.contacts.update(&key, update).await?.applied()),
            (last, _) => {
                claims.extend(last);
                self.contacts.update_all(claims).await
            }
        }
    }

    /// Claims an identity. Its owner is `id` unless another contact claimed it first.
    pub(crate) async fn claim(
        &self,
        tenant: TenantKey,
        id: ContactId,
        identity: &Identity,
        read: &Claim,
    ) -> Result<Claim, Error> {
        let key = keys::identity(tenant, identity);
        let update = claiming(id, read);
        let row: Option<Claim> = self.contacts.update(&key, update).await?.item()?;
        let row = row.ok_or(Error::Conflict)?;
        Ok(Claim { fresh: true, ..row })
    }

    /// Re-claims identities that the contact already owns and will now display, in case another writer is about to
    /// release them. Returns whether the contact still owns all of them.
    pub(crate) async fn claim_again(
        &self,
        tenant: TenantKey,
        id: ContactId,
        own: &[(Identity, Claim)],
        change: &Change,
    ) -> Result<bool, Error> {
        let had = own
            .iter()
            .filter(|(one, row)| !row.fresh && change.identities.contains(one));
        let claimed = had.map(async |(identity, _)| {
            let key = keys::identity(tenant, identity);
            let update = Update::new().set("contact", id).when_equals("contact", id);
            Ok::<_, Error>(self.contacts.update(&key, update).await?.applied())
        });
        Ok(try_join_all(claimed).await?.into_iter().all(|ours| ours))
    }

    /// Releases a claim whose owner shows another identity of the kind. The owner's version changes first: a writer
    /// that read the owner before can then not show the identity any more.
    pub(crate) async fn release(
        &self,
        tenant: TenantKey,
        owner: ContactId,
        version: Option<u64>,
        identity: &Identity,
        row: &Claim,
    ) -> Result<(), Error> {
        let update = Update::new().set(VERSION, next(version));
        let update = update.when_as_read(VERSION, version);
        let key = keys::profile(tenant, owner);
        if !self.contacts.update(&key, update).await?.applied() {
            return Ok(());
        }
        let update = Update::new()
            .remove("contact")
            .when_equals("contact", owner);
        let update = update.when_as_read("update_id", row.mark.as_ref());
        let key = keys::identity(tenant, identity);
        self.contacts.update(&key, update).await.map(drop)
    }

    /// Deletes the row of an identity that a contact gave up. A refusal that goes with the address is kept by its hash
    /// ([`keys::suppressed`]). Returns whether the row was as it was read.
    async fn free(
        &self,
        tenant: TenantKey,
        id: ContactId,
        one: &Replaced,
        row: Claim,
    ) -> Result<bool, Error> {
        let refusal = row.status.filter(|status| status.refuses());
        let (status, since) = match one.status {
            Some(_) => (one.status, one.since),
            None => (refusal, row.status_since),
        };
        if let Some(status) = status {
            self.suppress(tenant, &one.identity, status, since).await?;
        }
        let as_read = Update::new()
            .when_equals("contact", id)
            .when_as_read("update_id", row.mark);
        let key = keys::identity(tenant, &one.identity);
        self.contacts.delete_when(&key, as_read).await
    }

    /// Releases the identities that a profile of this version has replaced, unless another writer did so.
    pub(crate) async fn give_up(
        &self,
        tenant: TenantKey,
        id: ContactId,
        version: Option<u64>,
        replaced: &[Replaced],
    ) -> Result<(), Error> {
        let profile_key = keys::profile(tenant, id);
        loop {
            let rows = replaced
                .iter()
                .map(|one| self.look_up(tenant, &one.identity));
            let rows = try_join_all(rows).await?;
            let profile: Option<Profile> = self.contacts.get(&profile_key).await?;
            let is_due =
                |row: &Profile| row.identity_version == version && row.replaced == replaced;
            if !profile.as_ref().is_some_and(is_due) {
                return Ok(());
            }
            let pairs = replaced.iter().zip(rows);
            let ours = pairs.filter(|(_, row)| row.contact == Some(id));
            let given_up = ours.map(|(one, row)| self.free(tenant, id, one, row));
            // Refused: a concurrent writer claimed the row again. That writer will find the profile changed and
            // fail; read again.
            if try_join_all(given_up).await?.into_iter().all(|done| done) {
                break;
            }
        }
        let done = Update::new()
            .remove(REPLACED)
            .when_equals(REPLACED, replaced);
        let done = done.when_as_read(VERSION, version);
        self.contacts.update(&profile_key, done).await?;
        Ok(())
    }
}
