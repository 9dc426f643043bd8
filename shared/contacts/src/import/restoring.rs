//! Gives a contact back the values that an import replaced, as far as nobody has changed them since.
//!
//! A repetition finds the values that it would write. The rows of names and lists are put right after the profile, at
//! each run, so a killed run leaves none behind.

use cloud::{Error, Key};
use kernel::{ContactId, TenantKey};
use serde_json::Value;

use super::steps::Imports;
use crate::change::{self, Before};
use crate::model::Contact;
use crate::rows::{CUSTOM, FIELDS, NAMED, Profile, Row};
use crate::{Contacts, keys, mention, names};

/// The name fields, which change together.
const NAMES: [&str; 3] = ["full_name", "first_name", "last_name"];

/// The outcome for one row: what stays, and why.
pub(super) type Stays = Vec<String>;

impl Imports {
    /// Restores the contact. `None`: there is no such contact any more. Two reads and up to three writes.
    pub(super) async fn restore(
        &self,
        tenant: TenantKey,
        id: ContactId,
        operation: &str,
    ) -> Result<Option<Stays>, Error> {
        let row: Option<Before> = self
            .table
            .get(&keys::import_before(tenant, id, operation))
            .await?;
        let Some(was) = row else {
            return Ok(Some(Vec::new()));
        };
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let profile: Option<Profile> = self.table.get(&keys::profile(tenant, id)).await?;
            let Some(profile) = profile else {
                return Ok(None);
            };
            let Some(contact) = profile.clone().given() else {
                return Ok(None);
            };
            if let Some(after) = self.write_back(tenant, &contact, &profile, &was).await? {
                self.tidy(tenant, &after, &was).await?;
                return Ok(Some(stays(&after, &was)));
            }
        }
    }

    /// One write of the profile; the contact as it is then. `None`: another writer was faster.
    async fn write_back(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        profile: &Profile,
        was: &Before,
    ) -> Result<Option<Contact>, Error> {
        let mut due: Vec<_> = was
            .fields
            .iter()
            .filter(|(name, was)| was.old != was.new && change::value(contact, name) == was.new)
            .collect();
        let values: Vec<(String, Value)> = due
            .iter()
            .filter_map(|(name, was)| {
                Some((name.strip_prefix(CUSTOM)?.to_owned(), was.old.clone()))
            })
            .collect();
        let compared = self
            .contacts
            .compare(tenant, Some(contact.id), Some(profile), &values);
        // A former value that another contact has by now stays there.
        let (claims, taken) = compared.await?;
        due.retain(|(name, _)| {
            let mut taken = taken.iter();
            !taken.any(|one| name.strip_prefix(CUSTOM) == Some(one.field.as_str()))
        });
        let tags: Vec<String> = was
            .tags
            .iter()
            .filter(|tag| contact.tags.contains(*tag))
            .cloned()
            .collect();
        let lists: Vec<_> = was
            .lists
            .iter()
            .filter(|list| contact.lists.contains(list))
            .collect();
        if due.is_empty() && tags.is_empty() && lists.is_empty() {
            return Ok(Some(contact.clone()));
        }
        let mut update = self.contacts.touch().when_exists();
        for (name, was) in &due {
            update = match &was.new {
                Value::Null => update.when_absent(name),
                new => update.when_equals(name, new),
            };
            update = match &was.old {
                Value::Null => update.remove(name),
                old => update.set(name, old),
            };
        }
        if due.iter().any(|(name, _)| name.starts_with(CUSTOM)) {
            let fields_version = profile.fields_version;
            let next = change::next(fields_version);
            update = update
                .set(FIELDS, next)
                .when_as_read(FIELDS, fields_version);
        }
        if due.iter().any(|(name, _)| NAMES.contains(&name.as_str())) {
            let name_version = profile.name_version;
            let next = change::next(name_version);
            update = update.set(NAMED, next).when_as_read(NAMED, name_version);
            let old = was
                .fields
                .iter()
                .filter(|(name, _)| NAMES.contains(&name.as_str()));
            let name = named(contact, old.map(|(name, was)| (name.as_str(), &was.old)));
            let rows: Vec<(Key, Row)> = name
                .iter()
                .flat_map(|name| Contacts::name_rows(tenant, contact.id, name))
                .collect();
            if !rows.is_empty() {
                self.table.put_many(&rows).await?;
            }
        }
        update = update.remove_from_set("tags", tags.clone());
        update = update.remove_from_set("lists", lists.iter().map(ToString::to_string));
        let changed = due.iter().map(|(name, _)| (*name).clone());
        let of_names = due.iter().any(|(name, _)| NAMES.contains(&name.as_str()));
        let of_names = NAMES
            .iter()
            .filter(|_| of_names)
            .map(|name| (*name).to_owned());
        let changed = changed.chain(of_names).chain(mention::tags(&tags));
        let changed: Vec<String> = changed
            .chain(lists.iter().map(|list| mention::list(**list)))
            .collect();
        let update = self.contacts.telling(tenant, update, changed).await?;
        let key = keys::profile(tenant, contact.id);
        let update = claims.onto(update);
        if !claims.rows.is_empty() {
            let written = self.contacts.write_with(&key, update, &claims).await?;
            // The next round finds everything restored, or the change of another writer.
            let after: Option<Profile> = self.table.get(&key).await?;
            return Ok(after.and_then(Profile::given).filter(|_| written));
        }
        let done = self.table.update(&key, update).await?;
        if !done.applied() {
            return Ok(None);
        }
        let profile: Option<Profile> = done.item()?;
        Ok(profile.and_then(Profile::given))
    }

    /// Removes the rows of names and lists that the profile no longer shows.
    async fn tidy(&self, tenant: TenantKey, contact: &Contact, was: &Before) -> Result<(), Error> {
        let gone = was
            .lists
            .iter()
            .filter(|list| !contact.lists.contains(list));
        let mut stale: Vec<Key> = gone
            .map(|&list| keys::membership(tenant, contact.id, list))
            .collect();
        let new = was
            .fields
            .iter()
            .filter(|(name, _)| NAMES.contains(&name.as_str()));
        let given = named(contact, new.map(|(name, was)| (name.as_str(), &was.new)));
        let shown = contact.clone().complete_names().person.full_name;
        if let Some(given) = given.filter(|given| shown.as_ref() != Some(given)) {
            let kept = names::rotations(shown.as_deref().unwrap_or_default());
            let gone = names::rotations(&given);
            stale.extend(
                gone.difference(&kept)
                    .map(|rotation| keys::name(tenant, rotation, contact.id)),
            );
        }
        if stale.is_empty() {
            return Ok(());
        }
        self.table.delete_many(&stale).await
    }
}

/// The whole name of the contact with these name fields in place of its own.
fn named<'a>(
    contact: &Contact,
    fields: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Option<String> {
    let mut contact = contact.clone();
    let mut any = false;
    for (name, value) in fields {
        let value = value.as_str().map(str::to_owned);
        any = true;
        match name {
            "full_name" => contact.person.full_name = value,
            "first_name" => contact.person.first_name = value,
            _ => contact.person.last_name = value,
        }
    }
    let name = contact.complete_names().person.full_name;
    name.filter(|_| any)
}

/// The changes of the row that still stand.
fn stays(contact: &Contact, was: &Before) -> Stays {
    let newer = was
        .fields
        .iter()
        .filter(|(name, was)| change::value(contact, name) != was.old);
    let newer = newer.map(|(name, _)| format!("{name} was changed since"));
    let addresses = was.addresses.iter().map(|name| format!("{name} stays"));
    let consent = was
        .consent
        .then(|| "the consent stays, with its proof".to_owned());
    newer.chain(addresses).chain(consent).collect()
}
