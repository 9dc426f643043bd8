//! A handler's decision about a message that it could not finish: retry or reject.

use cloud::Error;

/// Why a record was not done. A handler's `Ok` is "done"; every `?` is one of these.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// A later attempt may succeed: the message stays in its queue.
    #[error("{name}: {detail}")]
    Retry {
        /// Stable name for alarms, e.g. `Store.Throttled`.
        name: &'static str,
        /// The failure; no personal data.
        detail: String,
    },
    /// No attempt can succeed: the message goes to the dead-letter queue with this reason at once,
    /// so that it burns neither retries nor its neighbours' receive counts.
    #[error("{name}: {reason}")]
    Reject {
        /// Stable name for alarms, e.g. `Message.Malformed`.
        name: &'static str,
        /// The flaw and its place; no personal data.
        reason: String,
    },
}

impl Failure {
    /// To be tried again.
    pub fn retry(name: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Retry {
            name,
            detail: detail.to_string(),
        }
    }

    /// Never to be tried again.
    pub fn reject(name: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Reject {
            name,
            reason: reason.to_string(),
        }
    }

    /// The stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Retry { name, .. } | Self::Reject { name, .. } => name,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is_retryable() {
            Self::retry(error.name(), error)
        } else {
            Self::reject(error.name(), error)
        }
    }
}
