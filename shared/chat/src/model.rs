//! Conversations and messages as they are stored, and the rules that need no other data.
//!
//! Pure: no I/O, no clock.

use std::fmt;

use jiff::Timestamp;
use kernel::{ContactId, ConversationId, InboxId, MessageId, WorkspaceId};
use serde::{Deserialize, Serialize};

/// Longest text on the website, in characters. Four bytes each still fit an item and a queue message.
pub const MAX_TEXT: usize = 20_000;
/// How long messages from a muted customer do not reopen the conversation.
pub const MUTE_SECONDS: i64 = 6 * 3600;
/// The assignee of a conversation without one: an index key cannot be absent.
pub const NOBODY: &str = "~";

/// A message's text: composed Unicode, neither blank nor too long; `None` otherwise.
pub fn text(text: &str) -> Option<String> {
    let text = kernel::text::nfc(text);
    let fits = !text.trim().is_empty() && text.chars().count() <= MAX_TEXT;
    fits.then_some(text)
}

/// A browser that writes in the widget. The id is random and known to that browser only. The id alone authenticates
/// the visitor, so it is as long as a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Visitor(String);

impl Visitor {
    /// A new visitor.
    pub fn new(entropy: &kernel::Entropy) -> Self {
        Self(entropy.nonce())
    }

    /// The id's text: 32 lower-case hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Visitor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(hex) {
            Ok(Self(text))
        } else {
            Err("expected the visitor_id of an earlier session: 32 hex digits")
        }
    }
}

impl From<Visitor> for String {
    fn from(visitor: Visitor) -> Self {
        visitor.0
    }
}

impl fmt::Display for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a conversation is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = InboxChannel)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The widget on the shop's website.
    Website,
    /// A channel that this build does not know. It cannot deliver there.
    #[serde(other)]
    Unknown,
}

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConversationStatus)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the product's own words")]
pub enum Status {
    Open,
    Pending,
    Snoozed,
    Resolved,
}

impl Status {
    /// The name in keys and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
        }
    }

    /// Whether a customer's message reopens the conversation, unless the customer is muted.
    pub fn reopens(self) -> bool {
        matches!(self, Self::Snoozed | Self::Resolved)
    }
}

/// The author of a message or of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MessageAuthor)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sender {
    /// The customer.
    Contact {
        /// Who.
        id: ContactId,
    },
    /// Staff, by the credential that was used.
    Agent {
        /// Public id of the credential.
        id: String,
    },
    /// The product itself.
    System,
}

/// The latest change of a conversation's state. It is written together with the state and names its activity
/// message. So an activity message that was lost in a crash can be written later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Name of the activity line. Repeated writes under one name make one line.
    pub origin: String,
    /// Time of the change.
    pub at: Timestamp,
    /// The content of the line.
    pub text: String,
    /// Who.
    pub by: Sender,
    /// The new status, of a change of the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A conversation: the header item. Only headers carry `tenant` with `status`, `assignee`, `inbox`,
/// `contact` and `last_activity`, so the indexes hold headers only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Workspace.
    pub tenant: WorkspaceId,
    /// Id.
    pub id: ConversationId,
    /// The inbox of the conversation.
    pub inbox: InboxId,
    /// Channel of that inbox.
    pub channel: Channel,
    /// The visitor's browser.
    pub visitor: Visitor,
    /// The customer.
    pub contact: ContactId,
    /// Its status.
    pub status: Status,
    /// The assignee; [`NOBODY`] if there is none.
    pub assignee: String,
    /// Time of the newest message, sortable.
    pub last_activity: String,
    /// When it began.
    pub created_at: Timestamp,
    /// The client's id of the first message. That message announces the conversation.
    pub begun_by: String,
    /// End of its snooze.
    #[serde(default)]
    pub snoozed_until: Option<Timestamp>,
    /// Until this time its customer's messages do not reopen it.
    #[serde(default)]
    pub muted_until: Option<Timestamp>,
    /// The latest change.
    #[serde(default)]
    pub change: Option<Change>,
}

impl Conversation {
    /// Whether a customer's message at `at` reopens it.
    pub fn reopens_at(&self, at: Timestamp) -> bool {
        self.status.reopens() && self.muted_until.is_none_or(|until| until <= at)
    }
}

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MessageKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// From the customer.
    Incoming,
    /// From staff.
    Outgoing,
    /// A line that describes a change.
    Activity,
}

/// How far an outgoing message has come. Reports arrive in any order; the higher rank stays.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = MessageDelivery)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the product's own words")]
pub enum Delivery {
    Sending,
    Sent,
    Failed,
    Delivered,
    Read,
}

impl Delivery {
    /// A higher rank replaces a lower one. A failure can still follow `sent` (a provider reports it later).
    /// `delivered` proves that an earlier failure was wrong.
    pub fn rank(self) -> u32 {
        match self {
            Self::Sending => 0,
            Self::Sent => 1,
            Self::Failed => 2,
            Self::Delivered => 3,
            Self::Read => 4,
        }
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Id.
    pub id: MessageId,
    /// Conversation.
    pub conversation: ConversationId,
    /// Its time, which is its place in the conversation.
    pub at: Timestamp,
    /// The kind.
    pub kind: Kind,
    /// Plain text.
    pub content: String,
    /// For staff only.
    pub private: bool,
    /// The author.
    pub sender: Sender,
    /// State of its delivery.
    pub delivery: Delivery,
    /// Reason of a failure.
    #[serde(default)]
    pub failure: Option<String>,
    /// The id that the author's client gave it.
    #[serde(default)]
    pub client_msg_id: Option<String>,
    /// When its author sent it; set only if the message arrived so late that its place is later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
}

impl Message {
    /// The message as the visitor may see it. `None` for notes, activity lines and failed answers.
    pub fn for_visitor(self) -> Option<MessageForVisitor> {
        let author = match (self.kind, self.private, self.delivery) {
            (Kind::Incoming, false, _) => "visitor",
            (Kind::Outgoing, false, delivery) if delivery != Delivery::Failed => "agent",
            _ => return None,
        };
        Some(MessageForVisitor {
            id: self.id,
            client_msg_id: self.client_msg_id.filter(|_| author == "visitor"),
            author,
            content: self.content,
            created_at: self.at,
        })
    }
}

/// A message in the visitor's eyes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = WidgetMessage)]
pub struct MessageForVisitor {
    /// Id.
    pub id: MessageId,
    /// On the visitor's own messages: the id the browser gave it.
    pub client_msg_id: Option<String>,
    /// `visitor` or `agent`.
    pub author: &'static str,
    /// Plain text.
    pub content: String,
    /// The time of the message.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: Kind, private: bool, delivery: Delivery) -> Message {
        let at = Timestamp::from_millisecond(1_772_438_400_000).unwrap();
        Message {
            id: MessageId::derived(at, &["a"]),
            conversation: ConversationId::derived(at, &["a"]),
            at,
            kind,
            content: "Shop ơi".into(),
            private,
            sender: Sender::System,
            delivery,
            failure: None,
            client_msg_id: Some("c-1".into()),
            sent_at: None,
        }
    }

    #[test]
    fn a_visitor_sees_the_talk_and_nothing_else() {
        let seen = |kind, private, delivery| {
            let shown = message(kind, private, delivery).for_visitor();
            shown.map(|shown| (shown.author, shown.client_msg_id))
        };
        let own = Some(("visitor", Some("c-1".to_owned())));
        assert_eq!(seen(Kind::Incoming, false, Delivery::Sent), own);
        assert_eq!(
            seen(Kind::Outgoing, false, Delivery::Sending),
            Some(("agent", None))
        );
        for delivery in [Delivery::Sending, Delivery::Sent, Delivery::Read] {
            assert_eq!(seen(Kind::Outgoing, true, delivery), None);
        }
        assert_eq!(seen(Kind::Activity, false, Delivery::Sent), None);
        assert_eq!(seen(Kind::Outgoing, false, Delivery::Failed), None);
    }

    #[test]
    fn a_text_is_bounded_in_characters_and_composed() {
        assert_eq!(text("  \n\t "), None);
        assert!(text(&"ơ".repeat(MAX_TEXT)).is_some());
        assert_eq!(text(&"a".repeat(MAX_TEXT + 1)), None);
        assert_eq!(text("a\u{300}").as_deref(), Some("à"));
    }

    #[test]
    fn only_our_own_visitor_ids_are_taken() {
        let fresh = Visitor::new(&kernel::Entropy::seeded(1));
        assert!(Visitor::try_from(fresh.as_str().to_owned()).is_ok());
        for bad in ["", "x", &"A".repeat(32), &"0".repeat(33), "0#"] {
            assert!(Visitor::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_muted_conversation_stays_closed_until_its_time() {
        let at = Timestamp::from_millisecond(1_772_438_400_000).unwrap();
        let later = Timestamp::from_millisecond(1_772_438_400_001).unwrap();
        let mut conversation = Conversation {
            tenant: "ws_00000000001".parse().unwrap(),
            id: ConversationId::derived(at, &["a"]),
            inbox: InboxId::derived(at, &["a"]),
            channel: Channel::Website,
            visitor: Visitor::new(&kernel::Entropy::seeded(1)),
            contact: ContactId::derived(at, &["a"]),
            status: Status::Resolved,
            assignee: NOBODY.into(),
            last_activity: kernel::clock::sortable(at),
            created_at: at,
            begun_by: "c-1".into(),
            snoozed_until: None,
            muted_until: None,
            change: None,
        };
        assert!(conversation.reopens_at(at));
        conversation.muted_until = Some(later);
        assert!(!conversation.reopens_at(at) && conversation.reopens_at(later));
        conversation.status = Status::Pending;
        assert!(!conversation.reopens_at(later));
    }
}
