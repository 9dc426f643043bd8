//! The number of contacts of each tag and each list. One pass over the contacts in use counts all of them; nothing is
//! counted where a contact changes. A reader of tags or lists begins a pass when the numbers are old.
//!
//! A pass works in steps: contacts first, then the rows of the vocabulary, then those of the lists. One versioned write
//! moves the pass and adds its sums, so a step may run twice. A pass of a large workspace is begun less often: it costs
//! half a read unit for each contact, and a write unit for each tag and list.

use std::collections::BTreeMap;

use cloud::{Error, Key, Query, QueueOf, Resources, SendOptions, Table, Update};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kernel::text::alike;
use kernel::{Cursor, ListId, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::bulk::Step;
use crate::tags_vocabulary::Tag;
use crate::{Contact, List, Profiles, SHARDS, keys};

/// Contacts, tags or lists of a page.
const PAGE: u32 = 500;
/// Pages of a step.
const PAGES: u32 = 8;
/// Rows that are written concurrently.
const CONCURRENCY: usize = 16;
/// Most tags and lists that a pass counts: the sums are one item. The others have no number.
const MOST: usize = 12_000;
/// A pass begins so long after the start of the one before, and a day later for each million contacts.
const REST: SignedDuration = SignedDuration::from_hours(1);
/// A pass that stood still for so long has lost its message.
const LOST_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// How long an attempt takes from the write of the pass to the message of the next step.
const SENDS_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// The rows that a pass works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Contacts,
    Tags,
    Lists,
    Done,
}

/// The last pass of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pass {
    version: u64,
    started_at: Timestamp,
    moved_at: Timestamp,
    stage: Stage,
    /// Contacts so far.
    contacts: u64,
    /// The shard of the contacts, and the place in the rows of the stage.
    shard: u32,
    #[serde(default)]
    cursor: Option<String>,
    /// Sums by a hash of the tag or the list; empty when the pass is done.
    sums: BTreeMap<String, u64>,
}

impl Pass {
    fn new(version: u64, now: Timestamp) -> Self {
        Self {
            version,
            started_at: now,
            moved_at: now,
            stage: Stage::Contacts,
            contacts: 0,
            shard: 0,
            cursor: None,
            sums: BTreeMap::new(),
        }
    }

    /// Whether the numbers are so old that a pass is worth its cost.
    fn is_old(&self, now: Timestamp) -> bool {
        let more = SignedDuration::from_secs(
            i64::try_from(self.contacts * 86_400 / 1_000_000).unwrap_or(0),
        );
        self.stage == Stage::Done && now.duration_since(self.started_at) > REST + more
    }

    fn add(&mut self, contact: &Contact) {
        let tags = contact.tags.iter().map(|tag| of_tag(tag));
        let lists = contact.lists.iter().map(|&list| of_list(list));
        for name in tags.chain(lists) {
            if let Some(sum) = self.sums.get_mut(&name) {
                *sum += 1;
            } else if self.sums.len() < MOST {
                self.sums.insert(name, 1);
            }
        }
        self.contacts += 1;
    }

    /// The number of contacts; none if the pass had no room for it.
    fn sum(&self, name: &str) -> Option<u64> {
        let is_complete = self.sums.len() < MOST;
        let sum = self.sums.get(name).copied();
        sum.or(is_complete.then_some(0))
    }

    /// The rows of the next stage, from their beginning.
    fn follow(&mut self, page: Option<Cursor>, next: Stage) {
        self.cursor = page.map(|cursor| cursor.0);
        if self.cursor.is_none() {
            self.stage = next;
        }
    }
}

fn of_tag(tag: &str) -> String {
    kernel::hash::name(&["tag", &alike(tag)])[..16].to_owned()
}

fn of_list(list: ListId) -> String {
    kernel::hash::name(&["list", &list.to_string()])[..16].to_owned()
}

/// Counts the contacts of tags and lists; cheap to clone.
#[derive(Clone, Debug)]
pub struct Counts {
    profiles: Profiles,
    table: Table,
    directory: Table,
    queue: QueueOf<Step>,
}

impl Counts {
    /// Over the tables Contacts and Directory and the queue `ContactBulk`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            profiles: Profiles::over(resources),
            table: resources.table("Contacts"),
            directory: resources.table("Directory"),
            queue: resources.queue_of(),
        }
    }

    /// Begins a pass if the numbers are old and none runs. One read unit, up to 66 while a large workspace is counted; a
    /// write unit if a pass begins.
    pub async fn refresh(&self, tenant: TenantKey) -> Result<(), Error> {
        let (key, now) = (keys::counts(tenant), self.table.clock().now());
        let last: Option<Pass> = self.table.get(&key).await?;
        let version = last.as_ref().map(|pass| pass.version);
        match last {
            Some(pass) if pass.stage != Stage::Done => {
                let is_lost = now.duration_since(pass.moved_at) > LOST_AFTER;
                return if is_lost {
                    self.send(tenant, pass.version).await
                } else {
                    Ok(())
                };
            }
            Some(pass) if !pass.is_old(now) => return Ok(()),
            _ => {}
        }
        let pass = Pass::new(version.unwrap_or_default() + 1, now);
        match self.table.replace_or_create(&key, &pass, version).await {
            Ok(()) => self.send(tenant, pass.version).await,
            // Another reader began it.
            Err(Error::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes one step of the pass.
    pub(crate) async fn step(&self, tenant: TenantKey, version: u64) -> Result<(), Error> {
        let key = keys::counts(tenant);
        let Some(pass) = self.table.get::<Pass>(&key).await? else {
            return Ok(());
        };
        let now = self.table.clock().now();
        if pass.version != version {
            if pass.version != version + 1 || pass.stage == Stage::Done {
                return Ok(());
            }
            // Another attempt may be about to send the next message.
            if now.duration_since(pass.moved_at) < SENDS_WITHIN {
                return Err(Error::Conflict);
            }
            return self.send(tenant, pass.version).await;
        }
        let mut next = pass;
        match next.stage {
            Stage::Contacts => self.count(tenant, &mut next).await?,
            Stage::Tags => self.tell_tags(tenant, &mut next).await?,
            Stage::Lists => self.tell_lists(tenant, &mut next).await?,
            Stage::Done => return Ok(()),
        }
        next.version += 1;
        next.moved_at = now;
        if next.stage == Stage::Done {
            next.sums.clear();
        }
        self.table.replace(&key, &next, version).await?;
        if next.stage == Stage::Done {
            return Ok(());
        }
        self.send(tenant, next.version).await
    }

    async fn count(&self, tenant: TenantKey, pass: &mut Pass) -> Result<(), Error> {
        let (mut pages, mut full) = (0, 0);
        // A small workspace has sixteen short pages.
        while full < PAGES && pages < PAGES + SHARDS && pass.shard < SHARDS {
            pages += 1;
            let cursor = pass.cursor.take().map(Cursor);
            let page = self
                .profiles
                .of_shard(tenant, pass.shard, PAGE, cursor)
                .await?;
            let found = self.profiles.glance(tenant, &page.data).await?;
            full += u32::from(page.data.len() == PAGE as usize);
            for contact in found.values().filter(|contact| !contact.is_archived()) {
                pass.add(contact);
            }
            match page.next {
                Some(next) => pass.cursor = Some(next.0),
                None => pass.shard += 1,
            }
        }
        if pass.shard >= SHARDS {
            pass.stage = Stage::Tags;
        }
        Ok(())
    }

    async fn tell_tags(&self, tenant: TenantKey, pass: &mut Pass) -> Result<(), Error> {
        let query = Query::partition(keys::tags(tenant)).limit(PAGE);
        let cursor = pass.cursor.take().map(Cursor);
        let page: Page<Tag> = self.table.query(query.cursor(cursor)).await?;
        let rows = page.data.iter();
        let rows = rows.map(|tag| (keys::tag(tenant, &tag.name), pass.sum(&of_tag(&tag.name))));
        self.tell(&self.table, rows.collect(), pass.started_at)
            .await?;
        pass.follow(page.next, Stage::Lists);
        Ok(())
    }

    async fn tell_lists(&self, tenant: TenantKey, pass: &mut Pass) -> Result<(), Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::LIST);
        let cursor = pass.cursor.take().map(Cursor);
        let page: Page<List> = self
            .directory
            .query(query.limit(PAGE).cursor(cursor))
            .await?;
        let rows = page.data.iter();
        let rows = rows.map(|list| (keys::list(tenant, list.id), pass.sum(&of_list(list.id))));
        self.tell(&self.directory, rows.collect(), pass.started_at)
            .await?;
        pass.follow(page.next, Stage::Done);
        Ok(())
    }

    /// Writes the numbers into rows that still exist.
    async fn tell(
        &self,
        table: &Table,
        rows: Vec<(Key, Option<u64>)>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let work = rows.into_iter().map(|(key, sum)| async move {
            let update = Update::new().set("counted_at", at).when_exists();
            let update = match sum {
                Some(sum) => update.set("contacts_count", sum),
                None => update.remove("contacts_count"),
            };
            table.update(&key, update).await.map(drop)
        });
        let work: Vec<_> = work.collect();
        stream::iter(work)
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }

    async fn send(&self, tenant: TenantKey, version: u64) -> Result<(), Error> {
        let step = Step::Count { version };
        self.queue.send(tenant, &step, SendOptions::default()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_workspace_is_counted_less_often() {
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        let mut pass = Pass::new(1, begin);
        let later = |hours| begin + SignedDuration::from_hours(hours);
        assert!(!pass.is_old(later(100)), "it runs");
        pass.stage = Stage::Done;
        assert!(!pass.is_old(later(1)) && pass.is_old(later(2)));
        pass.contacts = 1_000_000;
        assert!(!pass.is_old(later(25)) && pass.is_old(later(26)));
    }

    #[test]
    fn a_full_pass_leaves_the_others_without_a_number() {
        let mut pass = Pass::new(1, Timestamp::UNIX_EPOCH);
        assert_eq!(pass.sum(&of_tag("VIP")), Some(0));
        pass.sums = (0..MOST).map(|n| (of_tag(&n.to_string()), 1)).collect();
        assert_eq!(
            (pass.sum(&of_tag("7")), pass.sum(&of_tag("VIP"))),
            (Some(1), None)
        );
        assert_eq!(of_tag("VIP"), of_tag("vip"));
    }
}
