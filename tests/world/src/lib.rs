//! The world of a test: the templates' tables and queues in memory, every function, and a clock that only tests
//! move. Nothing runs by itself: a test delivers each batch, if needed twice or after a kill. So every run is the
//! same.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use cloud::{Message, QueueName, Resources};
use jiff::Timestamp;
use kernel::{Clock, Entropy};
use lambda::{Invocation, Setup, Vars};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tanigo_local::aws::{Aws, Call, Fault, MeterSnapshot, Options};
use tanigo_local::providers::Providers;
use tanigo_local::runtime::functions::Code;
use tanigo_local::runtime::registry;
use tanigo_local::template::{self, model};
use tokio::sync::Notify;

mod memory;

pub use memory::memory_mib;

/// 2026-03-02T08:00:00Z, a Monday.
const START_MS: i64 = 1_772_438_400_000;
/// Billed time of an invocation, because the clock of a test does not move by itself.
const BILLED_MS: f64 = 30.0;
/// A settled world delivers no more than this many batches; more is a loop.
const MOST_BATCHES: usize = 20_000;

/// The account of all test credentials that name none.
pub const ACCOUNT: &str = "acc_00000000001";

/// A body of any shape, on the queue of workflow steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnyStep(pub Value);

impl Message for AnyStep {
    const QUEUE: QueueName = QueueName::new("workflow-step");
}

/// One test's world.
pub struct World {
    /// The services.
    pub aws: Aws,
    /// The stack that the templates declare.
    pub model: model::Stack,
    /// The same randomness in each run.
    pub entropy: Entropy,
    /// The shops of the providers.
    pub providers: Providers,
    clock: Clock,
    now_ms: Arc<AtomicI64>,
    requests: AtomicU64,
    functions: Mutex<HashMap<String, Code>>,
}

/// Point at which an invocation is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// Instead of its n-th AWS call (from 0).
    Before(u64),
    /// Right after its n-th AWS call was carried out.
    After(u64),
}

impl Default for World {
    fn default() -> Self {
        Self::with_rate(100_000)
    }
}

impl World {
    /// A world at a fixed time, whose account may send any number of mails.
    pub fn new() -> Self {
        Self::default()
    }

    /// A world whose account may send this number of mails a second.
    pub fn with_rate(rate: u32) -> Self {
        Self::at(START_MS, model_at(rate), Entropy::seeded(7), None)
    }

    /// A world that reads the time from this clock; [`World::advance`] does not move it.
    pub fn on_clock(rate: u32, entropy: Entropy, clock: Clock) -> Self {
        let now_ms = Arc::new(AtomicI64::new(START_MS));
        Self::build(model_at(rate), entropy, clock, now_ms, None)
    }

    /// A world whose state is kept in this folder. A folder that was used before is as after a restart of all
    /// processes, which draw other names with another `seed`.
    pub fn in_folder(folder: &Path, now: Timestamp, seed: u64) -> Self {
        let model = model_at(100_000);
        let entropy = Entropy::seeded(seed);
        Self::at(
            now.as_millisecond(),
            model,
            entropy,
            Some(folder.to_owned()),
        )
    }

    fn at(now: i64, model: model::Stack, entropy: Entropy, folder: Option<PathBuf>) -> Self {
        let now_ms = Arc::new(AtomicI64::new(now));
        let clock = clock_over(now_ms.clone());
        Self::build(model, entropy, clock, now_ms, folder)
    }

    fn build(
        model: model::Stack,
        entropy: Entropy,
        clock: Clock,
        now_ms: Arc<AtomicI64>,
        data_dir: Option<PathBuf>,
    ) -> Self {
        let options = Options {
            data_dir,
            clock: clock.clone(),
            region: "ap-southeast-1".into(),
            account: "000000000000".into(),
        };
        let aws = Aws::open(options).expect("services");
        aws.create_missing(&model).expect("tables and queues");
        let providers = Providers::new(clock.clone());
        providers.know(&model);
        tanigo_local::runtime::kept::keep(&providers, &aws, &clock);
        let (requests, functions) = (AtomicU64::new(0), Mutex::default());
        Self {
            aws,
            model,
            entropy,
            providers,
            clock,
            now_ms,
            requests,
            functions,
        }
    }

    /// The clock of the services and of the functions.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock of a world that was not made with [`World::on_clock`].
    pub fn advance(&self, by: Duration) {
        self.now_ms
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Lets enough time pass that no process uses its cached reads any more
    /// ([`cloud::recent::BELIEVED`]).
    pub fn forget(&self) {
        self.advance(cloud::recent::BELIEVED.unsigned_abs());
    }

    /// Lets enough time pass that a workflow that was just activated takes events
    /// ([`cloud::recent::LEAD`]).
    pub fn lead(&self) {
        self.advance(cloud::recent::LEAD.unsigned_abs());
    }

    /// Read units of the table Directory since the snapshot.
    pub fn directory_reads(&self, since: &MeterSnapshot) -> f64 {
        let mut tables = self.model.tables.iter();
        let directory = tables.find(|table| table.logical_id == "Directory");
        let name = &directory.expect("table of the template").name;
        let used = self.aws.meter().since(since);
        used.tables.get(name).map_or(0.0, |table| table.reads)
    }

    /// Clients that may do everything.
    pub fn cloud(&self) -> cloud::Aws {
        let aws = cloud::Aws::new(self.aws.sdk_config(), self.clock(), self.entropy.clone());
        aws.with_web(self.providers.web())
    }

    /// The environment that the template gives this function, with clients that may do everything.
    pub fn setup(&self, handler: &str) -> Setup {
        let vars = self.spec(handler).environment.clone();
        Setup::new(Vars::from_map(vars), self.cloud())
    }

    /// The set-up that the template gives this function: its clients have the permissions of its role.
    fn own_setup(&self, handler: &str) -> Setup {
        self.setup_with(handler, self.clock(), self.entropy.clone())
    }

    /// Like the set-up of the template, for a process with this clock and randomness.
    pub fn setup_with(&self, handler: &str, clock: Clock, entropy: Entropy) -> Setup {
        let vars = self.spec(handler).environment.clone();
        let config = self.aws.sdk_config_of(self.model.rights.role(handler));
        Setup::new(
            Vars::from_map(vars),
            cloud::Aws::new(config, clock, entropy).with_web(self.providers.web()),
        )
    }

    /// The tables, queues and buckets that functions are given, with clients that may do everything.
    pub fn resources(&self) -> Resources {
        Resources::new(self.cloud(), Vars::from_map(self.model.environment()))
    }

    /// The table of this logical id, e.g. `Contacts`.
    pub fn table(&self, logical_id: &str) -> cloud::Table {
        self.resources().table(logical_id)
    }

    /// Units of the table of this logical id that were used since: written, read.
    pub fn units(&self, logical_id: &str, before: &MeterSnapshot) -> (f64, f64) {
        let tables = &self.model.tables;
        let table = tables.iter().find(|table| table.logical_id == logical_id);
        let spent = self.aws.meter().since(before);
        let usage = spent
            .tables
            .get(&table.expect("table of the template").name);
        usage.map_or((0.0, 0.0), |usage| (usage.writes, usage.reads))
    }

    /// Notes that all timers up to now were swept.
    pub async fn swept(&self) {
        let timers = cloud::Timers::over(&self.resources());
        let now = cloud::timers::minute(self.now());
        timers.pass(now).await.unwrap();
    }

    /// A new workspace of the test account.
    pub async fn workspace(&self) -> kernel::TenantKey {
        let name = format!("Cửa hàng {}", self.entropy.nonce());
        let settings = accounts::WorkspaceSettings {
            postal_address: "1 Đường Mẫu, Quận 1".into(),
            permission_reminder: "Bạn nhận thư này vì đã mua hàng.".into(),
            ..accounts::WorkspaceSettings::named(&name)
        };
        let tenant = accounts::Workspaces::over(&self.resources())
            .create(ACCOUNT.parse().unwrap(), settings)
            .await
            .unwrap()
            .expect("a free name");
        let senders = accounts::Senders::over(&self.resources());
        for name in ["shop", "tin", "chao"] {
            let address = format!("{name}@example.vn").parse().unwrap();
            senders.trust(tenant, &address).await.unwrap();
        }
        tenant
    }

    /// Changes a workspace's settings and status.
    pub async fn change_workspace(
        &self,
        tenant: kernel::TenantKey,
        status: accounts::WorkspaceStatus,
        change: impl FnOnce(&mut accounts::WorkspaceSettings),
    ) {
        let workspaces = accounts::Workspaces::over(&self.resources());
        let before = workspaces.get(tenant).await.unwrap().unwrap();
        let mut settings = before.settings.clone();
        change(&mut settings);
        let changed = workspaces.change(before, settings, status).await.unwrap();
        assert!(changed.is_some());
    }

    /// The template's declaration of a function.
    pub fn spec(&self, handler: &str) -> &model::Function {
        let spec = self
            .model
            .functions
            .iter()
            .find(|function| function.handler == handler);
        spec.unwrap_or_else(|| panic!("no function {handler} in the template"))
    }

    fn code(&self, handler: &str) -> Code {
        if let Some(code) = self.functions.lock().unwrap().get(handler) {
            return code.clone();
        }
        let code = registry::code(handler, &self.own_setup(handler)).expect("function");
        self.functions
            .lock()
            .unwrap()
            .insert(handler.to_owned(), code.clone());
        code
    }

    fn invocation(&self, handler: &str) -> Invocation {
        let deadline = i64::from(self.spec(handler).timeout) * 1000;
        Invocation {
            request_id: format!("request-{}", self.requests.fetch_add(1, Ordering::SeqCst)),
            function_name: handler.to_owned(),
            deadline_ms: self.clock().now_ms() + deadline,
            trace: None,
        }
    }

    /// Hands one event to a function.
    pub async fn invoke(&self, handler: &str, event: Value) -> Result<Value, String> {
        let code = self.code(handler);
        let (spec, meter) = (self.spec(handler), self.aws.meter());
        meter.invocation(handler, BILLED_MS, spec.memory);
        let answer = code(event, self.invocation(handler)).await;
        if let Ok(answer) = &answer
            && handler.starts_with("api-")
        {
            has_one_precision(answer);
        }
        answer.map_err(|failure| failure.to_string())
    }

    /// Status and body of an HTTP function's answer; null where it has none.
    pub async fn ask(&self, function: &str, event: Value) -> (u64, Value) {
        let answer = self.invoke(function, event).await.unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap_or("null"));
        let status = answer["statusCode"].as_u64().unwrap();
        (status, body.unwrap_or(Value::Null))
    }

    /// A socket's `$connect` event as API Gateway sends it, with the context from the authorizer.
    pub async fn authorized(&self, mut event: Value) -> Value {
        let mut asked = event.clone();
        asked["methodArn"] = json!("arn:aws:execute-api:::local/live/$connect");
        let answer = self.invoke("authorizer", asked).await.unwrap();
        event["requestContext"]["authorizer"] = answer["context"].clone();
        event
    }

    /// Like [`World::invoke`], but the function is killed at the given call. `None`: it was killed.
    pub async fn invoke_and_kill(
        &self,
        handler: &str,
        event: Value,
        kill: Kill,
    ) -> Option<Result<Value, String>> {
        let code = self.code(handler);
        let (calls, dead) = (AtomicU64::new(0), Arc::new(Notify::new()));
        let signal = dead.clone();
        self.aws.set_fault_hook(Some(Arc::new(move |_: &Call| {
            let n = calls.fetch_add(1, Ordering::SeqCst);
            let fault = match kill {
                Kill::Before(at) if n >= at => Fault::HangBefore,
                Kill::After(at) if n == at => Fault::HangAfter,
                Kill::After(at) if n > at => Fault::HangBefore,
                _ => Fault::None,
            };
            if fault != Fault::None {
                signal.notify_one();
            }
            fault
        })));
        let work = code(event, self.invocation(handler));
        let result = tokio::select! {
            biased;
            result = work => Some(result.map_err(|failure| failure.to_string())),
            // The service ran the hanging call before its future was pending, or will never run the call.
            () = async { dead.notified().await; tokio::task::yield_now().await } => None,
        };
        self.aws.set_fault_hook(None);
        result
    }

    /// Runs `first` up to its call number `at` (from 0), then `second` to its end, then the rest of `first`.
    /// The last value is the number of calls of both; `None` if `first` made no such call.
    pub fn interleave<A, B>(
        &self,
        at: u64,
        first: impl Future<Output = A>,
        second: impl Future<Output = B>,
    ) -> impl Future<Output = (A, B, Option<u64>)> {
        let (first, second) = (Box::pin(first), Box::pin(second));
        async move {
            let calls = Arc::new(AtomicU64::new(0));
            let counted = calls.clone();
            self.aws.set_fault_hook(Some(Arc::new(move |_: &Call| {
                if counted.fetch_add(1, Ordering::SeqCst) == at {
                    Fault::Yield
                } else {
                    Fault::None
                }
            })));
            let first = async { (first.await, calls.load(Ordering::SeqCst)) };
            let ((a, made), b) = tokio::join!(first, second);
            self.aws.set_fault_hook(None);
            let all = calls.load(Ordering::SeqCst);
            (a, b, (made > at).then_some(all))
        }
    }

    /// Name of the queue that drives a function.
    pub fn queue_of(&self, handler: &str) -> String {
        let queue = self
            .spec(handler)
            .triggers
            .iter()
            .find_map(|trigger| match trigger {
                model::Trigger::Sqs { queue, .. } => Some(queue.clone()),
                _ => None,
            });
        queue.unwrap_or_else(|| panic!("{handler} has no queue"))
    }

    fn batch_size(&self, handler: &str) -> usize {
        let size = self
            .spec(handler)
            .triggers
            .iter()
            .find_map(|trigger| match trigger {
                model::Trigger::Sqs { batch_size, .. } => Some(*batch_size as usize),
                _ => None,
            });
        size.unwrap_or(10).min(10)
    }

    /// Receives one batch from a function's queue: the event, and the handles to acknowledge it.
    pub fn take(&self, handler: &str) -> Option<Batch> {
        let queue = self.queue_of(handler);
        let messages = self
            .aws
            .sqs()
            .receive(&queue, self.batch_size(handler), None);
        if messages.is_empty() {
            return None;
        }
        let event = self.aws.sqs().lambda_event(&queue, &messages);
        let receipts = messages
            .into_iter()
            .map(|m| (m.message_id, m.receipt_handle))
            .collect();
        Some(Batch {
            queue,
            event,
            receipts,
        })
    }

    /// Acknowledges the messages that the answer does not report as failed.
    pub fn acknowledge(&self, batch: &Batch, answer: &Result<Value, String>) {
        let Ok(answer) = answer else { return };
        let failed: Vec<&str> = answer["batchItemFailures"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|failure| failure["itemIdentifier"].as_str())
            .collect();
        let receipts = batch.receipts.iter();
        let done: Vec<&str> = receipts
            .filter(|(message, _)| !failed.contains(&message.as_str()))
            .map(|(_, receipt)| receipt.as_str())
            .collect();
        self.aws.sqs().delete_all(&batch.queue, &done);
    }

    /// Makes messages visible again that were received and not acknowledged.
    pub fn release(&self, batch: &Batch) {
        for (_, receipt) in &batch.receipts {
            self.aws.sqs().change_visibility(&batch.queue, receipt, 0);
        }
    }

    /// Delivers one batch; with `twice`, a second time before it is acknowledged.
    pub async fn deliver(&self, handler: &str, twice: bool) -> Option<Result<Value, String>> {
        let batch = self.take(handler)?;
        let mut answer = self.invoke(handler, batch.event.clone()).await;
        if twice {
            answer = self.invoke(handler, batch.event.clone()).await;
        }
        self.acknowledge(&batch, &answer);
        Some(answer)
    }

    /// Delivers all new changes to the relay; gives their number.
    pub async fn relay(&self) -> usize {
        let mut total = 0;
        for table in self.streams_of("change-relay") {
            loop {
                let records = self.aws.streams().poll(&table, "test", 100);
                let Some(last) = records.last().map(|record| record.sequence) else {
                    break;
                };
                total += records.len();
                let matching: Vec<_> = records
                    .into_iter()
                    .filter(|r| {
                        r.new_image
                            .as_ref()
                            .is_some_and(|image| image.get("pending").is_some())
                    })
                    .collect();
                if !matching.is_empty() {
                    let event = self.aws.streams().lambda_event(&matching);
                    let answer = self.invoke("change-relay", event).await.expect("relay");
                    assert_eq!(answer, json!({ "batchItemFailures": [] }));
                }
                self.aws.streams().commit(&table, "test", last);
            }
        }
        total
    }

    fn streams_of(&self, handler: &str) -> Vec<String> {
        let triggers = self.spec(handler).triggers.iter();
        let tables = triggers.filter_map(|trigger| match trigger {
            model::Trigger::Stream { table, .. } => Some(table.clone()),
            _ => None,
        });
        tables.collect()
    }

    /// Delivers all visible messages until none is left. No time passes.
    pub async fn settle(&self) {
        self.settle_with(false).await;
    }

    /// Like [`World::settle`], each batch delivered twice.
    pub async fn settle_twice(&self) {
        self.settle_with(true).await;
    }

    async fn settle_with(&self, twice: bool) {
        let workers: Vec<String> = self
            .model
            .functions
            .iter()
            .filter(|f| {
                f.triggers
                    .iter()
                    .any(|t| matches!(t, model::Trigger::Sqs { .. }))
            })
            .map(|function| function.handler.clone())
            .collect();
        for _ in 0..MOST_BATCHES {
            let mut moved = self.relay().await;
            for worker in &workers {
                if self.deliver(worker, twice).await.is_some() {
                    moved += 1;
                }
            }
            if moved == 0 {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Settles, second by second.
    pub async fn run_for(&self, seconds: u64) {
        for _ in 0..seconds {
            self.settle().await;
            self.advance(Duration::from_secs(1));
        }
    }

    /// Bodies in all dead-letter queues.
    pub fn dead_letters(&self) -> Vec<String> {
        let dead = self
            .model
            .queues
            .iter()
            .filter(|queue| queue.redrive.is_none());
        let bodies = dead.flat_map(|queue| {
            let found = self.aws.sqs().receive(&queue.name, 10, Some(0));
            found.into_iter().map(|message| message.body)
        });
        bodies.collect()
    }

    /// Every item of a table, in key order, without the marks that differ from run to run.
    pub async fn dump(&self, logical_id: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for item in self.items(logical_id).await {
            let mut row: BTreeMap<String, Value> = serde_dynamo::from_item(item).expect("item");
            row.remove("write_id");
            row.remove("update_id");
            row.remove("outbox");
            rows.push(serde_json::to_value(row).unwrap());
        }
        rows.sort_by_key(|row| (row["pk"].to_string(), row["sk"].to_string()));
        rows
    }

    /// Sort key and size in bytes of each item of this table, by DynamoDB's rule: names and values, and
    /// what a list or a map costs.
    pub async fn sizes(&self, logical_id: &str) -> Vec<(String, usize)> {
        let items = self.items(logical_id).await.into_iter();
        let mut sizes: Vec<(String, usize)> = items
            .map(|item| (item["sk"].as_s().unwrap().clone(), bytes_of(&item)))
            .collect();
        sizes.sort();
        sizes
    }

    /// Write units of a table and its indexes since this moment.
    pub fn writes_since(&self, before: &MeterSnapshot, logical_id: &str) -> f64 {
        let used = self.aws.meter().since(before);
        let name = &self.table_spec(logical_id).name;
        used.tables.get(name).map_or(0.0, |table| {
            table.writes
                + table
                    .indexes
                    .values()
                    .map(|index| index.writes)
                    .sum::<f64>()
        })
    }

    async fn items(&self, logical_id: &str) -> Vec<cloud::Item> {
        let name = &self.table_spec(logical_id).name;
        let client = aws_sdk_dynamodb::Client::new(&self.aws.sdk_config());
        let pages = client.scan().table_name(name).into_paginator().items();
        pages.send().try_collect().await.expect("scan")
    }

    fn table_spec(&self, logical_id: &str) -> &model::Table {
        let mut tables = self.model.tables.iter();
        let table = tables.find(|table| table.logical_id == logical_id);
        table.expect("table of the template")
    }
}

/// Messages that were taken and not yet acknowledged.
pub struct Batch {
    /// Their queue.
    pub queue: String,
    /// The event for the function.
    pub event: Value,
    receipts: Vec<(String, String)>,
}

/// Fails unless all times in an API answer have exactly milliseconds.
fn has_one_precision(answer: &Value) {
    fn check(name: &str, value: &Value) {
        match value {
            Value::Array(all) => all.iter().for_each(|one| check(name, one)),
            Value::Object(all) => all.iter().for_each(|(name, one)| check(name, one)),
            Value::String(text) if name.ends_with("_at") || name.ends_with("_until") => {
                let is_time = text.parse::<Timestamp>().is_ok();
                let decimals = text.rsplit_once('.').map(|(_, end)| end.len());
                assert!(is_time && decimals == Some(4), "{name}: {text}");
            }
            _ => {}
        }
    }
    if let Some(body) = answer["body"].as_str()
        && let Ok(body) = serde_json::from_str(body)
    {
        check("", &body);
    }
}

/// The stack of the templates, with this rate of mails a second. A process reads the files once.
fn model_at(rate: u32) -> model::Stack {
    static READ: Mutex<BTreeMap<u32, model::Stack>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap();
    let model = read.entry(rate).or_insert_with(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let overrides = BTreeMap::from([
            (
                "PublicBaseUrl".to_owned(),
                "https://shop.example.vn".to_owned(),
            ),
            ("EmailIdentity".to_owned(), "example.vn".to_owned()),
            ("EmailSendRate".to_owned(), rate.to_string()),
            // The receiver of the local stack is on this machine.
            ("WebhookLoopback".to_owned(), "true".to_owned()),
            (
                "ZaloAppId".to_owned(),
                tanigo_local::providers::zalo::APP_ID.to_owned(),
            ),
        ]);
        template::read(&root, &overrides).expect("templates")
    });
    model.clone()
}

fn clock_over(now_ms: Arc<AtomicI64>) -> Clock {
    Clock::from_fn(move || Timestamp::from_millisecond(now_ms.load(Ordering::SeqCst)).unwrap())
}

/// A file under `events/`.
pub fn fixture(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../events")
        .join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Grant of a key with these scopes, separated by spaces.
pub fn grant_of(workspace: kernel::WorkspaceId, scopes: &str) -> kernel::Grant {
    let account = ACCOUNT.parse().unwrap();
    kernel::Grant {
        scopes: scopes.into(),
        ..kernel::Grant::of_key(account, workspace, "key_test", &[])
    }
}

/// An HTTP API event (payload 2.0); with a workspace, as if the authorizer had let it in.
pub fn http_event(
    method: &str,
    path: &str,
    body: Option<&Value>,
    grant: Option<&kernel::Grant>,
) -> Value {
    let (raw_path, query) = path.split_once('?').unwrap_or((path, ""));
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {raw_path}"),
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": { "content-type": "application/json", "host": "shop.example.vn" },
        "requestContext": {
            "accountId": "000000000000", "apiId": "local", "domainName": "shop.example.vn",
            "http": { "method": method, "path": raw_path, "protocol": "HTTP/1.1",
                      "sourceIp": "203.0.113.9", "userAgent": "test" },
            "requestId": "request-http", "routeKey": format!("{method} {raw_path}"),
            "stage": "$default", "time": "02/Mar/2026:08:00:00 +0000", "timeEpoch": START_MS,
            "authorizer": grant.map(|grant| json!({ "lambda": grant })),
        },
        "body": body.map(Value::to_string),
        "isBase64Encoded": false,
    })
}

fn bytes_of(item: &cloud::Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + bytes_of_value(value))
        .sum()
}

fn bytes_of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        // Two digits a byte, and one byte more.
        AttributeValue::N(number) => number.len().div_ceil(2) + 1,
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::L(values) => {
            3 + values.iter().map(|v| 1 + bytes_of_value(v)).sum::<usize>()
        }
        AttributeValue::M(fields) => 3 + fields.len() + bytes_of(fields),
        _ => 1,
    }
}
