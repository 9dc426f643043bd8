//! The winner by figures. Pure.

use std::collections::BTreeMap;

use channels::Variant;
use serde::{Deserialize, Serialize};

use super::{Reason, WinnerRule};

/// The figures of a version that decide. Visits of machines, and those of the first 30 seconds, are not in them
/// (docs/adr/0054).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = AbFigures)]
pub struct Figures {
    /// Mails that arrived.
    pub delivered: u64,
    /// Mails that a person opened.
    pub opened: u64,
    /// Mails of which a person followed a link.
    pub clicked: u64,
}

/// The figures of both versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = AbScores)]
pub struct Scores {
    /// Of version A.
    pub a: Figures,
    /// Of version B.
    pub b: Figures,
}

impl Scores {
    /// From the counters of a campaign.
    pub fn of(counts: &BTreeMap<String, i64>) -> Self {
        let of = |variant: Variant| Figures {
            delivered: count(counts, "delivered", variant),
            opened: count(counts, "opened", variant),
            clicked: count(counts, "clicked", variant),
        };
        Self {
            a: of(Variant::A),
            b: of(Variant::B),
        }
    }

    /// The winner by a rule; `None` if a person decides. Equal rates are a tie, and A wins. A version of which nothing
    /// arrived has the rate zero.
    pub fn winner(&self, rule: WinnerRule) -> Option<(Variant, Reason)> {
        let (of, reason): (fn(&Figures) -> u64, _) = match rule {
            WinnerRule::OpenRate => (|one| one.opened, Reason::OpenRate),
            WinnerRule::ClickRate => (|one| one.clicked, Reason::ClickRate),
            WinnerRule::Manual => return None,
        };
        // a / da against b / db, without a division.
        let side = |one: &Figures, other: &Figures| match one.delivered {
            0 => 0,
            _ => u128::from(of(one)) * u128::from(other.delivered.max(1)),
        };
        let (a, b) = (side(&self.a, &self.b), side(&self.b, &self.a));
        Some(match a.cmp(&b) {
            std::cmp::Ordering::Greater => (Variant::A, reason),
            std::cmp::Ordering::Less => (Variant::B, reason),
            std::cmp::Ordering::Equal => (Variant::A, Reason::Tie),
        })
    }
}

/// A figure of a version. A count that was corrected before it was counted is never below zero.
pub(crate) fn count(counts: &BTreeMap<String, i64>, name: &str, variant: Variant) -> u64 {
    let name = format!("{name}_{}", variant.name());
    u64::try_from(counts.get(&name).copied().unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures((delivered, opened, clicked): (u64, u64, u64)) -> Figures {
        Figures {
            delivered,
            opened,
            clicked,
        }
    }

    #[test]
    fn the_greater_rate_wins_and_a_tie_is_a_s() {
        use Variant::{A, B};
        for (a, b, by_opens, by_clicks) in [
            (
                (100, 50, 5),
                (100, 40, 9),
                (A, Reason::OpenRate),
                (B, Reason::ClickRate),
            ),
            // More opens of more mails are a smaller rate.
            (
                (200, 60, 10),
                (100, 40, 5),
                (B, Reason::OpenRate),
                (A, Reason::Tie),
            ),
            ((0, 0, 0), (0, 0, 0), (A, Reason::Tie), (A, Reason::Tie)),
            (
                (0, 0, 0),
                (10, 1, 0),
                (B, Reason::OpenRate),
                (A, Reason::Tie),
            ),
            // An open proves the delivery, so this cannot last.
            ((0, 3, 3), (10, 0, 0), (A, Reason::Tie), (A, Reason::Tie)),
            ((3, 1, 1), (3, 1, 1), (A, Reason::Tie), (A, Reason::Tie)),
        ] {
            let scores = Scores {
                a: figures(a),
                b: figures(b),
            };
            assert_eq!(
                scores.winner(WinnerRule::OpenRate),
                Some(by_opens),
                "{scores:?}"
            );
            assert_eq!(
                scores.winner(WinnerRule::ClickRate),
                Some(by_clicks),
                "{scores:?}"
            );
            assert_eq!(scores.winner(WinnerRule::Manual), None);
        }
    }

    #[test]
    fn scores_are_counters_of_the_versions() {
        let counts = [
            ("delivered_a", 9),
            ("delivered_b", -1),
            ("opened_b", 2),
            ("opened", 7),
        ];
        let counts = counts.map(|(name, n)| (name.to_owned(), n)).into();
        let scores = Scores::of(&counts);
        assert_eq!(scores.a, figures((9, 0, 0)));
        assert_eq!(scores.b, figures((0, 2, 0)));
    }
}
