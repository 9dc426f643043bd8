//! The row of a contact that holds the facts beside its profile: `ws#con / STATE`. Pure.
//!
//! Only this crate writes the row, each time on the condition that its version is the one that was read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use kernel::SegmentId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::facts::{Facts, hash};

/// Transitions that the row remembers. An older one is made again before it is forgotten.
pub(crate) const REMEMBERED: usize = 6;

/// The stored row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Increases with each write.
    #[serde(default)]
    pub version: u64,
    /// The facts. `in` holds live versions only.
    #[serde(flatten)]
    pub facts: Facts,
    /// The live versions for which it is known whether the contact is in.
    #[serde(default, skip_serializing_if = "Known::is_empty")]
    pub known: Known,
    /// When the timer of the contact is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip: Option<Timestamp>,
    /// When the counts of events were last made from the timeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled_at: Option<Timestamp>,
    /// The last transitions, oldest first. A redelivered message makes their rows and events again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
}

/// A contact that entered or left a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moved {
    /// The segment.
    pub s: SegmentId,
    /// The version of the segment.
    pub v: u32,
    /// Whether the contact entered.
    pub i: bool,
    /// The version of the row that decided it.
    pub n: u64,
    /// When the cause happened.
    pub at: Timestamp,
}

impl State {
    /// Whether the contact is in the live version of a segment. `None`: the member row must be read.
    pub fn is_in(&self, segment: SegmentId, version: u32) -> Option<bool> {
        if self.facts.inside.get(&segment) == Some(&version) {
            return Some(true);
        }
        self.known.has(segment, version).then_some(false)
    }

    /// Notes whether the contact is in the live version of a segment.
    pub fn note(&mut self, segment: SegmentId, version: u32, is_in: bool) {
        self.known.add(segment, version);
        if is_in {
            self.facts.inside.insert(segment, version);
        } else {
            self.facts.inside.remove(&segment);
        }
    }

    /// Forgets versions that are no longer live.
    pub fn keep(&mut self, live: &[(SegmentId, u32)]) {
        let hashes: Vec<u32> = live.iter().map(|&(s, v)| known(s, v)).collect();
        self.known.0.retain(|hash| hashes.contains(hash));
        let inside = &mut self.facts.inside;
        inside.retain(|&segment, version| live.contains(&(segment, *version)));
    }
}

/// Pairs of segment and version, four bytes each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known(Vec<u32>);

fn known(segment: SegmentId, version: u32) -> u32 {
    hash(&[&segment.to_string(), &version.to_string()])
}

impl Known {
    pub fn has(&self, segment: SegmentId, version: u32) -> bool {
        self.0.contains(&known(segment, version))
    }

    fn add(&mut self, segment: SegmentId, version: u32) {
        let hash = known(segment, version);
        if let Err(place) = self.0.binary_search(&hash) {
            self.0.insert(place, hash);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|hash| hash.to_be_bytes()).collect();
        serializer.serialize_str(&BASE64.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).map_err(D::Error::custom)?;
        let (chunks, _) = bytes.as_chunks::<4>();
        Ok(Self(
            chunks
                .iter()
                .map(|hash| u32::from_be_bytes(*hash))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_stored_and_read() {
        let segment = "seg_0123456789a".parse().unwrap();
        let mut state = State::default();
        assert_eq!(state.is_in(segment, 1), None);
        state.note(segment, 1, false);
        assert_eq!(state.is_in(segment, 1), Some(false));
        state.note(segment, 1, true);
        assert_eq!(state.is_in(segment, 1), Some(true));
        assert_eq!(state.is_in(segment, 2), None);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
        state.keep(&[(segment, 2)]);
        assert_eq!(state.is_in(segment, 1), None);
    }
}
