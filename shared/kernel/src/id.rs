//! Ids: time-ordered integers below 2^53, written as prefixed base32.
//!
//! 41 bits of milliseconds since 2025-01-01 and 12 random bits. They fit a JavaScript number, sort by creation, and
//! look like `con_0a1b2c3d4e5`. 12 bits do not make an id unique: a record is created by a conditional put, with a
//! fresh id on collision.

use std::fmt;
use std::str::FromStr;

use crate::{Clock, Entropy, Origin};

/// 2025-01-01T00:00:00Z in milliseconds; 41 bits reach the year 2094.
const EPOCH_MS: i64 = 1_735_689_600_000;
const RANDOM_BITS: u32 = 12;
/// Largest integer that a JavaScript number holds exactly.
const MAX: u64 = (1 << 53) - 1;
/// Crockford's alphabet in lower case: it sorts like the number and has no look-alikes.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 11;

/// Why a text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id like {prefix}_ followed by {DIGITS} letters or digits")]
pub struct IdError {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

fn generate(clock: &Clock, entropy: &Entropy) -> u64 {
    let ms = clock.now_ms().saturating_sub(EPOCH_MS).max(0) as u64;
    let random = entropy.u64() & ((1 << RANDOM_BITS) - 1);
    ((ms << RANDOM_BITS) | random) & MAX
}

fn encode(value: u64, prefix: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut digits = [0u8; DIGITS];
    for (i, digit) in digits.iter_mut().rev().enumerate() {
        *digit = ALPHABET[(value >> (5 * i)) as usize & 31];
    }
    write!(
        f,
        "{prefix}_{}",
        str::from_utf8(&digits).map_err(|_| fmt::Error)?
    )
}

fn decode(text: &str, prefix: &'static str) -> Result<u64, IdError> {
    let error = IdError { prefix };
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|digits| digits.len() == DIGITS)
        .ok_or_else(|| error.clone())?;
    let value = digits.bytes().try_fold(0u64, |value, byte| {
        ALPHABET
            .iter()
            .position(|&letter| letter == byte)
            .map(|digit| (value << 5) | digit as u64)
    });
    value.filter(|&value| value <= MAX).ok_or(error)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Prefix of every id of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id; unique only after a conditional put with it.
            pub fn new(clock: &Clock, entropy: &Entropy) -> Self {
                Self(generate(clock, entropy))
            }

            /// The id that follows from a key: the same input always gives the same id. For records that a
            /// redelivered message must find again. As with fresh ids, a conditional put detects collisions.
            pub fn derived(at: jiff::Timestamp, key: &[&str]) -> Self {
                let ms = at.as_millisecond().saturating_sub(EPOCH_MS).max(0) as u64;
                let bits = u64::from(crate::hash::bucket(key, 1 << RANDOM_BITS));
                Self(((ms << RANDOM_BITS) | bits) & MAX)
            }

            /// The id of a record that a request creates. `draw` counts the ids that were taken already.
            pub fn of(origin: &Origin, draw: u32) -> Self {
                Self::derived(origin.at, &[$prefix, &origin.name, &draw.to_string()])
            }

            /// The number behind the text, below 2^53.
            pub fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode(self.0, $prefix, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode(text, $prefix).map(Self)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                crate::schema::id($prefix, stringify!($name))
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An account: the customer of a cloud team, with its people and workspaces.
    AccountId = "acc";
    /// An invitation to an account.
    InvitationId = "inv";
    /// A workspace: the tenant.
    WorkspaceId = "ws";
    /// A person who uses the product.
    UserId = "usr";
    /// An API key.
    CredentialId = "key";
    /// A customer of the shop.
    ContactId = "con";
    /// A contact list.
    ListId = "lst";
    /// A connected data source.
    SourceId = "src";
    /// An address that a workspace may send from.
    SenderId = "snd";
    /// A file import.
    ImportId = "imp";
    /// An export of contacts.
    ExportId = "exp";
    /// A note on a contact.
    NoteId = "not";
    /// A file of a contact.
    FileId = "fil";
    /// A saved view of the contacts.
    ViewId = "viw";
    /// A change of many contacts.
    BulkId = "blk";
    /// An order.
    OrderId = "ord";
    /// A product.
    ProductId = "prd";
    /// A segment of contacts.
    SegmentId = "seg";
    /// A campaign.
    CampaignId = "cmp";
    /// A workflow.
    WorkflowId = "wfl";
    /// A signup form.
    FormId = "frm";
    /// A chat channel.
    InboxId = "inb";
    /// A conversation.
    ConversationId = "cnv";
    /// A chat message.
    MessageId = "msg";
    /// A request of a person about their own data.
    PrivacyRequestId = "prq";
    /// An address of the shop that gets events.
    WebhookId = "whk";
    /// A sender's name of text messages.
    BrandnameId = "brn";
    /// A registered text of text messages.
    SmsTemplateId = "smt";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Clock {
        Clock::from_fn(move || jiff::Timestamp::from_millisecond(ms).unwrap())
    }

    #[test]
    fn ids_sort_by_creation_and_fit_a_javascript_number() {
        let entropy = Entropy::seeded(1);
        let first = ContactId::new(&at(1_772_438_400_000), &entropy);
        let second = ContactId::new(&at(1_772_438_400_001), &entropy);
        assert!(first < second && first.to_string() < second.to_string());
        let last = ContactId::new(&at(3_900_000_000_000), &entropy);
        assert!(last.number() <= MAX);
    }

    #[test]
    fn another_kind_or_a_damaged_text_is_refused() {
        let id = ContactId::new(&at(1_772_438_400_000), &Entropy::seeded(1)).to_string();
        assert!(id.replace("con_", "lst_").parse::<ContactId>().is_err());
        for bad in [
            "",
            "con_",
            "con_0",
            "con_iiiiiiiiiii",
            "con_zzzzzzzzzzz",
            "con_0000000000é",
        ] {
            assert!(bad.parse::<ContactId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(ms in EPOCH_MS..EPOCH_MS + (1 << 41), seed: u64) {
            let id = CampaignId::new(&at(ms), &Entropy::seeded(seed));
            prop_assert_eq!(id.to_string().parse::<CampaignId>().unwrap(), id);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<CampaignId>(&json).unwrap(), id);
        }
    }
}
