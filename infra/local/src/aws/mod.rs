//! The AWS services the product uses, behind their wire protocols, in this process.
//!
//! SDK clients reach them through [`Aws::http_client`], everything else through [`Aws::handle`]
//! on the loopback port. State is in the data folder and survives the death of the process; in
//! memory nothing is kept. Time comes from the clock given, ids from counters.

mod connector;
mod dynamodb;
mod fault;
mod journal;
mod meter;
mod outbox;
mod partial;
pub mod pattern;
mod route;
mod s3;
mod ses;
mod ses_events;
mod sockets;
pub mod sqs;
pub mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod touched;
mod wire;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use bytes::Bytes;
use dynoxide::Database;
use http::{Request, Response, StatusCode};
use kernel::Clock;

use crate::template::model::{Stack, Table, Trigger};
pub use fault::{Call, Fault, FaultHook, Role};
pub use meter::{FunctionUsage, IndexUsage, Meter, MeterSnapshot, QueueUsage, TableUsage};
pub use outbox::{Kind, Outbox, OutboxMessage, OutboxPage};
pub use sockets::Sockets;
pub use sqs::{Depth, MessageAttribute, MessageAttributes, Received, Sqs, queue_url};
pub use streams::{StreamRecord, Streams};
pub use touched::Touched;

/// Access key of the local credentials; the CLI needs it for S3, where signatures are checked.
pub const ACCESS_KEY: &str = "local";
/// Secret of the local credentials. It opens nothing.
pub const SECRET_KEY: &str = "local";

/// How to open the services.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder that holds the state; none keeps it in memory and a temporary folder.
    pub data_dir: Option<PathBuf>,
    /// Tells the time to all services.
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
    /// Held as long as the services live.
    _lock: File,
}

/// What becomes of a call.
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

/// Time for the engine's expiry sweep.
struct EngineClock(Clock);

impl dynoxide::storage_backend::Clock for EngineClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now().as_second()).unwrap_or(0)
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.0.now_ms() as f64 / 1000.0
    }
}

impl Aws {
    /// Opens the services with what the data folder holds.
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
        std::fs::create_dir_all(&files).with_context(|| format!("creating {}", files.display()))?;
        let lock = lock(&files)?;
        let log = |name: &str| data_dir.as_ref().map(|folder| folder.join(name));
        let db = database(data_dir.as_deref(), &clock)?;
        let meter = Arc::new(Meter::default());
        let log_of = (log("streams.jsonl"), log("sqs.jsonl"));
        let streams = Streams::open(log_of.0, &db, clock.clone(), &region, &account)?;
        let streams = Arc::new(streams);
        let sqs = Sqs::open(log_of.1, clock.clone(), &region, &account, meter.clone())?;
        let sqs = Arc::new(sqs);
        let outbox = Arc::new(Outbox::open(files.join("outbox"))?);
        Ok(Self(Arc::new(Services {
            dynamodb: dynamodb::DynamoDb {
                db,
                streams: streams.clone(),
                meter: meter.clone(),
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
            },
            s3: s3::S3::open(files.join("s3"), meter.clone())?,
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

    /// Makes the tables, queues and buckets of the stack that are absent; takes over its streams,
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
                if let Trigger::Stream { table, .. } = trigger {
                    self.0.streams.register(table, &function.logical_id);
                }
            }
        }
        let mut rules = self
            .0
            .ses
            .rules
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        rules.clone_from(&stack.rules);
        drop(rules);
        self.0.ses.verify(stack.rights.identities());
        self.0.ses.catch_up();
        Ok(())
    }

    fn create_table(&self, table: &Table) -> anyhow::Result<()> {
        tables::create(&self.0.dynamodb.db, table)?;
        if let Some(view) = table.stream {
            let keys = table.create_request["KeySchema"].as_array();
            let names = keys.into_iter().flatten();
            let names = names.filter_map(|key| key["AttributeName"].as_str().map(str::to_owned));
            self.0.streams.define(&table.name, names.collect(), view);
        }
        Ok(())
    }

    /// The base URL of the loopback server, e.g. `http://127.0.0.1:4000`. Once set,
    /// [`sdk_config`](Self::sdk_config) names it as the endpoint, so that presigned links can be
    /// opened from outside; without it links carry AWS host names.
    pub fn set_endpoint(&self, url: &str) {
        let mut endpoint = self
            .0
            .endpoint
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *endpoint = Some(url.to_owned());
    }

    /// An HTTP client for the SDK that calls the services in this process.
    pub fn http_client(&self) -> SharedHttpClient {
        let (aws, role) = (self.clone(), None);
        SharedHttpClient::new(connector::InProcess { aws, role })
    }

    /// Configuration for the SDK clients of a function with this role.
    pub fn sdk_config_of(&self, role: Role) -> SdkConfig {
        let (aws, role) = (self.clone(), Some(role));
        let client = SharedHttpClient::new(connector::InProcess { aws, role });
        let config = self.sdk_config().into_builder();
        config.http_client(client).build()
    }

    /// Configuration for SDK clients that may do everything: this process, local credentials, standard
    /// retries.
    pub fn sdk_config(&self) -> SdkConfig {
        let keys = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local");
        let endpoint = self
            .0
            .endpoint
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.0.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .retry_config(RetryConfig::standard())
            .http_client(self.http_client());
        config.set_endpoint_url(endpoint.clone());
        config.build()
    }

    /// Answers one request to any of the services, as the loopback server gets it.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
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
            };
            if role.is_some_and(|role| !role(&call)) {
                return Reply::Answer(route.denied(&call));
            }
            fault = hook.map_or(Fault::None, |hook| hook(&call));
        }
        match fault {
            Fault::Throttle => return Reply::Answer(route.throttled()),
            Fault::HangBefore => return std::future::pending().await,
            Fault::Yield => tokio::task::yield_now().await,
            _ => {}
        }
        let mut response =
            match partial::cut(&route, request.body()).filter(|_| fault == Fault::Partial) {
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
            route::Route::Sqs(operation) => services.sqs.handle(operation, request.body()).await,
            route::Route::Ses => {
                let path = request.uri().path();
                services.ses.handle(request.method(), path, request.body())
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

    /// What was sent.
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// What would be billed.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// The connected WebSocket clients.
    pub fn sockets(&self) -> &Sockets {
        &self.0.sockets
    }

    /// The tables, for a look inside past the protocol. Writes made here reach no stream.
    pub fn database(&self) -> Database {
        self.0.dynamodb.db.clone()
    }

    /// Deletes items past their time to live and returns how many. Their removal is not in the
    /// streams.
    pub fn sweep_expired(&self) -> anyhow::Result<usize> {
        Ok(self.0.dynamodb.db.sweep_ttl()?)
    }

    /// Sets (or ends) the decision over each call.
    pub fn set_fault_hook(&self, hook: Option<FaultHook>) {
        *self.0.hook.write().unwrap_or_else(PoisonError::into_inner) = hook;
    }
}

/// Two processes that append to the same logs would spoil them.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let file = File::create(folder.join("lock"))?;
    let taken = file.try_lock();
    taken.with_context(|| format!("{} is in use by another stack", folder.display()))?;
    Ok(file)
}

fn database(folder: Option<&Path>, clock: &Clock) -> anyhow::Result<Database> {
    let Some(folder) = folder else {
        let clock = Arc::new(EngineClock(clock.clone()));
        return Ok(Database::memory_with_clock(clock)?);
    };
    let path = folder.join("dynamodb.sqlite");
    let path = path
        .to_str()
        .context("the data folder's path is not UTF-8")?;
    let db = Database::new(path)?;
    // The engine opens the file in WAL mode; this sets `synchronous` to NORMAL, so that a commit
    // does not wait for the disk. It survives the death of the process, as any WAL does.
    db.disable_bulk_loading()?;
    Ok(db)
}
