//! The queue poller: batches, windows, concurrency, and failed messages.
//!
//! A message is deleted only after its function reported success. After failed items, errors, panics, throttles and
//! time-outs alike, the message is redelivered at the end of its visibility timeout, as Lambda does. Each of them uses
//! up a receive.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Verdict, verdict};
use crate::aws::{Aws, Received};
use crate::runtime::activity::{Activity, Busy};
use crate::runtime::clock::VirtualClock;
use crate::runtime::functions::Functions;

/// Concurrent batches where the template sets no limit.
const DEFAULT_CONCURRENCY: u32 = 100;
/// Largest event that Lambda takes, with room for the JSON around the messages.
const EVENT_BYTES: usize = 6 * 1024 * 1024 - 64 * 1024;

/// One event source mapping from a queue to a function.
#[derive(Debug, Clone)]
pub struct Source {
    /// Logical id of the function.
    pub function: String,
    /// Queue.
    pub queue: String,
    /// Largest batch.
    pub batch_size: usize,
    /// Batching window, seconds.
    pub window: u32,
    /// `MaximumConcurrency`.
    pub concurrency: Option<u32>,
    /// `ReportBatchItemFailures`.
    pub reports: bool,
}

/// Poller of one event source mapping.
#[derive(Clone)]
pub struct Poller {
    /// The mapping.
    pub source: Arc<Source>,
    /// The queues.
    pub aws: Aws,
    /// The functions.
    pub functions: Arc<Functions>,
    /// The stack's time.
    pub clock: VirtualClock,
    /// Counts the work under way.
    pub activity: Activity,
    /// Ends the poller.
    pub stop: CancellationToken,
    /// Runs the batches.
    pub tasks: TaskTracker,
}

impl Poller {
    /// Polls until the stack stops. Batches that have begun continue.
    pub async fn run(self) {
        let limit = self.source.concurrency.unwrap_or(DEFAULT_CONCURRENCY);
        let permits = Arc::new(Semaphore::new(limit as usize));
        loop {
            let next = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                let (batch, busy) = self.collect().await;
                (permit, batch, busy)
            };
            let (permit, batch, busy) = tokio::select! {
                next = next => next,
                () = self.stop.cancelled() => return,
            };
            let poller = self.clone();
            self.tasks.spawn(async move {
                poller.deliver(&batch).await;
                drop((permit, busy));
            });
        }
    }

    /// Waits for a batch. The poller counts as busy from the first message on. So the stack never looks idle
    /// between the receive of a message and the invocation.
    async fn collect(&self) -> (Vec<Received>, Busy) {
        let source = &self.source;
        loop {
            let arrival = self.aws.sqs().notified(&source.queue);
            let busy = self.activity.begin();
            if self.waiting() > 0 {
                self.gather().await;
                let batch = self
                    .aws
                    .sqs()
                    .receive(&source.queue, source.batch_size, None);
                if !batch.is_empty() {
                    return (batch, busy);
                }
            }
            drop(busy);
            tokio::select! {
                () = arrival => {}
                () = self.next_due() => {}
            }
        }
    }

    /// Waits until a batch is full or its window has passed. No message is received before, so that a batch
    /// costs as few requests as possible. AWS's pollers ask more often, above all when few messages arrive.
    async fn gather(&self) {
        let source = &self.source;
        let window = SignedDuration::from_secs(source.window.into());
        let end = self.clock.now().checked_add(window);
        let end = end.unwrap_or(Timestamp::MAX);
        while self.clock.now() < end {
            let arrival = self.aws.sqs().notified(&source.queue);
            if self.waiting() >= source.batch_size {
                return;
            }
            tokio::select! {
                () = arrival => {}
                () = self.clock.sleep_until(end) => {}
            }
        }
    }

    /// Messages that can be received now.
    fn waiting(&self) -> usize {
        self.aws.sqs().depth(&self.source.queue).visible
    }

    /// Ends when a delayed or hidden message may have become visible.
    async fn next_due(&self) {
        match self.aws.sqs().next_visible_at(&self.source.queue) {
            Some(ms) => {
                let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
                self.clock.sleep_until(at).await;
            }
            None => std::future::pending().await,
        }
    }

    async fn deliver(&self, batch: &[Received]) {
        let mut rest = batch;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(payload_end(rest));
            self.deliver_payload(now).await;
            rest = later;
        }
    }

    async fn deliver_payload(&self, batch: &[Received]) {
        let source = &self.source;
        let event = self.aws.sqs().lambda_event(&source.queue, batch);
        let result = self.functions.invoke(&source.function, event, None).await;
        let ids: Vec<String> = batch.iter().map(|m| m.message_id.clone()).collect();
        let done: Vec<&str> = match verdict(&result, &ids, source.reports) {
            Verdict::AllFailed => return,
            Verdict::Done => handles(batch, |_| true),
            Verdict::Failed(failed) => handles(batch, |id| !failed.contains(id)),
        };
        self.aws.sqs().delete_all(&source.queue, &done);
    }
}

fn handles(batch: &[Received], keep: impl Fn(&str) -> bool) -> Vec<&str> {
    // The same message may be in a batch twice; only its newest handle deletes the message.
    let newest: HashMap<&str, &str> = batch
        .iter()
        .map(|m| (m.message_id.as_str(), m.receipt_handle.as_str()))
        .collect();
    newest
        .into_iter()
        .filter(|(id, _)| keep(id))
        .map(|(_, handle)| handle)
        .collect()
}

/// How many messages fit into one event; at least one.
fn payload_end(batch: &[Received]) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Received| {
        // JSON escapes can double a body, and the record around it takes about 1 KB.
        bytes += message.body.len() * 2 + 1024;
        bytes <= EVENT_BYTES
    };
    batch.iter().take_while(fits).count().max(1)
}
