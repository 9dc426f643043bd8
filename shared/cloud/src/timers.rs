//! Waits of any length: rows in minute × shard buckets.
//!
//! A timer is written *before* the state that waits for it. If the state write is lost, the timer has no effect. The
//! waiting state names its timer by a token, and a message with another token is ignored. So no transaction is
//! needed, and every wait has its timer (docs/adr/0006).
//!
//! Rows are not keyed by tenant: the sweep reads one bucket for all tenants. Only `due-timer` may read them.
//!
//! A sweep must look back over any outage, and reading every bucket of three days takes 34,560 queries. So each
//! minute that holds a timer has a mark under its hour. The mark is written before the first timer of the minute and
//! left to expire. The sweep reads the marks of its hours first: one read unit an hour, or two each minute in an
//! idle stack. A process keeps the minutes that it has marked in memory. So it pays at most one write unit a minute.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::item::{Item, Key, from_item, wire};
use crate::message::Message;
use crate::outbox::Effect;
use crate::{Error, Query, Resources, Table, Update};

/// Buckets of one minute. 8 shards take 8,000 writes a second. The count may only grow together with a sweep that
/// knows both counts (docs/adr/0006).
pub const SHARDS: u32 = 8;
/// DynamoDB expires timers that a crash left; the sweep deletes timers that it has sent. An outage of the schedule,
/// which has an alarm, loses no timer before that.
const KEEP: Duration = Duration::from_hours(90 * 24);
/// The very first sweep, without a checkpoint, looks back so far.
const FIRST: Duration = Duration::from_hours(7 * 24);
/// How long after its timers a mark expires.
const MARK_OUTLIVES: Duration = Duration::from_hours(24);
/// Minutes that a process keeps in memory: a week. A dropped minute is marked again.
const REMEMBERED: usize = 10_000;
/// Hours whose marks are read concurrently; an outage has many.
const AT_ONCE: usize = 16;
const MINUTES: i64 = 60;
const PAGE: u32 = 500;

/// A message for later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Timer {
    /// When it is due.
    pub due: Timestamp,
    /// The message to send.
    pub effect: Effect,
    /// Epoch seconds of expiry.
    ttl: i64,
}

/// A row of a bucket.
#[derive(Debug, Clone)]
pub struct Found {
    /// Key of the row.
    pub key: Key,
    /// Its content, or the reason why this build cannot read it.
    pub timer: Result<Timer, String>,
    item: Item,
}

impl Found {
    fn new(item: Item) -> Result<Self, Error> {
        let timer = from_item::<Timer>(item.clone()).map_err(|error| error.to_string());
        let key = Key::of(&item)?;
        Ok(Self { key, timer, item })
    }

    /// The row in DynamoDB's JSON, the input format of `aws dynamodb put-item --item`.
    pub fn text(&self) -> Result<String, Error> {
        crate::queue::json_text(&wire(&self.item))
    }
}

/// The table of timers.
#[derive(Clone, Debug)]
pub struct Timers {
    table: Table,
    marked: Arc<Mutex<BTreeSet<i64>>>,
}

/// The minute of an instant, since the epoch.
pub fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

fn bucket(minute: i64, shard: u32) -> String {
    format!("T#{minute}#{shard}")
}

/// Marks of one hour; ten digits keep the order of numbers.
fn marks(hour: i64) -> String {
    format!("T#MARKS#{hour}")
}

fn mark(minute: i64) -> Key {
    Key::new(marks(minute.div_euclid(MINUTES)), format!("{minute:010}"))
}

fn checkpoint() -> Key {
    Key::new("T#CHECKPOINT", "CHECKPOINT")
}

#[derive(Serialize, Deserialize)]
struct Mark {
    minute: i64,
    ttl: i64,
}

#[derive(Deserialize)]
struct Checkpoint {
    minute: i64,
}

impl Timers {
    /// Over the table Timers.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Timers");
        Self {
            table,
            marked: Arc::default(),
        }
    }

    /// The clock of the table.
    pub fn clock(&self) -> &kernel::Clock {
        self.table.clock()
    }

    /// Writes a timer; the same id and time write the same row. A timer that is due already goes to the current
    /// minute, which the sweep always reads.
    pub async fn schedule<M: Message>(
        &self,
        tenant: TenantKey,
        id: &str,
        due: Timestamp,
        body: &M,
    ) -> Result<(), Error> {
        // A bucket holds the timers of all tenants, and ids are unique within a tenant only.
        let id = format!("{tenant}#{id}");
        let shard = kernel::hash::bucket(&[&id], SHARDS);
        let minute = minute(due.max(self.clock().now()));
        let timer = Timer {
            due,
            effect: Effect::new(tenant, id.clone(), body)?,
            ttl: expiry(minute),
        };
        let sk = format!("{}#{id}", kernel::clock::sortable(due));
        let key = Key::new(bucket(minute, shard), sk);
        self.mark(minute).await?;
        self.table.put(&key, &timer).await
    }

    /// Marks that the minute holds timers, before the first timer is written.
    async fn mark(&self, minute: i64) -> Result<(), Error> {
        if self.marked().contains(&minute) {
            return Ok(());
        }
        // A day longer than the timers: every timer has its mark.
        let ttl = expiry(minute) + MARK_OUTLIVES.as_secs() as i64;
        let row = Mark { minute, ttl };
        self.table.put(&mark(minute), &row).await?;
        let mut marked = self.marked();
        if marked.len() >= REMEMBERED {
            marked.clear();
        }
        marked.insert(minute);
        Ok(())
    }

    fn marked(&self) -> std::sync::MutexGuard<'_, BTreeSet<i64>> {
        // The set is valid at any moment, also after a panic in another thread.
        self.marked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The minutes from `first` to `last`, both included, that may hold timers, in order. One read unit for each
    /// hour between them.
    pub async fn minutes(&self, first: i64, last: i64) -> Result<Vec<i64>, Error> {
        let hours = first.div_euclid(MINUTES)..=last.div_euclid(MINUTES);
        let marks: Vec<Vec<Mark>> = stream::iter(hours)
            .map(|hour| self.table.query_all(Query::partition(marks(hour))))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let minutes = marks.into_iter().flatten().map(|mark| mark.minute);
        Ok(minutes
            .filter(|minute| (first..=last).contains(minute))
            .collect())
    }

    /// The minute at which the very first sweep begins.
    pub fn oldest(&self) -> i64 {
        minute(self.clock().now()) - FIRST.as_secs() as i64 / 60
    }

    /// Timers of one minute and shard, earliest first, a page at a time.
    pub async fn of_bucket(
        &self,
        minute: i64,
        shard: u32,
        cursor: Option<kernel::Cursor>,
    ) -> Result<crate::Page<Found>, Error> {
        let query = Query::partition(bucket(minute, shard));
        let page = self.table.items(query.limit(PAGE).cursor(cursor)).await?;
        let rows = page.data.into_iter().map(Found::new);
        Ok(crate::Page {
            data: rows.collect::<Result<_, _>>()?,
            next: page.next,
        })
    }

    /// Deletes timers whose message was sent.
    pub async fn delete(&self, keys: &[Key]) -> Result<(), Error> {
        self.table.delete_many(keys).await
    }

    /// Every minute before this one was swept after it had ended.
    pub async fn checkpoint(&self) -> Result<Option<i64>, Error> {
        let stored: Option<Checkpoint> = self.table.get(&checkpoint()).await?;
        Ok(stored.map(|stored| stored.minute))
    }

    /// Moves the checkpoint forward, never back. So of overlapping sweeps the later checkpoint stays.
    pub async fn pass(&self, minute: i64) -> Result<(), Error> {
        let update = Update::new()
            .set("minute", minute)
            .when_absent_or_less("minute", minute);
        self.table.update(&checkpoint(), update).await?;
        Ok(())
    }
}

fn expiry(minute: i64) -> i64 {
    minute * 60 + KEEP.as_secs() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fixed() {
        assert_eq!(bucket(29_540_640, 7), "T#29540640#7");
        let key = Key::new("T#MARKS#492344", "0029540640");
        assert_eq!(mark(29_540_640), key);
        assert_eq!(mark(29_540_699).pk, key.pk);
        assert_ne!(mark(29_540_700).pk, key.pk);
        assert_eq!(checkpoint(), Key::new("T#CHECKPOINT", "CHECKPOINT"));
    }
}
