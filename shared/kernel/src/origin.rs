//! The request that creates something. The ids and the times of the new records follow from it, so a repeated request
//! writes the same records.

use jiff::Timestamp;

use crate::{Clock, Entropy};

/// Ids that are tried for a new record. Two ids collide only if they are drawn in the same millisecond.
pub const DRAWS: u32 = 4;

/// The origin of new records: the ids that follow from it are the same at each repetition of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// When the request arrived first; the `created_at` of what it creates.
    pub at: Timestamp,
    /// Names the request, unique for its tenant or account.
    pub name: String,
    /// Whether the client can repeat the request under the same name.
    pub is_repeatable: bool,
}

impl Origin {
    /// The origin of a request that the client does not name.
    pub fn fresh(clock: &Clock, entropy: &Entropy) -> Self {
        Self {
            at: clock.now(),
            name: entropy.nonce(),
            is_repeatable: false,
        }
    }

    /// The ids that a record of the request may have, in the order in which they are tried.
    pub fn draws<I>(&self, of: impl Fn(&Self, u32) -> I) -> [I; DRAWS as usize] {
        std::array::from_fn(|draw| of(self, draw as u32))
    }

    /// The origin of a request that the client may repeat; `at` is its first arrival.
    pub fn named(at: Timestamp, name: impl Into<String>) -> Self {
        Self {
            at,
            name: name.into(),
            is_repeatable: true,
        }
    }
}
