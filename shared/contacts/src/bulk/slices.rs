//! The search for the contacts of the next slice.

use cloud::Error;
use kernel::{ContactId, Cursor, TenantKey, page::Page};

use super::changes::has;
use super::job::{Action, Job, SLICE, Selection};
use super::steps::Bulk;
use crate::choice::Asked;

/// Pages that are read for one slice. A tag or conditions may find few contacts in many.
const PAGES: u32 = 32;

impl Bulk {
    /// Puts the contacts of the next slice into the job, and the place after them.
    pub(super) async fn pick<F, Fut>(
        &self,
        tenant: TenantKey,
        job: &mut Job,
        find: &F,
    ) -> Result<(), Error>
    where
        F: Fn(Asked) -> Fut,
        Fut: Future<Output = Result<Page<ContactId>, Error>>,
    {
        job.ids.clear();
        job.take_named();
        let shards = job.shards();
        let mut pages = 0;
        while pages < PAGES && job.ids.len() < SLICE as usize && !job.is_searched() {
            pages += 1;
            let limit = SLICE - job.ids.len() as u32;
            let cursor = job.cursor.take().map(Cursor);
            let page = self.selected(tenant, job, shards.start + job.at, limit, cursor, find);
            let page = page.await?;
            job.ids.extend(page.data);
            job.cursor = page.next.map(|cursor| cursor.0);
            if job.cursor.is_none() {
                job.at += 1;
            }
        }
        Ok(())
    }

    async fn selected<F, Fut>(
        &self,
        tenant: TenantKey,
        job: &Job,
        shard: u32,
        limit: u32,
        cursor: Option<Cursor>,
        find: &F,
    ) -> Result<Page<ContactId>, Error>
    where
        F: Fn(Asked) -> Fut,
        Fut: Future<Output = Result<Page<ContactId>, Error>>,
    {
        let profiles = self.contacts.profiles();
        let mut page = match &job.selection {
            Selection::Contacts { .. } => {
                return Ok(Page {
                    data: Vec::new(),
                    next: None,
                });
            }
            Selection::Chosen { choice } => {
                let choice = choice.clone();
                let asked = Asked {
                    tenant,
                    choice,
                    shard,
                    limit,
                    cursor,
                };
                return find(asked).await;
            }
            // An archived contact has no row of a membership.
            Selection::List { list_id } if job.action != Action::Restore => {
                let page = profiles.members(tenant, *list_id, shard, limit, cursor);
                return page.await;
            }
            Selection::Everybody | Selection::List { .. } | Selection::Tag { .. } => {
                profiles.of_shard(tenant, shard, limit, cursor).await?
            }
        };
        if job.selection == Selection::Everybody {
            return Ok(page);
        }
        let found = profiles.glance(tenant, &page.data).await?;
        page.data.retain(|id| {
            found.get(id).is_some_and(|contact| match &job.selection {
                Selection::List { list_id } => contact.lists.contains(list_id),
                Selection::Tag { tag } => has(contact, tag),
                _ => true,
            })
        });
        Ok(page)
    }
}
