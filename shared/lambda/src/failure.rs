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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_store_is_tried_again_if_that_may_help() {
        let conflict = Failure::from(Error::Conflict);
        assert!(matches!(conflict, Failure::Retry { .. }), "{conflict}");
        assert_eq!(conflict.name(), "Store.Conflict");
        let shape = Failure::from(Error::Shape("no pk".to_owned()));
        assert!(matches!(shape, Failure::Reject { .. }), "{shape}");
        assert_eq!(
            (shape.name(), shape.detail()),
            ("Store.Shape", "stored data has an unexpected shape: no pk")
        );
        let text = Failure::retry("Ledger.Busy", "another send").to_string();
        assert_eq!(text, "Ledger.Busy: another send");
    }
}
