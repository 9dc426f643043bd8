//! Reading contacts, and the small changes: tags and lists, with their entries on the timeline.

use cloud::{Error, Resources, Table, Update};
use kernel::text::alike;
use kernel::{ContactId, ListId, TenantKey};
use serde_json::json;

use crate::bounds::{MAX_LISTS, MAX_TAGS, fit};
use crate::fields::Fields;
use crate::interest::Listeners;
use crate::labels::{Tag, Tags};
use crate::model::Contact;
use crate::moves::Moves;
use crate::profiles::Profiles;
use crate::rows::{ERASED, IMPORTED, Membership, NameRow, Profile, Row};
use crate::tags_vocabulary::Vocabulary;
use crate::{keys, mention, names};

/// The outcome of joining a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The contact is on the list.
    Yes,
    /// The contact is on as many lists as it may be.
    Full,
    /// There is no such contact.
    NoContact,
}

/// The contacts of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Contacts {
    pub(crate) contacts: Table,
    pub(crate) timeline: Table,
    /// Absent if events shall start no workflow.
    pub(crate) listeners: Option<Listeners>,
    /// Learns the tags that contacts get.
    pub(crate) vocabulary: Vocabulary,
    /// Tells which custom fields are unique.
    pub(crate) fields: Fields,
    /// Tells which changes concern segments.
    pub(crate) interest: Listeners,
    /// The door by which changes come that name none; the timeline tells it.
    pub(crate) door: &'static str,
}

impl Contacts {
    /// Over the tables Contacts, Timeline and Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            listeners: Some(Listeners::over(resources)),
            ..Self::silent(resources)
        }
    }

    /// Over the same tables. Events recorded through it trigger no workflow.
    pub fn silent(resources: &Resources) -> Self {
        Self {
            contacts: resources.table("Contacts"),
            timeline: resources.table("Timeline"),
            listeners: None,
            vocabulary: Vocabulary::over(resources),
            fields: Fields::over(resources),
            interest: Listeners::over(resources),
            door: "api",
        }
    }

    /// The definitions of custom fields, as this process knows them.
    pub fn fields(&self) -> Fields {
        self.fields.clone()
    }

    /// The same contacts, for changes by this door: `workflow`, `bulk`.
    #[must_use]
    pub fn by(self, door: &'static str) -> Self {
        Self { door, ..self }
    }

    /// One contact, as it is now.
    pub async fn get(&self, tenant: TenantKey, id: ContactId) -> Result<Option<Contact>, Error> {
        self.profiles().get(tenant, id).await
    }

    /// The same contacts, for reading only.
    pub fn profiles(&self) -> Profiles {
        Profiles {
            contacts: self.contacts.clone(),
        }
    }

    /// Adds tags, as many as the contact has room for. Does nothing for a contact that does not exist.
    pub async fn add_tags(
        &self,
        tenant: TenantKey,
        id: ContactId,
        tags: &[String],
    ) -> Result<(), Error> {
        let (tags, refused) = Tags::all(tags);
        if refused > 0 {
            tracing::warn!(contact = %id, refused, "texts that are no tags");
        }
        let mut new: Vec<String> = tags.into_iter().map(String::from).collect();
        self.vocabulary.meet(tenant, &new).await?;
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let Some((profile, contact)) = self.known(tenant, id).await? else {
                // A step of a workflow may name a contact that was merged.
                return match self.forward(tenant, id).await? {
                    Some(now) => Box::pin(self.add_tags(tenant, now, &new)).await,
                    None => Ok(()),
                };
            };
            let known: Vec<String> = contact.tags.iter().map(|tag| alike(tag)).collect();
            new.retain(|tag| !known.contains(&alike(tag)));
            let surplus = fit(&mut new, profile.stored_tags().len(), MAX_TAGS);
            if surplus > 0 {
                tracing::warn!(contact = %id, surplus, "a full contact has no room for tags");
            }
            if new.is_empty() {
                return Ok(());
            }
            let update = self.touch().add_to_set("tags", new.iter().cloned());
            let names = mention::tags(&new);
            let update = self.telling(tenant, update, names).await?;
            let what = json!({ "tags_added": new });
            let moves = Moves {
                tags_added: new.clone(),
                ..Moves::default()
            };
            if self
                .change_noted(tenant, id, &profile, update, (&what, &moves), self.door)
                .await?
            {
                return Ok(());
            }
        }
    }

    /// The contact with its stored profile.
    async fn known(
        &self,
        tenant: TenantKey,
        id: ContactId,
    ) -> Result<Option<(Profile, Contact)>, Error> {
        let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, id)).await?;
        let contact = profile.clone().and_then(Profile::given);
        Ok(profile.zip(contact))
    }

    /// Removes tags, however they are spelt. Does nothing for a contact that does not exist.
    pub async fn remove_tags(
        &self,
        tenant: TenantKey,
        id: ContactId,
        tags: &[String],
    ) -> Result<(), Error> {
        let unwanted: Vec<String> = Tags::all(tags).0.iter().map(Tag::key).collect();
        while let Some((profile, _)) = self.known(tenant, id).await? {
            let mut gone: Vec<String> = profile.stored_tags().iter().cloned().collect();
            gone.retain(|tag| unwanted.contains(&alike(tag)));
            if gone.is_empty() {
                break;
            }
            let names = mention::tags(&gone);
            let what = json!({ "tags_removed": gone });
            let moves = Moves {
                tags_removed: gone.clone(),
                ..Moves::default()
            };
            let update = self.touch().remove_from_set("tags", gone);
            let update = self.telling(tenant, update, names).await?;
            if self
                .change_noted(tenant, id, &profile, update, (&what, &moves), self.door)
                .await?
            {
                break;
            }
        }
        Ok(())
    }

    /// Adds the contact to a list.
    pub async fn join_list(
        &self,
        tenant: TenantKey,
        id: ContactId,
        list: ListId,
    ) -> Result<Joined, Error> {
        let key = keys::membership(tenant, id, list);
        while let Some((profile, contact)) = self.known(tenant, id).await? {
            let is_on = contact.lists.contains(&list);
            if !is_on && contact.lists.len() >= MAX_LISTS {
                // Other lists were faster: a place that was written is given up.
                self.contacts.delete_many(&[key]).await?;
                return Ok(Joined::Full);
            }
            if !contact.is_archived() {
                let row = Membership::new(tenant, id, list);
                self.contacts.put(&key, &row).await?;
            }
            if is_on {
                return Ok(Joined::Yes);
            }
            let update = self.touch().add_to_set("lists", [list.to_string()]);
            let update = self.telling(tenant, update, [mention::list(list)]).await?;
            let what = json!({ "lists_joined": [list] });
            let moves = Moves {
                lists_joined: vec![list],
                ..Moves::default()
            };
            if self
                .change_noted(tenant, id, &profile, update, (&what, &moves), self.door)
                .await?
            {
                return Ok(Joined::Yes);
            }
        }
        self.contacts.delete_many(&[key]).await?;
        Ok(Joined::NoContact)
    }

    /// Removes the contact from a list.
    pub async fn leave_list(
        &self,
        tenant: TenantKey,
        id: ContactId,
        list: ListId,
    ) -> Result<(), Error> {
        let place = [keys::membership(tenant, id, list)];
        self.contacts.delete_many(&place).await?;
        while let Some((profile, contact)) = self.known(tenant, id).await? {
            if !contact.lists.contains(&list) {
                break;
            }
            let update = self.touch().remove_from_set("lists", [list.to_string()]);
            let update = self.telling(tenant, update, [mention::list(list)]).await?;
            let what = json!({ "lists_left": [list] });
            let moves = Moves {
                lists_left: vec![list],
                ..Moves::default()
            };
            if self
                .change_noted(tenant, id, &profile, update, (&what, &moves), self.door)
                .await?
            {
                break;
            }
        }
        Ok(())
    }

    /// The beginning of every update of a profile: one that is not erased.
    pub(crate) fn touch(&self) -> Update {
        self.touch_by(None)
    }

    /// Like [`Contacts::touch`], by the row of an import that made the contact.
    pub(crate) fn touch_by(&self, import: Option<&str>) -> Update {
        let update = Update::new().set("updated_at", self.contacts.clock().now());
        let update = update.when_absent(ERASED);
        match import {
            Some(row) => update.set(IMPORTED, row),
            None => update.remove(IMPORTED),
        }
    }

    /// Changes a contact that exists; returns whether the conditions held.
    pub(crate) async fn change(
        &self,
        tenant: TenantKey,
        id: ContactId,
        update: Update,
    ) -> Result<bool, Error> {
        let key = keys::profile(tenant, id);
        let outcome = self.contacts.update(&key, update.when_exists()).await?;
        Ok(outcome.applied())
    }

    /// The rows by which a name is found.
    pub(crate) fn name_rows(
        tenant: TenantKey,
        id: ContactId,
        full_name: &str,
    ) -> impl Iterator<Item = (cloud::Key, Row)> {
        names::rotations(full_name)
            .into_iter()
            .map(move |rotation| {
                let row = NameRow { contact: id };
                (keys::name(tenant, &rotation, id), Row::Name(row))
            })
    }
}
