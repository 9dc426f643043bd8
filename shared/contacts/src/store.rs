//! Reading contacts, and the small changes that merge by themselves: tags, lists, consent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cloud::{Error, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{ContactId, EmailAddress, ListId, Phone, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::claims::Replaced;
use crate::consent::{Channel, ChannelStatus};
use crate::interest::Listeners;
use crate::model::{Contact, Source};
use crate::profiles::Profiles;
use crate::{keys, names, shard};

/// Custom fields are attributes of their own, so that two writers of two fields do not meet.
pub(crate) const CUSTOM: &str = "custom.";

/// The profile's attribute for the address that bounced.
pub(crate) const BOUNCED: &str = "email_bounced";

/// The profile's count of changes to the identities that it shows.
pub(crate) const VERSION: &str = "identity_version";
/// The profile's list of identities to give up.
pub(crate) const REPLACED: &str = "replaced";

/// The contacts of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Contacts {
    pub(crate) contacts: Table,
    pub(crate) timeline: Table,
    /// Absent where nobody shall hear of events.
    pub(crate) listeners: Option<Listeners>,
}

/// A profile as it is stored. A row without `created_at` only reserves its id (see [`crate::upsert`])
/// and is nobody yet.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Profile {
    pub contact: Option<ContactId>,
    #[serde(default)]
    pub operation: Option<String>,
    /// How often the identities changed that the profile shows; absent until it shows one.
    pub identity_version: Option<u64>,
    /// Identities that are no longer shown and whose rows are still to be given up.
    #[serde(default)]
    pub replaced: Vec<Replaced>,
    external_id: Option<String>,
    email: Option<EmailAddress>,
    phone: Option<Phone>,
    full_name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    lists: BTreeSet<ListId>,
    #[serde(default)]
    email_status: ChannelStatus,
    /// The address that bounced last; it matters while it is `email`.
    pub email_bounced: Option<EmailAddress>,
    #[serde(default)]
    sms_status: ChannelStatus,
    #[serde(default)]
    zalo_status: ChannelStatus,
    #[serde(default)]
    push_status: ChannelStatus,
    #[serde(default)]
    source: Source,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

impl Profile {
    /// What was agreed to for a channel, whether or not the address works.
    pub fn consent(&self, channel: Channel) -> ChannelStatus {
        match channel {
            Channel::Email => self.email_status,
            Channel::Sms => self.sms_status,
            Channel::Zalo => self.zalo_status,
            Channel::Push => self.push_status,
        }
    }

    /// The address that the profile shows has bounced.
    pub fn is_bounced(&self) -> bool {
        self.email.is_some() && self.email == self.email_bounced
    }

    /// The contact, names as given.
    pub fn given(self) -> Option<Contact> {
        let created_at = self.created_at?;
        let bounced = self.is_bounced().then_some(ChannelStatus::Bounced);
        let custom = self.rest.into_iter().filter_map(|(name, value)| {
            name.strip_prefix(CUSTOM)
                .map(|name| (name.to_owned(), value))
        });
        Some(Contact {
            id: self.contact?,
            external_id: self.external_id,
            email: self.email,
            phone: self.phone,
            full_name: self.full_name,
            first_name: self.first_name,
            last_name: self.last_name,
            tags: self.tags,
            lists: self.lists,
            custom: custom.collect::<BTreeMap<_, _>>(),
            email_status: self.email_status.merge(bounced.unwrap_or_default()),
            sms_status: self.sms_status,
            zalo_status: self.zalo_status,
            push_status: self.push_status,
            source: self.source,
            created_at,
            updated_at: self.updated_at.unwrap_or(created_at),
        })
    }
}

/// A name that can be searched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NameRow {
    pub contact: ContactId,
}

/// A contact's place on a list. It has no `shard`: with one it would stand in the index over the
/// workspace (`ByShard`) too, which costs a write and is walked for nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub tenant: String,
    pub member_of: ListId,
    pub list_shard: u32,
    pub contact: ContactId,
}

impl Membership {
    pub fn new(tenant: TenantKey, contact: ContactId, list: ListId) -> Self {
        Self {
            tenant: tenant.to_string(),
            member_of: list,
            list_shard: shard(contact),
            contact,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct IndexRow {
    pub contact: ContactId,
}

/// Any item of the table Contacts, for writes of mixed batches.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Row {
    Name(NameRow),
    Membership(Membership),
}

impl Contacts {
    /// Over the tables Contacts, Timeline and Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            listeners: Some(Listeners::over(resources)),
            ..Self::silent(resources)
        }
    }

    /// Over the tables Contacts and Timeline. Events recorded through it trigger no workflow.
    pub(crate) fn silent(resources: &Resources) -> Self {
        Self {
            contacts: resources.table("Contacts"),
            timeline: resources.table("Timeline"),
            listeners: None,
        }
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

    /// Adds tags. Does nothing for a contact that does not exist.
    pub async fn add_tags(
        &self,
        tenant: TenantKey,
        id: ContactId,
        tags: &[String],
    ) -> Result<(), Error> {
        if tags.is_empty() {
            return Ok(());
        }
        let update = self.touch().add_to_set("tags", tags.iter().cloned());
        self.change(tenant, id, update).await.map(drop)
    }

    /// Removes tags.
    pub async fn remove_tags(
        &self,
        tenant: TenantKey,
        id: ContactId,
        tags: &[String],
    ) -> Result<(), Error> {
        if tags.is_empty() {
            return Ok(());
        }
        let update = self.touch().remove_from_set("tags", tags.iter().cloned());
        self.change(tenant, id, update).await.map(drop)
    }

    /// Puts the contact on a list. False where there is no such contact.
    pub async fn join_list(
        &self,
        tenant: TenantKey,
        id: ContactId,
        list: ListId,
    ) -> Result<bool, Error> {
        if self.get(tenant, id).await?.is_none() {
            return Ok(false);
        }
        let key = keys::membership(tenant, id, list);
        let row = Membership::new(tenant, id, list);
        self.contacts.put(&key, &row).await?;
        let update = self.touch().add_to_set("lists", [list.to_string()]);
        self.change(tenant, id, update).await
    }

    /// Takes the contact off a list.
    pub async fn leave_list(
        &self,
        tenant: TenantKey,
        id: ContactId,
        list: ListId,
    ) -> Result<(), Error> {
        let place = [keys::membership(tenant, id, list)];
        self.contacts.delete_many(&place).await?;
        let update = self.touch().remove_from_set("lists", [list.to_string()]);
        self.change(tenant, id, update).await.map(drop)
    }

    /// Moves consent to a status of higher rank; says whether it moved. Late, repeated and reordered
    /// calls end at the highest. A bounce is no consent: see [`Contacts::bounced`].
    pub async fn set_channel_status(
        &self,
        tenant: TenantKey,
        id: ContactId,
        channel: Channel,
        status: ChannelStatus,
        at: Timestamp,
        reason: &str,
    ) -> Result<bool, Error> {
        let update = raised(self.touch(), channel, status, (at, reason));
        self.change(tenant, id, update).await
    }

    /// Mail to the address cannot be delivered; says whether that was news. It is kept beside the
    /// consent, so neither hides the other, and only while the contact shows that very address: a
    /// bounce that comes after the address was corrected says nothing about the new one.
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
        self.change(tenant, id, update).await
    }

    pub(crate) fn touch(&self) -> Update {
        Update::new().set("updated_at", self.contacts.clock().now())
    }

    /// Changes a contact that exists; says whether the conditions held.
    async fn change(
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

/// Moves consent up, where it is lower; `told` is when and why.
pub(crate) fn raised(
    update: Update,
    channel: Channel,
    status: ChannelStatus,
    told: (Timestamp, &str),
) -> Update {
    let name = channel.name();
    update
        .set(&format!("{name}_status"), status)
        .set(&format!("{name}_status_at"), told.0)
        .set(&format!("{name}_status_reason"), told.1)
        .set(&format!("{name}_rank"), status.rank())
        .when_absent_or_less(&format!("{name}_rank"), status.rank())
}
