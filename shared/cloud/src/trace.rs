//! The trace id, shared by all work of one cause. It enters with the first request and travels with every message.
//! So one log query shows the whole path.

use std::future::Future;

tokio::task_local! {
    static TRACE: String;
}

/// Runs `work` under this trace id; messages that it sends carry the id.
pub async fn scope<F: Future>(trace: String, work: F) -> F::Output {
    TRACE.scope(trace, work).await
}

/// The trace id of the current work.
pub fn current() -> Option<String> {
    TRACE.try_with(Clone::clone).ok()
}
