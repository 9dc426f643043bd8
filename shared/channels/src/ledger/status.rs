//! The status of a message as people read it. Pure, and a function of the row's facts: any order of the facts gives the
//! same status.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::{Fact, Row, State};

/// Where a message stands: the furthest thing that is known about it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// It is being sent.
    Processing,
    /// The provider was called and the outcome is unknown.
    Unknown,
    /// The provider accepted it.
    Sent,
    /// The provider refused it, at once or after it accepted it.
    Failed,
    /// It came back for a reason that may pass, such as a full mailbox.
    SoftBounced,
    /// It arrived.
    Delivered,
    /// A person opened it.
    Opened,
    /// A person followed a link.
    Clicked,
    /// Its reader unsubscribed.
    Unsubscribed,
    /// It came back, since the address does not work.
    Bounced,
    /// Its reader reported it as spam.
    Complained,
}

impl MessageStatus {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Sent => "sent",
            Self::SoftBounced => "soft_bounced",
            Self::Delivered => "delivered",
            Self::Opened => "opened",
            Self::Clicked => "clicked",
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

impl Row {
    /// Whether a person opened the message; a click needs the open message.
    pub fn is_opened(&self) -> bool {
        self.facts.has(Fact::Opened) || self.is_clicked()
    }

    /// Whether a person followed a link.
    pub fn is_clicked(&self) -> bool {
        self.tally().clicked > 0
    }

    /// The status of the message.
    pub fn status(&self) -> MessageStatus {
        match self.state() {
            State::Complained => MessageStatus::Complained,
            State::Bounced => MessageStatus::Bounced,
            State::Delivered if self.facts.has(Fact::Unsubscribed) => MessageStatus::Unsubscribed,
            State::Delivered if self.is_clicked() => MessageStatus::Clicked,
            State::Delivered if self.is_opened() => MessageStatus::Opened,
            State::Delivered => MessageStatus::Delivered,
            State::SoftBounced => MessageStatus::SoftBounced,
            State::Failed => MessageStatus::Failed,
            State::Sent => MessageStatus::Sent,
            State::Unknown => MessageStatus::Unknown,
            State::Claimed => MessageStatus::Processing,
        }
    }

    /// The time of the last thing that is known.
    pub fn last_at(&self) -> Timestamp {
        let facts = Fact::ALL.iter().filter_map(|&fact| self.facts.at(fact));
        let ends = [self.failed_at, self.unknown_at].into_iter().flatten();
        facts.chain(ends).max().unwrap_or(self.claimed_at)
    }
}
