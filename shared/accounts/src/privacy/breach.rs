//! The facts of a breach of personal data, and the clock of its notice. Pure.
//!
//! A breach is a request of the register whose term is 72 hours from its discovery. The facts are those that the notice to the
//! authority names; they are known piece by piece. docs/compliance-vn.md says how sure the term is.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The term of the notice to the authority.
const TERM: SignedDuration = SignedDuration::from_hours(72);
/// How long before the end of the term the admins are told.
pub(super) const BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// The known facts of a breach, and the persons who were told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyBreach)]
pub struct Breach {
    /// The last moment to notify the authority: 72 hours after `received_at`.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub notify_by: Option<Timestamp>,
    /// The events: when, where, how.
    pub description: Option<String>,
    /// The kinds of data.
    pub data: Option<String>,
    /// Number of persons, as far as it is known.
    pub persons: Option<u32>,
    /// The consequences for the persons.
    pub consequences: Option<String>,
    /// The measures against it, done and planned.
    pub measures: Option<String>,
    /// When the authority was notified.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub authority_notified_at: Option<Timestamp>,
    /// When the persons were told.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub persons_notified_at: Option<Timestamp>,
}

/// The end of the term of a breach that was discovered at this time.
pub fn notify_by(discovered: Timestamp) -> Timestamp {
    discovered.saturating_add(TERM).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_term_counts_hours_also_on_days_off() {
        let discovered = "2026-02-13T03:00:00Z".parse().unwrap();
        assert_eq!(notify_by(discovered).to_string(), "2026-02-16T03:00:00Z");
    }
}
