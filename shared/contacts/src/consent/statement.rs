//! A statement: what a person decided about messages, how the shop knows, and the proof. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::marks::{Consents, Kind, Mark};
use super::{Channel, ChannelStatus, Purpose};

/// Longest text of a consent, in characters.
pub const MAX_TEXT: usize = 1_000;
/// Longest of the short texts of a proof, in characters.
pub const MAX_NOTE: usize = 255;

/// A decision.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(as = ConsentDecision)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Agreed.
    #[default]
    Granted,
    /// Asked for no more messages.
    Withdrawn,
    /// Was asked and did not agree, such as a box that was left empty. It ends no consent that was given.
    Refused,
    /// Was asked by double opt-in and has not answered yet.
    Pending,
    /// Reported a message as spam. Holds for the channel and all purposes.
    Complained,
    /// Blocked by the shop or by law. Holds for the channel and all purposes.
    Suppressed,
    /// An administrator ended the complaint or the block. The person must agree again.
    Lifted,
}

impl Decision {
    /// Whether it stops messages. A stop is in force before its proof is stored, a grant after.
    pub fn stops(self) -> bool {
        matches!(self, Self::Withdrawn | Self::Complained | Self::Suppressed)
    }
}

/// How the shop knows the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConsentMethod)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A box of a form.
    FormTick,
    /// The link of a confirmation mail. A verified act of the person.
    DoubleOptIn,
    /// The preference page or the unsubscribe link of a mail. A verified act of the person.
    MailLink,
    /// Said on the phone.
    Phone,
    /// Signed on paper.
    Paper,
    /// Stated for all rows of a file.
    ImportStatement,
    /// Written in a chat.
    Chat,
    /// Given by the shop's own system. With the person's IP address and the text that was shown, a verified act.
    Api,
    /// A mailbox provider's or an operator's report.
    ProviderReport,
    /// Entered by a member of staff.
    Staff,
    /// Nobody can say how. Strict workspaces send no marketing for it.
    Assumed,
}

/// The proof of a decision; the parts that are known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConsentEvidence)]
#[serde(default, deny_unknown_fields)]
pub struct Evidence {
    /// The form: a signup form's id, or the source and the form's own id.
    #[schema(max_length = 255)]
    pub form: Option<String>,
    /// The address of the person's network.
    #[schema(max_length = 255, example = "203.0.113.7")]
    pub ip: Option<String>,
    /// The person's browser.
    #[schema(max_length = 255)]
    pub user_agent: Option<String>,
    /// The mail or message that holds the decision or its link.
    #[schema(max_length = 255)]
    pub message_id: Option<String>,
    /// The file: an import's id, or the place of a scan.
    #[schema(max_length = 255)]
    pub file: Option<String>,
    /// The words of the person or of the shop.
    #[schema(max_length = 1000)]
    pub statement: Option<String>,
}

impl Evidence {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How many messages were promised to come at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConsentPromise)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// Messages.
    #[schema(minimum = 1, maximum = 20)]
    pub messages: u8,
    /// In this many days.
    #[schema(minimum = 1, maximum = 90)]
    pub days: u8,
}

/// The word of a form, an import or a caller about one person's consent. Without a statement nothing is booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// How the shop knows.
    pub way: Method,
    /// The decision.
    #[serde(default)]
    pub decision: Decision,
    /// The channels it is about.
    pub channels: BTreeSet<Channel>,
    /// The purposes it is about.
    #[serde(default = "marketing")]
    pub purposes: BTreeSet<Purpose>,
    /// The text that the person agreed to.
    #[serde(default)]
    pub text: Option<String>,
    /// How often messages were promised to come, in the words of the text.
    #[serde(default)]
    pub frequency: Option<String>,
    /// The promise as numbers. Marketing keeps it until a later consent promises something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Promise>,
    /// The proof.
    #[serde(default)]
    pub evidence: Evidence,
    /// The person or key that entered it; absent if the contact's own act was recorded.
    #[serde(default)]
    pub actor: Option<String>,
    /// When it was decided; absent: when it is written.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

fn marketing() -> BTreeSet<Purpose> {
    BTreeSet::from([Purpose::Marketing])
}

impl Statement {
    /// A decision about marketing by these channels, with no further proof.
    pub fn new(
        way: Method,
        decision: Decision,
        channels: impl IntoIterator<Item = Channel>,
    ) -> Self {
        Self {
            way,
            decision,
            channels: channels.into_iter().collect(),
            purposes: marketing(),
            text: None,
            frequency: None,
            at_most: None,
            evidence: Evidence::default(),
            actor: None,
            at: None,
        }
    }

    /// The word of the shop's own system that a channel has this status. `None`: the status is no decision.
    pub fn from_status(channel: Channel, status: ChannelStatus) -> Option<Self> {
        let decision = match status {
            ChannelStatus::Subscribed => Decision::Granted,
            ChannelStatus::Unsubscribed => Decision::Withdrawn,
            ChannelStatus::Pending => Decision::Pending,
            ChannelStatus::Complained => Decision::Complained,
            ChannelStatus::Suppressed => Decision::Suppressed,
            ChannelStatus::None | ChannelStatus::Bounced => return None,
        };
        Some(Self::new(Method::Api, decision, [channel]))
    }

    /// Whether it proves an act of the person alone, so that it counts after a withdrawal too.
    pub fn is_verified(&self) -> bool {
        match self.way {
            Method::DoubleOptIn | Method::MailLink => true,
            Method::Api => self.evidence.ip.is_some() && self.text.is_some(),
            Method::FormTick
            | Method::Phone
            | Method::Paper
            | Method::ImportStatement
            | Method::Chat
            | Method::ProviderReport
            | Method::Staff
            | Method::Assumed => false,
        }
    }

    /// The kind of mark that it raises.
    pub(crate) fn kind(&self) -> Kind {
        match (self.decision, self.way) {
            (Decision::Withdrawn, _) => Kind::Withdrawn,
            (Decision::Refused, _) => Kind::Refused,
            (Decision::Pending, _) => Kind::Pending,
            (Decision::Complained, _) => Kind::Complained,
            (Decision::Suppressed, _) => Kind::Suppressed,
            (Decision::Lifted, _) => Kind::Lifted,
            (Decision::Granted, Method::Assumed) => Kind::Assumed,
            (Decision::Granted, _) if self.is_verified() => Kind::Verified,
            (Decision::Granted, _) => Kind::Granted,
        }
    }

    /// The marks of these channels that the statement raises.
    pub(crate) fn marks(&self, channels: &[Channel]) -> Vec<Mark> {
        let kind = self.kind();
        let mut marks = Vec::new();
        for &channel in channels {
            match self.decision {
                Decision::Complained | Decision::Suppressed | Decision::Lifted => {
                    marks.push(Mark::whole(channel, kind));
                }
                _ => {
                    let purposes = self.purposes.iter();
                    marks.extend(purposes.map(|&purpose| Mark::of(channel, purpose, kind)));
                    let promised = self.at_most.filter(|_| self.decision == Decision::Granted);
                    let purposes = self.purposes.iter().filter(|_| promised.is_some());
                    let promise = |&purpose| Mark::of(channel, purpose, Kind::Promised);
                    marks.extend(purposes.map(promise));
                }
            }
        }
        marks
    }

    /// The number of a mark that the statement raises at this time, in milliseconds.
    pub(crate) fn number(&self, mark: Mark, at: i64) -> i64 {
        match self.at_most {
            Some(promise) if mark.kind == Kind::Promised => promise.number(at),
            _ => at,
        }
    }

    /// Whether the statement says nothing new: it has no proof of its own, and what it says is in force. Nightly
    /// synchronisations repeat such statements.
    pub(crate) fn is_stale(&self, known: &Consents, channels: &[Channel]) -> bool {
        let is_bare = self.evidence.is_empty() && self.text.is_none();
        let in_force = |mark: Mark| match mark.kind {
            Kind::Granted | Kind::Assumed | Kind::Pending | Kind::Refused => {
                known.at(mark).is_some()
            }
            _ => false,
        };
        is_bare && self.marks(channels).into_iter().all(in_force)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_act_of_the_person_is_verified() {
        let by = |way| Statement::new(way, Decision::Granted, [Channel::Email]);
        for way in [
            Method::FormTick,
            Method::Phone,
            Method::Paper,
            Method::ImportStatement,
            Method::Chat,
            Method::Api,
            Method::Assumed,
        ] {
            assert!(!by(way).is_verified(), "{way:?}");
        }
        assert!(by(Method::DoubleOptIn).is_verified() && by(Method::MailLink).is_verified());
        let mut call = by(Method::Api);
        call.text = Some("Tôi đồng ý nhận tin".into());
        assert!(!call.is_verified());
        call.evidence.ip = Some("203.0.113.7".into());
        assert!(call.is_verified());
    }

    #[test]
    fn the_stored_shape_needs_only_the_way_and_the_channels() {
        let text = r#"{"way":"import_statement","channels":["email","sms"]}"#;
        let statement: Statement = serde_json::from_str(text).unwrap();
        assert_eq!(statement.decision, Decision::Granted);
        assert_eq!(statement.purposes, BTreeSet::from([Purpose::Marketing]));
        let back = serde_json::to_string(&statement).unwrap();
        assert_eq!(serde_json::from_str::<Statement>(&back).unwrap(), statement);
    }
}
