//! Ticks of a schedule.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;

use crate::function::Call;
use crate::{ConfigError, Failure, Function, InvokeError, Setup};

/// How long the handler of a tick may run.
#[derive(Debug, Clone)]
pub struct Tick(Call);

impl Tick {
    /// Less than this time is left before Lambda stops the invocation.
    pub fn ends_within(&self, time: std::time::Duration) -> bool {
        self.0.remaining() < time
    }
}

impl Function {
    /// A function that runs on a schedule. The event's content is ignored. A tick may be late or repeated, so the
    /// handler reads the clock and the stored state.
    pub fn schedule<H, F>(setup: &Setup, handler: H) -> Result<Self, ConfigError>
    where
        H: Fn(Tick) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(setup, move |_: Value, call| {
            let handler = handler.clone();
            async move {
                let result = handler(Tick(call)).await;
                result.map_err(|failure| InvokeError::new(failure.name(), &failure))?;
                Ok(Value::Null)
            }
        })
    }
}
