//! Mails that came back: an address that does not work, and an address that refused several mails in a row.
//!
//! A bounce is a fact of the address. It counts only while the contact shows this address: a late bounce of an old address
//! says nothing about the new one.

use cloud::{Error, Update, UpdateOutcome};
use kernel::{ContactId, EmailAddress, TenantKey};

use crate::keys;
use crate::rows::{BOUNCED, ERASED, MERGED_INTO, Profile, SOFT_BOUNCES};
use crate::store::Contacts;

/// Mails in a row that came back for a reason that may pass, after which the address counts as one that does not work.
pub const MOST_SOFT_BOUNCES: usize = 5;

/// The mark of a mail that came back. Marks of an address begin alike.
fn mark(address: &EmailAddress, mail: &str) -> String {
    format!("{}#{mail}", beginning(address))
}

fn beginning(address: &EmailAddress) -> String {
    let hash = kernel::hash::name(&[address.as_str()]);
    hash.chars().take(8).collect()
}

impl Contacts {
    /// Records that mail to the address cannot be delivered; returns whether this was new. The bounce is stored
    /// beside the consent, so neither hides the other.
    pub async fn bounced(
        &self,
        tenant: TenantKey,
        id: ContactId,
        address: &EmailAddress,
    ) -> Result<bool, Error> {
        let update = self
            .touch()
            .set(BOUNCED, address)
            .when_equals("email", address)
            .when_absent_or_other(BOUNCED, address);
        let update = self
            .telling(tenant, update, ["email_status".to_owned()])
            .await?;
        let outcome = self.of_its_owner(tenant, id, update.when_exists()).await?;
        Ok(outcome.is_some_and(|outcome| outcome.applied()))
    }

    /// Records that a mail came back for a reason that may pass. The fifth mail in a row without a delivery in between makes
    /// it a bounce. May be repeated: `mail` names the mail. One write unit for each kilobyte of the profile.
    pub async fn soft_bounced(
        &self,
        tenant: TenantKey,
        id: ContactId,
        address: &EmailAddress,
        mail: &str,
    ) -> Result<(), Error> {
        let update = Update::new()
            .add_to_set(SOFT_BOUNCES, [mark(address, mail)])
            .when_equals("email", address)
            .when_absent(ERASED);
        let Some(outcome) = self.of_its_owner(tenant, id, update).await? else {
            return Ok(());
        };
        if !outcome.applied() {
            return Ok(());
        }
        let profile: Option<Profile> = outcome.item()?;
        let marks = profile
            .map(|profile| profile.soft_bounces)
            .unwrap_or_default();
        let beginning = beginning(address);
        let of_address = marks.iter().filter(|mark| mark.starts_with(&beginning));
        if of_address.count() >= MOST_SOFT_BOUNCES {
            self.bounced(tenant, id, address).await?;
        }
        Ok(())
    }

    /// Forgets the mails that came back before, since one arrived.
    pub async fn arrived(&self, tenant: TenantKey, id: ContactId) -> Result<(), Error> {
        let update = Update::new().remove(SOFT_BOUNCES).when_exists();
        let update = update.when_absent(ERASED);
        self.of_its_owner(tenant, id, update).await.map(drop)
    }

    /// Updates the profile, or that of the contact into which it was merged. `None`: there is no such contact.
    async fn of_its_owner(
        &self,
        tenant: TenantKey,
        id: ContactId,
        update: Update,
    ) -> Result<Option<UpdateOutcome>, Error> {
        let key = keys::profile(tenant, id);
        let outcome = self.contacts.update(&key, update.clone()).await?;
        let is_merged =
            matches!(&outcome, UpdateOutcome::Refused(item) if item.contains_key(MERGED_INTO));
        if !is_merged {
            return Ok(Some(outcome));
        }
        match self.forward(tenant, id).await? {
            Some(now) => Box::pin(self.of_its_owner(tenant, now, update)).await,
            None => Ok(None),
        }
    }
}
