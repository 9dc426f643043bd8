//! A handler's decision about a message that it could not finish: retry or reject.

use cloud::Error;

/// Why a record was not handled. A handler's `Ok` means "done"; every `?` gives one of these.
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
    /// No attempt can succeed. The message goes to the dead-letter queue at once, with this reason.
    #[error("{name}: {reason}")]
    Reject {
        /// Stable name for alarms, e.g. `Message.Malformed`.
        name: &'static str,
        /// The flaw and its place; no personal data.
        reason: String,
    },
}

impl Failure {
    /// A failure to retry.
    pub fn retry(name: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Retry {
            name,
            detail: detail.to_string(),
        }
    }

    /// A failure that no retry can repair.
    pub fn reject(name: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Reject {
            name,
            reason: reason.to_string(),
        }
    }

    /// The failure's words without its name; no personal data.
    pub fn detail(&self) -> &str {
        match self {
            Self::Retry { detail: words, .. } | Self::Reject { reason: words, .. } => words,
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
