//! Read-only access to contacts, for senders, planners and the search. It has the table Contacts only, so it cannot
//! record events.

use std::collections::HashMap;

use cloud::{Error, Query, Resources, Table};
use jiff::Timestamp;
use kernel::{ContactId, Cursor, ListId, TenantKey, page::Page};

use crate::keys;
use crate::model::{Contact, Identity};
use crate::rows::{Claim, IndexRow, Profile};

/// The profiles and memberships of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Profiles {
    pub(crate) contacts: Table,
}

impl Profiles {
    /// Over the table Contacts.
    pub fn over(resources: &Resources) -> Self {
        Self {
            contacts: resources.table("Contacts"),
        }
    }

    /// One contact, as it is now.
    pub async fn get(&self, tenant: TenantKey, id: ContactId) -> Result<Option<Contact>, Error> {
        let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, id)).await?;
        let contact = profile.and_then(Profile::given);
        let now = self.contacts.clock().now();
        Ok(contact.map(|contact| contact.complete_names().scored_at(now)))
    }

    /// The contacts among these ids that exist, strongly consistent. Senders read consent here just before a send.
    pub async fn get_many(
        &self,
        tenant: TenantKey,
        ids: &[ContactId],
    ) -> Result<HashMap<ContactId, Contact>, Error> {
        let keys = ids.iter().map(|&id| keys::profile(tenant, id)).collect();
        let now = self.contacts.clock().now();
        Ok(complete(
            self.contacts.get_many_consistent(keys).await?,
            now,
        ))
    }

    /// The contacts among these ids that exist; eventually consistent.
    pub async fn glance(
        &self,
        tenant: TenantKey,
        ids: &[ContactId],
    ) -> Result<HashMap<ContactId, Contact>, Error> {
        let keys = ids.iter().map(|&id| keys::profile(tenant, id)).collect();
        let now = self.contacts.clock().now();
        Ok(complete(self.contacts.get_many(keys).await?, now))
    }

    /// A page of one shard of the workspace, in order of id; eventually consistent.
    pub async fn of_shard(
        &self,
        tenant: TenantKey,
        shard: u32,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<ContactId>, Error> {
        let query = Query::index("ByShard", &["contact"])
            .with("tenant", tenant.to_string())
            .with_number("shard", shard);
        let query = query.limit(limit).cursor(cursor);
        let page = self.contacts.query::<IndexRow>(query).await?;
        Ok(page.map(|row| row.contact))
    }

    /// A page of one shard of a list, in order of id; eventually consistent. Shards are
    /// `0..SHARDS`.
    pub async fn members(
        &self,
        tenant: TenantKey,
        list: ListId,
        shard: u32,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<ContactId>, Error> {
        let query = Query::index("ByMembership", &["contact"])
            .with("tenant", tenant.to_string())
            .with("member_of", list.to_string())
            .with_number("list_shard", shard);
        let page = self
            .contacts
            .query::<IndexRow>(query.limit(limit).cursor(cursor))
            .await?;
        Ok(page.map(|row| row.contact))
    }

    /// The contacts of one shard of the workspace after this one, in order of id; eventually consistent.
    pub async fn of_shard_after(
        &self,
        tenant: TenantKey,
        (shard, after): (u32, Option<ContactId>),
        limit: u32,
    ) -> Result<Vec<ContactId>, Error> {
        let query = Query::index("ByShard", &["contact"])
            .with("tenant", tenant.to_string())
            .with_number("shard", shard);
        self.ids(query, after, limit).await
    }

    /// The members of one shard of a list after this contact, in order of id; eventually consistent.
    pub async fn members_after(
        &self,
        tenant: TenantKey,
        list: ListId,
        (shard, after): (u32, Option<ContactId>),
        limit: u32,
    ) -> Result<Vec<ContactId>, Error> {
        let query = Query::index("ByMembership", &["contact"])
            .with("tenant", tenant.to_string())
            .with("member_of", list.to_string())
            .with_number("list_shard", shard);
        self.ids(query, after, limit).await
    }

    /// Up to `limit` ids; fewer at the end.
    async fn ids(
        &self,
        query: Query,
        after: Option<ContactId>,
        limit: u32,
    ) -> Result<Vec<ContactId>, Error> {
        let query = match after {
            Some(contact) => query.after(contact.to_string()),
            None => query,
        };
        let page = self.contacts.query::<IndexRow>(query.limit(limit)).await?;
        Ok(page.data.into_iter().map(|row| row.contact).collect())
    }

    /// The contact that has the address as its own.
    pub async fn owner(
        &self,
        tenant: TenantKey,
        address: &Identity,
    ) -> Result<Option<ContactId>, Error> {
        let key = keys::identity(tenant, address);
        let claim: Option<Claim> = self.contacts.get(&key).await?;
        Ok(claim.and_then(|claim| claim.contact))
    }
}

fn complete(rows: Vec<(cloud::Key, Profile)>, now: Timestamp) -> HashMap<ContactId, Contact> {
    let found = rows.into_iter().filter_map(|(_, row)| row.given());
    found
        .map(|contact| (contact.id, contact.complete_names().scored_at(now)))
        .collect()
}
