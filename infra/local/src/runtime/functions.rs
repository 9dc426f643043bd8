//! The deployed functions: one call in, one answer out, stopped at the time-out as Lambda does.
//!
//! Every trigger goes through [`Functions::invoke`], so counting, metering and the time-out are the
//! same for all. This file does not know the work of a function: a function is a piece of [`Code`].

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::{Clock, Entropy};
use lambda::Invocation;
use serde_json::Value;

use super::activity::{Activity, Busy};
use super::ledger::{Ledger, Statistics};
use super::{ACCOUNT, REGION};
use crate::aws::Aws;
use crate::template::model;

/// Code that runs when a function is invoked.
pub type Code =
    Arc<dyn Fn(Value, Invocation) -> BoxFuture<'static, Result<Value, Failure>> + Send + Sync>;

/// Concurrent invocations of an account that never asked for more.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const CONCURRENCY: usize = 1_000;

/// Why an invocation gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Error type, e.g. `Sandbox.Timedout`.
    pub kind: String,
    /// Text for a person.
    pub message: String,
}

impl Failure {
    /// The invocation did not reach the function: the account ran as many as it may.
    pub fn is_throttle(&self) -> bool {
        self.kind == "TooManyRequestsException"
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// An invocation that counts against the limit.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A function as declared in the template, with its code.
pub struct Deployed {
    /// Logical id in the template.
    pub name: String,
    /// Value of `Handler`.
    pub handler: String,
    /// Time-out.
    pub timeout: Duration,
    /// Memory, MiB.
    pub memory: u32,
    code: Code,
    ledger: Ledger,
}

impl Deployed {
    /// The function of the template with the code that it runs.
    pub fn new(function: &model::Function, code: Code) -> Self {
        Self {
            name: function.logical_id.clone(),
            handler: function.handler.clone(),
            timeout: Duration::from_secs(function.timeout.into()),
            memory: function.memory,
            code,
            ledger: Ledger::default(),
        }
    }

    /// Statistics of the function so far.
    pub fn statistics(&self) -> Statistics {
        self.ledger.read()
    }
}

/// All deployed functions.
pub struct Functions {
    deployed: BTreeMap<String, Deployed>,
    aws: Aws,
    clock: Clock,
    entropy: Entropy,
    activity: Activity,
    running: AtomicUsize,
    limit: AtomicUsize,
}

impl Functions {
    /// The functions, by logical id.
    pub fn new(
        deployed: Vec<Deployed>,
        aws: Aws,
        clock: Clock,
        entropy: Entropy,
        activity: Activity,
    ) -> Self {
        let deployed = deployed.into_iter().map(|f| (f.name.clone(), f)).collect();
        Self {
            deployed,
            aws,
            clock,
            entropy,
            activity,
            running: AtomicUsize::new(0),
            limit: AtomicUsize::new(CONCURRENCY),
        }
    }

    /// Sets how many invocations may run at a time. More are throttled.
    pub fn limit_concurrency(&self, most: usize) {
        self.limit.store(most, Ordering::SeqCst);
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Deployed> {
        self.deployed.values()
    }

    /// Finds a function by logical id or by handler.
    pub fn find(&self, name: &str) -> Option<&Deployed> {
        let by_handler = || self.deployed.values().find(|f| f.handler == name);
        self.deployed.get(name).or_else(by_handler)
    }

    /// Runs a function on one event. At the time-out the run is dropped at its current point, as Lambda
    /// stops the process.
    pub async fn invoke(
        &self,
        name: &str,
        event: Value,
        trace: Option<String>,
    ) -> Result<Value, Failure> {
        let Some(function) = self.find(name) else {
            return Err(Failure {
                kind: "ResourceNotFoundException".to_owned(),
                message: format!("the template has no function {name}"),
            });
        };
        let _busy = self.activity.begin();
        let _running = self.running()?;
        let invocation = Invocation {
            request_id: self.request_id(),
            function_name: function.handler.clone(),
            deadline_ms: self.clock.now_ms() + function.timeout.as_millis() as i64,
            trace,
        };
        let started = tokio::time::Instant::now();
        let result = Self::run(function, event, invocation).await;
        let took = started.elapsed();
        self.aws.meter().invocation(
            &function.handler,
            took.as_secs_f64() * 1000.0,
            function.memory,
        );
        let error = result.as_ref().err();
        let text = error.map(ToString::to_string);
        let timed_out = error.is_some_and(|e| e.kind == "Sandbox.Timedout");
        let noted = text.as_deref().map(|text| (text, timed_out));
        function.ledger.note(self.clock.now(), took, noted);
        if let Some(text) = text {
            tracing::warn!(
                function = function.handler,
                error = text,
                "invocation failed"
            );
        }
        result
    }

    /// Counts one more running invocation until the value is dropped.
    fn running(&self) -> Result<Running<'_>, Failure> {
        let running = Running(&self.running);
        if self.running.fetch_add(1, Ordering::SeqCst) < self.limit.load(Ordering::SeqCst) {
            return Ok(running);
        }
        Err(Failure {
            kind: "TooManyRequestsException".to_owned(),
            message: "Rate Exceeded.".to_owned(),
        })
    }

    async fn run(
        function: &Deployed,
        event: Value,
        invocation: Invocation,
    ) -> Result<Value, Failure> {
        let work = AssertUnwindSafe((function.code)(event, invocation)).catch_unwind();
        match tokio::time::timeout(function.timeout, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Failure {
                kind: "Runtime.ExitError".to_owned(),
                message: "the function panicked".to_owned(),
            }),
            Err(_) => Err(Failure {
                kind: "Sandbox.Timedout".to_owned(),
                message: format!("stopped after {} seconds", function.timeout.as_secs()),
            }),
        }
    }

    /// Counts work as under way that will invoke a function.
    pub fn begin(&self) -> Busy {
        self.activity.begin()
    }

    /// An id in the shape that AWS gives requests.
    pub fn request_id(&self) -> String {
        let n = self.entropy.nonce();
        let parts = [&n[..8], &n[8..12], &n[12..16], &n[16..20], &n[20..]];
        parts.join("-")
    }

    /// ARN of a function.
    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
    }

    /// Random hex digits, at most 32.
    pub fn random_hex(&self, digits: usize) -> String {
        self.entropy.nonce().chars().take(digits).collect()
    }

    /// The stack's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
