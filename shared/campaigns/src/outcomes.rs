//! The outcomes of a chunk's recipients. Pure.

use std::collections::BTreeMap;

use channels::{Delivery, SkipReason};
use serde::{Deserialize, Serialize};

/// Counts of terminal states; each recipient is in exactly one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcomes {
    /// Accepted by the provider.
    pub sent: u64,
    /// Never sent, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Refused, by reason.
    pub failed: BTreeMap<String, u64>,
    /// No answer from the provider.
    pub unknown: u64,
    /// Messages in place of refused ones, by outcome: `sent`, `skipped`, `failed`, `unknown`. Their recipients are in `failed`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fallback: BTreeMap<String, u64>,
}

impl Outcomes {
    /// Recipients counted.
    pub fn total(&self) -> u64 {
        let reasons = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
        self.sent + reasons(&self.skipped) + reasons(&self.failed) + self.unknown
    }

    /// Counts one recipient. False for a state that is not terminal: nothing is counted.
    #[must_use]
    pub fn count(&mut self, delivery: &Delivery) -> bool {
        match delivery {
            Delivery::Sent | Delivery::SentBefore => self.sent += 1,
            Delivery::Skipped(reason) => self.skip(*reason),
            Delivery::Failed(reason) => *self.failed.entry(reason.clone()).or_default() += 1,
            Delivery::Unknown | Delivery::NoAnswer => self.unknown += 1,
            Delivery::Replaced { reason, by } => {
                let outcome = match **by {
                    Delivery::Sent | Delivery::SentBefore => "sent",
                    Delivery::Skipped(_) => "skipped",
                    Delivery::Unknown | Delivery::NoAnswer => "unknown",
                    _ => "failed",
                };
                *self.failed.entry(reason.clone()).or_default() += 1;
                *self.fallback.entry(outcome.to_owned()).or_default() += 1;
            }
            Delivery::InFlight
            | Delivery::Throttled
            | Delivery::Later(_)
            | Delivery::Stopped(_) => return false,
        }
        true
    }

    /// Recipients that were not skipped.
    pub fn asked(&self) -> u64 {
        self.total() - self.skipped.values().sum::<u64>()
    }

    fn skip(&mut self, reason: SkipReason) {
        *self.skipped.entry(reason.name().to_owned()).or_default() += 1;
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.unknown += other.unknown;
        for (map, more) in [
            (&mut self.skipped, &other.skipped),
            (&mut self.failed, &other.failed),
            (&mut self.fallback, &other.fallback),
        ] {
            for (reason, n) in more {
                *map.entry(reason.clone()).or_default() += n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_terminal_state_counts_once() {
        let mut outcomes = Outcomes::default();
        for delivery in [
            Delivery::Sent,
            Delivery::Skipped(SkipReason::Unsubscribed),
            Delivery::Failed("MessageRejected".into()),
            Delivery::Unknown,
            Delivery::NoAnswer,
            Delivery::Replaced {
                reason: "-118".into(),
                by: Box::new(Delivery::Sent),
            },
        ] {
            assert!(outcomes.count(&delivery));
        }
        for delivery in [Delivery::InFlight, Delivery::Throttled, Delivery::Later(60)] {
            assert!(!outcomes.count(&delivery));
        }
        assert_eq!(outcomes.total(), 6);
        assert_eq!((outcomes.fallback["sent"], outcomes.failed["-118"]), (1, 1));
        let mut twice = outcomes.clone();
        twice.merge(&outcomes);
        assert_eq!((twice.total(), twice.skipped["unsubscribed"]), (12, 2));
    }
}
