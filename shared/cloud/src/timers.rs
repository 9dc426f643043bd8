//! Waits of any length: rows in minute × shard buckets (platform 4.4).
//!
//! A timer is written *before* the state that waits for it. If the state write is lost, the timer
//! fires into nothing: the waiting state names its timer by a token, and a message with another token
//! is ignored. So no transaction is needed, and no wait is ever without its timer (docs/adr/0006).
//!
//! Rows are not keyed by tenant: the sweep reads one bucket for all. Only `due-timer` may read them.

use std::time::Duration;

use jiff::Timestamp;
use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::item::Key;
use crate::outbox::Effect;
use crate::queue::QueueName;
use crate::{Error, Query, Table};

/// Buckets of one minute. 8 shards take 8,000 writes a second; the count may only grow together with
/// a sweep that knows both (docs/adr/0006).
pub const SHARDS: u32 = 8;
/// DynamoDB's expiry collects what a crash left behind; the sweep deletes what it has sent.
const KEEP: Duration = Duration::from_hours(7 * 24);

/// A message for later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Timer {
    /// When.
    pub due: Timestamp,
    /// What to send.
    pub effect: Effect,
    /// Epoch seconds of expiry.
    ttl: i64,
    pk: String,
    sk: String,
}

impl Timer {
    /// Key of the row.
    pub fn key(&self) -> Key {
        Key::new(self.pk.clone(), self.sk.clone())
    }
}

/// The table of timers.
#[derive(Clone, Debug)]
pub struct Timers {
    table: Table,
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

fn bucket(minute: i64, shard: u32) -> String {
    format!("T#{minute}#{shard}")
}

impl Timers {
    /// Over the table of timers.
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Writes a timer; the same id and time write the same row.
    pub async fn schedule<T: Serialize>(
        &self,
        tenant: TenantKey,
        id: &str,
        due: Timestamp,
        queue: QueueName,
        body: &T,
    ) -> Result<(), Error> {
        let shard = kernel::hash::bucket(&[id], SHARDS);
        let timer = Timer {
            due,
            effect: Effect::new(tenant, queue, id, body)?,
            ttl: due.as_second() + KEEP.as_secs() as i64,
            pk: bucket(minute(due), shard),
            sk: format!("{}#{id}", kernel::clock::sortable(due)),
        };
        self.table.put(&timer.key(), &timer).await
    }

    /// Timers of one minute and shard, earliest first, a page at a time.
    pub async fn of_bucket(
        &self,
        at: Timestamp,
        shard: u32,
        cursor: Option<kernel::Cursor>,
    ) -> Result<crate::Page<Timer>, Error> {
        let query = Query::partition(bucket(minute(at), shard))
            .limit(500)
            .cursor(cursor);
        self.table.query(query).await
    }

    /// Forgets timers whose message was sent.
    pub async fn delete(&self, timers: &[Timer]) -> Result<(), Error> {
        let keys: Vec<Key> = timers.iter().map(Timer::key).collect();
        self.table.delete_many(&keys).await
    }
}
