//! Batches from SQS: each record is handled on its own.
//!
//! - Bodies stay raw text until the record is handled, so one bad body fails one record.
//! - A panic, an error or a record that is too slow is reported as a failed item; the others are done.
//! - A failed record becomes visible again after a growing wait ([`crate::retry`]).
//! - Near the deadline no record is started; the rest is reported as failed and is redelivered.
//! - [`Failure::Reject`] sends the record to the dead-letter queue with its reason, and it counts as done. So does a
//!   failure that lasts longer than [`crate::retry`] allows.
//! - FIFO: records are handled one after another; a failure holds back the later records of its group only.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use cloud::Envelope;
use cloud::error::json_flaw;
use cloud::queue::TRACE_ATTRIBUTE;
use futures::{FutureExt, StreamExt, stream};
use kernel::TenantKey;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument;

use self::queues::Queues;
use crate::function::Call;
use crate::retry::is_over;
use crate::{ConfigError, Failure, Function, InvokeError, Setup, metrics, telemetry};

mod queues;

/// Time reserved at the end of the invocation to report unfinished records.
const MARGIN: Duration = Duration::from_millis(500);
/// Time reserved in addition for the batch's common work.
const COMMON: Duration = Duration::from_secs(3);

/// One message.
#[derive(Debug, Clone)]
pub struct Record {
    /// SQS message id.
    pub message_id: String,
    /// The raw text.
    pub body: String,
    /// How often SQS has delivered it, this time included.
    pub receive_count: u32,
    /// When it was first sent, epoch milliseconds.
    pub sent_ms: Option<i64>,
    receipt: String,
    group: Option<String>,
    trace: Option<String>,
}

impl Record {
    /// Time since it was first sent.
    fn age(&self, call: &Call) -> Duration {
        let age = self.sent_ms.map_or(0, |sent| call.clock.now_ms() - sent);
        Duration::from_millis(u64::try_from(age).unwrap_or(0))
    }

    /// Reads one of our own messages: its tenant and its body. A text that does not parse, or a version that this
    /// build does not know, can never succeed here.
    pub fn open<T: DeserializeOwned>(&self) -> Result<(TenantKey, T), Failure> {
        let envelope = Envelope::<T>::open(&self.body);
        let malformed = |error| Failure::reject("Message.Malformed", json_flaw(&error));
        let envelope = envelope.map_err(malformed)?;
        Ok((envelope.tenant(), envelope.body))
    }
}

/// The order in which a function handles its batches.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Up to so many records concurrently.
    Any {
        /// Concurrent records.
        concurrency: usize,
    },
    /// One after another; a failure holds back the later records of its group: FIFO queues.
    Strict,
}

impl Function {
    /// A function that handles each record by itself.
    pub fn sqs<H, F>(setup: &Setup, order: Order, handler: H) -> Result<Self, ConfigError>
    where
        H: Fn(Record) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let queues = Queues::of(setup);
        let handler = Arc::new(handler);
        Self::new(setup, move |event, call| {
            let (queues, handler) = (queues.clone(), handler.clone());
            async move { batch(event, &call, order, &queues, &*handler).await }
        })
    }

    /// A function that handles each record by itself, up to `concurrency` at once. Afterwards it does the work that is
    /// cheaper together, once for each `part` of the batch, e.g. its records of one tenant. `common` gets the results
    /// of the part's records that succeeded. If `common` fails, all of those fail; the other records and the other
    /// parts keep their own results.
    pub fn sqs_gathered<T, K, H, F, C, G>(
        setup: &Setup,
        concurrency: usize,
        each: H,
        part: impl Fn(&T) -> K + Send + Sync + 'static,
        common: C,
    ) -> Result<Self, ConfigError>
    where
        T: Send + 'static,
        K: Ord + Send + 'static,
        H: Fn(Record) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        C: Fn(Vec<T>) -> G + Send + Sync + 'static,
        G: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let each = move |record, _: Arc<()>| each(record);
        Self::sqs_in_parts(setup, concurrency, |_| (), each, part, common)
    }

    /// Like [`Function::sqs_gathered`] with one part, for handlers that need the whole batch to handle a record.
    /// `survey` sees all records first, and `each` gets its result.
    pub fn sqs_surveyed<S, T, H, F, C, G>(
        setup: &Setup,
        concurrency: usize,
        survey: impl Fn(&[Record]) -> S + Send + Sync + 'static,
        each: H,
        common: C,
    ) -> Result<Self, ConfigError>
    where
        S: Send + Sync + 'static,
        T: Send + 'static,
        H: Fn(Record, Arc<S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        C: Fn(Vec<T>) -> G + Send + Sync + 'static,
        G: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self::sqs_in_parts(setup, concurrency, survey, each, |_| (), common)
    }

    fn sqs_in_parts<S, T, K, H, F, C, G>(
        setup: &Setup,
        concurrency: usize,
        survey: impl Fn(&[Record]) -> S + Send + Sync + 'static,
        each: H,
        part: impl Fn(&T) -> K + Send + Sync + 'static,
        common: C,
    ) -> Result<Self, ConfigError>
    where
        S: Send + Sync + 'static,
        T: Send + 'static,
        K: Ord + Send + 'static,
        H: Fn(Record, Arc<S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        C: Fn(Vec<T>) -> G + Send + Sync + 'static,
        G: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let queues = Queues::of(setup);
        let (survey, each) = (Arc::new(survey), Arc::new(each));
        let (part, common) = (Arc::new(part), Arc::new(common));
        Self::new(setup, move |event, call| {
            let (queues, survey, each) = (queues.clone(), survey.clone(), each.clone());
            let (part, common) = (part.clone(), common.clone());
            async move {
                let records = records(event)?;
                let found = Arc::new(survey(&records));
                let each = move |record| each(record, found.clone());
                let margin = MARGIN + COMMON;
                let done = all(&records, &call, concurrency, margin, &queues, &each).await;
                let mut failed = Vec::new();
                let mut parts: BTreeMap<K, (Vec<T>, Vec<&Record>)> = BTreeMap::new();
                for (record, done) in records.iter().zip(done) {
                    match done {
                        Ok(Some(value)) => {
                            let (values, shares) = parts.entry(part(&value)).or_default();
                            values.push(value);
                            shares.push(record);
                        }
                        Ok(None) => {}
                        Err(Failed) => failed.push(record),
                    }
                }
                // Collected first, as in `all`.
                let work: Vec<_> = parts
                    .into_values()
                    .map(|(values, shares)| together(shares, &call, &queues, || common(values)))
                    .collect();
                let results = stream::iter(work).buffered(concurrency.max(1));
                failed.extend(results.collect::<Vec<_>>().await.into_iter().flatten());
                Ok(queues.give_back(&call, &failed).await)
            }
        })
    }
}

/// Does the common work of some records, and gives those that stay in their queue.
async fn together<'a, F>(
    records: Vec<&'a Record>,
    call: &Call,
    queues: &Queues,
    work: impl FnOnce() -> F,
) -> Vec<&'a Record>
where
    F: Future<Output = Result<(), Failure>>,
{
    let result = guarded(call, MARGIN, work).await;
    let mut failed = Vec::new();
    for record in records {
        let settled = settle(record, result.clone(), call, queues).await;
        if settled.is_err() {
            failed.push(record);
        }
    }
    failed
}

async fn batch<H, F>(
    event: Value,
    call: &Call,
    order: Order,
    queues: &Queues,
    handler: &H,
) -> Result<Value, InvokeError>
where
    H: Fn(Record) -> F + Send + Sync,
    F: Future<Output = Result<(), Failure>> + Send,
{
    let records = records(event)?;
    let mut failed = Vec::new();
    match order {
        Order::Any { concurrency } => {
            let done = all(&records, call, concurrency, MARGIN, queues, handler).await;
            let results = records.iter().zip(done);
            failed.extend(results.filter_map(|(record, done)| done.is_err().then_some(record)));
        }
        Order::Strict => {
            let mut held = HashSet::new();
            for record in &records {
                if held.contains(&record.group)
                    || one(record, call, MARGIN, queues, handler).await.is_err()
                {
                    held.insert(&record.group);
                    failed.push(record);
                }
            }
        }
    }
    Ok(queues.give_back(call, &failed).await)
}

/// Handles the records, some concurrently; returns the result of each, in order.
async fn all<T, H, F>(
    records: &[Record],
    call: &Call,
    concurrency: usize,
    margin: Duration,
    queues: &Queues,
    handler: &H,
) -> Vec<Result<Option<T>, Failed>>
where
    T: Send,
    H: Fn(Record) -> F + Send + Sync,
    F: Future<Output = Result<T, Failure>> + Send,
{
    // Collected first: a stream over the borrowing closure could not be sent between threads.
    let work: Vec<_> = records
        .iter()
        .map(|record| one(record, call, margin, queues, handler))
        .collect();
    stream::iter(work)
        .buffered(concurrency.max(1))
        .collect()
        .await
}

/// The record stays in its queue.
struct Failed;

/// Handles one record within the remaining time less `margin`, and catches its panic. `None`: it was rejected and
/// sent to the dead-letter queue.
async fn one<T, H, F>(
    record: &Record,
    call: &Call,
    margin: Duration,
    queues: &Queues,
    handler: &H,
) -> Result<Option<T>, Failed>
where
    T: Send,
    H: Fn(Record) -> F + Send + Sync,
    F: Future<Output = Result<T, Failure>> + Send,
{
    let trace = record
        .trace
        .clone()
        .unwrap_or_else(|| record.message_id.clone());
    let span = tracing::info_span!(
        "record",
        message_id = %record.message_id,
        attempt = record.receive_count,
        group = record.group.as_deref(),
        trace = %trace,
    );
    let work = async {
        if call.remaining() > margin {
            metrics::highest("LagMs", record.age(call).as_millis() as u64);
        }
        let result = guarded(call, margin, || handler(record.clone())).await;
        settle(record, result, call, queues).await
    };
    cloud::trace::scope(trace, work).instrument(span).await
}

/// Runs the work if there is time for it, stops it near the end of the invocation, and turns its panic into a
/// failure.
async fn guarded<T, F>(
    call: &Call,
    margin: Duration,
    work: impl FnOnce() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let left = call.remaining().saturating_sub(margin);
    if left.is_zero() {
        let detail = "no time left in this invocation";
        return Err(Failure::retry("Deadline.NotBegun", detail));
    }
    let work = AssertUnwindSafe(async { work().await }).catch_unwind();
    match tokio::time::timeout(left, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Failure::retry("Panic", telemetry::panic_text(&*panic))),
        Err(_) => Err(Failure::retry(
            "Deadline.TooSlow",
            "stopped before the time-out",
        )),
    }
}

/// Logs and counts the result; a rejected message is dead-lettered before it is acknowledged.
async fn settle<T>(
    record: &Record,
    result: Result<T, Failure>,
    call: &Call,
    queues: &Queues,
) -> Result<Option<T>, Failed> {
    let failure = match result {
        Ok(value) => return Ok(Some(value)),
        Err(failure) => failure,
    };
    let (name, is_rejected) = (failure.name(), matches!(failure, Failure::Reject { .. }));
    if is_rejected || is_over(name, record.age(call), record.receive_count) {
        metrics::incident("RecordsRejected", 1);
        let reason = failure.detail();
        tracing::warn!(name, reason, "message dead-lettered");
        return match queues.park(record, name, reason).await {
            Ok(()) => Ok(None),
            Err(error) => {
                metrics::incident("RecordsFailed", 1);
                tracing::error!(%error, "the rejected message could not be dead-lettered");
                Err(Failed)
            }
        };
    }
    metrics::incident("RecordsFailed", 1);
    tracing::warn!(name, error = %failure, "record failed, it will be redelivered");
    Err(Failed)
}

fn records(event: Value) -> Result<Vec<Record>, InvokeError> {
    let event: SqsEvent = serde_json::from_value(event)
        .map_err(|error| InvokeError::new("Event.Malformed", error))?;
    metrics::count("RecordsIn", event.records.len() as u64);
    event.records.into_iter().map(record).collect()
}

/// A message without an id could not be reported as failed. Lambda reads an empty identifier as "the whole batch
/// failed", so the invocation itself fails instead.
fn record(message: SqsMessage) -> Result<Record, InvokeError> {
    let message_id = message
        .message_id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| InvokeError::new("Event.Malformed", "a record without messageId"))?;
    let attribute = |name: &str| message.attributes.get(name).cloned();
    let trace = message.message_attributes.get(TRACE_ATTRIBUTE);
    Ok(Record {
        message_id,
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        receive_count: attribute("ApproximateReceiveCount")
            .and_then(|n| n.parse().ok())
            .unwrap_or(1),
        sent_ms: attribute("SentTimestamp").and_then(|n| n.parse().ok()),
        group: attribute("MessageGroupId"),
        trace: trace.and_then(|attribute| attribute.string_value.clone()),
    })
}
