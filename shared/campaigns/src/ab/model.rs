//! The test of a campaign, its phases and its winner. Pure.

use channels::{Content, Variant};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{LEAST, Scores, variant_of};
use crate::model::{Campaign, State};

/// The part of the mail in which the versions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AbVariable)]
#[serde(rename_all = "snake_case")]
pub enum Variable {
    /// The subject.
    Subject,
    /// The name of the sender.
    SenderName,
    /// The HTML and the text.
    Content,
}

/// How the winner is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WinnerRule {
    /// The greater share of delivered mails that a person opened.
    OpenRate,
    /// The greater share of delivered mails of which a person followed a link.
    #[default]
    ClickRate,
    /// A person chooses. The campaign waits until then.
    Manual,
}

/// The reason of a winner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WinnerReason)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its rate of opened mails is greater.
    OpenRate,
    /// Its rate of clicked mails is greater.
    ClickRate,
    /// Both rates are equal: A wins.
    Tie,
    /// A person chose it.
    Manual,
}

/// The test of a campaign, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ab {
    /// The part in which the versions differ.
    pub variable: Variable,
    /// The content of version B. Version A is the content of the campaign.
    pub content: Content,
    /// Version B's line of the content for lists: the subject of a mail.
    pub summary: String,
    /// Share of the audience that takes part in the test, 5 to 100 percent. 100: everybody gets a version of the test.
    pub test_percent: u32,
    /// How the winner is found.
    pub winner_rule: WinnerRule,
    /// Hours between the last mail of the test and the decision, 1 to 72.
    pub wait_hours: u32,
}

impl Ab {
    /// The phase in which the sending begins.
    pub(crate) fn first_phase(&self) -> Phase {
        if self.test_percent >= 100 {
            Phase::Split
        } else {
            Phase::Counting
        }
    }

    /// The phase that follows the counting of an audience of this size.
    pub(crate) fn phase_for(&self, audience: u64) -> Phase {
        let test = audience.saturating_mul(u64::from(self.test_percent)) / 100;
        if self.test_percent >= 100 || test < LEAST {
            Phase::Split
        } else {
            Phase::Testing
        }
    }

    /// The wait before the decision; `None` if a person decides.
    pub(crate) fn wait(&self) -> Option<SignedDuration> {
        let hours = SignedDuration::from_hours(i64::from(self.wait_hours));
        (self.winner_rule != WinnerRule::Manual).then_some(hours)
    }
}

/// How far a campaign with a test is. Stored from its start; later phases are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The audience is being counted; nothing is sent.
    Counting,
    /// The test is being sent.
    Testing,
    /// The test is sent, and its readers have time.
    AwaitingWinner,
    /// The winner goes to the rest of the audience.
    Rest,
    /// Each half of the audience gets its version; there is no rest.
    Split,
}

/// The recipients of a chunk that one pass sends to. Later passes are greater.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of them.
    #[default]
    All,
    /// The members of the test.
    Test,
    /// All others.
    Rest,
}

impl Part {
    /// Whether it is everybody, which is not stored.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// The attribute of a row, absent for everybody.
    pub(crate) fn stored(self) -> Option<Self> {
        (!self.is_all()).then_some(self)
    }
}

/// The version that the rest of the audience gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Winner {
    /// The version.
    pub variant: Variant,
    /// Why it won.
    pub reason: Reason,
    /// When that was decided.
    pub decided_at: Timestamp,
    /// The person or key that chose it; `None`: the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The figures at that time.
    #[serde(default)]
    pub scores: Scores,
}

impl Campaign {
    /// The part that a pass sends to now; `None` while nothing is sent.
    pub(crate) fn part(&self) -> Option<Part> {
        match self.phase {
            None | Some(Phase::Split) => Some(Part::All),
            Some(Phase::Testing) => Some(Part::Test),
            Some(Phase::Rest) => Some(Part::Rest),
            Some(Phase::Counting | Phase::AwaitingWinner) => None,
        }
    }

    /// The version for a contact that has no mail yet; `None` for a campaign without a test.
    pub(crate) fn variant_for(&self, contact: kernel::ContactId) -> Option<Variant> {
        self.ab.as_ref()?;
        let won = self.winner.as_ref().map(|winner| winner.variant);
        Some(won.unwrap_or_else(|| variant_of(self.id, contact)))
    }

    /// Its status in answers: that of the test while it runs.
    pub fn status(&self) -> State {
        match (self.state, self.phase) {
            (State::Sending, Some(Phase::Counting | Phase::Testing)) => State::Testing,
            (State::Sending, Some(Phase::AwaitingWinner)) => State::AwaitingWinner,
            (state, _) => state,
        }
    }

    /// Whether its phase may change: a pause stops sending only.
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self.state, State::Sending | State::Paused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_test_is_none() {
        let ab = |test_percent| Ab {
            variable: Variable::Subject,
            content: serde_json::from_str(r#"{"channel":"email","mail":"ab"}"#).unwrap(),
            summary: "B".into(),
            test_percent,
            winner_rule: WinnerRule::default(),
            wait_hours: 4,
        };
        for (percent, audience, first, next) in [
            (20, 0, Phase::Counting, Phase::Split),
            (20, 499, Phase::Counting, Phase::Split),
            (20, 500, Phase::Counting, Phase::Testing),
            (5, 1_999, Phase::Counting, Phase::Split),
            (5, 2_000, Phase::Counting, Phase::Testing),
            (99, 102, Phase::Counting, Phase::Testing),
            (100, 1_000_000, Phase::Split, Phase::Split),
        ] {
            let ab = ab(percent);
            assert_eq!(ab.first_phase(), first, "{percent} of {audience}");
            assert_eq!(ab.phase_for(audience), next, "{percent} of {audience}");
        }
    }

    #[test]
    fn passes_and_phases_have_an_order() {
        assert!(Part::All < Part::Test && Part::Test < Part::Rest);
        assert_eq!(Part::All.stored(), None);
        assert!(Phase::Counting < Phase::Testing && Phase::AwaitingWinner < Phase::Rest);
    }
}
