//! Counts read and write units per partition, so that a hot partition is found before AWS throttles it.
//!
//! The engine bills a request as a whole. [`Shares`] lists the partitions of the table and of its indexes that
//! the request touched, and their shares of its units. Memory is bounded: of too many partitions
//! the colder half is dropped.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use dynoxide::types::{ConsumedCapacity, write_capacity_units};
use dynoxide::{AttributeValue, Item};
use kernel::Clock;
use serde::Serialize;
use serde_json::Value;

use super::dynamodb::Units;
use super::indexes::{Entry, Indexes};

/// Write units a second that the design allows one partition: half of DynamoDB's limit.
pub const MOST_WRITES: f64 = 500.0;
/// Read units a second that the design allows one partition: half of DynamoDB's limit.
pub const MOST_READS: f64 = 1_500.0;

/// Partitions that are counted at the same time.
const MOST_PARTITIONS: usize = 50_000;

/// Key of units that belong to no partition in particular, such as a scan's.
const UNKNOWN: &str = "?";

/// One partition of a table or of one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Partition {
    /// Table.
    pub table: String,
    /// Index; none is the table itself.
    pub index: Option<String>,
    /// Partition key; the values of several HASH attributes are joined by `/`.
    pub key: String,
}

/// Units of one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PartitionUsage {
    /// Write units since the start.
    pub writes: f64,
    /// Read units since the start.
    pub reads: f64,
    /// Most write units in one second of the stack's time.
    pub peak_writes: f64,
    /// Most read units in one second of the stack's time.
    pub peak_reads: f64,
}

/// Counters of all partitions.
#[derive(Debug)]
pub(super) struct Heat {
    clock: Clock,
    partitions: Mutex<HashMap<Partition, Counter>>,
}

#[derive(Debug, Default)]
struct Counter {
    usage: PartitionUsage,
    second: i64,
    writes_now: f64,
    reads_now: f64,
}

impl Partition {
    fn new(table: &str, index: Option<&str>, key: impl Into<String>) -> Self {
        Self {
            table: table.to_owned(),
            index: index.map(str::to_owned),
            key: key.into(),
        }
    }
}

impl PartitionUsage {
    /// Peak load of the partition: 1 is the most that the design allows.
    #[must_use]
    pub fn heat(&self) -> f64 {
        (self.peak_writes / MOST_WRITES).max(self.peak_reads / MOST_READS)
    }
}

impl Heat {
    pub fn new(clock: Clock) -> Self {
        let partitions = Mutex::default();
        Self { clock, partitions }
    }

    /// Everything counted so far.
    pub fn partitions(&self) -> BTreeMap<Partition, PartitionUsage> {
        let partitions = self.lock();
        let usage = partitions.iter();
        usage.map(|(name, c)| (name.clone(), c.usage)).collect()
    }

    /// Adds units of the table for one item, whose write was refused.
    pub fn refused(&self, table: &str, units: f64, shares: &Shares) {
        self.add(Units::Write, table, None, units, shares);
    }

    /// Spreads the units of one table's request over the partitions it touched.
    pub fn spread(&self, units: Units, used: &ConsumedCapacity, shares: &Shares) {
        let table = &used.table_name;
        let own = used.table.as_ref();
        let own = own.map_or(used.capacity_units, |table| table.capacity_units);
        self.add(units, table, None, own, shares);
        let indexes = [
            &used.global_secondary_indexes,
            &used.local_secondary_indexes,
        ];
        for (name, detail) in indexes.into_iter().flatten().flatten() {
            self.add(units, table, Some(name), detail.capacity_units, shares);
        }
    }

    /// Adds units of the table or of one of its indexes.
    fn add(&self, units: Units, table: &str, index: Option<&str>, total: f64, shares: &Shares) {
        let here =
            |share: &&(Partition, f64)| share.0.table == table && share.0.index.as_deref() == index;
        let whole: f64 = shares.0.iter().filter(here).map(|(_, weight)| weight).sum();
        if total <= 0.0 {
            return;
        }
        let second = self.clock.now().as_second();
        let mut partitions = self.lock();
        for (partition, weight) in shares.0.iter().filter(here) {
            let counter = partitions.entry(partition.clone()).or_default();
            counter.add(units, total * weight / whole, second);
        }
        if whole <= 0.0 {
            let unknown = Partition::new(table, index, UNKNOWN);
            partitions
                .entry(unknown)
                .or_default()
                .add(units, total, second);
        }
        if partitions.len() > MOST_PARTITIONS {
            forget_colder_half(&mut partitions);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Partition, Counter>> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counter {
    fn add(&mut self, units: Units, n: f64, second: i64) {
        if self.second != second {
            (self.second, self.writes_now, self.reads_now) = (second, 0.0, 0.0);
        }
        let usage = &mut self.usage;
        match units {
            Units::Read => {
                usage.reads += n;
                self.reads_now += n;
                usage.peak_reads = usage.peak_reads.max(self.reads_now);
            }
            Units::Write => {
                usage.writes += n;
                self.writes_now += n;
                usage.peak_writes = usage.peak_writes.max(self.writes_now);
            }
        }
    }
}

fn forget_colder_half(partitions: &mut HashMap<Partition, Counter>) {
    let mut heats: Vec<f64> = partitions.values().map(|c| c.usage.heat()).collect();
    let middle = heats.len() / 2;
    let (_, median, _) = heats.select_nth_unstable_by(middle, f64::total_cmp);
    let median = *median;
    partitions.retain(|_, counter| counter.usage.heat() > median);
}

/// The partitions that one request touches, each with its share.
#[derive(Debug, Default)]
pub(super) struct Shares(Vec<(Partition, f64)>);

impl Shares {
    /// Adds a partition of the table by the item's (or key's) `pk`.
    pub fn item(&mut self, table: &str, item: &Item, weight: f64) {
        let Some(key) = item.get("pk").and_then(text) else {
            return;
        };
        self.push(table, None, key.to_owned(), weight);
    }

    /// The share of one item that is written or read by its key.
    pub fn of(table: &str, item: &Item) -> Self {
        let mut shares = Self::default();
        shares.item(table, item, 1.0);
        shares
    }

    /// The partition that a query's key condition names, of the table or of an index.
    pub fn of_query(table: &str, index: Option<&str>, condition: &Condition<'_>) -> Self {
        let mut shares = Self::default();
        let key = condition.partition();
        shares.push(table, index, key, 1.0);
        shares
    }

    /// Adds what a write changes in the table's indexes, by the item before and after it.
    pub fn change(
        &mut self,
        indexes: &Indexes,
        table: &str,
        old: Option<&Value>,
        new: Option<&Value>,
    ) {
        for index in indexes.of(table) {
            let (was, is) = (index.entry(old), index.entry(new));
            match (was, is) {
                (Some(was), Some(is)) if was.position == is.position => {
                    if was.projected != is.projected {
                        let units = units_of(&was).max(units_of(&is));
                        self.push(table, Some(&index.name), is.partition, units);
                    }
                }
                (was, is) => {
                    for entry in [was, is].into_iter().flatten() {
                        let units = units_of(&entry);
                        self.push(table, Some(&index.name), entry.partition, units);
                    }
                }
            }
        }
    }

    fn push(&mut self, table: &str, index: Option<&str>, key: String, weight: f64) {
        self.0.push((Partition::new(table, index, key), weight));
    }
}

/// A query's key condition with its names and values.
pub(super) struct Condition<'a> {
    pub expression: &'a str,
    pub names: Option<&'a HashMap<String, String>>,
    pub values: Option<&'a HashMap<String, AttributeValue>>,
    /// HASH attributes, in the order of the key schema.
    pub hash: Vec<String>,
}

impl Condition<'_> {
    /// The values of the HASH attributes, joined.
    fn partition(&self) -> String {
        let equal = self.expression.split(" AND ").filter_map(|term| {
            let (name, value) = term.split_once('=')?;
            let name = name.trim_matches([' ', '(', ')']);
            let name = self
                .names
                .and_then(|names| names.get(name))
                .map_or(name, String::as_str);
            let value = self.values?.get(value.trim_matches([' ', '(', ')']))?;
            Some((name, text(value)?))
        });
        let equal: HashMap<&str, &str> = equal.collect();
        let values = self.hash.iter();
        let values: Vec<&str> = values
            .filter_map(|name| equal.get(name.as_str()).copied())
            .collect();
        values.join("/")
    }
}

fn units_of(entry: &Entry) -> f64 {
    write_capacity_units(entry.bytes)
}

fn text(value: &AttributeValue) -> Option<&str> {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn shares(key: &str) -> Shares {
        let mut shares = Shares::default();
        shares.push("t", None, key.to_owned(), 1.0);
        shares
    }

    fn usage(heat: &Heat, key: &str) -> Option<PartitionUsage> {
        let partitions = heat.partitions();
        partitions.get(&Partition::new("t", None, key)).copied()
    }

    #[test]
    fn a_peak_is_the_most_of_one_second() {
        let now = Arc::new(AtomicI64::new(0));
        let hand = now.clone();
        let clock = Clock::from_fn(move || {
            jiff::Timestamp::from_millisecond(hand.load(Ordering::Relaxed)).unwrap()
        });
        let heat = Heat::new(clock);
        for (at, units) in [(0, 3.0), (900, 4.0), (1_000, 5.0)] {
            now.store(at, Ordering::Relaxed);
            heat.add(Units::Write, "t", None, units, &shares("a"));
        }
        let used = usage(&heat, "a").unwrap();
        assert!((used.writes - 12.0).abs() < 1e-9, "{used:?}");
        assert!((used.peak_writes - 7.0).abs() < 1e-9, "{used:?}");
    }

    #[test]
    fn a_hot_partition_is_kept_among_too_many() {
        let heat = Heat::new(Clock::system());
        heat.add(Units::Write, "t", None, 100.0, &shares("hot"));
        for n in 0..=2 * MOST_PARTITIONS {
            heat.add(Units::Read, "t", None, 1.0, &shares(&n.to_string()));
        }
        assert!(heat.partitions().len() <= MOST_PARTITIONS);
        assert!(usage(&heat, "hot").is_some());
    }

    #[test]
    fn units_of_no_partition_are_not_lost() {
        let heat = Heat::new(Clock::system());
        heat.add(Units::Read, "t", None, 8.0, &Shares::default());
        let used = usage(&heat, UNKNOWN).unwrap();
        assert!((used.reads - 8.0).abs() < 1e-9, "{used:?}");
    }
}
