//! The AWS services the product uses, behind their wire protocols, in this process.
//!
//! SDK clients reach them through [`Aws::http_client`], everything else through [`Aws::handle`]
//! on the loopback port. State is in the data folder and survives a crash of the process; in
//! memory nothing is kept. Time comes from the clock given, ids from counters.

mod arns;
mod cancelled;
mod connector;
mod dynamodb;
mod fault;
mod folder;
mod heat;
mod indexes;
mod journal;
mod kept;
mod lags;
mod meter;
mod missing;
mod outbox;
mod partial;
pub mod pattern;
mod route;
mod s3;
mod ses;
mod shape;
mod sockets;
pub mod sqs;
pub mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod touched;
mod wire;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use dynoxide::Database;
use http::{Request, Response, StatusCode};
use kernel::Clock;

use crate::loopback;
use crate::template::model::{Stack, Table, Trigger};
pub use cancelled::Reason;
pub use fault::{Call, Fault, FaultHook, Role};
pub use heat::{MOST_READS, MOST_WRITES, Partition, PartitionUsage};
pub use kept::Kept;
pub use lags::Reads;
pub use meter::{
    CountedLog, FunctionUsage, IndexUsage, Meter, MeterSnapshot, QueueUsage, TableUsage,
};
pub use outbox::{Kind, Outbox, OutboxMessage, OutboxPage};
pub use shape::shape;
pub use sockets::Sockets;
pub use sqs::{Depth, MessageAttribute, MessageAttributes, Received, Sqs};
pub use streams::{SHARD, StreamRecord, Streams};
pub(crate) use streams::{consumer, sequence_text};
pub use touched::Touched;

/// Access key of the local credentials; the CLI needs it for S3, where signatures are checked.
pub const ACCESS_KEY: &str = "local";
/// Secret of the local credentials. It opens nothing.
pub const SECRET_KEY: &str = "local";

/// How to open the services.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder that holds the state; without a folder, the state is in memory and in a temporary folder.
    pub data_dir: Option<PathBuf>,
    /// Clock of all services.
    pub clock: Clock,
    /// AWS region, e.g. `ap-southeast-1`.
    pub region: String,
    /// AWS account number.
    pub account: String,
}

/// The services; cheap to clone.
#[derive(Clone)]
pub struct Aws(Arc<Services>);

struct Services {
    dynamodb: dynamodb::DynamoDb,
    ses: ses::Ses,
    s3: s3::S3,
    sqs: Arc<Sqs>,
    streams: Arc<Streams>,
    outbox: Arc<Outbox>,
    meter: Arc<Meter>,
    sockets: Sockets,
    region: String,
    endpoint: RwLock<Option<String>>,
    hook: RwLock<Option<FaultHook>>,
    calls: AtomicU64,
    /// Removed with the services.
    _temporary: Option<tempfile::TempDir>,
    /// Held until the services are dropped.
    _lock: File,
}

/// Result of a call.
enum Reply {
    /// It is answered.
    Answer(Response<Bytes>),
    /// It ran, and the answer never arrives.
    Lost,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    /// Opens the services with the state in the data folder.
    pub fn open(options: Options) -> anyhow::Result<Self> {
        let Options {
            data_dir,
            clock,
            region,
            account,
        } = options;
        let mut temporary = None;
        let files = match &data_dir {
            Some(folder) => folder.clone(),
            None => temporary.insert(tempfile::tempdir()?).path().to_owned(),
        };
        folder::private(&files).with_context(|| format!("creating {}", files.display()))?;
        let lock = folder::lock(&files)?;
        let log = |name: &str| data_dir.as_ref().map(|folder| folder.join(name));
        let db = folder::database(data_dir.as_deref(), &clock)?;
        let meter = Arc::new(Meter::new(clock.clone()));
        let log_of = (log("streams.jsonl"), log("sqs.jsonl"));
        let streams = Streams::open(log_of.0, &db, clock.clone(), &region, &account)?;
        let streams = Arc::new(streams);
        let sqs = Sqs::open(log_of.1, clock.clone(), &region, &account, meter.clone())?;
        let sqs = Arc::new(sqs);
        let outbox = Arc::new(Outbox::open(files.join("outbox"))?);
        let suppression = ses::Suppression::open(log("ses.jsonl"))?;
        let s3 = (files.join("s3"), log("s3.jsonl"));
        let s3 = s3::S3::open(s3.0, s3.1, clock.clone(), &region, meter.clone())?;
        Ok(Self(Arc::new(Services {
            dynamodb: dynamodb::DynamoDb {
                db,
                streams: streams.clone(),
                meter: meter.clone(),
                arns: arns::Arns::new(&region, &account),
                indexes: RwLock::default(),
                lags: lags::Lags::default(),
                clock: clock.clone(),
            },
            ses: ses::Ses {
                outbox: outbox.clone(),
                sqs: sqs.clone(),
                meter: meter.clone(),
                clock,
                region: region.clone(),
                account,
                rules: RwLock::default(),
                identities: RwLock::default(),
                configuration_sets: RwLock::default(),
                suppression,
            },
            s3,
            sqs,
            streams,
            outbox,
            meter,
            sockets: Sockets::default(),
            region,
            endpoint: RwLock::default(),
            hook: RwLock::default(),
            calls: AtomicU64::new(0),
            _temporary: temporary,
            _lock: lock,
        })))
    }

    /// Makes the missing tables, queues and buckets of the stack. Also registers its streams,
    /// its rules, and its functions as stream consumers (each under its logical id).
    pub fn create_missing(&self, stack: &Stack) -> anyhow::Result<()> {
        for table in &stack.tables {
            self.create_table(table)
                .with_context(|| format!("table {}", table.name))?;
        }
        for queue in &stack.queues {
            self.0.sqs.create(queue)?;
        }
        for bucket in &stack.buckets {
            self.0.s3.create(bucket)?;
        }
        for function in &stack.functions {
            for trigger in &function.triggers {
                if let Trigger::Stream { table, lanes, .. } = trigger {
                    for lane in 0..*lanes {
                        let consumer = streams::consumer(&function.logical_id, lane);
                        self.0.streams.register(table, &consumer);
                    }
                }
            }
        }
        self.0.ses.configure(stack);
        self.0.ses.catch_up();
        Ok(())
    }

    fn create_table(&self, table: &Table) -> anyhow::Result<()> {
        tables::create(&self.0.dynamodb.db, table)?;
        let indexes = self.0.dynamodb.indexes.write();
        let mut indexes = indexes.unwrap_or_else(PoisonError::into_inner);
        indexes.define(&table.name, &table.create_request);
        drop(indexes);
        if let Some(view) = table.stream {
            let keys = table.create_request["KeySchema"].as_array();
            let names = keys.into_iter().flatten();
            let names = names.filter_map(|key| key["AttributeName"].as_str().map(str::to_owned));
            self.0.streams.define(&table.name, names.collect(), view);
        }
        Ok(())
    }

    /// Answers one request to any of the services, as the loopback server gets it. Requests that a browser may
    /// have sent for another site are refused.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        if !loopback::may_call_aws(&request) {
            return wire::empty(StatusCode::FORBIDDEN);
        }
        match self.dispatch(request, None).await {
            Reply::Answer(response) => response,
            Reply::Lost => wire::empty(StatusCode::GATEWAY_TIMEOUT),
        }
    }

    async fn dispatch(&self, request: Request<Bytes>, role: Option<&Role>) -> Reply {
        let route = route::Route::of(&request);
        let sequence = self.0.calls.fetch_add(1, Ordering::Relaxed);
        let hook = self.hook();
        let mut fault = Fault::None;
        if role.is_some() || hook.is_some() {
            let call = Call {
                service: route.service(),
                operation: route.operation(&request),
                table_or_queue: route.resource(&request),
                items: role.map_or_else(Vec::new, |_| route.items(&request)),
                sequence,
                function: role.map(|role| role.function.clone()),
            };
            if role.is_some_and(|role| !(role.allows)(&call)) {
                return Reply::Answer(route.denied(&call));
            }
            fault = hook.map_or(Fault::None, |hook| hook(&call));
        }
        match fault {
            Fault::Throttle => return Reply::Answer(route.throttled(&request)),
            Fault::Cancel(reason) => {
                if let Some(answer) = route.cancelled(&request, reason) {
                    return Reply::Answer(answer);
                }
            }
            Fault::HangBefore => return std::future::pending().await,
            Fault::Yield => tokio::task::yield_now().await,
            Fault::Delay(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            _ => {}
        }
        let half = (fault == Fault::Partial)
            .then(|| partial::cut(&route, request.body()))
            .flatten();
        let mut response = match half {
            Some(half) => half.run(self, &route, request).await,
            None => self.run(&route, request).await,
        };
        match fault {
            Fault::TimeoutAfterCommit => return Reply::Lost,
            Fault::HangAfter => return std::future::pending().await,
            _ => {}
        }
        if let Ok(id) = http::HeaderValue::from_str(&format!("local-{sequence:012}")) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        Reply::Answer(response)
    }

    fn hook(&self) -> Option<FaultHook> {
        let hook = self.0.hook.read();
        hook.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run(&self, route: &route::Route, request: Request<Bytes>) -> Response<Bytes> {
        let services = &*self.0;
        match route {
            route::Route::DynamoDb(operation) => {
                services.dynamodb.handle(operation, request.body())
            }
            route::Route::Streams(operation) => services.streams.handle(operation, request.body()),
            route::Route::Missing(missing) => missing.answer(),
            route::Route::Sqs(operation) => {
                let (host, body) = (wire::host(&request), request.body());
                services.sqs.handle(operation, host, body).await
            }
            route::Route::Ses => {
                let (method, uri) = (request.method(), request.uri());
                services.ses.handle(method, uri, request.body())
            }
            route::Route::Sockets(id) => {
                services.meter.socket_post();
                let (parts, body) = request.into_parts();
                services.sockets.handle(&parts.method, id, body)
            }
            route::Route::S3 => services.s3.handle(request).await,
        }
    }

    /// The queues.
    pub fn sqs(&self) -> &Sqs {
        &self.0.sqs
    }

    /// The tables' streams.
    pub fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// Messages that were sent.
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Usage that AWS would bill.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// The connected WebSocket clients.
    pub fn sockets(&self) -> &Sockets {
        &self.0.sockets
    }

    /// The tables, for direct reads without the protocol. Writes made here reach no stream.
    pub fn database(&self) -> Database {
        self.0.dynamodb.db.clone()
    }

    fn indexes(&self) -> RwLockReadGuard<'_, indexes::Indexes> {
        self.0.dynamodb.indexes()
    }

    fn now(&self) -> jiff::Timestamp {
        self.0.ses.clock.now()
    }

    /// Deletes items past their time to live and returns how many. Their removal is not in the
    /// streams.
    pub fn sweep_expired(&self) -> anyhow::Result<usize> {
        self.0.dynamodb.lags.sweep()?;
        Ok(self.0.dynamodb.db.sweep_ttl()?)
    }

    /// Lets these reads lack the writes that are younger than `lag` by the stack's clock; zero ends the lag. At first
    /// there is none.
    pub fn set_lag(&self, reads: Reads, lag: Duration) -> anyhow::Result<()> {
        let services = &*self.0;
        let (db, clock) = (&services.dynamodb.db, &services.dynamodb.clock);
        services.dynamodb.lags.set(db, clock, reads, lag)
    }

    /// Sets (or ends) the decision over each call.
    pub fn set_fault_hook(&self, hook: Option<FaultHook>) {
        *self.0.hook.write().unwrap_or_else(PoisonError::into_inner) = hook;
    }
}
