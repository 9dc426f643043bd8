//! The contacts that one user looks after, as people read them.

use cloud::{Error, Query};
use kernel::{ContactId, Cursor, Limit, TenantKey, UserId, page::Page};

use crate::SHARDS;
use crate::members::resume;
use crate::model::{Contact, ContactStatus};
use crate::profiles::Profiles;
use crate::rows::{IndexRow, OWNER};

impl Profiles {
    /// A page of a user's contacts, eventually consistent, in no order that means something. A page may hold fewer
    /// than `limit` and still have a `next`. At most 17 queries and one batch read; three queries if the user has
    /// some hundred contacts.
    pub async fn owned(
        &self,
        tenant: TenantKey,
        owner: UserId,
        status: ContactStatus,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Contact>, Error> {
        // Archived contacts have shards of their own.
        let first = match status {
            ContactStatus::Active => 0,
            ContactStatus::Archived => SHARDS,
        };
        let (mut shard, mut inner) = resume(cursor)?;
        let mut ids: Vec<ContactId> = Vec::new();
        while shard < SHARDS && ids.len() < limit.get() as usize {
            let left = limit.get() - ids.len() as u32;
            let query = Query::index("ByOwner", &["contact"])
                .with("tenant", tenant.to_string())
                .with(OWNER, owner.to_string())
                .with_number("shard", first + shard);
            let query = query.limit(left).cursor(inner.take());
            let page = self.contacts.query::<IndexRow>(query).await?;
            ids.extend(page.data.into_iter().map(|row| row.contact));
            match page.next {
                Some(next) => inner = Some(next),
                None => shard += 1,
            }
        }
        let mut found = self.glance(tenant, &ids).await?;
        let data = ids.iter().filter_map(|id| found.remove(id));
        let data = data.filter(|one| one.owner == Some(owner) && one.status == status);
        let data = data.collect();
        let inner = inner.map(|cursor| cursor.0).unwrap_or_default();
        let next = (shard < SHARDS).then(|| Cursor(format!("{shard}.{inner}")));
        Ok(Page { data, next })
    }
}
