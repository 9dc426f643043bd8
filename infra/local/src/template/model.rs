//! Model of a template after intrinsics: plain data that the local stack is built from.
//!
//! Only [`super::read`] makes these values from files; nothing here reads a file or knows YAML.

use std::collections::BTreeMap;

use super::{Billed, Rights};

/// Everything that `template.yaml` and its nested stacks declare and the local stack can run.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// DynamoDB tables.
    pub tables: Vec<Table>,
    /// SQS queues, dead-letter queues included.
    pub queues: Vec<Queue>,
    /// S3 buckets, by physical name.
    pub buckets: Vec<String>,
    /// SES configuration sets.
    pub configuration_sets: Vec<ConfigurationSet>,
    /// Lambda functions with their triggers.
    pub functions: Vec<Function>,
    /// EventBridge rules on the default bus that end in a queue.
    pub rules: Vec<Rule>,
    /// Permissions of the functions' roles; a function without a role may do nothing.
    pub rights: Rights,
    /// Resources that cost money by the month.
    pub billed: Billed,
    /// Function that authorises the routes which ask for it (logical id of the function).
    pub authorizer: Option<String>,
}

impl Stack {
    /// The variables of all functions. `DLQ_URL` is left out: each function has its own.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let all = self.functions.iter();
        let mut all: BTreeMap<_, _> = all.flat_map(|f| f.environment.clone()).collect();
        all.remove("DLQ_URL");
        all
    }
}

/// A table with its keys, indexes, stream and time-to-live attribute.
#[derive(Debug, Clone)]
pub struct Table {
    /// Logical id in the template, e.g. `Contacts`.
    pub logical_id: String,
    /// Physical name, e.g. `tanigo-contacts`.
    pub name: String,
    /// The resource's `Properties` as the `CreateTable` request takes them (intrinsics resolved):
    /// keys, indexes, billing mode, deletion protection, encryption.
    pub create_request: serde_json::Value,
    /// Stream view, when a stream is declared.
    pub stream: Option<StreamView>,
    /// Attribute that holds the expiry in epoch seconds.
    pub ttl_attribute: Option<String>,
}

/// Which images a stream record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamView {
    /// Keys only.
    KeysOnly,
    /// New image.
    NewImage,
    /// Old image.
    OldImage,
    /// Both images.
    NewAndOldImages,
}

/// A queue with the attributes that change how messages move.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Logical id in the template, e.g. `Ingest`.
    pub logical_id: String,
    /// Physical name, e.g. `tanigo-ingest`, with `.fifo` for FIFO queues.
    pub name: String,
    /// FIFO queue.
    pub fifo: bool,
    /// Content-based deduplication (FIFO only).
    pub content_based_deduplication: bool,
    /// A deduplication id counts within its message group, else in the whole queue (FIFO only).
    pub deduplicates_by_group: bool,
    /// `FifoThroughputLimit`, which is only shown (FIFO only).
    pub throughput_limit: Option<String>,
    /// JSON text of its resource policy, which is only shown.
    pub policy: Option<String>,
    /// Default visibility timeout, seconds.
    pub visibility_timeout: u32,
    /// Default delay, seconds.
    pub delay: u32,
    /// Retention, seconds.
    pub retention: u32,
    /// How long a receive waits that names no wait time, seconds.
    pub wait: u32,
    /// Largest message, bytes; none: as large as SQS allows.
    pub largest: Option<u32>,
    /// Name of the dead-letter queue and the receive count that moves a message there.
    pub redrive: Option<(String, u32)>,
}

/// A function with its environment and triggers.
#[derive(Debug, Clone)]
pub struct Function {
    /// Logical id in the template, e.g. `IngestFunction`.
    pub logical_id: String,
    /// Value of `Handler`, which is the package's name, e.g. `ingest`.
    pub handler: String,
    /// Time-out, seconds.
    pub timeout: u32,
    /// Memory, MiB.
    pub memory: u32,
    /// Environment variables, intrinsics resolved to local physical values.
    pub environment: BTreeMap<String, String>,
    /// Triggers of the function.
    pub triggers: Vec<Trigger>,
}

/// Trigger of a function.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A route of the HTTP API.
    Http {
        /// `GET`, `POST`, ... or `ANY`.
        method: String,
        /// Path with `{name}` and `{name+}` parameters.
        path: String,
        /// The authoriser runs first.
        authorized: bool,
    },
    /// A route of the WebSocket API: `$connect`, `$disconnect`, `$default`.
    WebSocket {
        /// Route key.
        route: String,
        /// The authoriser runs first (only `$connect` may ask for it).
        authorized: bool,
    },
    /// A queue.
    Sqs {
        /// Physical queue name.
        queue: String,
        /// Largest batch.
        batch_size: u32,
        /// Batching window, seconds.
        window: u32,
        /// `ScalingConfig.MaximumConcurrency`.
        maximum_concurrency: Option<u32>,
        /// `ReportBatchItemFailures` is declared.
        report_failures: bool,
    },
    /// A table's stream.
    Stream {
        /// Physical table name.
        table: String,
        /// Largest batch.
        batch_size: u32,
        /// `FilterCriteria` patterns, each one JSON text; an event passes if any matches.
        filters: Vec<String>,
        /// `MaximumRetryAttempts`; none tries until the records are too old.
        retries: Option<u32>,
        /// `MaximumRecordAgeInSeconds`; none keeps them for the stream's day.
        longest_age: Option<u32>,
        /// `BisectBatchOnFunctionError`.
        bisect: bool,
        /// `ParallelizationFactor`: batches of a shard at a time. The changes of one item stay in order.
        lanes: u32,
        /// `ReportBatchItemFailures` is declared.
        report_failures: bool,
        /// Queue that receives the description of a batch that failed permanently.
        on_failure: Option<String>,
    },
    /// A schedule.
    Schedule {
        /// `rate(1 minute)` or `cron(...)`.
        expression: String,
        /// JSON text given to the function, when the template sets `Input`.
        input: Option<String>,
    },
}

/// A set of rules for the mails that name it.
#[derive(Debug, Clone)]
pub struct ConfigurationSet {
    /// Physical name.
    pub name: String,
    /// Reasons of the suppression list that count for its mails: `BOUNCE`, `COMPLAINT`.
    pub suppressed_reasons: Vec<String>,
}

/// An EventBridge rule with a queue as target.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Logical id.
    pub logical_id: String,
    /// The event pattern.
    pub pattern: serde_json::Value,
    /// Physical name of the target queue.
    pub queue: String,
}
