//! One function: an event in, an answer out, for any trigger.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use crate::{ConfigError, Setup, metrics, telemetry};

/// The facts of one invocation besides its event.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// AWS request id.
    pub request_id: String,
    /// Name of the function, for metrics.
    pub function_name: String,
    /// When Lambda will stop the invocation, epoch milliseconds.
    pub deadline_ms: i64,
    /// Trace id from the caller, if it is known.
    pub trace: Option<String>,
}

/// The invocation failed as a whole; Lambda counts an error and the trigger tries again.
#[derive(Debug, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct InvokeError {
    /// Stable name for alarms.
    pub error_type: String,
    /// The failure; no personal data.
    pub message: String,
}

impl InvokeError {
    pub(crate) fn new(error_type: &str, message: impl std::fmt::Display) -> Self {
        Self {
            error_type: error_type.to_owned(),
            message: message.to_string(),
        }
    }
}

impl From<InvokeError> for Diagnostic {
    fn from(error: InvokeError) -> Self {
        Self {
            error_type: error.error_type,
            error_message: error.message,
        }
    }
}

/// The facts that a handler may ask about its invocation.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub invocation: Invocation,
    pub clock: kernel::Clock,
}

impl Call {
    /// Time left before Lambda stops the invocation.
    pub fn remaining(&self) -> Duration {
        let left = self.invocation.deadline_ms - self.clock.now_ms();
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

type Handler =
    Arc<dyn Fn(Value, Call) -> BoxFuture<'static, Result<Value, InvokeError>> + Send + Sync>;

/// A function, ready for any number of invocations, also concurrent ones.
#[derive(Clone)]
pub struct Function {
    handler: Handler,
    setup: Setup,
    warm: Arc<AtomicBool>,
}

impl Function {
    /// Fails with every variable that is needed and cannot be used. A constructor calls it last.
    pub(crate) fn new<F>(
        setup: &Setup,
        handler: impl Fn(Value, Call) -> F + Send + Sync + 'static,
    ) -> Result<Self, ConfigError>
    where
        F: Future<Output = Result<Value, InvokeError>> + Send + 'static,
    {
        setup.resources().check()?;
        Ok(Self {
            handler: Arc::new(move |event, call| handler(event, call).boxed()),
            setup: setup.clone(),
            warm: Arc::default(),
        })
    }

    /// Handles one event. A panic is an error of this invocation only. Its counts go to the log as
    /// [`crate::metrics`] says, and all its log lines carry the trace id.
    pub async fn invoke(&self, event: Value, invocation: Invocation) -> Result<Value, InvokeError> {
        let clock = self.setup.clock().clone();
        let started = clock.now_ms();
        let trace = invocation
            .trace
            .clone()
            .unwrap_or_else(|| invocation.request_id.clone());
        let span = tracing::info_span!(
            "invoke",
            function = %invocation.function_name,
            request_id = %invocation.request_id,
            trace = %trace,
        );
        let call = Call {
            invocation: invocation.clone(),
            clock: clock.clone(),
        };
        let work = AssertUnwindSafe((self.handler)(event, call)).catch_unwind();
        let work = cloud::trace::scope(trace, work).instrument(span);
        let (result, counts) = metrics::scope(work).await;
        let result = result
            .unwrap_or_else(|panic| Err(InvokeError::new("Panic", telemetry::panic_text(&*panic))));
        if let Err(error) = &result {
            tracing::error!(function = %invocation.function_name, error = %error, "invocation failed");
        }
        let ended = metrics::Ended {
            function: &invocation.function_name,
            duration_ms: clock.now_ms() - started,
            is_cold: !self.warm.swap(true, Ordering::Relaxed),
            has_failed: result.is_err(),
        };
        if let Some(line) = ended.line(&counts, self.setup.entropy()) {
            (self.setup.emitter())(&line);
        }
        result
    }
}

/// Entry point on Lambda: builds the function from the environment, then polls for events.
pub async fn run(
    build: impl FnOnce(&Setup) -> Result<Function, ConfigError>,
) -> Result<(), crate::Error> {
    telemetry::init();
    let setup = Setup::from_environment().await;
    let function = build(&setup)?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let function = function.clone();
        async move {
            let context = event.context;
            let invocation = Invocation {
                request_id: context.request_id,
                function_name: context.env_config.function_name.clone(),
                deadline_ms: context.deadline as i64,
                trace: None,
            };
            function.invoke(event.payload, invocation).await
        }
    }))
    .await
}
