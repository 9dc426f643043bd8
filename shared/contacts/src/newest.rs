//! The contacts of a workspace in the order of their creation, newest first.
//!
//! Ids begin with the time, so each shard of the index `ByShard` is in that order already. A page reads the end of every
//! shard and joins them: the order costs no write (docs/adr/0043).

use cloud::{Error, Query};
use futures::future::try_join_all;
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};

use crate::SHARDS;
use crate::model::{Contact, ContactStatus};
use crate::profiles::Profiles;
use crate::rows::IndexRow;

/// The last ids of a shard, newest first, and whether there are more.
struct End {
    ids: Vec<ContactId>,
    goes_on: bool,
}

impl Profiles {
    /// A page of contacts in use, or of archived ones, newest first; eventually consistent. Sixteen queries at a time and
    /// one batch read, at any number of contacts: of 25 contacts 20.5 read units.
    pub async fn newest(
        &self,
        tenant: TenantKey,
        status: ContactStatus,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Contact>, Error> {
        let before = match cursor {
            Some(Cursor(text)) => Some(text.parse().map_err(|_| Error::Cursor("is damaged"))?),
            None => None,
        };
        // Archived contacts have shards of their own.
        let first = match status {
            ContactStatus::Active => 0,
            ContactStatus::Archived => SHARDS,
        };
        // A shard holds a sixteenth of a page, seldom three times as many. Then the page is shorter.
        let most = limit.get().div_ceil(SHARDS) * 2 + 4;
        let shards = first..first + SHARDS;
        let ends = shards.map(|shard| self.end_of_shard(tenant, shard, before, most));
        let ends = try_join_all(ends).await?;
        let (ids, goes_on) = joined(&ends, limit.get() as usize);
        let next = ids.last().filter(|_| goes_on);
        let next = next.map(|last| Cursor(last.to_string()));
        let mut found = self.glance(tenant, &ids).await?;
        let data = ids.iter().filter_map(|id| found.remove(id));
        let data = data.filter(|one| one.status == status).collect();
        Ok(Page { data, next })
    }

    async fn end_of_shard(
        &self,
        tenant: TenantKey,
        shard: u32,
        before: Option<ContactId>,
        most: u32,
    ) -> Result<End, Error> {
        let query = Query::index("ByShard", &["contact"])
            .with("tenant", tenant.to_string())
            .with_number("shard", shard)
            .descending();
        // The contact where the page before ended may be in the answer.
        let query = match before {
            Some(before) => query
                .between(ContactId::PREFIX, before.to_string())
                .limit(most + 1),
            None => query.limit(most),
        };
        let page = self.contacts.query::<IndexRow>(query).await?;
        let ids = page.data.into_iter().map(|row| row.contact);
        Ok(End {
            ids: ids
                .filter(|id| before.is_none_or(|before| *id < before))
                .collect(),
            goes_on: page.next.is_some(),
        })
    }
}

/// The newest ids of all shards, and whether there are more. No id older than the oldest one that was read of a shard
/// with more: the shard may hold newer ones.
fn joined(ends: &[End], limit: usize) -> (Vec<ContactId>, bool) {
    let open = ends.iter().filter(|end| end.goes_on);
    let oldest = open.filter_map(|end| end.ids.last()).max();
    let all = ends.iter().flat_map(|end| &end.ids);
    let known = |id: &&ContactId| oldest.is_none_or(|oldest| *id >= oldest);
    let mut ids: Vec<ContactId> = all.clone().filter(known).copied().collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(limit);
    let goes_on = oldest.is_some() || ids.len() < all.count();
    (ids, goes_on)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(number: u32) -> ContactId {
        format!("con_{number:011}").parse().unwrap()
    }

    proptest! {
        /// Pages of any size give every contact once, newest first, however the contacts lie in the shards.
        #[test]
        fn pages_are_the_whole_list_in_order(
            placed in proptest::collection::btree_map(0u32..9_999, 0usize..4, 0..60),
            limit in 1usize..9,
            most in 1usize..9,
        ) {
            let (mut read, mut before) = (Vec::new(), None);
            loop {
                let ends: Vec<End> = (0..4).map(|shard| {
                    let mut ids: Vec<ContactId> = placed
                        .iter()
                        .filter(|(_, of)| **of == shard)
                        .map(|(number, _)| id(*number))
                        .filter(|id| before.is_none_or(|before| *id < before))
                        .collect();
                    ids.reverse();
                    let goes_on = ids.len() > most;
                    ids.truncate(most);
                    End { ids, goes_on }
                }).collect();
                let (ids, goes_on) = joined(&ends, limit);
                read.extend(ids);
                if !goes_on {
                    break;
                }
                before = read.last().copied();
            }
            let all: BTreeSet<ContactId> = placed.keys().map(|number| id(*number)).collect();
            let newest: Vec<ContactId> = all.into_iter().rev().collect();
            prop_assert_eq!(read, newest);
        }
    }
}
