//! Keys of the chat and realtime tables, and places within a conversation.
//!
//! In a conversation's partition all other rows sort before the messages (`C#`, `CUSTOM`, `HEADER` < `M#`). So a range from
//! a message to the end holds messages only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloud::Key;
use jiff::Timestamp;
use kernel::{ConversationId, InboxId, MessageId, TenantKey, clock::sortable};
use serde::{Deserialize, Serialize};

use crate::model::Visitor;

/// Prefix of a message's sort key.
pub(crate) const MESSAGES: &str = "M#";
/// Sorts after every message.
pub(crate) const MESSAGES_END: &str = "M#~";

/// Partition of a conversation.
pub(crate) fn partition(tenant: TenantKey, conversation: ConversationId) -> String {
    format!("{tenant}#{conversation}")
}

/// The conversation itself.
pub(crate) fn header(tenant: TenantKey, conversation: ConversationId) -> Key {
    Key::new(partition(tenant, conversation), "HEADER")
}

/// The values of the conversation's custom fields.
pub(crate) fn custom(tenant: TenantKey, conversation: ConversationId) -> Key {
    Key::new(partition(tenant, conversation), "CUSTOM")
}

/// A message, sorted by its time.
pub(crate) fn message(
    tenant: TenantKey,
    conversation: ConversationId,
    at: Timestamp,
    id: MessageId,
) -> Key {
    let sk = format!("{MESSAGES}{}#{id}", sortable(at));
    Key::new(partition(tenant, conversation), sk)
}

/// Row of the place of the message with this origin.
pub(crate) fn claim(tenant: TenantKey, conversation: ConversationId, origin: &str) -> Key {
    Key::new(partition(tenant, conversation), format!("C#{origin}"))
}

/// Row of the one conversation of a visitor in an inbox.
pub(crate) fn pointer(tenant: TenantKey, inbox: InboxId, visitor: &Visitor) -> Key {
    Key::new(visitor_room(tenant, inbox, visitor), "CONVERSATION")
}

/// The room of a visitor's connections. It is named by visitor, since a browser connects before its first message
/// makes a conversation.
pub(crate) fn visitor_room(tenant: TenantKey, inbox: InboxId, visitor: &Visitor) -> String {
    format!("{tenant}#CU#{inbox}#{visitor}")
}

/// The room of all agents of a workspace.
pub(crate) fn agents_room(tenant: TenantKey) -> String {
    format!("{tenant}#agents")
}

/// A connection in a room.
pub(crate) fn member(room: &str, connection: &str) -> Key {
    Key::new(room, connection)
}

/// Row of a connection's room. It is not named by tenant: `$disconnect` knows the connection only.
pub(crate) fn connection(connection: &str) -> Key {
    Key::new(format!("CONN#{connection}"), "CONN")
}

/// A place between two messages of a conversation; opaque to clients.
///
/// New messages can still appear between messages already read. `settled` marks the point before which nothing is
/// missing. When the reader reaches the end, it rereads from there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    key: String,
    /// Absent if it equals `key`.
    settled: Option<String>,
}

/// Separates the two keys of a place.
const AND_SETTLED: char = '|';

impl Position {
    fn at_key(key: String) -> Self {
        Self { key, settled: None }
    }

    /// Before every message.
    pub fn start() -> Self {
        Self::at_key(MESSAGES.to_owned())
    }

    /// Directly before a message of this time.
    pub fn before(at: Timestamp) -> Self {
        Self::at_key(format!("{MESSAGES}{}", sortable(at)))
    }

    /// Directly after this message.
    pub fn after(at: Timestamp, id: MessageId) -> Self {
        Self::at_key(format!("{MESSAGES}{}#{id}", sortable(at)))
    }

    /// This place, with `settled` if that is before it. The reader has all messages before `settled`.
    pub(crate) fn with_settled(self, settled: &Self) -> Self {
        let settled = Some(&settled.key).filter(|&settled| *settled < self.key);
        Self {
            settled: settled.cloned(),
            key: self.key,
        }
    }

    /// The place before which the reader has all messages, if it differs from this place.
    pub(crate) fn settled(&self) -> Option<Self> {
        self.settled.clone().map(Self::at_key)
    }

    /// Lowest sort key after this place: `!` is below `#` and every digit.
    pub(crate) fn low(&self) -> String {
        low(&self.key)
    }

    /// Highest sort key up to this place; it includes the message that the place names.
    pub(crate) fn high(&self) -> &str {
        &self.key
    }
}

fn low(key: &str) -> String {
    format!("{key}!")
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut text = self.key.clone();
        if let Some(settled) = &self.settled {
            text.push(AND_SETTLED);
            text.push_str(settled);
        }
        s.serialize_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| read(&text))
            .ok_or_else(|| serde::de::Error::custom("expected a place that an earlier answer gave"))
    }
}

fn read(text: &str) -> Option<Position> {
    let key = |key: &str| {
        let is_key = key.starts_with(MESSAGES)
            && key.len() <= 64
            && key.is_ascii()
            && low(key).as_str() < MESSAGES_END;
        is_key.then(|| key.to_owned())
    };
    Some(match text.split_once(AND_SETTLED) {
        Some((place, settled)) => Position {
            key: key(place)?,
            settled: Some(key(settled)?),
        },
        None => Position::at_key(key(text)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a tenant for tests")]
    fn tenant() -> TenantKey {
        TenantKey::authenticated("ws_00000000001".parse().unwrap())
    }

    fn at() -> Timestamp {
        Timestamp::from_millisecond(1_772_438_400_000).unwrap()
    }

    #[test]
    fn keys_read_exactly_so() {
        let conversation: ConversationId = "cnv_0000000000a".parse().unwrap();
        let visitor = Visitor::try_from("0f".repeat(16)).unwrap();
        let inbox: InboxId = "inb_0000000000b".parse().unwrap();
        let id: MessageId = "msg_0000000000c".parse().unwrap();
        let key = |pk: &str, sk: &str| Key::new(pk, sk);
        assert_eq!(
            header(tenant(), conversation),
            key("ws_00000000001#cnv_0000000000a", "HEADER")
        );
        assert_eq!(
            message(tenant(), conversation, at(), id),
            key(
                "ws_00000000001#cnv_0000000000a",
                "M#2026-03-02T08:00:00.000Z#msg_0000000000c"
            )
        );
        assert_eq!(
            pointer(tenant(), inbox, &visitor),
            key(
                "ws_00000000001#CU#inb_0000000000b#0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
                "CONVERSATION"
            )
        );
        assert_eq!(
            member(&agents_room(tenant()), "L0SM9c="),
            key("ws_00000000001#agents", "L0SM9c=")
        );
        assert_eq!(connection("L0SM9c="), key("CONN#L0SM9c=", "CONN"));
        assert_eq!(
            claim(tenant(), conversation, "0f0f"),
            key("ws_00000000001#cnv_0000000000a", "C#0f0f")
        );
    }

    #[test]
    fn a_place_parts_its_message_from_the_next() {
        let id: MessageId = "msg_0000000000c".parse().unwrap();
        let next: MessageId = "msg_0000000000d".parse().unwrap();
        let key = |id| message(tenant(), "cnv_0000000000a".parse().unwrap(), at(), id).sk;
        assert!(Position::before(at()).low() < key(id));
        assert!(Position::after(at(), id).low() > key(id));
        assert!(Position::after(at(), id).low() < key(next));
        assert!(Position::start().low() < key(id) && key(next).as_str() < MESSAGES_END);
    }

    #[test]
    fn a_place_round_trips_and_a_foreign_one_is_refused() {
        let place = Position::after(at(), "msg_0000000000c".parse().unwrap());
        let json = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), place);
        let on_the_way = place.with_settled(&Position::start());
        let json = serde_json::to_string(&on_the_way).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), on_the_way);
        let foreign = [
            "HEADER",
            "HEADER|M#",
            "M#|HEADER",
            "M#|",
            "M#~",
            "M#\u{7f}",
            "M#|M#~",
        ];
        let foreign = foreign.map(|key| URL_SAFE_NO_PAD.encode(key));
        for bad in ["", "%"]
            .into_iter()
            .chain(foreign.iter().map(String::as_str))
        {
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<Position>(&json).is_err(), "{bad}");
        }
    }
}
