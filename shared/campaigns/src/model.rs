//! A campaign, its states and the allowed changes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use channels::Content;
use cloud::Pending;
use contacts::SHARDS;
use jiff::{SignedDuration, Timestamp};
use kernel::{CampaignId, ListId, SegmentId};
use serde::{Deserialize, Serialize};

use crate::ab::{Ab, Phase, Winner};
use crate::approval::Approval;
use crate::receivers::ReceiversOf;
use crate::review::{Review, is_review};

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CampaignState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being written.
    Draft,
    /// Locked until its approval is decided.
    PendingApproval,
    /// Its approval was refused; it may be edited.
    Rejected,
    /// It starts at its time.
    Scheduled,
    /// Its audience is being planned and sent to.
    Sending,
    /// Its test is being sent. Shown in place of `sending`, never stored.
    Testing,
    /// Its test is sent and the winner is not known. Shown in place of `sending`, never stored.
    AwaitingWinner,
    /// Stopped; it can be resumed.
    Paused,
    /// Every recipient has an outcome.
    Sent,
    /// Stopped for ever.
    Cancelled,
    /// Cannot be sent.
    Failed,
    /// Being removed; no answer shows it.
    Deleted,
}

impl State {
    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::PendingApproval => "pending_approval",
            Self::Rejected => "rejected",
            Self::Scheduled => "scheduled",
            Self::Sending => "sending",
            Self::Testing => "testing",
            Self::AwaitingWinner => "awaiting_winner",
            Self::Paused => "paused",
            Self::Sent => "sent",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }

    /// Whether nothing of it is going out, now or later.
    pub fn may_be_deleted(self) -> bool {
        matches!(
            self,
            Self::Draft | Self::Rejected | Self::Sent | Self::Cancelled | Self::Failed
        )
    }
}

/// The kind of a campaign, which follows from its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CampaignKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One mail.
    Email,
    /// Two versions of a mail, of which one wins.
    EmailAb,
    /// A text message.
    Sms,
    /// A message of a Zalo template.
    Zns,
    /// A push notification.
    Push,
}

/// A user's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Begin.
    Send,
    /// Stop; it can be resumed.
    Pause,
    /// Resume.
    Resume,
    /// Stop for ever.
    Cancel,
    /// Take the schedule back.
    Unschedule,
}

/// The effect of a command in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The campaign changes to this state.
    To(State),
    /// The command was carried out before.
    Done,
    /// The command is not allowed in this state.
    Refused,
}

/// The state machine. A command that was carried out before is `Done`, so a repetition has no effect.
pub fn step(state: State, command: Command) -> Step {
    match (state, command) {
        (State::Draft | State::Scheduled, Command::Send) | (State::Paused, Command::Resume) => {
            Step::To(State::Sending)
        }
        (State::Sending, Command::Pause) => Step::To(State::Paused),
        (State::Scheduled, Command::Unschedule) => Step::To(State::Draft),
        (
            State::Draft
            | State::PendingApproval
            | State::Rejected
            | State::Scheduled
            | State::Sending
            | State::Paused,
            Command::Cancel,
        ) => Step::To(State::Cancelled),
        (State::Sending | State::Paused | State::Sent, Command::Send)
        | (State::Paused, Command::Pause)
        | (State::Sending | State::Sent, Command::Resume)
        | (State::Cancelled, Command::Cancel)
        | (State::Draft, Command::Unschedule) => Step::Done,
        _ => Step::Refused,
    }
}

/// Contacts that lists, segments and tags name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AudienceSelection)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Everybody on one of these lists.
    #[schema(max_items = 20)]
    pub list_ids: Vec<ListId>,
    /// The members of these segments.
    #[schema(max_items = 20)]
    pub segment_ids: Vec<SegmentId>,
    /// Everybody with one of these tags.
    #[schema(max_items = 20)]
    pub tags: Vec<String>,
    /// Receivers of other campaigns, such as those who have not opened it.
    #[schema(max_items = 20)]
    pub receivers: Vec<ReceiversOf>,
}

impl Selection {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.list_ids.is_empty()
            && self.segment_ids.is_empty()
            && self.tags.is_empty()
            && self.receivers.is_empty()
    }
}

/// The recipients of a campaign: every contact of `include` once, without those of `exclude`. Members of segments are
/// those of the time when the campaign was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// Contacts that are named at least once here get the mail.
    pub include: Selection,
    /// Contacts that are named here do not.
    #[serde(default)]
    pub exclude: Selection,
}

impl Audience {
    /// Everybody on a list.
    pub fn list(list: ListId) -> Self {
        let include = Selection {
            list_ids: vec![list],
            ..Selection::default()
        };
        Self {
            include,
            exclude: Selection::default(),
        }
    }

    /// The list whose settings count: the only thing that it includes.
    pub fn only_list(&self) -> Option<ListId> {
        let is_alone = Selection {
            list_ids: Vec::new(),
            ..self.include.clone()
        };
        let is_alone = is_alone.is_empty();
        match self.include.list_ids.as_slice() {
            [list] if is_alone => Some(*list),
            _ => None,
        }
    }

    /// The segments that it names.
    pub fn segments(&self) -> BTreeSet<SegmentId> {
        let both = [&self.include, &self.exclude].into_iter();
        both.flat_map(|one| one.segment_ids.iter().copied())
            .collect()
    }
}

/// Input of a new campaign.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The shop's name for it.
    pub name: String,
    /// The recipients.
    pub audience: Audience,
    /// Its content.
    pub content: Content,
    /// A line of the content for lists of campaigns: the subject of a mail.
    pub summary: String,
    /// Its test, if it has one.
    pub ab: Option<Ab>,
}

/// A campaign as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// The shop's name for it.
    pub name: String,
    /// The recipients.
    pub audience: Audience,
    /// The versions of its segments whose members are read; known when it is sent.
    #[serde(default)]
    pub segments: BTreeMap<SegmentId, u32>,
    /// The permission reminder of its only list, as of when it was sent; absent: that of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_reminder: Option<String>,
    /// Its content.
    pub content: Content,
    /// A line of the content: the subject of a mail.
    pub summary: String,
    /// Number of its edits: a command is about the campaign as it was read.
    #[serde(default)]
    pub revision: u32,
    /// When it starts, or should have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// The last request for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Segments of a former audience. Their notes of use are removed with those of the present ones.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dropped: BTreeSet<SegmentId>,
    /// Its status.
    pub state: State,
    /// Why it was paused or has failed, if the system did so.
    #[serde(default)]
    pub problem: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When sending began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When the last recipient had an outcome.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
    /// Contacts of the audience when it was sent; fixed when all shards are planned.
    #[serde(default)]
    pub recipients: Option<u64>,
    /// Shards that are cut into chunks.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub planned: BTreeSet<String>,
    /// Shards whose chunks are all sent.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub finished: BTreeSet<String>,
    /// Its test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ab: Option<Ab>,
    /// How far the test is; known when it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Shards whose part of the test is sent.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tested: BTreeSet<String>,
    /// When the rule decides about the winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_at: Option<Timestamp>,
    /// The winner of the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<Winner>,
    /// Its pauses for review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// Names of the effects of the last write.
    #[serde(default)]
    pub pending: Pending,
}

impl Campaign {
    /// The kind.
    pub fn kind(&self) -> Kind {
        match self.content {
            Content::Email { .. } if self.ab.is_some() => Kind::EmailAb,
            Content::Email { .. } => Kind::Email,
            Content::Sms { .. } => Kind::Sms,
            Content::Zns(_) => Kind::Zns,
            Content::Push { .. } => Kind::Push,
        }
    }

    /// The segments that may have a note of its use: those of its audience and of former ones.
    pub fn used_segments(&self) -> BTreeSet<SegmentId> {
        let mut all = self.audience.segments();
        all.extend(&self.dropped);
        all
    }

    /// Whether recipients of its shards may still wait for the last group.
    pub(crate) fn has_waiting(&self) -> bool {
        let is_over = matches!(self.state, State::Sent | State::Cancelled | State::Failed);
        self.content.is_grouped() && !is_over && !self.finished.contains(&format!("{SHARDS:02}"))
    }

    /// Whether its messages are still kept, so that its receivers are known. A campaign that was not started has none yet.
    pub(crate) fn knows_receivers(&self, now: Timestamp) -> bool {
        let day = SignedDuration::from_hours(24);
        let kept = day * (channels::ledger::KEPT_DAYS as i32 - 1);
        self.started_at
            .is_none_or(|at| now.duration_since(at) < kept)
    }

    /// Whether the campaign waits for a review of its figures.
    pub fn is_in_review(&self) -> bool {
        self.state == State::Paused && self.problem.as_deref().is_some_and(is_review)
    }

    /// Whether both were made by one request. The state may have moved on since.
    pub(crate) fn is_draft_of(&self, new: &Self) -> bool {
        (self.created_at, &self.audience) == (new.created_at, &new.audience)
            && (&self.name, &self.content) == (&new.name, &new.content)
            && self.ab == new.ab
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 12] = [
        State::Draft,
        State::PendingApproval,
        State::Rejected,
        State::Scheduled,
        State::Sending,
        State::Testing,
        State::AwaitingWinner,
        State::Paused,
        State::Sent,
        State::Cancelled,
        State::Failed,
        State::Deleted,
    ];
    const COMMANDS: [Command; 5] = [
        Command::Send,
        Command::Pause,
        Command::Resume,
        Command::Cancel,
        Command::Unschedule,
    ];

    #[test]
    fn repeating_a_command_that_was_obeyed_is_harmless() {
        for state in STATES {
            for command in COMMANDS {
                if let Step::To(next) = step(state, command) {
                    assert_eq!(step(next, command), Step::Done, "{state:?} {command:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_leaves_an_end() {
        for end in [State::Sent, State::Cancelled, State::Failed, State::Deleted] {
            for command in COMMANDS {
                assert!(
                    !matches!(step(end, command), Step::To(_)),
                    "{end:?} {command:?}"
                );
            }
        }
    }

    #[test]
    fn names_are_those_of_the_store() {
        for state in STATES {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
