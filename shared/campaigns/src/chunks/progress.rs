//! The rows of a chunk: its contacts, and how far its sending is.

use cloud::Error;
use kernel::{CampaignId, ContactId, Cursor};
use serde::{Deserialize, Serialize};

use crate::ab::Part;
use crate::outcomes::Outcomes;

const PREFIX_LEN: usize = CampaignId::PREFIX.len() + 1;
const ID_LEN: usize = 11;

/// Contacts of a chunk. Written once and never changed. The cursor and the tallies are in another item, so a write
/// of them does not pay for the ids again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Ids without their prefix, one after another.
    ids: String,
    /// The last contact that was looked at; `None` on the last chunk.
    #[serde(default)]
    pub next: Option<Cursor>,
}

/// Progress of a chunk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Position of the next recipient in the chunk.
    pub cursor: u32,
    /// The cursor has reached the end.
    #[serde(default)]
    pub done: bool,
    /// The outcomes of the recipients before the cursor, and of earlier passes.
    #[serde(default)]
    pub outcomes: Outcomes,
    /// Recipients before the cursor that wait for a group of the provider's least size, as the ids of a [`Chunk`]. They have
    /// no outcome yet, and go with the next chunk of the shard.
    #[serde(default)]
    pub rest: String,
    /// The recipients of this pass; the cursor counts them only.
    #[serde(default, skip_serializing_if = "Part::is_all")]
    pub part: Part,
    /// The outcomes of earlier passes.
    #[serde(default, skip_serializing_if = "Outcomes::is_empty")]
    pub before: Outcomes,
}

impl Progress {
    /// The progress of a pass. A pass that comes after this one begins; an earlier one is done.
    pub fn of(&self, part: Part) -> Self {
        let mut progress = self.clone();
        match part.cmp(&self.part) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => progress.done = true,
            std::cmp::Ordering::Greater => {
                progress = Self {
                    cursor: 0,
                    done: false,
                    before: progress.outcomes.clone(),
                    outcomes: progress.outcomes,
                    part,
                    rest: String::new(),
                }
            }
        }
        progress
    }

    /// The recipients that wait for a group.
    pub fn waiting(&self) -> Result<Vec<ContactId>, Error> {
        ids_of(&self.rest)
    }

    /// The outcomes of this pass.
    pub fn of_pass(&self) -> Outcomes {
        self.outcomes.without(&self.before)
    }
}

impl Chunk {
    pub fn new(ids: &[ContactId], next: Option<Cursor>) -> Self {
        Self {
            ids: text_of(ids),
            next,
        }
    }

    /// A chunk without contacts: it only marks the end of the shard when it was planned.
    pub fn is_end(&self) -> bool {
        self.ids.is_empty()
    }

    /// The contacts, in order.
    pub fn contacts(&self) -> Result<Vec<ContactId>, Error> {
        ids_of(&self.ids)
    }
}

/// Ids without their prefix, one after another.
pub(crate) fn text_of(ids: &[ContactId]) -> String {
    let ids = ids.iter().map(|id| id.to_string()[PREFIX_LEN..].to_owned());
    ids.collect()
}

fn ids_of(text: &str) -> Result<Vec<ContactId>, Error> {
    let wrong = || Error::Shape("the chunk's ids are damaged".into());
    let parts = text.as_bytes().chunks(ID_LEN);
    let id = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        format!("{}_{digits}", ContactId::PREFIX).parse().ok()
    };
    parts.map(|digits| id(digits).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_gives_back_its_contacts() {
        let clock = kernel::Clock::from_fn(|| jiff::Timestamp::from_second(1_772_438_400).unwrap());
        let ids: Vec<ContactId> = (0..500)
            .map(|seed| ContactId::new(&clock, &kernel::Entropy::seeded(seed)))
            .collect();
        let chunk = Chunk::new(&ids, None);
        assert_eq!(chunk.contacts().unwrap(), ids);
        assert_eq!(chunk.ids.len(), 5_500);
        let damaged = Chunk {
            ids: chunk.ids[1..].to_owned(),
            ..chunk
        };
        assert!(damaged.contacts().is_err());
    }
}
