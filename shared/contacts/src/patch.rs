//! The edit of a contact that staff name by its id. Safe to run twice and to be killed at any point.
//!
//! The order of the writes is that of [`crate::upsert`]: identities are claimed first, then rows for the search are
//! written, then the profile. Replaced and cleared identities are released last. The owner of an identity follows from
//! [`crate::identity`]: an address of another contact stays there and is kept beside.

use std::collections::{BTreeMap, BTreeSet};

use cloud::Error;
use futures::future::try_join_all;
use kernel::{ContactId, Person, TenantKey, UserId};
use serde_json::Value;

use crate::bounds::Surplus;
use crate::change::Change;
use crate::identity::{self, Fate, Known, Reason};
use crate::keys;
use crate::model::{Identity, Incoming, Merge, NotTaken, Source, Trust};
use crate::rows::{OWNER, Profile};
use crate::store::Contacts;
use crate::upsert::{Sorted, beside, in_order, not_taken};

/// New values of a contact's fields. A field that is not named stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edit {
    /// New values of plain fields, but for the names.
    pub person: Person,
    /// `full_name`, `first_name` and `last_name`, each with its new value; `None` clears.
    pub names: Vec<(&'static str, Option<String>)>,
    /// New values of custom fields.
    pub custom: BTreeMap<String, Value>,
    /// The member of the workspace who looks after the contact from now on.
    pub owner: Option<UserId>,
    /// New identities: the shop's own id, an email address, a phone number.
    pub identities: Vec<Identity>,
    /// Names of plain fields, and of identities, that are cleared; also `owner_id`.
    pub cleared: BTreeSet<&'static str>,
    /// Custom fields that are cleared, in the form in which names are compared.
    pub cleared_custom: BTreeSet<String>,
}

impl Edit {
    /// Gives the contact to this member of the workspace; `None`: to nobody.
    pub fn of_owner(owner: Option<UserId>) -> Self {
        let cleared = owner.is_none().then_some(OWNER);
        Self {
            owner,
            cleared: cleared.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(crate) fn incoming(&self) -> Incoming {
        Incoming {
            identities: self.identities.clone(),
            person: self.person.clone(),
            custom: self.custom.clone(),
            owner: self.owner,
            merge: Merge::Overwrite,
            trust: Trust::Shop,
            source: Source::Api,
            ..Incoming::default()
        }
    }
}

/// The outcome of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// The contact has the values, but for identities that belong to others.
    Yes(Vec<NotTaken>),
    /// The contact has no room for some value; nothing is written.
    Full(Surplus),
    /// There is no such contact.
    NoContact,
}

impl Contacts {
    /// Edits a contact. Plain fields: one read and one write unit. A new address: two reads more, and two write
    /// units; the replaced one: three more. A name: one more for each word, and one for each word of the old name.
    pub async fn edit(
        &self,
        tenant: TenantKey,
        id: ContactId,
        edit: &Edit,
    ) -> Result<Edited, Error> {
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let run = self.try_edit(tenant, id, edit);
            // Its future is large.
            if let Some(edited) = Box::pin(run).await? {
                return Ok(edited);
            }
        }
    }

    /// `None`: another run changed the profile in between, or a claim had to be released first.
    async fn try_edit(
        &self,
        tenant: TenantKey,
        id: ContactId,
        edit: &Edit,
    ) -> Result<Option<Edited>, Error> {
        let incoming = edit.incoming();
        let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, id)).await?;
        let Some(contact) = profile.clone().and_then(Profile::given) else {
            return Ok(Some(Edited::NoContact));
        };
        let identities = in_order(&edit.identities);
        let rows = identities.iter().map(|one| self.look_up(tenant, one));
        let rows = try_join_all(rows).await?;
        let owners = self.owners(tenant, &rows, &incoming).await?;
        let itself = Known {
            contact: id,
            exists: true,
            erased: false,
            shows: contact.owned(),
            overwrites: true,
        };
        let owner = |row: &crate::rows::Claim| Some(&owners.get(&row.contact?)?.0);
        let given: Vec<(Identity, Option<&Known>)> = identities
            .iter()
            .zip(&rows)
            .map(|(one, row)| (one.clone(), owner(row)))
            .collect();
        let fates = identity::fates(Some(&itself), &given, Trust::Shop);
        // Staff replace the shop's own id of a contact that they name.
        let fates = fates.into_iter().map(|fate| match fate {
            Fate::Not(Reason::HasAnother, _) => Fate::Own,
            other => other,
        });
        let found = identities.into_iter().zip(rows).zip(fates).collect();
        let Some(Sorted { own, others }) = self.sort(tenant, found, &owners).await? else {
            return Ok(None);
        };
        let beside = beside(&others);
        let Some(read) = &profile else {
            return Ok(Some(Edited::NoContact));
        };
        // Before anything is claimed. Identities take no room of their own.
        let change = Change::edited(read, edit, &[], &beside);
        let values = change.custom();
        let compared = self.compare(tenant, Some(id), Some(read), &values);
        let (_, taken) = compared.await?;
        let surplus = Surplus {
            taken,
            ..change.surplus
        };
        if !surplus.is_empty() {
            return Ok(Some(Edited::Full(surplus)));
        }
        let held = self.join(tenant, id, own, profile).await?;
        let Some((profile, own)) = held.and_then(|held| Some((held.profile?, held.own))) else {
            return Ok(None);
        };
        let mut change = Change::edited(&profile, edit, &own, &beside);
        let values = change.custom();
        let compared = self.compare(tenant, Some(id), Some(&profile), &values);
        let (claims, taken) = compared.await?;
        if !taken.is_empty() {
            // Another contact was faster.
            return Ok(None);
        }
        change.settle(claims, &taken);
        if !self.claim_again(tenant, id, &own, &change).await? {
            return Ok(None);
        }
        let not_taken = not_taken(others, &change, Some(&contact));
        let written = self
            .write(tenant, id, Some(profile), &incoming, &change, "")
            .await?;
        Ok(written.map(|_| Edited::Yes(not_taken)))
    }
}
