//! A user's second factor as a part of the user's row. What it opens is in [`crate::second_factor`].

use serde::{Deserialize, Serialize};

/// A user's second factor as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Factor {
    /// The secret, sealed with the deployment's own.
    pub sealed: String,
    /// Whether a code has shown that the user's app has the secret; only then is it asked for.
    pub confirmed: bool,
    /// The step of the last code that was taken: a code is good once (RFC 6238, 5.2).
    pub last_step: u64,
    /// Hashes of the recovery codes that are left.
    pub recovery: Vec<String>,
}
