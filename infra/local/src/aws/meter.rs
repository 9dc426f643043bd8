//! Counts what AWS would bill, so that a run can be priced.
//!
//! The meter knows no price and is not persisted: a bill is the difference of two snapshots. The units of each
//! partition are counted beside it, by [`Heat`].

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use kernel::Clock;
use serde::{Deserialize, Serialize};

use super::heat::{Heat, Partition, PartitionUsage};

/// Counters since the stack started.
#[derive(Debug)]
pub struct Meter {
    usage: Mutex<MeterSnapshot>,
    pub(super) heat: Heat,
}

/// Usage up to one moment, or between two moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeterSnapshot {
    /// DynamoDB, by table.
    pub tables: BTreeMap<String, TableUsage>,
    /// SQS, by queue.
    pub queues: BTreeMap<String, QueueUsage>,
    /// S3 PUT, COPY, POST and LIST requests.
    pub s3_writes: u64,
    /// S3 GET and other requests (DELETE is free and not counted).
    pub s3_reads: u64,
    /// Mail recipients, which is what SES bills.
    pub mails: u64,
    /// Bytes of mail.
    pub mail_bytes: u64,
    /// Messages posted to WebSocket clients.
    pub socket_posts: u64,
    /// Lambda, by function.
    pub functions: BTreeMap<String, FunctionUsage>,
    /// Requests and messages that arrived through API Gateway, by kind (`http`, `websocket`).
    pub api_requests: BTreeMap<String, u64>,
    /// Bytes of the log lines of the process.
    #[serde(default)]
    pub log_bytes: u64,
}

/// The log is one for the process, as the subscriber of its lines is.
static LOGGED: AtomicU64 = AtomicU64::new(0);

/// A writer of log lines that counts their bytes.
#[derive(Debug)]
pub struct CountedLog<W>(pub W);

impl<W: Write> Write for CountedLog<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.0.write(line)?;
        LOGGED.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Units used on a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableUsage {
    /// API requests.
    pub requests: u64,
    /// Read units of the table itself.
    pub reads: f64,
    /// Write units of the table itself.
    pub writes: f64,
    /// Units of its indexes.
    pub indexes: BTreeMap<String, IndexUsage>,
}

/// Units used on an index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexUsage {
    /// Read units.
    pub reads: f64,
    /// Write units.
    pub writes: f64,
}

/// Requests used on a queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueUsage {
    /// FIFO queue, which has its own price.
    pub fifo: bool,
    /// Billed requests: one per started 64 KiB of payload.
    pub requests: u64,
    /// Messages sent to a standard queue with a group, which cost a surcharge.
    pub fair_messages: u64,
}

/// Use of a function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionUsage {
    /// Invocations.
    pub invocations: u64,
    /// Their time, milliseconds.
    pub milliseconds: f64,
    /// Time multiplied by memory, GB-seconds.
    pub gb_seconds: f64,
}

impl Meter {
    /// Counters at zero. The clock says in which second a partition was used.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            usage: Mutex::default(),
            heat: Heat::new(clock),
        }
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> MeterSnapshot {
        let log_bytes = LOGGED.load(Ordering::Relaxed);
        MeterSnapshot {
            log_bytes,
            ..self.lock().clone()
        }
    }

    /// The units of each partition so far.
    pub fn partitions(&self) -> BTreeMap<Partition, PartitionUsage> {
        self.heat.partitions()
    }

    /// Usage since `earlier` was taken.
    pub fn since(&self, earlier: &MeterSnapshot) -> MeterSnapshot {
        self.snapshot().minus(earlier)
    }

    /// Counts an invocation of `function` that ran `ms` milliseconds with `memory` MiB.
    pub fn invocation(&self, function: &str, ms: f64, memory: u32) {
        let mut usage = self.lock();
        let function = entry(&mut usage.functions, function);
        function.invocations += 1;
        function.milliseconds += ms;
        function.gb_seconds += ms / 1000.0 * f64::from(memory) / 1024.0;
    }

    /// Counts a request (or WebSocket message) that arrived through API Gateway.
    pub fn http_request(&self, kind: &str) {
        *entry(&mut self.lock().api_requests, kind) += 1;
    }

    pub(super) fn sqs(&self, queue: &str, fifo: bool, payload: usize) {
        let mut usage = self.lock();
        let queue = entry(&mut usage.queues, queue);
        queue.fifo = fifo;
        queue.requests += (payload as u64).div_ceil(64 * 1024).max(1);
    }

    pub(super) fn fair_message(&self, queue: &str) {
        entry(&mut self.lock().queues, queue).fair_messages += 1;
    }

    pub(super) fn s3(&self, write: bool) {
        let mut usage = self.lock();
        if write {
            usage.s3_writes += 1;
        } else {
            usage.s3_reads += 1;
        }
    }

    pub(super) fn mail(&self, recipients: usize, bytes: usize) {
        let mut usage = self.lock();
        usage.mails += recipients as u64;
        usage.mail_bytes += bytes as u64;
    }

    pub(super) fn socket_post(&self) {
        self.lock().socket_posts += 1;
    }

    pub(super) fn table(&self, table: &str, count: impl FnOnce(&mut TableUsage)) {
        count(entry(&mut self.lock().tables, table));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, MeterSnapshot> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MeterSnapshot {
    /// Write units of all tables and indexes.
    pub fn write_units(&self) -> f64 {
        let of = |t: &TableUsage| t.writes + t.indexes.values().map(|i| i.writes).sum::<f64>();
        self.tables.values().map(of).sum()
    }

    /// Read units of all tables and indexes.
    pub fn read_units(&self) -> f64 {
        let of = |t: &TableUsage| t.reads + t.indexes.values().map(|i| i.reads).sum::<f64>();
        self.tables.values().map(of).sum()
    }

    fn minus(mut self, earlier: &Self) -> Self {
        for (name, table) in &mut self.tables {
            let Some(before) = earlier.tables.get(name) else {
                continue;
            };
            table.requests -= before.requests;
            table.reads -= before.reads;
            table.writes -= before.writes;
            for (name, index) in &mut table.indexes {
                if let Some(before) = before.indexes.get(name) {
                    index.reads -= before.reads;
                    index.writes -= before.writes;
                }
            }
        }
        for (name, queue) in &mut self.queues {
            if let Some(before) = earlier.queues.get(name) {
                queue.requests -= before.requests;
                queue.fair_messages -= before.fair_messages;
            }
        }
        for (name, function) in &mut self.functions {
            if let Some(before) = earlier.functions.get(name) {
                function.invocations -= before.invocations;
                function.milliseconds -= before.milliseconds;
                function.gb_seconds -= before.gb_seconds;
            }
        }
        for (kind, count) in &mut self.api_requests {
            *count -= earlier.api_requests.get(kind).unwrap_or(&0);
        }
        self.s3_writes -= earlier.s3_writes;
        self.s3_reads -= earlier.s3_reads;
        self.log_bytes -= earlier.log_bytes;
        self.mails -= earlier.mails;
        self.mail_bytes -= earlier.mail_bytes;
        self.socket_posts -= earlier.socket_posts;
        self
    }
}

/// The counter of `name`, made if absent.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    map.entry(name.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_are_counted_as_they_are_written() {
        let meter = Meter::new(Clock::system());
        let before = meter.snapshot();
        let mut log = CountedLog(Vec::new());
        log.write_all(b"{\"message\":\"x\"}\n").unwrap();
        assert_eq!(log.0.len(), 16);
        assert_eq!(meter.since(&before).log_bytes, 16);
    }
}
