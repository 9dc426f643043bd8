//! Archived contacts: kept with their history, and in no list, segment or search. Each call may be repeated after it
//! was killed, and then does the rest.
//!
//! The index `ByShard` holds archived contacts in shards of their own, behind those of the contacts in use. So walks
//! over the workspace do not meet them. The rows of memberships are deleted and made again from the profile.

use cloud::{Error, Key};
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};

use crate::lists::Lists;
use crate::members::resume;
use crate::model::{Contact, ContactStatus};
use crate::profiles::Profiles;
use crate::rows::{ARCHIVED, Membership};
use crate::store::Contacts;
use crate::{SHARDS, keys, mention};

impl Contacts {
    /// Archives a contact; false: there is none. Two write units and one for each list, with one more where segments
    /// listen; a repetition one for each list.
    pub async fn archive(&self, tenant: TenantKey, id: ContactId) -> Result<bool, Error> {
        let Some(contact) = self.get(tenant, id).await? else {
            return Ok(false);
        };
        if !contact.is_archived() {
            let update = self
                .touch()
                .set(ARCHIVED, self.contacts.clock().now())
                .set("shard", SHARDS + crate::shard(id))
                .when_absent(ARCHIVED);
            let changed = [mention::CREATED.to_owned()];
            let update = self.telling(tenant, update, changed).await?;
            // Refused: another run has archived the contact.
            self.change(tenant, id, update).await?;
        }
        let places: Vec<Key> = contact
            .lists
            .iter()
            .map(|&list| keys::membership(tenant, id, list))
            .collect();
        self.contacts.delete_many(&places).await?;
        Ok(true)
    }

    /// Takes a contact out of the archive; false: there is none. Two write units and one for each list, with one more where segments
    /// listen.
    pub async fn restore(&self, tenant: TenantKey, id: ContactId) -> Result<bool, Error> {
        let Some(contact) = self.get(tenant, id).await? else {
            return Ok(false);
        };
        self.place(tenant, &contact).await?;
        if !contact.is_archived() {
            return Ok(true);
        }
        let update = self
            .touch()
            .remove(ARCHIVED)
            .set("shard", crate::shard(id))
            .when_equals(ARCHIVED, contact.archived_at);
        let changed = [mention::CREATED.to_owned()];
        let update = self.telling(tenant, update, changed).await?;
        self.change(tenant, id, update).await?;
        // A list that the contact joined meanwhile has no row yet.
        match self.get(tenant, id).await? {
            Some(now) if now.lists != contact.lists => self.place(tenant, &now).await?,
            _ => {}
        }
        Ok(true)
    }

    /// Takes a contact out of the archive, and off the lists that were removed meanwhile. One read for each list more
    /// than [`Contacts::restore`].
    pub async fn restore_listed(
        &self,
        tenant: TenantKey,
        id: ContactId,
        lists: &Lists,
    ) -> Result<bool, Error> {
        let Some(contact) = self.get(tenant, id).await? else {
            return Ok(false);
        };
        if contact.is_archived() {
            for list in contact.lists {
                if lists.get(tenant, list).await?.is_none() {
                    self.leave_list(tenant, id, list).await?;
                }
            }
        }
        self.restore(tenant, id).await
    }

    /// Writes the rows of the contact's lists.
    pub(crate) async fn place(&self, tenant: TenantKey, contact: &Contact) -> Result<(), Error> {
        let rows: Vec<(Key, Membership)> = contact
            .lists
            .iter()
            .map(|&list| {
                let key = keys::membership(tenant, contact.id, list);
                (key, Membership::new(tenant, contact.id, list))
            })
            .collect();
        self.contacts.put_many(&rows).await
    }
}

impl Profiles {
    /// A page of the archived contacts, in no order that means something. A page may hold fewer than `limit` and
    /// still have a `next`. At most 17 queries and one batch read.
    pub async fn archived(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Contact>, Error> {
        let (mut shard, mut inner) = resume(cursor)?;
        let mut ids = Vec::new();
        while shard < SHARDS && ids.len() < limit.get() as usize {
            let left = limit.get() - ids.len() as u32;
            let page = self.of_shard(tenant, SHARDS + shard, left, inner.take());
            let page = page.await?;
            ids.extend(page.data);
            match page.next {
                Some(next) => inner = Some(next),
                None => shard += 1,
            }
        }
        let mut found = self.glance(tenant, &ids).await?;
        let data = ids.iter().filter_map(|id| found.remove(id));
        let data = data
            .filter(|contact| contact.status == ContactStatus::Archived)
            .collect();
        let inner = inner.map(|cursor| cursor.0).unwrap_or_default();
        let next = (shard < SHARDS).then(|| Cursor(format!("{shard}.{inner}")));
        Ok(Page { data, next })
    }
}
