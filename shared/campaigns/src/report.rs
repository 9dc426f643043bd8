//! The figures of a campaign.
//!
//! There are two sources. The chunks' outcomes are exact at every moment. The counters are moved by providers'
//! events and by readers. An event may prove that the provider accepted an unknown send. It then corrects the
//! outcomes by a counter and never changes the chunk.

use std::collections::BTreeMap;

use cloud::{Counters, Error};
use kernel::{CampaignId, TenantKey};
use serde::Serialize;

use crate::ab::{self, AbReport};
use crate::model::{Campaign, State};
use crate::outcomes::Outcomes;
use crate::store::Campaigns;

/// Figures of one campaign. Once it is sent, `sent + skipped + failed + unknown = audience`.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignReport)]
#[expect(missing_docs, reason = "the names are the product's own words")]
pub struct Report {
    pub campaign_id: CampaignId,
    pub status: State,
    /// Contacts of the audience when it was sent; absent until all are counted.
    pub audience: Option<u64>,
    pub sent: u64,
    pub skipped: BTreeMap<String, u64>,
    pub failed: BTreeMap<String, u64>,
    pub unknown: u64,
    pub delivered: u64,
    /// Mails that a person opened: not a machine, and not within 30 seconds of delivery.
    pub opened: u64,
    /// Mails of which a person followed a link: not a machine, and not within 30 seconds of delivery.
    pub clicked: u64,
    /// Mails to addresses that do not work.
    pub bounced: u64,
    /// Mails that were refused for a reason that may pass, such as a full mailbox.
    pub soft_bounced: u64,
    pub complained: u64,
    pub unsubscribed: u64,
    /// Both versions of an A/B test side by side; null without a test.
    pub ab: Option<AbReport>,
}

impl Report {
    /// Recipients with an outcome.
    pub fn settled(&self) -> u64 {
        self.sent
            + self.skipped.values().sum::<u64>()
            + self.failed.values().sum::<u64>()
            + self.unknown
    }
}

pub(crate) fn sum<'a>(parts: impl Iterator<Item = &'a Outcomes>) -> Outcomes {
    let mut total = Outcomes::default();
    for part in parts {
        total.merge(part);
    }
    total
}

impl Campaigns {
    /// The current figures; `None` if there is no such campaign.
    pub async fn report(
        &self,
        counters: &Counters,
        tenant: TenantKey,
        id: CampaignId,
    ) -> Result<Option<Report>, Error> {
        let Some(campaign) = self.get(tenant, id).await? else {
            return Ok(None);
        };
        let outcomes = self.outcomes(tenant, id).await?;
        let counts = counters.read(tenant, &id.to_string()).await?;
        Ok(Some(figures(&campaign, outcomes, &counts)))
    }
}

fn figures(campaign: &Campaign, outcomes: Outcomes, counts: &BTreeMap<String, i64>) -> Report {
    let count = |name: &str| u64::try_from(counts.get(name).copied().unwrap_or(0)).unwrap_or(0);
    let ab = ab::report(campaign, &outcomes, counts);
    // An event may arrive before the cursor passes the recipient that it corrects. So the figure is never below
    // zero.
    let resolved = count("resolved").min(outcomes.unknown);
    let sent = outcomes.sent + resolved;
    let rejected = count("rejected").min(sent);
    let mut failed = outcomes.failed;
    if rejected > 0 {
        *failed.entry("rejected_by_provider".to_owned()).or_default() += rejected;
    }
    Report {
        campaign_id: campaign.id,
        status: campaign.status(),
        audience: campaign.recipients,
        sent: sent - rejected,
        skipped: outcomes.skipped,
        failed,
        unknown: outcomes.unknown - resolved,
        delivered: count("delivered"),
        opened: count("opened"),
        clicked: count("clicked"),
        bounced: count("bounced"),
        soft_bounced: count("soft_bounced"),
        complained: count("complained"),
        unsubscribed: count("unsubscribed"),
        ab,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_keep_the_sum() {
        let json = serde_json::json!({
            "id": "cmp_0123456789a", "name": "Tết", "audience": { "include": { "list_ids": ["lst_0123456789a"] } },
            "content": { "channel": "email", "mail": "ab" }, "summary": "Chào", "state": "sent",
            "created_at": "2026-03-02T08:00:00Z", "recipients": 10,
        });
        let campaign: Campaign = serde_json::from_value(json).unwrap();
        let outcomes = Outcomes {
            sent: 5,
            unknown: 3,
            skipped: BTreeMap::from([("unsubscribed".to_owned(), 2)]),
            ..Outcomes::default()
        };
        for (resolved, rejected) in [(0, 0), (2, 1), (9, 0), (-1, 20)] {
            let counts = BTreeMap::from([
                ("resolved".to_owned(), resolved),
                ("rejected".to_owned(), rejected),
            ]);
            let report = figures(&campaign, outcomes.clone(), &counts);
            assert_eq!(report.settled(), 10, "{resolved} {rejected}");
        }
    }
}
