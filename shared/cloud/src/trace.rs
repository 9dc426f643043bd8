//! The id that ties together everything one cause set in motion: it enters with the first request and
//! travels with every message, so that one log query shows the whole way.

use std::future::Future;

tokio::task_local! {
    static TRACE: String;
}

/// Runs `work` under this trace id; messages sent meanwhile carry it.
pub async fn scope<F: Future>(trace: String, work: F) -> F::Output {
    TRACE.scope(trace, work).await
}

/// The trace id of the work at hand.
pub fn current() -> Option<String> {
    TRACE.try_with(Clone::clone).ok()
}
