//! The pause for review: bad figures stop a campaign until a person has looked at its audience.
//!
//! The limits are those of the anti-spam rules. SES suspends an account at twice these rates, and then nobody in the
//! installation can send. This file only judges figures; `store` pauses and resumes. The figures are counts of reports,
//! so a lost count delays a pause and never prevents a later one.

use std::collections::BTreeMap;

use cloud::{Counters, Error, Recent, Resources};
use kernel::{CampaignId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::model::Campaign;

/// Fewer mails with a known end are not judged.
const LEAST: i64 = 500;
/// Campaigns whose figures a process keeps in memory.
const MOST: usize = 1_000;
/// Counted ends, each with its limit per thousand and the problem that the campaign then shows.
const LIMITS: [(&str, i64, &str); 3] = [
    ("bounced", 50, "review_bounces"),
    ("complained", 1, "review_complaints"),
    ("unsubscribed", 20, "review_unsubscriptions"),
];

/// Counters that a review keeps.
const JUDGED: [&str; 4] = ["delivered", "bounced", "complained", "unsubscribed"];

/// A review of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Pauses for review so far. After the second one only an operator of the installation resumes.
    pub times: u32,
    /// Figures at the last pause. Later mails are judged without these.
    pub judged: BTreeMap<String, i64>,
}

/// Whether this problem of a campaign asks for a review.
pub fn is_review(problem: &str) -> bool {
    LIMITS.iter().any(|(_, _, name)| *name == problem)
}

/// Judges the figures of running campaigns; cheap to clone.
#[derive(Clone)]
pub struct Reviewer {
    counters: Counters,
    recent: Recent<(TenantKey, CampaignId), BTreeMap<String, i64>>,
}

impl Reviewer {
    /// Over the table Reports.
    pub fn over(resources: &Resources) -> Self {
        Self {
            counters: Counters::over(resources),
            recent: Recent::new(resources.clock(), MOST),
        }
    }

    /// The problem of a campaign's figures, with the review that its pause stores. The figures may be ten seconds
    /// old: a process reads them in one query, or in 16 for a busy campaign.
    pub async fn judge(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
    ) -> Result<Option<(&'static str, Review)>, Error> {
        let is_small = |size: u64| i64::try_from(size).is_ok_and(|size| size < LEAST);
        if campaign.recipients.is_some_and(is_small) {
            return Ok(None);
        }
        let (id, counters) = (campaign.id, self.counters.clone());
        let read = || async move { counters.read(tenant, &id.to_string()).await };
        let figures = self.recent.get((tenant, id), read).await?;
        let before = campaign.review.clone().unwrap_or_default();
        let problem = problem(&figures, &before.judged);
        // Figures of mailbox providers and totals are not judged, and the row is read by every sender.
        let mut figures = figures;
        figures.retain(|name, _| JUDGED.contains(&name.as_str()));
        Ok(problem.map(|problem| {
            let review = Review {
                times: before.times + 1,
                judged: figures,
            };
            (problem, review)
        }))
    }
}

fn problem(
    figures: &BTreeMap<String, i64>,
    judged: &BTreeMap<String, i64>,
) -> Option<&'static str> {
    let of = |counts: &BTreeMap<String, i64>, name: &str| counts.get(name).copied().unwrap_or(0);
    let since = |name: &str| of(figures, name) - of(judged, name);
    let ended = since("delivered") + since("bounced");
    if ended < LEAST {
        return None;
    }
    let broken = LIMITS
        .iter()
        .find(|(name, limit, _)| since(name) * 1_000 > limit * ended);
    broken.map(|(_, _, problem)| *problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(delivered: i64, bounced: i64, complained: i64, left: i64) -> BTreeMap<String, i64> {
        [
            ("delivered", delivered),
            ("bounced", bounced),
            ("complained", complained),
            ("unsubscribed", left),
        ]
        .map(|(name, n)| (name.to_owned(), n))
        .into()
    }

    #[test]
    fn each_limit_is_passed_by_one_more() {
        let none = BTreeMap::new();
        for (figures, expected) in [
            (counts(950, 50, 1, 20), None),
            (counts(949, 51, 0, 0), Some("review_bounces")),
            (counts(1_000, 0, 2, 0), Some("review_complaints")),
            (counts(1_000, 0, 0, 21), Some("review_unsubscriptions")),
            (counts(400, 99, 9, 99), None),
        ] {
            assert_eq!(problem(&figures, &none), expected, "{figures:?}");
        }
    }

    #[test]
    fn a_confirmed_campaign_is_judged_by_its_later_mails() {
        let judged = counts(900, 100, 0, 0);
        assert_eq!(problem(&counts(1_399, 100, 0, 0), &judged), None);
        assert_eq!(problem(&counts(1_880, 120, 0, 0), &judged), None);
        let worse = counts(1_840, 160, 0, 0);
        assert_eq!(problem(&worse, &judged), Some("review_bounces"));
    }
}
