//! The stream poller: filters, order, retries with bisection, and the on-failure queue.
//!
//! Each lane of a mapping delivers one batch after another. All changes of an item are in one lane, so their order
//! holds. A batch that fails permanently is described on the on-failure queue, as Lambda does, and skipped. A blocked
//! lane does not block other lanes.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use kernel::hash;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Verdict, verdict};
use crate::aws::{Aws, SHARD, StreamRecord, consumer, pattern, sequence_text};
use crate::runtime::activity::Activity;
use crate::runtime::clock::VirtualClock;
use crate::runtime::functions::{Failure, Functions};

/// First pause before a retry; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: SignedDuration = SignedDuration::from_millis(200);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// One event source mapping from a table's stream to a function.
#[derive(Debug, Clone)]
pub struct Source {
    /// Logical id of the function.
    pub function: String,
    /// Table.
    pub table: String,
    /// Largest batch.
    pub batch_size: usize,
    /// A record passes if any matches, or if there are none.
    pub filters: Vec<Value>,
    /// `MaximumRetryAttempts`.
    pub retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`, at most the stream's day.
    pub longest_age: u32,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `ParallelizationFactor`.
    pub lanes: u32,
    /// `ReportBatchItemFailures`.
    pub reports: bool,
    /// Queue for batches that failed permanently.
    pub on_failure: Option<String>,
}

impl Source {
    /// Reads filter patterns.
    pub fn filters(function: &str, patterns: &[String]) -> Result<Vec<Value>> {
        let parse = |text: &String| serde_json::from_str(text);
        let filters: Result<_, _> = patterns.iter().map(parse).collect();
        filters.with_context(|| format!("FilterCriteria of {function}"))
    }

    /// The lane of an item's changes.
    fn lane(&self, record: &StreamRecord) -> u32 {
        let digits = hash::name(&[&record.keys.to_string()]);
        let number = u32::from_str_radix(&digits[..8], 16).unwrap_or(0);
        number % self.lanes.max(1)
    }

    fn passes(&self, record: &Value) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|f| pattern::matches(f, record))
    }
}

/// Poller of one lane of an event source mapping.
#[derive(Clone)]
pub struct Poller {
    /// The mapping.
    pub source: Arc<Source>,
    /// The lane, from 0.
    pub lane: u32,
    /// The streams and queues.
    pub aws: Aws,
    /// The functions.
    pub functions: Arc<Functions>,
    /// The stack's time.
    pub clock: VirtualClock,
    /// Counts the work under way.
    pub activity: Activity,
    /// Ends the poller.
    pub stop: CancellationToken,
}

impl Poller {
    /// Polls until the stack stops. A batch that has begun continues, without further retries.
    pub async fn run(self) {
        while !self.stop.is_cancelled() {
            let arrival = self.aws.streams().notified(&self.source.table);
            let busy = self.activity.begin();
            let (batch, last) = self.collect();
            if let Some(last) = last {
                if self.deliver(batch).await {
                    self.commit(last);
                }
                continue;
            }
            drop(busy);
            tokio::select! {
                () = arrival => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// The next records of the lane that pass the filters, and the position up to which the stream was read.
    fn collect(&self) -> (Vec<StreamRecord>, Option<u64>) {
        let (source, streams) = (&self.source, self.aws.streams());
        let consumer = self.consumer();
        let (mut batch, mut last) = (Vec::new(), None);
        while batch.len() < source.batch_size {
            let after = last.unwrap_or(0);
            let page = streams.poll_after(&source.table, &consumer, after, source.batch_size);
            if page.is_empty() {
                break;
            }
            for record in page {
                if batch.len() == source.batch_size {
                    break;
                }
                last = Some(record.sequence);
                let is_own = source.lane(&record) == self.lane;
                if is_own && source.passes(&streams.lambda_record(&record)) {
                    batch.push(record);
                }
            }
        }
        (batch, last)
    }

    /// Delivers the batch in parts until each part has succeeded or is given up. False if the stack stopped first:
    /// the rest is redelivered at the next start.
    async fn deliver(&self, batch: Vec<StreamRecord>) -> bool {
        let mut parts = VecDeque::from([(batch, 0_u32)]);
        while let Some((part, attempts)) = parts.pop_front() {
            let Some(last) = part.last().map(|record| record.sequence) else {
                continue;
            };
            let old = part.iter().take_while(|record| self.is_too_old(record));
            let (old, young) = part.split_at(old.count());
            if let Some(oldest) = old.last() {
                self.give_up(old, "RecordAgeExceeded", attempts, None);
                self.commit(oldest.sequence);
                parts.push_front((young.to_vec(), attempts));
                continue;
            }
            let event = self.aws.streams().lambda_event(&part);
            let ids = sequence_numbers(&event);
            let result = self
                .functions
                .invoke(&self.source.function, event, None)
                .await;
            let done = match verdict(&result, &ids, self.source.reports) {
                Verdict::Done => part.len(),
                Verdict::AllFailed => 0,
                // The lowest position is the checkpoint: this record and all later ones are redelivered.
                Verdict::Failed(failed) => {
                    ids.iter().position(|id| failed.contains(id)).unwrap_or(0)
                }
            };
            if done == part.len() {
                self.commit(last);
                continue;
            }
            // A throttled batch did not reach the function: this is no attempt.
            let throttled = result.as_ref().is_err_and(Failure::is_throttle);
            if throttled {
                parts.push_front((part, attempts));
            } else if done > 0 {
                self.commit(part[done - 1].sequence);
                parts.push_front((part[done..].to_vec(), 1));
            } else if self.source.bisect && result.is_err() && part.len() > 1 {
                // Splitting does not count as a retry.
                let (left, right) = part.split_at(part.len() / 2);
                parts.push_front((right.to_vec(), attempts));
                parts.push_front((left.to_vec(), attempts));
            } else if self.source.retries.is_some_and(|most| attempts >= most) {
                let condition = "RetryAttemptsExhausted";
                self.give_up(&part, condition, attempts + 1, result.err());
                self.commit(last);
                continue;
            } else {
                parts.push_front((part, attempts + 1));
            }
            if !self.pause(attempts).await {
                return false;
            }
        }
        true
    }

    /// A record that is not delivered (again). Each record has its own age.
    fn is_too_old(&self, record: &StreamRecord) -> bool {
        let age = self.clock.now().as_millisecond() - record.approximate_creation_time;
        age > i64::from(self.source.longest_age) * 1000
    }

    /// Waits before the next attempt; false when the stack stops.
    async fn pause(&self, attempts: u32) -> bool {
        let factor = 1_i32.checked_shl(attempts.min(16)).unwrap_or(1);
        let pause = (FIRST_PAUSE * factor).min(LONGEST_PAUSE);
        tokio::select! {
            () = self.clock.sleep(pause) => true,
            () = self.stop.cancelled() => false,
        }
    }

    fn consumer(&self) -> String {
        consumer(&self.source.function, self.lane)
    }

    fn commit(&self, sequence: u64) {
        let table = &self.source.table;
        self.aws.streams().commit(table, &self.consumer(), sequence);
    }

    /// Describes the batch on the on-failure queue, as Lambda does: positions, not contents.
    fn give_up(
        &self,
        part: &[StreamRecord],
        condition: &str,
        attempts: u32,
        error: Option<Failure>,
    ) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else {
            return;
        };
        tracing::error!(
            table = self.source.table,
            first = first.sequence,
            last = last.sequence,
            condition,
            "stream batch given up"
        );
        let Some(queue) = &self.source.on_failure else {
            return;
        };
        let at = |record: &StreamRecord| {
            let at = Timestamp::from_millisecond(record.approximate_creation_time);
            at.unwrap_or(Timestamp::MIN).to_string()
        };
        let description = json!({
            "requestContext": {
                "requestId": self.functions.request_id(),
                "functionArn": self.functions.arn(&self.source.function),
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": error.map(|_| "Unhandled"),
            },
            "version": "1.0",
            "timestamp": self.clock.now().to_string(),
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": sequence_text(first.sequence),
                "endSequenceNumber": sequence_text(last.sequence),
                "approximateArrivalOfFirstRecord": at(first),
                "approximateArrivalOfLastRecord": at(last),
                "batchSize": part.len(),
                "streamArn": self.aws.streams().arn(&self.source.table),
            },
        });
        if let Err(error) = self.aws.sqs().send(queue, description.to_string(), None) {
            tracing::error!(queue, %error, "failure destination refused");
        }
    }
}

fn sequence_numbers(event: &Value) -> Vec<String> {
    let records = event["Records"].as_array().into_iter().flatten();
    let number = |record: &Value| {
        record["dynamodb"]["SequenceNumber"]
            .as_str()
            .map(str::to_owned)
    };
    records.filter_map(number).collect()
}
