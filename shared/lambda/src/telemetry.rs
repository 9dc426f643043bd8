//! Logs: JSON lines, level from `AWS_LAMBDA_LOG_LEVEL`. Never bodies, addresses or tokens.

use std::any::Any;

use tracing_subscriber::EnvFilter;

/// Installs the subscriber once. CloudWatch adds the time.
pub(crate) fn init() {
    let level = EnvFilter::try_from_env("AWS_LAMBDA_LOG_LEVEL");
    let filter = level.unwrap_or_else(|_| EnvFilter::new("info"));
    // A second installation can only come from a test in the same process; the first one stays.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .without_time()
        .with_target(false)
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .try_init();
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked without a message".to_owned())
}
