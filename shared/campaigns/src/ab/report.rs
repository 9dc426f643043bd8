//! The figures of both versions of a test, side by side. Pure.

use std::collections::BTreeMap;

use channels::Variant;
use jiff::Timestamp;
use serde::Serialize;

use super::{Phase, Reason, Scores, Variable, WinnerRule, count};
use crate::model::Campaign;
use crate::outcomes::Outcomes;

/// The test in the report of a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = AbReport)]
pub struct AbReport {
    /// The part in which the versions differ.
    pub variable: Variable,
    /// Share of the audience in the test, in percent.
    pub test_percent: u32,
    /// How the winner is found.
    pub winner_rule: WinnerRule,
    /// Whether there was too small a test, or none was asked for: each half of the audience gets its version. Null until the
    /// audience is counted.
    pub is_split: Option<bool>,
    /// When the rule decides; null before the test is sent, and without a rule.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub decide_at: Option<Timestamp>,
    /// The winner; null until it is known.
    pub winner: Option<WinnerView>,
    /// A and B.
    #[schema(min_items = 2, max_items = 2)]
    pub versions: Vec<VersionReport>,
}

/// The winner of a test.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = AbWinner)]
pub struct WinnerView {
    /// The version.
    pub variant: Variant,
    /// Why it won.
    pub reason: Reason,
    /// When that was decided.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub decided_at: Timestamp,
    /// The person or key that chose it, `usr_…` or `key_…`; null: the rule.
    pub decided_by: Option<String>,
    /// The figures of both versions at that time.
    pub scores: Scores,
}

/// The figures of one version. Those of the winner include the rest of the audience.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = AbVersion)]
#[expect(missing_docs, reason = "the names are those of the report")]
pub struct VersionReport {
    pub variant: Variant,
    /// Its subject.
    pub subject: String,
    pub sent: u64,
    pub skipped: u64,
    pub failed: u64,
    pub unknown: u64,
    pub delivered: u64,
    pub opened: u64,
    pub clicked: u64,
    pub bounced: u64,
    pub soft_bounced: u64,
    pub complained: u64,
    pub unsubscribed: u64,
    /// `opened` for each delivered mail, 0 to 1; null if none was delivered.
    pub open_rate: Option<f64>,
    /// `clicked` for each delivered mail, 0 to 1; null if none was delivered.
    pub click_rate: Option<f64>,
}

/// The test's part of the report; `None` for a campaign without a test.
pub(crate) fn report(
    campaign: &Campaign,
    outcomes: &Outcomes,
    counts: &BTreeMap<String, i64>,
) -> Option<AbReport> {
    let ab = campaign.ab.as_ref()?;
    let is_split = match campaign.phase {
        None | Some(Phase::Counting) => None,
        Some(phase) => Some(phase == Phase::Split),
    };
    let subject = |variant| match variant {
        Variant::A => &campaign.summary,
        Variant::B => &ab.summary,
    };
    let versions = Variant::ALL
        .into_iter()
        .map(|variant| version(variant, subject(variant), outcomes, counts));
    Some(AbReport {
        variable: ab.variable,
        test_percent: ab.test_percent,
        winner_rule: ab.winner_rule,
        is_split,
        decide_at: campaign.decide_at,
        winner: campaign.winner_view(),
        versions: versions.collect(),
    })
}

impl Campaign {
    /// The winner of its test in answers.
    pub fn winner_view(&self) -> Option<WinnerView> {
        let winner = self.winner.as_ref()?;
        Some(WinnerView {
            variant: winner.variant,
            reason: winner.reason,
            decided_at: winner.decided_at,
            decided_by: winner.decided_by.clone(),
            scores: winner.scores,
        })
    }
}

fn version(
    variant: Variant,
    subject: &str,
    outcomes: &Outcomes,
    counts: &BTreeMap<String, i64>,
) -> VersionReport {
    let of = |name| count(counts, name, variant);
    let ends = outcomes.versions.of(variant);
    // As for the whole campaign: events correct the outcomes, and no figure is below zero.
    let resolved = of("resolved").min(ends.unknown);
    let sent = ends.sent + resolved;
    let rejected = of("rejected").min(sent);
    let (delivered, opened, clicked) = (of("delivered"), of("opened"), of("clicked"));
    let rate = |n: u64| (delivered > 0).then(|| (n as f64 / delivered as f64).min(1.0));
    VersionReport {
        variant,
        subject: subject.to_owned(),
        sent: sent - rejected,
        skipped: ends.skipped,
        failed: ends.failed + rejected,
        unknown: ends.unknown - resolved,
        delivered,
        opened,
        clicked,
        bounced: of("bounced"),
        soft_bounced: of("soft_bounced"),
        complained: of("complained"),
        unsubscribed: of("unsubscribed"),
        open_rate: rate(opened),
        click_rate: rate(clicked),
    }
}
