//! The outcomes of a chunk's recipients. Pure.

use std::collections::BTreeMap;

use channels::{Delivery, SkipReason, Variant};
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
    /// The same recipients by version, of a campaign with a test.
    #[serde(skip_serializing_if = "Versions::is_empty")]
    pub versions: Versions,
}

/// Outcomes of both versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// Of version A.
    pub a: Ends,
    /// Of version B.
    pub b: Ends,
}

/// Counts of terminal states without reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ends {
    /// Accepted by the provider.
    pub sent: u64,
    /// Never sent.
    pub skipped: u64,
    /// Refused.
    pub failed: u64,
    /// No answer from the provider.
    pub unknown: u64,
}

impl Versions {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The counts of a version.
    pub fn of(&self, variant: Variant) -> Ends {
        match variant {
            Variant::A => self.a,
            Variant::B => self.b,
        }
    }
}

impl Ends {
    /// Of one recipient.
    fn one(delivery: &Delivery) -> Self {
        let one = |is_it: bool| u64::from(is_it);
        Self {
            sent: one(matches!(delivery, Delivery::Sent | Delivery::SentBefore)),
            skipped: one(matches!(delivery, Delivery::Skipped(_))),
            failed: one(matches!(
                delivery,
                Delivery::Failed(_) | Delivery::Replaced { .. }
            )),
            unknown: one(matches!(delivery, Delivery::Unknown | Delivery::NoAnswer)),
        }
    }

    fn without(self, part: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(part.sent),
            skipped: self.skipped.saturating_sub(part.skipped),
            failed: self.failed.saturating_sub(part.failed),
            unknown: self.unknown.saturating_sub(part.unknown),
        }
    }

    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.unknown += other.unknown;
    }
}

impl Outcomes {
    /// Recipients counted.
    pub fn total(&self) -> u64 {
        let reasons = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
        self.sent + reasons(&self.skipped) + reasons(&self.failed) + self.unknown
    }

    /// Counts one recipient, of this version. False for a state that is not terminal: nothing is counted.
    #[must_use]
    pub fn count(&mut self, delivery: &Delivery, variant: Option<Variant>) -> bool {
        match variant {
            Some(Variant::A) => self.versions.a.add(Ends::one(delivery)),
            Some(Variant::B) => self.versions.b.add(Ends::one(delivery)),
            None => {}
        }
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

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// These counts without others that are part of them.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        let less = |map: &BTreeMap<String, u64>, part: &BTreeMap<String, u64>| {
            let counts = map.iter().map(|(reason, n)| {
                let n = n.saturating_sub(part.get(reason).copied().unwrap_or(0));
                (reason.clone(), n)
            });
            counts.filter(|(_, n)| *n > 0).collect()
        };
        Self {
            sent: self.sent.saturating_sub(part.sent),
            skipped: less(&self.skipped, &part.skipped),
            failed: less(&self.failed, &part.failed),
            fallback: less(&self.fallback, &part.fallback),
            unknown: self.unknown.saturating_sub(part.unknown),
            versions: Versions {
                a: self.versions.a.without(part.versions.a),
                b: self.versions.b.without(part.versions.b),
            },
        }
    }

    /// Recipients that were not skipped.
    pub fn asked(&self) -> u64 {
        self.total() - self.skipped.values().sum::<u64>()
    }

    fn skip(&mut self, reason: SkipReason) {
        self.skip_many(reason, 1);
    }

    /// Counts recipients that get nothing.
    pub(crate) fn skip_many(&mut self, reason: SkipReason, recipients: u64) {
        *self.skipped.entry(reason.name().to_owned()).or_default() += recipients;
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.unknown += other.unknown;
        self.versions.a.add(other.versions.a);
        self.versions.b.add(other.versions.b);
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
            assert!(outcomes.count(&delivery, Some(Variant::B)));
        }
        for delivery in [Delivery::InFlight, Delivery::Throttled, Delivery::Later(60)] {
            assert!(!outcomes.count(&delivery, Some(Variant::A)));
        }
        assert_eq!(outcomes.total(), 6);
        assert_eq!((outcomes.fallback["sent"], outcomes.failed["-118"]), (1, 1));
        let b = outcomes.versions.of(Variant::B);
        assert_eq!((b.sent, b.skipped, b.failed, b.unknown), (1, 1, 2, 2));
        assert_eq!(outcomes.versions.a, Ends::default());
        let mut twice = outcomes.clone();
        twice.merge(&outcomes);
        assert_eq!(twice.without(&outcomes), outcomes);
        assert_eq!((twice.total(), twice.skipped["unsubscribed"]), (12, 2));
    }
}
