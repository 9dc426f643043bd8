//! The rules of a workspace: which event gives how many points, and the thresholds. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fade::Decay;
use crate::interest::Filter;

/// Most rules of a workspace.
pub const MAX_RULES: usize = 50;
/// Most thresholds.
pub const MAX_THRESHOLDS: usize = 10;
/// Most points of one rule, given or taken.
pub const MAX_POINTS: i64 = 1_000;
/// Most values that a rule asks of an event.
pub const MAX_PROPERTIES: usize = 5;
/// Longest id of a rule.
pub const MAX_ID: usize = 40;
/// Longest name of an event.
pub const MAX_EVENT: usize = 100;
/// Longest label, name of a value, and value.
pub const MAX_TEXT: usize = 200;
/// Longest settings, in bytes of JSON: every process that writes events remembers them.
pub const MAX_SCORING_BYTES: usize = 16 * 1024;

/// How often a rule counts for one contact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ScoreRepeat)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// At each event.
    #[default]
    EachTime,
    /// At the first event only.
    Once,
}

/// How often a rule counts for one contact in a day of Vietnam (UTC+7), by the time of the event.
pub type DailyLimit = u32;

/// A rule: an event, and the points that it gives or takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreRule {
    /// The shop's id of the rule: lower-case letters, digits, `_` and `-`. The history names it, and `once` holds for it.
    #[schema(min_length = 1, max_length = 40, example = "clicked")]
    pub id: String,
    /// Name of the event: `message.clicked`, `form.submitted`, `segment.entered`, or one of the shop's own.
    #[schema(min_length = 1, max_length = 100, example = "message.clicked")]
    pub event: String,
    /// Values that the event must have in its data, such as `{"segment_id": "seg_…"}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub properties: BTreeMap<String, Value>,
    /// Points to add; negative to take away.
    #[schema(minimum = -1000, maximum = 1000, example = 5)]
    pub points: i64,
    /// How often it counts.
    #[serde(default)]
    pub repeat: Repeat,
    /// Most times a day; null: no limit.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub daily_limit: Option<DailyLimit>,
}

/// A score at which a contact gets a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ScoreThreshold)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The lowest score of the label.
    #[schema(example = 50)]
    pub score: i64,
    /// The label.
    #[schema(min_length = 1, max_length = 200, example = "nóng")]
    pub label: String,
}

/// The rules and thresholds of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scoring {
    /// The rules.
    #[serde(default)]
    pub rules: Vec<ScoreRule>,
    /// The thresholds, lowest first.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// How the points of an idle contact fade; null: never.
    #[serde(default)]
    pub decay: Option<Decay>,
    /// When they last changed; null if they never did.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub updated_at: Option<Timestamp>,
}

impl Scoring {
    /// The rules that the event meets.
    pub fn met<'a>(
        &'a self,
        event: &'a str,
        data: &'a Value,
    ) -> impl Iterator<Item = &'a ScoreRule> {
        let rules = self.rules.iter();
        rules.filter(move |rule| rule.event == event && Filter::of(&rule.properties).passes(data))
    }

    /// The label of a score.
    pub fn label(&self, score: i64) -> Option<&str> {
        let reached = self.thresholds.iter().filter(|one| one.score <= score);
        reached
            .max_by_key(|one| one.score)
            .map(|one| one.label.as_str())
    }

    /// The thresholds between two scores, and whether the later score has reached them.
    pub fn crossed(&self, before: i64, after: i64) -> impl Iterator<Item = (&Threshold, bool)> {
        let (low, high) = (before.min(after), before.max(after));
        let all = self.thresholds.iter();
        let crossed = all.filter(move |one| low < one.score && one.score <= high);
        crossed.map(move |one| (one, after > before))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn scoring(scores: &[i64]) -> Scoring {
        let thresholds = scores.iter().map(|&score| Threshold {
            score,
            label: score.to_string(),
        });
        Scoring {
            thresholds: thresholds.collect(),
            ..Scoring::default()
        }
    }

    #[test]
    fn a_rule_is_met_by_the_name_and_the_values() {
        let rule: ScoreRule = serde_json::from_value(json!({
            "id": "a", "event": "form.submitted", "properties": { "form_id": 7 }, "points": 3,
        }))
        .unwrap();
        let scoring = Scoring {
            rules: vec![rule],
            ..Scoring::default()
        };
        let met = |event, data: Value| scoring.met(event, &data).count();
        assert_eq!(met("form.submitted", json!({ "form_id": "7" })), 1);
        assert_eq!(met("form.submitted", json!({ "form_id": "8" })), 0);
        assert_eq!(met("form.opened", json!({ "form_id": "7" })), 0);
    }

    #[test]
    fn a_label_holds_from_its_score_on() {
        let scoring = scoring(&[0, 10, 50]);
        let labels = [-1, 0, 9, 10, 49, 50].map(|score| scoring.label(score));
        assert_eq!(
            labels,
            [
                None,
                Some("0"),
                Some("0"),
                Some("10"),
                Some("10"),
                Some("50")
            ]
        );
    }

    proptest! {
        #[test]
        fn walking_crosses_each_line_as_often_up_as_down_or_once_more(steps in prop::collection::vec(-30_i64..30, 0..40)) {
            let scoring = scoring(&[0, 10, 50]);
            let mut score = 5;
            let mut over: BTreeMap<i64, i64> = BTreeMap::new();
            for step in steps {
                for (line, is_up) in scoring.crossed(score, score + step) {
                    *over.entry(line.score).or_default() += if is_up { 1 } else { -1 };
                }
                score += step;
            }
            for line in [0_i64, 10, 50] {
                let expected = i64::from(score >= line) - i64::from(5 >= line);
                prop_assert_eq!(over.get(&line).copied().unwrap_or_default(), expected);
            }
        }
    }
}
