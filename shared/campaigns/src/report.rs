//! The figures of a campaign.
//!
//! There are two sources. The chunks' outcomes are exact at every moment. The counters are moved by providers'
//! events and by readers. An event may prove that the provider accepted an unknown send. It then corrects the
//! outcomes by a counter and never changes the chunk.

use std::collections::BTreeMap;

use channels::Domain;
use cloud::counters::{Counts, Hour, HourCounts};
use cloud::{Counters, Error};
use jiff::{SignedDuration, Timestamp};
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
    /// Text messages in place of ZNS that Zalo refused, by outcome: `sent`, `skipped`, `failed`, `unknown`. Their recipients are
    /// counted in `failed`.
    pub fallback_sms: BTreeMap<String, u64>,
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
    /// Opens by people; one person may open a mail several times.
    pub opens: u64,
    /// Clicks of people on links.
    pub clicks: u64,
    /// Orders in the five days after a person's first click on the message, and their sum in dong.
    pub orders: u64,
    pub revenue: u64,
    pub rates: Rates,
    /// The first and the last hour with an open.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub first_open_hour: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    pub last_open_hour: Option<Timestamp>,
    /// The first and the last hour with a click.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub first_click_hour: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    pub last_click_hour: Option<Timestamp>,
    /// The figures by provider of the mailbox, for mails.
    pub domains: Vec<DomainFigures>,
    /// Both versions of an A/B test side by side; null without a test.
    pub ab: Option<AbReport>,
}

/// Shares from 0 to 1 with four digits; null if nothing was counted in the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignRates)]
pub struct Rates {
    /// Delivered of sent.
    pub delivered: Option<f64>,
    /// Opened of delivered.
    pub opened: Option<f64>,
    /// Clicked of delivered.
    pub clicked: Option<f64>,
    /// Clicked of opened.
    pub click_to_open: Option<f64>,
    /// Bounced of sent.
    pub bounced: Option<f64>,
    /// Soft bounces of sent.
    pub soft_bounced: Option<f64>,
    /// Complaints of delivered.
    pub complained: Option<f64>,
    /// Unsubscriptions of delivered.
    pub unsubscribed: Option<f64>,
}

/// The figures of the mailboxes of one provider.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignDomain)]
#[expect(missing_docs, reason = "the names are those of the report")]
pub struct DomainFigures {
    pub provider: Domain,
    pub delivered: u64,
    pub bounced: u64,
    pub complained: u64,
    pub opened: u64,
    pub clicked: u64,
    /// Opened of delivered.
    pub open_rate: Option<f64>,
    /// Clicked of delivered.
    pub click_rate: Option<f64>,
    /// Bounced of delivered and bounced.
    pub bounce_rate: Option<f64>,
}

/// The figures of one hour: of events and visits in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignHour)]
#[expect(missing_docs, reason = "the names are those of the report")]
pub struct HourFigures {
    /// Start of the hour.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub hour: Timestamp,
    pub delivered: i64,
    pub opened: i64,
    pub opens: i64,
    pub clicked: i64,
    pub clicks: i64,
    pub bounced: i64,
    pub soft_bounced: i64,
    pub complained: i64,
    pub unsubscribed: i64,
    pub orders: i64,
    pub revenue: i64,
}

/// Events of a provider may carry a time of a clock that differs from ours.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

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
        let outcomes = self.outcomes(tenant, &campaign).await?;
        let span = self.span(&campaign);
        let hours = counters
            .hours(tenant, &id.to_string(), span.0, span.1)
            .await?;
        Ok(Some(figures(&campaign, outcomes, &hours)))
    }

    /// The figures of each hour with events, oldest first; `None` if there is no such campaign. `from` and `to` narrow it.
    pub async fn hours(
        &self,
        counters: &Counters,
        tenant: TenantKey,
        id: CampaignId,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Option<Vec<HourFigures>>, Error> {
        let Some(campaign) = self.get(tenant, id).await? else {
            return Ok(None);
        };
        let (first, last) = self.span(&campaign);
        let first = from.map_or(first, |from| first.max(Hour::of(from)));
        let last = to.map_or(last, |to| last.min(Hour::of(to)));
        if last < first {
            return Ok(Some(Vec::new()));
        }
        let hours = counters.hours(tenant, &id.to_string(), first, last).await?;
        Ok(Some(
            hours
                .iter()
                .map(|(hour, counts)| of_hour(*hour, &counts.counts))
                .collect(),
        ))
    }

    /// The hours in which something may have been counted.
    fn span(&self, campaign: &Campaign) -> (Hour, Hour) {
        let begun = campaign.started_at.unwrap_or(campaign.created_at);
        (Hour::of(begun - SKEW), Hour::of(self.clock().now() + SKEW))
    }
}

fn of_hour(hour: Timestamp, counts: &Counts) -> HourFigures {
    let n = |name: &str| counts.get(name).copied().unwrap_or(0);
    HourFigures {
        hour,
        delivered: n("delivered"),
        opened: n("opened"),
        opens: n("opens"),
        clicked: n("clicked"),
        clicks: n("clicks"),
        bounced: n("bounced"),
        soft_bounced: n("soft_bounced"),
        complained: n("complained"),
        unsubscribed: n("unsubscribed"),
        orders: n("orders"),
        revenue: n("revenue"),
    }
}

/// A share with four digits.
fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

/// The providers with figures, the one with the most mails first.
fn domains(count: &dyn Fn(&str) -> u64) -> Vec<DomainFigures> {
    let of = |provider: Domain| {
        let [delivered, bounced, complained, opened, clicked] =
            Domain::FIGURES.map(|(_, letter)| count(&provider.counter(letter)));
        DomainFigures {
            provider,
            delivered,
            bounced,
            complained,
            opened,
            clicked,
            open_rate: rate(opened, delivered),
            click_rate: rate(clicked, delivered),
            bounce_rate: rate(bounced, delivered + bounced),
        }
    };
    let all = Domain::ALL.into_iter().map(of);
    let mut all: Vec<DomainFigures> = all.filter(|one| one.delivered + one.bounced > 0).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.delivered + one.bounced));
    all
}

fn figures(
    campaign: &Campaign,
    outcomes: Outcomes,
    hours: &BTreeMap<Timestamp, HourCounts>,
) -> Report {
    let mut counts = Counts::new();
    for (name, n) in hours.values().flat_map(|hour| &hour.counts) {
        *counts.entry(name.clone()).or_default() += n;
    }
    let with = |name: &'static str| {
        let has =
            move |hour: &(&Timestamp, &HourCounts)| hour.1.counts.get(name).is_some_and(|n| *n > 0);
        let mut found = hours.iter().filter(has).map(|(hour, _)| *hour);
        let first = found.next();
        (first, found.next_back().or(first))
    };
    let (opens, clicks) = (with("opens"), with("clicks"));
    let count = |name: &str| u64::try_from(counts.get(name).copied().unwrap_or(0)).unwrap_or(0);
    let ab = ab::report(campaign, &outcomes, &counts);
    // An event may arrive before the cursor passes the recipient that it corrects. So the figure is never below
    // zero.
    let resolved = count("resolved").min(outcomes.unknown);
    let sent = outcomes.sent + resolved;
    let rejected = count("rejected").min(sent);
    let mut failed = outcomes.failed;
    if rejected > 0 {
        *failed.entry("rejected_by_provider".to_owned()).or_default() += rejected;
    }
    let sent = sent - rejected;
    let delivered = count("delivered");
    let (opened, clicked) = (count("opened"), count("clicked"));
    let rates = Rates {
        delivered: rate(delivered, sent),
        opened: rate(opened, delivered),
        clicked: rate(clicked, delivered),
        click_to_open: rate(clicked, opened),
        bounced: rate(count("bounced"), sent),
        soft_bounced: rate(count("soft_bounced"), sent),
        complained: rate(count("complained"), delivered),
        unsubscribed: rate(count("unsubscribed"), delivered),
    };
    Report {
        campaign_id: campaign.id,
        status: campaign.status(),
        audience: campaign.recipients,
        sent,
        skipped: outcomes.skipped,
        failed,
        unknown: outcomes.unknown - resolved,
        fallback_sms: outcomes.fallback,
        delivered,
        opened,
        clicked,
        bounced: count("bounced"),
        soft_bounced: count("soft_bounced"),
        complained: count("complained"),
        unsubscribed: count("unsubscribed"),
        opens: count("opens"),
        clicks: count("clicks"),
        orders: count("orders"),
        revenue: count("revenue"),
        rates,
        first_open_hour: opens.0,
        last_open_hour: opens.1,
        first_click_hour: clicks.0,
        last_click_hour: clicks.1,
        domains: domains(&count),
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
            let hour = HourCounts {
                counts,
                last_at: None,
            };
            let hours = BTreeMap::from([(Timestamp::UNIX_EPOCH, hour)]);
            let report = figures(&campaign, outcomes.clone(), &hours);
            assert_eq!(report.settled(), 10, "{resolved} {rejected}");
        }
    }
}
