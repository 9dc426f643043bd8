//! The whole local stack: template in, running functions out.
//!
//! One [`LocalStack`] is one deployment in this process. Tests run it without ports and call it
//! through [`LocalStack::http`] and [`LocalStack::invoke`]; `cargo run` adds the loopback servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;
use bytes::Bytes;
use cloud::Resources;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use lambda::Vars;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::Activity;
use super::clock::VirtualClock;
use super::functions::{Deployed, Failure, Functions};
use super::gateway::Gateway;
use super::gateway::routes::Routes;
use super::options::{Addresses, Options};
use super::parts::Parts;
use super::servers::{self, Listeners};
use super::sources::Sources;
use super::triggers::schedule::Schedules;
use super::triggers::{sqs, stream};
use super::websocket::SocketApi;
use super::{private, registry};
use crate::aws::Aws;
use crate::console;
use crate::providers::{self, Providers};
use crate::receiver;
use crate::template;
use crate::template::model::{self, Trigger};

/// Time between two deletions of expired items, by the stack's time.
const SWEEP: SignedDuration = SignedDuration::from_mins(10);
/// Time that a stop waits for running work.
const GRACE: std::time::Duration = std::time::Duration::from_secs(10);

/// A running stack; cheap to clone.
#[derive(Clone)]
pub struct LocalStack(Arc<Inner>);

struct Inner {
    root: PathBuf,
    data_dir: Option<PathBuf>,
    template: model::Stack,
    addresses: Addresses,
    aws: Aws,
    cloud: cloud::Aws,
    clock: VirtualClock,
    functions: Arc<Functions>,
    gateway: Gateway,
    sockets: SocketApi,
    schedules: Arc<Schedules>,
    activity: Activity,
    providers: Providers,
    credentials: RwLock<Value>,
    ready: AtomicBool,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl LocalStack {
    /// Reads the template and starts everything that it declares. When this returns, events flow;
    /// [`set_ready`](Self::set_ready) then says that seeding is done too.
    pub async fn start(options: Options) -> Result<Self> {
        let (listeners, addresses) = servers::bind(options.ports).await?;
        let template = template::read(&options.root, &addresses.overrides())?;
        let parts = Parts::open(&options, template, addresses)?;
        let mut deployed = Vec::new();
        for function in &parts.template.functions {
            let code = registry::code(&function.handler, &parts.setup(function))?;
            deployed.push(Deployed::new(function, code));
        }
        Self::run(parts, deployed, listeners)
    }

    /// Starts `template` in memory with other code for its functions.
    #[cfg(test)]
    pub(crate) async fn with_code(
        template: model::Stack,
        ports: Option<super::Ports>,
        code: impl Fn(&model::Function) -> super::functions::Code,
    ) -> Result<Self> {
        let (listeners, addresses) = servers::bind(ports).await?;
        let parts = Parts::open(&Options::in_memory("."), template, addresses)?;
        let functions = parts.template.functions.iter();
        let deployed = functions.map(|f| Deployed::new(f, code(f))).collect();
        Self::run(parts, deployed, listeners)
    }

    fn run(parts: Parts, deployed: Vec<Deployed>, listeners: Option<Listeners>) -> Result<Self> {
        let Parts {
            template,
            clock,
            aws,
            ..
        } = &parts;
        let activity = Activity::new();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let functions = Arc::new(Functions::new(
            deployed,
            aws.clone(),
            clock.clock(),
            parts.entropy.clone(),
            activity.clone(),
        ));
        let gateway = Gateway::new(
            Routes::of(template),
            template.authorizer.clone(),
            Arc::clone(&functions),
            aws.clone(),
        );
        let sockets = SocketApi::new(
            template,
            Arc::clone(&functions),
            aws.clone(),
            clock.clone(),
            stop.clone(),
            tasks.clone(),
        )?;
        let sources = Sources::of(template)?;
        let schedules = Schedules::new(
            sources.schedules.clone(),
            Arc::clone(&functions),
            clock.clone(),
            tasks.clone(),
        );
        let stack = Self(Arc::new(Inner {
            credentials: RwLock::new(parts.addresses.as_json()),
            root: parts.root,
            data_dir: parts.data_dir,
            template: parts.template,
            addresses: parts.addresses,
            aws: parts.aws,
            cloud: parts.cloud,
            providers: parts.providers,
            clock: parts.clock,
            functions,
            gateway,
            sockets,
            schedules: Arc::new(schedules),
            activity,
            ready: AtomicBool::new(false),
            stop,
            tasks,
        }));
        stack.start_pollers(sources);
        if let Some(listeners) = listeners {
            listeners.serve(&stack);
        }
        Ok(stack)
    }

    fn start_pollers(&self, sources: Sources) {
        let inner = &self.0;
        for source in sources.queues {
            let poller = sqs::Poller {
                source: Arc::new(source),
                aws: inner.aws.clone(),
                functions: Arc::clone(&inner.functions),
                clock: inner.clock.clone(),
                activity: inner.activity.clone(),
                stop: inner.stop.clone(),
                tasks: inner.tasks.clone(),
            };
            inner.tasks.spawn(poller.run());
        }
        for source in sources.streams {
            let source = Arc::new(source);
            for lane in 0..source.lanes {
                let poller = stream::Poller {
                    source: Arc::clone(&source),
                    lane,
                    aws: inner.aws.clone(),
                    functions: Arc::clone(&inner.functions),
                    clock: inner.clock.clone(),
                    activity: inner.activity.clone(),
                    stop: inner.stop.clone(),
                };
                inner.tasks.spawn(poller.run());
            }
        }
        let (schedules, stop) = (Arc::clone(&inner.schedules), inner.stop.clone());
        inner.tasks.spawn(async move { schedules.run(stop).await });
        inner.tasks.spawn(sweep(
            inner.aws.clone(),
            inner.clock.clone(),
            inner.stop.clone(),
        ));
    }

    /// Invokes a function, by logical id or by handler.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, Failure> {
        self.0.functions.invoke(function, event, None).await
    }

    /// Answers a request to the HTTP API or the console.
    pub async fn http(&self, request: Request<Bytes>) -> Response<Bytes> {
        if request.uri().path().starts_with(receiver::PATH) && console::from_here(&request) {
            let providers = self.providers();
            let answer = providers.receiver().serve(&request, providers.clock());
            // On a real wire a call without an answer ends with the gateway's own.
            return answer.unwrap_or_else(|error| {
                providers::reply(504, &serde_json::json!({ "error": error.to_string() }))
            });
        }
        if request.uri().path().starts_with("/_local/providers/") && console::from_here(&request) {
            return providers::control::serve(self, request).await;
        }
        if console::owns(request.uri().path()) {
            return console::handle(self, &request);
        }
        self.0.gateway.handle(request).await
    }

    /// The shops of the providers on this machine.
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// Moves the time forward; work that is then due has begun when this returns.
    pub fn advance(&self, by: SignedDuration) -> Result<Timestamp> {
        let now = self.0.clock.advance(by)?;
        self.0.schedules.fire_due();
        Ok(now)
    }

    /// Waits until nothing is running and nothing waits to run now. Work that waits for a later time (a delay, a
    /// visibility timeout, a timer) does not count.
    pub async fn run_until_idle(&self) {
        loop {
            self.0.activity.quiet().await;
            let before = self.0.activity.state();
            // Pollers are woken before this; they run here.
            tokio::task::yield_now().await;
            if !self.pending() && self.0.activity.state() == before {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Whether a queue or stream holds a message or record that a function should receive now.
    fn pending(&self) -> bool {
        let (sqs, streams) = (self.0.aws.sqs(), self.0.aws.streams());
        let now = self.0.clock.now().as_millisecond();
        self.0.template.functions.iter().any(|function| {
            function.triggers.iter().any(|trigger| match trigger {
                Trigger::Sqs { queue, .. } => {
                    sqs.next_visible_at(queue).is_some_and(|at| at <= now)
                }
                Trigger::Stream { table, .. } => streams.lag(table, &function.logical_id) > 0,
                _ => false,
            })
        })
    }

    /// Stops: no new work begins, and running work has ten seconds to end.
    pub async fn stop(&self) {
        self.0.ready.store(false, Ordering::Release);
        self.0.stop.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(GRACE, self.0.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("stopped with work under way; it comes again at the next start");
        }
    }

    /// Says that seeding is done: the health check then answers 200.
    pub fn set_ready(&self) {
        self.0.ready.store(true, Ordering::Release);
    }

    /// [`set_ready`](Self::set_ready) was called.
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    /// Adds to what `/_local/credentials` gives, and writes it to `credentials.json` in the data
    /// folder, readable by its owner only.
    pub fn set_credentials(&self, more: Value) -> Result<()> {
        let mut all = self.0.addresses.as_json();
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        if let Some(dir) = &self.0.data_dir {
            private::write(&dir.join("credentials.json"), &format!("{all:#}\n"))?;
        }
        *self
            .0
            .credentials
            .write()
            .unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    /// Addresses and log-ins, as `/_local/credentials` gives them.
    pub fn credentials(&self) -> Value {
        let credentials = self.0.credentials.read();
        credentials.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The environment of each function by its logical id, as `sam local invoke --env-vars` reads it. The
    /// SDK in the container finds the services of this stack by the name that Docker gives the host.
    pub fn environments(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let address = self
            .0
            .addresses
            .aws
            .replace("127.0.0.1", "host.docker.internal");
        let functions = self.0.template.functions.iter();
        functions
            .map(|function| {
                let mut environment = function.environment.clone();
                for value in environment.values_mut() {
                    if let Some(path) = value.strip_prefix(template::QUEUES) {
                        *value = format!("{address}/{path}");
                    }
                }
                environment.insert("AWS_ENDPOINT_URL".to_owned(), address.clone());
                (function.logical_id.clone(), environment)
            })
            .collect()
    }

    /// The tables, queues and buckets that functions are given, with clients that may do everything.
    pub fn resources(&self) -> Resources {
        let vars = Vars::from_map(self.0.template.environment());
        Resources::new(self.0.cloud.clone(), vars)
    }

    /// The clients that functions use.
    pub fn cloud(&self) -> &cloud::Aws {
        &self.0.cloud
    }

    /// The services behind the wire protocols.
    pub fn aws(&self) -> &Aws {
        &self.0.aws
    }

    /// The stack's time.
    pub fn clock(&self) -> &VirtualClock {
        &self.0.clock
    }

    /// The stack that the template declares.
    pub fn template(&self) -> &model::Stack {
        &self.0.template
    }

    /// The deployed functions.
    pub fn functions(&self) -> &Functions {
        &self.0.functions
    }

    /// Base addresses.
    pub fn addresses(&self) -> &Addresses {
        &self.0.addresses
    }

    /// Folder that holds `template.yaml`.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Folder that keeps the state, if there is one.
    pub fn data_dir(&self) -> Option<&Path> {
        self.0.data_dir.as_deref()
    }

    pub(super) fn sockets(&self) -> &SocketApi {
        &self.0.sockets
    }

    pub(super) fn stopping(&self) -> (CancellationToken, TaskTracker) {
        (self.0.stop.clone(), self.0.tasks.clone())
    }
}

async fn sweep(aws: Aws, clock: VirtualClock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = clock.sleep(SWEEP) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = aws.sweep_expired() {
            tracing::warn!(%error, "expired items not removed");
        }
    }
}
