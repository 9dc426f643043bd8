//! Which crate stands behind a `Handler` of the template.
//!
//! The only place that names the function crates: a new function is a line here.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lambda::Setup;

use super::functions::{Code, Failure};

/// Builds the code of the function whose `Handler` is `handler`.
pub async fn code(handler: &str, setup: &Setup) -> Result<Code> {
    let _ = setup;

    let function: Result<lambda::Function, lambda::ConfigError> = match handler {
        _ => bail!(
            "the template has a function with Handler {handler}, and the registry \
             (infra/local/src/runtime/registry.rs) has no crate for it"
        ),
    };
    let function = function.with_context(|| format!("function {handler}"))?;
    Ok(Arc::new(move |event, invocation| {
        let function = function.clone();
        Box::pin(async move {
            let result = function.invoke(event, invocation).await;
            result.map_err(|error| Failure {
                kind: error.error_type,
                message: error.message,
            })
        })
    }))
}
