//! The facts about a contact that conditions need and its profile does not hold. Pure.
//!
//! They are one row of the table Contacts, `ws#con / STATE`, of about 1 KB at most. Only the worker that keeps the
//! segments current writes the row.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use kernel::{Money, SegmentId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Days for which counted events are kept.
pub const KEPT_DAYS: i32 = 400;
/// Most pairs of event and day that a contact keeps.
pub const MAX_TICKS: usize = 256;
/// Most products that a contact keeps: the last ones.
pub const MAX_PRODUCTS: usize = 50;

/// The last time of each kind of act. Absent: never since a segment first named the act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Last {
    /// The last visit: a page, a product, a form or a chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// The last open of a message by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened: Option<Timestamp>,
    /// The last click by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clicked: Option<Timestamp>,
    /// The last message to the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
}

/// Events of a visit to the shop's website.
pub const VISITS: [&str; 4] = [
    "page.viewed",
    "product.viewed",
    "form.submitted",
    "conversation.created",
];
/// A person opened a message.
pub const OPENED: &str = "message.opened";
/// A person followed a link of a message.
pub const CLICKED: &str = "message.clicked";
/// A message was sent.
pub const SENT: &str = "message.sent";

impl Last {
    /// Takes in the acts of another record of the same person.
    pub fn absorb(&mut self, other: Self) {
        self.seen = self.seen.max(other.seen);
        self.opened = self.opened.max(other.opened);
        self.clicked = self.clicked.max(other.clicked);
        self.sent = self.sent.max(other.sent);
    }

    /// Takes in an event. The later time wins, so order and repetition do not matter.
    pub fn observe(&mut self, event: &str, at: Timestamp) {
        let slot = match event {
            OPENED => &mut self.opened,
            CLICKED => &mut self.clicked,
            SENT => &mut self.sent,
            _ if VISITS.contains(&event) => &mut self.seen,
            _ => return,
        };
        *slot = (*slot).max(Some(at));
    }
}

/// The orders of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    /// Number of orders.
    pub count: u32,
    /// Sum of their totals.
    pub sum: Money,
    /// When the first was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// When the last was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// [`product_hash`] of the last [`MAX_PRODUCTS`] products, oldest first.
    pub products: Vec<u32>,
}

impl Orders {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<commerce::Totals> for Orders {
    fn from(totals: commerce::Totals) -> Self {
        Self {
            count: totals.count,
            sum: totals.sum,
            first: totals.first,
            last: totals.last,
            products: totals.products,
        }
    }
}

/// The hash of a product's id, under which [`Orders`] keeps it.
pub use commerce::product_hash;

/// The first 32 bits of the named hash.
pub(crate) fn hash(parts: &[&str]) -> u32 {
    u32::from_str_radix(&kernel::hash::name(parts)[..8], 16).unwrap_or_default()
}

/// An event on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick {
    /// [`crate::Tracked::hash`].
    pub event: u32,
    /// Days since 1970-01-01 of the local date, see [`crate::predicate::day_of`].
    pub day: u16,
    /// How often on that day; 255 stands for any larger number.
    pub count: u8,
}

/// How often each tracked event happened on each day, in the order of event and day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ring(Vec<Tick>);

impl Ring {
    /// Sets the count of an event on a day. `today` ends what is kept: see [`KEPT_DAYS`] and [`MAX_TICKS`].
    ///
    /// A count, and not an increment: a repeated message sets the same number again. The caller counts the entries
    /// of the timeline on that day.
    pub fn set(&mut self, event: u32, day: u16, count: u8, today: u16) {
        let at = self
            .0
            .binary_search_by_key(&(event, day), |tick| (tick.event, tick.day));
        match at {
            Ok(at) if count == 0 => {
                self.0.remove(at);
            }
            Ok(at) => self.0[at].count = count,
            Err(_) if count == 0 => {}
            Err(at) => self.0.insert(at, Tick { event, day, count }),
        }
        self.prune(today);
    }

    /// The count of an event on a day.
    pub fn count(&self, event: u32, day: u16) -> u8 {
        let ticks = self.of(event).iter();
        ticks
            .filter(|tick| tick.day == day)
            .map(|tick| tick.count)
            .sum()
    }

    /// The days of an event, oldest first.
    pub fn of(&self, event: u32) -> &[Tick] {
        let from = self.0.partition_point(|tick| tick.event < event);
        let to = from + self.0[from..].partition_point(|tick| tick.event == event);
        &self.0[from..to]
    }

    /// Every pair of event and day.
    pub fn ticks(&self) -> &[Tick] {
        &self.0
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets days that no condition reads. If there are still too many, the event with the most days loses its
    /// oldest, so that a frequent event never displaces a rare one.
    fn prune(&mut self, today: u16) {
        // A contact's day begins up to 30 minutes after midnight, so the predicate may be a day behind.
        let kept = i32::from(today) - KEPT_DAYS - 2;
        self.0.retain(|tick| i32::from(tick.day) > kept);
        while self.0.len() > MAX_TICKS {
            let mut longest = 0..0;
            let mut from = 0;
            while from < self.0.len() {
                let length = self.of(self.0[from].event).len();
                if length > longest.len() {
                    longest = from..from + length;
                }
                from += length;
            }
            self.0.remove(longest.start);
        }
    }

    /// Each event once: its hash, its number of days, then for each day the gap to the day before and the count.
    fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for ticks in self.0.chunk_by(|a, b| a.event == b.event) {
            bytes.extend(ticks[0].event.to_be_bytes());
            varint(&mut bytes, ticks.len() as u16);
            let mut before = 0;
            for tick in ticks {
                varint(&mut bytes, tick.day - before);
                bytes.push(tick.count);
                before = tick.day;
            }
        }
        bytes
    }

    fn unpack(mut bytes: &[u8]) -> Option<Self> {
        let mut ticks = Vec::new();
        while let Some((event, rest)) = bytes.split_first_chunk::<4>() {
            bytes = rest;
            let event = u32::from_be_bytes(*event);
            let mut day = 0u16;
            for _ in 0..take(&mut bytes)? {
                day = day.checked_add(take(&mut bytes)?)?;
                let (count, rest) = bytes.split_first()?;
                bytes = rest;
                let count = *count;
                ticks.push(Tick { event, day, count });
            }
        }
        let is_ordered = ticks
            .windows(2)
            .all(|pair| (pair[0].event, pair[0].day) < (pair[1].event, pair[1].day));
        (bytes.is_empty() && is_ordered).then_some(Self(ticks))
    }
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn varint(bytes: &mut Vec<u8>, mut value: u16) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u16> {
    let mut value = 0u32;
    for shift in [0, 7, 14] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u16::try_from(value).ok();
        }
    }
    None
}

impl Serialize for Ring {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.pack()))
    }
}

impl<'de> Deserialize<'de> for Ring {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(D::Error::custom)?;
        Self::unpack(&bytes).ok_or_else(|| D::Error::custom("the ring of events is damaged"))
    }
}

/// The facts about a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The segments that the contact is in, each with the version of the segment under which that was decided.
    #[serde(rename = "in", skip_serializing_if = "BTreeMap::is_empty")]
    pub inside: BTreeMap<SegmentId, u32>,
    /// The counted events.
    #[serde(skip_serializing_if = "Ring::is_empty")]
    pub ring: Ring,
    /// The last act of each kind.
    pub last: Last,
    /// The orders.
    #[serde(rename = "ord", skip_serializing_if = "Orders::is_empty")]
    pub orders: Orders,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_damaged_ring_is_an_error() {
        for bytes in [
            &[1, 2][..],
            &[0, 0, 0, 1, 1],
            &[0, 0, 0, 1, 2, 5, 1, 0, 1],
            &[0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            assert_eq!(Ring::unpack(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_frequent_event_displaces_no_rare_one() {
        let mut ring = Ring::default();
        ring.set(9, 20_000, 1, 20_000);
        for day in 0..399 {
            ring.set(1, 20_000 + day, 1, 20_000 + day);
        }
        assert_eq!(ring.ticks().len(), MAX_TICKS);
        assert_eq!(ring.count(9, 20_000), 1);
        assert_eq!(ring.count(1, 20_000), 0);
        assert_eq!(ring.count(1, 20_398), 1);
        ring.set(2, 20_402, 1, 20_402);
        assert!(ring.of(9).is_empty(), "400 days have passed");
    }

    #[test]
    fn facts_of_a_contact_without_any_are_small() {
        let facts = serde_json::to_string(&Facts::default()).unwrap();
        assert_eq!(facts, r#"{"last":{}}"#);
        assert_eq!(
            serde_json::from_str::<Facts>("{}").unwrap(),
            Facts::default()
        );
    }

    proptest! {
        #[test]
        fn a_ring_is_stored_and_read(
            sets in proptest::collection::vec((0u32..4, 20_000u16..20_500, 0u8..=255), 0..400),
        ) {
            let mut ring = Ring::default();
            for (event, day, count) in sets {
                ring.set(event.wrapping_mul(0x4000_0001), day, count, 20_450);
            }
            let text = serde_json::to_string(&ring).unwrap();
            prop_assert!(text.len() <= 800, "{}", text.len());
            prop_assert_eq!(serde_json::from_str::<Ring>(&text).unwrap(), ring);
        }

        #[test]
        fn the_last_time_does_not_depend_on_order(times in proptest::collection::vec(0i64..100, 1..8)) {
            let at = |second| Timestamp::from_second(second).unwrap();
            let (mut last, mut reverse) = (Last::default(), Last::default());
            for second in &times {
                last.observe(OPENED, at(*second));
            }
            times.iter().rev().for_each(|second| reverse.observe(OPENED, at(*second)));
            prop_assert_eq!(last, reverse);
            prop_assert_eq!(last.opened, times.iter().max().map(|second| at(*second)));
        }
    }
}
