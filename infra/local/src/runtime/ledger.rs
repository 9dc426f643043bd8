//! Statistics of each function: counts, times and the last error, for the dashboard.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

/// Longest error text that is kept.
const MAX_ERROR: usize = 2_000;

/// Statistics of one function since the stack started.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Statistics {
    /// Invocations that ended, errors included.
    pub invocations: u64,
    /// Invocations that ended in an error, time-outs included.
    pub errors: u64,
    /// Invocations that were stopped at the time-out.
    pub timeouts: u64,
    /// Milliseconds in all invocations.
    pub total_ms: u64,
    /// When the last one ended.
    pub last_run: Option<Timestamp>,
    /// Text and time of the last error.
    pub last_error: Option<(Timestamp, String)>,
}

/// Keeps the [`Statistics`] of one function.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Statistics>);

impl Ledger {
    /// A copy of the statistics.
    pub fn read(&self) -> Statistics {
        self.0.lock().map(|s| s.clone()).unwrap_or_default()
    }

    /// Notes an invocation that ended at `at`; `error` is its text and whether it was a time-out.
    pub fn note(&self, at: Timestamp, took: Duration, error: Option<(&str, bool)>) {
        let Ok(mut stats) = self.0.lock() else { return };
        stats.invocations += 1;
        stats.total_ms += took.as_millis() as u64;
        stats.last_run = Some(at);
        if let Some((text, timed_out)) = error {
            stats.errors += 1;
            stats.timeouts += u64::from(timed_out);
            let short = text.chars().take(MAX_ERROR).collect();
            stats.last_error = Some((at, short));
        }
    }
}
