//! The members of a list, as people read them: pages of contacts, and their number.

use cloud::{Error, Query};
use futures::future::try_join_all;
use kernel::{Cursor, Limit, ListId, TenantKey, page::Page};

use crate::SHARDS;
use crate::model::Contact;
use crate::profiles::Profiles;
use crate::rows::IndexRow;

/// Members of a shard that are counted.
const COUNTED: u32 = 250;
/// Largest list of which the exact number is known, in members of the fullest shard times the shards.
pub const MOST_COUNTED: u32 = COUNTED * SHARDS;

impl Profiles {
    /// A page of a list's contacts, eventually consistent, in no order that means something. A page may hold fewer
    /// than `limit` and still have a `next`. At most 17 queries and one batch read.
    pub async fn members_page(
        &self,
        tenant: TenantKey,
        list: ListId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Contact>, Error> {
        let (mut shard, mut inner) = resume(cursor)?;
        let mut ids = Vec::new();
        while shard < SHARDS && ids.len() < limit.get() as usize {
            let left = limit.get() - ids.len() as u32;
            let page = self.members(tenant, list, shard, left, inner.take());
            let page = page.await?;
            ids.extend(page.data);
            match page.next {
                Some(next) => inner = Some(next),
                None => shard += 1,
            }
        }
        let mut found = self.glance(tenant, &ids).await?;
        // The row of a membership may be older or newer than the profile.
        let data = ids.iter().filter_map(|id| found.remove(id));
        let data = data
            .filter(|contact| contact.lists.contains(&list) && !contact.is_archived())
            .collect();
        let inner = inner.map(|cursor| cursor.0).unwrap_or_default();
        let next = (shard < SHARDS).then(|| Cursor(format!("{shard}.{inner}")));
        Ok(Page { data, next })
    }

    /// The number of a list's members, eventually consistent; `None` if a shard has more than 250, so at about 4,000
    /// members. 16 queries, 8 to 80 read units.
    pub async fn count_members(
        &self,
        tenant: TenantKey,
        list: ListId,
    ) -> Result<Option<u64>, Error> {
        let counts = (0..SHARDS).map(|shard| async move {
            let query = Query::index("ByMembership", &["contact"])
                .with("tenant", tenant.to_string())
                .with("member_of", list.to_string())
                .with_number("list_shard", shard);
            let page = self
                .contacts
                .query::<IndexRow>(query.limit(COUNTED))
                .await?;
            let all = page.next.is_none();
            Ok::<_, Error>(all.then_some(page.data.len() as u64))
        });
        let counts = try_join_all(counts).await?;
        Ok(counts.into_iter().sum())
    }
}

pub(crate) fn resume(cursor: Option<Cursor>) -> Result<(u32, Option<Cursor>), Error> {
    let Some(Cursor(text)) = cursor else {
        return Ok((0, None));
    };
    let damaged = || Error::Cursor("is damaged");
    let (shard, inner) = text.split_once('.').ok_or_else(damaged)?;
    let shard = shard.parse().map_err(|_| damaged())?;
    if shard >= SHARDS {
        return Err(Error::Cursor("belongs to another list"));
    }
    let inner = Some(inner).filter(|inner| !inner.is_empty());
    Ok((shard, inner.map(|inner| Cursor(inner.to_owned()))))
}
