//! Logs: JSON lines, level from `AWS_LAMBDA_LOG_LEVEL`. Never bodies, addresses or tokens.

use std::any::Any;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Installs the subscriber once. CloudWatch adds the time.
#[expect(
    clippy::disallowed_methods,
    reason = "Lambda sets this variable, and errors of the configuration are logged too"
)]
pub(crate) fn init() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let filter: Option<Targets> = level.and_then(|level| level.parse().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    // A second installation can only come from a test in the same process; the first one stays.
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .without_time()
        .with_target(false)
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    let _ = subscriber.try_init();
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked without a message".to_owned())
}
