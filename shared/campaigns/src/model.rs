//! A campaign, its states and the allowed changes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use channels::Content;
use cloud::Pending;
use jiff::Timestamp;
use kernel::{CampaignId, ListId, SegmentId};
use serde::{Deserialize, Serialize};

use crate::review::{Review, is_review};

/// Where a campaign stands. A schedule and an approval will stand between `draft` and
/// `sending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CampaignState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being written.
    Draft,
    /// Its audience is being planned and sent to.
    Sending,
    /// Stopped; it can be resumed.
    Paused,
    /// Every recipient has an outcome.
    Sent,
    /// Stopped for ever.
    Cancelled,
    /// Cannot be sent.
    Failed,
}

impl State {
    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Sent => "sent",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// The kind of a campaign, which follows from its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CampaignKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One mail.
    Email,
    /// A text message.
    Sms,
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
        (State::Draft, Command::Send) | (State::Paused, Command::Resume) => {
            Step::To(State::Sending)
        }
        (State::Sending, Command::Pause) => Step::To(State::Paused),
        (State::Draft | State::Sending | State::Paused, Command::Cancel) => {
            Step::To(State::Cancelled)
        }
        (State::Sending | State::Paused | State::Sent, Command::Send)
        | (State::Paused, Command::Pause)
        | (State::Sending | State::Sent, Command::Resume)
        | (State::Cancelled, Command::Cancel) => Step::Done,
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
}

impl Selection {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.list_ids.is_empty() && self.segment_ids.is_empty() && self.tags.is_empty()
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
        let is_alone = self.include.segment_ids.is_empty() && self.include.tags.is_empty();
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
            Content::Email { .. } => Kind::Email,
            Content::Sms { .. } => Kind::Sms,
        }
    }

    /// Whether the campaign waits for a review of its figures.
    pub fn is_in_review(&self) -> bool {
        self.state == State::Paused && self.problem.as_deref().is_some_and(is_review)
    }

    /// Whether both were made by one request. The state may have moved on since.
    pub(crate) fn is_draft_of(&self, new: &Self) -> bool {
        (self.created_at, &self.audience) == (new.created_at, &new.audience)
            && (&self.name, &self.content) == (&new.name, &new.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 6] = [
        State::Draft,
        State::Sending,
        State::Paused,
        State::Sent,
        State::Cancelled,
        State::Failed,
    ];

    #[test]
    fn repeating_a_command_that_was_obeyed_is_harmless() {
        for state in STATES {
            for command in [
                Command::Send,
                Command::Pause,
                Command::Resume,
                Command::Cancel,
            ] {
                if let Step::To(next) = step(state, command) {
                    assert_eq!(step(next, command), Step::Done, "{state:?} {command:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_leaves_an_end() {
        for end in [State::Sent, State::Cancelled, State::Failed] {
            for command in [
                Command::Send,
                Command::Pause,
                Command::Resume,
                Command::Cancel,
            ] {
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
