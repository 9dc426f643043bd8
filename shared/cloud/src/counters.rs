//! Counters by hour, spread over partitions if a subject gets many writes.
//!
//! A row is `<tenant>#<subject>#c<0..f>` / `<yyyymmddhh>`, with an attribute `n_<metric>` for each metric. The hour
//! is the hour of the event, not of the write. A subject begins in `c0`. Each row counts its writes, and an update
//! returns the row. A subject is spread once an hour of `c0` has [`SPREAD_AT`] writes. Each process that sees this
//! spreads its writes over all 16 partitions. A read then queries all of them. So the size of a subject need not be
//! known.
//!
//! Costs: one write unit for a batch of counts of one subject and hour; a read is one query, or 16.
//!
//! Only the winner of a conditional transition counts it. A crash between the transition and the count loses one
//! count. A lost answer and another writer of the row before the repetition count twice. A marker row in a transaction
//! would be exact, at four write units in place of one. No recount repairs either error yet. These figures are for reports, never for decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use kernel::TenantKey;
use serde::Deserialize;

use crate::item::Key;
use crate::{Error, Query, Resources, Table, Update};

/// Longest pause before an addition is tried again.
const PAUSE_MS: u64 = 200;
/// One partition takes 1,000 writes a second, 16 take 16,000.
const PARTITIONS: u32 = 16;
/// Writes of one hour in `c0` after which the subject is spread. One partition takes as many in a second.
const SPREAD_AT: i64 = 1_000;
/// Spread subjects that a process keeps in memory. A dropped one costs the process one more write to `c0`.
const REMEMBERED: usize = 10_000;
/// Three years: a report compares with the year before, and may be requested a year later.
const KEEP_SECONDS: i64 = 3 * 366 * 24 * 3600;

/// Counts by metric name.
pub type Counts = BTreeMap<String, i64>;

/// The counts of an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HourCounts {
    /// The counts.
    pub counts: Counts,
    /// The newest time of [`Counters::add_at`].
    pub last_at: Option<Timestamp>,
}

/// An hour of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(i64);

impl Hour {
    /// The hour of an instant.
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(3600))
    }

    fn start(self) -> Result<Timestamp, Error> {
        let start = Timestamp::from_second(self.0 * 3600);
        start.map_err(|error| Error::Shape(error.to_string()))
    }
}

/// The table of counters; cheap to clone.
#[derive(Clone, Debug)]
pub struct Counters {
    table: Table,
    spread: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    writes: i64,
    #[serde(default)]
    last_at: Option<Timestamp>,
    #[serde(flatten)]
    attributes: BTreeMap<String, serde_json::Value>,
}

impl Row {
    fn counts(&self) -> impl Iterator<Item = (&str, i64)> {
        let counts = self.attributes.iter();
        counts.filter_map(|(name, value)| Some((name.strip_prefix("n_")?, value.as_i64()?)))
    }
}

/// A row with its hour.
#[derive(Deserialize)]
struct HourRow {
    sk: String,
    #[serde(flatten)]
    row: Row,
}

impl HourRow {
    fn start(&self) -> Result<Timestamp, Error> {
        let hour = DateTime::strptime("%Y%m%d%H", &self.sk);
        let hour = hour.and_then(|hour| hour.to_zoned(TimeZone::UTC));
        let hour = hour.map_err(|error| Error::Shape(error.to_string()))?;
        Ok(hour.timestamp())
    }
}

impl Counters {
    /// Over the table Reports.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Reports"),
            spread: Arc::default(),
        }
    }

    /// Adds to several metrics of a subject (a campaign, a workflow node) in one write. `source` spreads writers
    /// over the partitions, for example the message id of the batch.
    pub async fn add(
        &self,
        tenant: TenantKey,
        subject: &str,
        hour: Hour,
        source: &str,
        counts: &Counts,
    ) -> Result<(), Error> {
        self.add_trying(tenant, subject, hour, source, counts, 1)
            .await
    }

    /// Like [`Counters::add`] in the hour of `at`, which the row keeps as the time of its newest counts.
    pub async fn add_at(
        &self,
        tenant: TenantKey,
        subject: &str,
        at: Timestamp,
        source: &str,
        counts: &Counts,
    ) -> Result<(), Error> {
        let latest = Update::new().set("last_at", at);
        self.write(tenant, subject, Hour::of(at), source, counts, (latest, 1))
            .await
    }

    /// Like [`Counters::add`], up to `attempts` times: for counts that no redelivery repeats. An attempt whose
    /// answer was lost is not counted twice, unless another writer has changed the row in between.
    pub async fn add_trying(
        &self,
        tenant: TenantKey,
        subject: &str,
        hour: Hour,
        source: &str,
        counts: &Counts,
        attempts: u32,
    ) -> Result<(), Error> {
        let more = (Update::new(), attempts);
        self.write(tenant, subject, hour, source, counts, more)
            .await
    }

    /// Adds, and makes the changes of `more`, up to so many times.
    async fn write(
        &self,
        tenant: TenantKey,
        subject: &str,
        hour: Hour,
        source: &str,
        counts: &Counts,
        (more, attempts): (Update, u32),
    ) -> Result<(), Error> {
        let changes: Vec<_> = counts.iter().filter(|(_, n)| **n != 0).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let base = format!("{tenant}#{subject}");
        let is_spread = self.spread().contains(&base);
        let partition = if is_spread {
            kernel::hash::bucket(&[source], PARTITIONS)
        } else {
            0
        };
        let key = key(&base, partition, hour.start()?);
        let update = changes.into_iter().fold(more, |update, (metric, n)| {
            update.add(&format!("n_{metric}"), *n)
        });
        let expires = hour.start()?.as_second() + KEEP_SECONDS;
        let update = update.add("writes", 1).set("ttl", expires);
        let update = update.once(self.table.entropy().nonce());
        let row = self.apply(&key, &update, attempts).await?;
        if !is_spread && row.is_some_and(|row| row.writes >= SPREAD_AT) {
            let mut spread = self.spread();
            if spread.len() >= REMEMBERED {
                spread.clear();
            }
            spread.insert(base);
        }
        Ok(())
    }

    async fn apply(&self, key: &Key, update: &Update, attempts: u32) -> Result<Option<Row>, Error> {
        let mut attempt = 1;
        loop {
            match self.table.update(key, update.clone()).await {
                Err(error) if error.is_retryable() && attempt < attempts => {
                    let pause = self.table.entropy().u64() % PAUSE_MS;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    attempt += 1;
                }
                result => return result?.item(),
            }
        }
    }

    /// The sums over all hours, eventually consistent.
    pub async fn read(&self, tenant: TenantKey, subject: &str) -> Result<Counts, Error> {
        let base = format!("{tenant}#{subject}");
        let rows = |partition| {
            let query = Query::partition(format!("{base}#c{partition:x}"));
            self.table.query_all::<Row>(query.eventual())
        };
        let mut all = rows(0).await?;
        if all.iter().any(|row| row.writes >= SPREAD_AT) {
            let others = try_join_all((1..PARTITIONS).map(rows)).await?;
            all.extend(others.into_iter().flatten());
        }
        let mut sums = Counts::new();
        for (metric, n) in all.iter().flat_map(Row::counts) {
            *sums.entry(metric.to_owned()).or_default() += n;
        }
        Ok(sums)
    }

    /// The counts of each hour from `from` to `to`, both included, by the hour's start; eventually consistent. One query,
    /// or 16 if the subject was spread in these hours.
    pub async fn hours(
        &self,
        tenant: TenantKey,
        subject: &str,
        from: Hour,
        to: Hour,
    ) -> Result<BTreeMap<Timestamp, HourCounts>, Error> {
        let base = format!("{tenant}#{subject}");
        let (low, high) = (sort(from.start()?), sort(to.start()?));
        let rows = |partition| {
            let query = Query::partition(format!("{base}#c{partition:x}"));
            let query = query.between(low.clone(), high.clone()).eventual();
            self.table.query_all::<HourRow>(query)
        };
        let mut all = rows(0).await?;
        if all.iter().any(|row| row.row.writes >= SPREAD_AT) {
            let others = try_join_all((1..PARTITIONS).map(rows)).await?;
            all.extend(others.into_iter().flatten());
        }
        let mut hours: BTreeMap<Timestamp, HourCounts> = BTreeMap::new();
        for row in all {
            let hour = hours.entry(row.start()?).or_default();
            hour.last_at = hour.last_at.max(row.row.last_at);
            for (metric, n) in row.row.counts() {
                *hour.counts.entry(metric.to_owned()).or_default() += n;
            }
        }
        Ok(hours)
    }

    fn spread(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        // The set is valid at any moment, also after a panic in another thread.
        self.spread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(base: &str, partition: u32, hour: Timestamp) -> Key {
    Key::new(format!("{base}#c{partition:x}"), sort(hour))
}

fn sort(hour: Timestamp) -> String {
    hour.strftime("%Y%m%d%H").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fixed() {
        let at: Timestamp = "2026-03-02T08:59:59Z".parse().unwrap();
        let key = key("ws_1#cmp_1", 11, Hour::of(at).start().unwrap());
        assert_eq!(key, Key::new("ws_1#cmp_1#cb", "2026030208"));
        let row: HourRow =
            serde_json::from_value(serde_json::json!({ "sk": key.sk, "writes": 2, "n_view": 3 }))
                .unwrap();
        assert_eq!(row.start().unwrap(), Hour::of(at).start().unwrap());
        assert_eq!(row.row.counts().collect::<Vec<_>>(), [("view", 3)]);
    }
}
