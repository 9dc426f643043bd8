//! A user's second factor as a part of the user's row. [`crate::second_factor`] uses it.

use serde::{Deserialize, Serialize};

/// A user's second factor as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Factor {
    /// The secret, sealed with the deployment's secret.
    pub sealed: String,
    /// Whether a code has shown that the user's app has the secret. Only then do sign-ins require a code.
    pub confirmed: bool,
    /// The step of the last used code: a code is valid once (RFC 6238, 5.2).
    pub last_step: u64,
    /// Hashes of the unused recovery codes.
    pub recovery: Vec<String>,
}
