//! Steps 3 to 5 of [`crate::upsert`]: the rows beside the profile, the update that commits, and what follows the commit.
//!
//! The identities are claimed before. This file claims none.

use std::collections::BTreeSet;

use cloud::{Error, Key, Update};
use kernel::{ContactId, TenantKey};

use crate::change::{self, Change};
use crate::model::{Incoming, Source};
use crate::rows::{FORMER, Membership, NameRow, Pair, Profile, Row};
use crate::store::Contacts;
use crate::upsert::told::ImportRow;
use crate::{keys, names};

impl Contacts {
    /// Steps 3 to 5. Returns whether this operation made the contact; `None`: another run changed the profile in
    /// between.
    pub(crate) async fn write(
        &self,
        tenant: TenantKey,
        id: ContactId,
        profile: Option<Profile>,
        incoming: &Incoming,
        change: &Change,
        operation: &str,
    ) -> Result<Option<bool>, Error> {
        self.vocabulary.meet(tenant, &change.tags).await?;
        let mut rows = rows(tenant, id, profile.as_ref(), change);
        for record in &change.agreed.records {
            let row = self.told(tenant, record).await?;
            rows.push((record.key(tenant, id), Row::Consent(Box::new(row))));
        }
        let now = self.contacts.clock().now();
        let import = (incoming.source == Source::Import).then_some(operation);
        let known = profile.clone().and_then(Profile::given);
        let made_here = known.is_none() || made_by_import(profile.as_ref(), import);
        if let (Some(row), Some(known)) = (import, &known)
            && !made_here
            && !change.is_empty()
        {
            let before = change.before(known, now.as_second());
            let row = keys::import_before(tenant, id, row);
            rows.push((row, Row::Before(Box::new(before))));
        }
        if !rows.is_empty() {
            self.contacts.put_many(&rows).await?;
        }
        // A confirmed address is an identity from the commit on. Before it, so that a repetition deletes them.
        let confirmed = change.confirmed.iter().flat_map(|(_, identity)| {
            [
                keys::beside(tenant, identity, id),
                keys::pair(tenant, identity, id),
            ]
        });
        let confirmed: BTreeSet<Key> = confirmed.collect();
        let confirmed: Vec<Key> = confirmed.into_iter().collect();
        self.contacts.delete_many(&confirmed).await?;
        let touch = self.touch_by(import.filter(|_| made_here));
        let mut update = change.onto(touch, profile.as_ref(), now);
        let version = profile.as_ref().and_then(|row| row.identity_version);
        let made_by = profile.as_ref().and_then(|row| row.operation.clone());
        let before = profile.clone().and_then(Profile::given);
        if before.is_none() {
            update = self.founded(tenant, id, incoming, operation, update);
        }
        if before.is_none() || !change.is_empty() {
            let update = self.telling(tenant, update, change.names(before.is_none()));
            let update = update.await?;
            let is_written = if let (Some(before), Some(read)) = (&before, &profile) {
                let row = import.map(|operation| ImportRow {
                    operation,
                    made_here,
                    at: incoming.at.unwrap_or(now),
                });
                let by = (incoming.source, row);
                let (known, changed) = ((read, before), (change, update));
                self.change_known(tenant, id, known, changed, by).await?
            } else {
                let source = incoming.source;
                self.begin(tenant, id, source, change, update).await?
            };
            if !is_written {
                return Ok(None);
            }
        }
        if before.is_none() {
            return Ok(Some(true));
        }
        if !change.replaced.is_empty() {
            let version = Some(change::next(version));
            self.give_up(tenant, id, version, &change.replaced).await?;
        }
        self.forget_names(tenant, id, change.former_name.clone())
            .await?;
        Ok(Some(made_by.as_deref() == Some(operation)))
    }

    /// The door of an input. A source of the API leaves it to the caller's own name.
    pub(super) fn door_of(&self, source: Source) -> &'static str {
        match source {
            Source::Api => self.door,
            other => other.name(),
        }
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

    /// Removes former names from the search. Until then the search skips the rows, since the profile no longer has
    /// the names. Another writer may have given the contact such a name again meanwhile: its rows are then put back.
    pub(crate) async fn forget_names(
        &self,
        tenant: TenantKey,
        id: ContactId,
        former: impl IntoIterator<Item = String>,
    ) -> Result<(), Error> {
        let former: BTreeSet<String> = former.into_iter().collect();
        if former.is_empty() {
            return Ok(());
        }
        let shown = async || {
            let shown = self.get(tenant, id).await?;
            let name = shown.and_then(|contact| contact.person.full_name);
            Ok::<_, Error>(name.unwrap_or_default())
        };
        let kept = names::rotations(&shown().await?);
        let old: BTreeSet<String> = former
            .iter()
            .flat_map(|name| names::rotations(name))
            .collect();
        let stale = old.difference(&kept);
        let stale: Vec<Key> = stale
            .map(|rotation| keys::name(tenant, rotation, id))
            .collect();
        self.contacts.delete_many(&stale).await?;
        let now = shown().await?;
        let lost = Self::name_rows(tenant, id, &now);
        let lost: Vec<(Key, Row)> = lost.filter(|(key, _)| stale.contains(key)).collect();
        if !lost.is_empty() {
            self.contacts.put_many(&lost).await?;
        }
        let done = Update::new().remove_from_set(FORMER, former).when_exists();
        let key = keys::profile(tenant, id);
        self.contacts.update(&key, done).await.map(drop)
    }
}

/// The rows of names, lists, and addresses beside the identities.
fn rows(
    tenant: TenantKey,
    id: ContactId,
    profile: Option<&Profile>,
    change: &Change,
) -> Vec<(Key, Row)> {
    let mut rows: Vec<(Key, Row)> = Vec::new();
    if let Some(name) = &change.indexed_name {
        rows.extend(Contacts::name_rows(tenant, id, name));
    }
    let is_archived = profile.is_some_and(|row| row.archived_at.is_some());
    let joined = change.lists.iter().filter(|_| !is_archived);
    rows.extend(joined.map(|&list| {
        let row = Row::Membership(Membership::new(tenant, id, list));
        (keys::membership(tenant, id, list), row)
    }));
    rows.extend(change.beside.iter().flat_map(|(_, identity)| {
        let row = Row::Name(NameRow { contact: id });
        let pair = Row::Pair(Pair {
            contact: id,
            address: identity.clone(),
        });
        [
            (keys::beside(tenant, identity, id), row),
            (keys::pair(tenant, identity, id), pair),
        ]
    }));
    rows
}

/// Whether a row of the same import made the contact.
fn made_by_import(profile: Option<&Profile>, import: Option<&str>) -> bool {
    let job = |operation: &str| operation.split('#').next().map(str::to_owned);
    let made_by = profile.and_then(|profile| profile.operation.as_deref());
    import.is_some_and(|row| made_by.and_then(job) == job(row))
}
