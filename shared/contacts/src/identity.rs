//! The contact that an input is about, and which of the input's identities that contact may have. Pure.
//!
//! The rules are those of [ADR 0027](../../../docs/adr/0027-who-is-who.md), the same at every way in.

use kernel::ContactId;
use serde::{Deserialize, Serialize};

use crate::model::{Identity, Trust};

/// A contact that owns some identity of the input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub contact: ContactId,
    /// Whether the contact exists. An id that is only reserved belongs to a creation that has not finished.
    pub exists: bool,
    /// Whether it was erased. Its claims are to be released.
    pub erased: bool,
    /// The identities that it shows.
    pub shows: Vec<Identity>,
    /// Whether the input replaces the addresses that it shows.
    pub overwrites: bool,
}

/// The decision about one identity of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The contact has it, or gets it.
    Own,
    /// It does not become this contact's.
    Not(Reason, Option<ContactId>),
    /// Its owner shows another one: a claim that a crash or a race left. It must be released first.
    Stale(ContactId),
}

/// Why an identity was not taken.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(as = NotTakenReason)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It belongs to another contact.
    BelongsToAnother,
    /// The contact has another one of this kind, which is not overwritten.
    HasAnother,
    /// Anybody could have typed it; it waits for a confirmation.
    Unconfirmed,
}

/// The contact of an input, if there is one, and the fate of each of its identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub contact: Option<ContactId>,
    pub fates: Vec<Fate>,
}

/// Identities that exclude each other: one contact shows at most one of each slot. A visitor has none.
fn slot(identity: &Identity) -> Option<(u8, &str)> {
    match identity {
        Identity::External { scope, .. } => Some((0, scope)),
        Identity::Email(_) => Some((1, "")),
        Identity::Phone(_) => Some((2, "")),
        Identity::Visitor { .. } => None,
    }
}

/// How strongly an identity names a person; less is stronger.
fn rank(identity: &Identity) -> u8 {
    slot(identity).map_or(3, |(rank, _)| rank)
}

impl Known {
    /// Another identity of the contact in the slot of this one. A contact that has this one too, by a merge, is not
    /// contradicted.
    fn other(&self, identity: &Identity) -> Option<&Identity> {
        let slot = slot(identity)?;
        if self.shows.contains(identity) {
            return None;
        }
        let mut shows = self.shows.iter();
        shows.find(|shown| self::slot(shown) == Some(slot))
    }

    /// Whether its claim of the identity is to be released first.
    fn is_stale(&self, identity: &Identity) -> bool {
        self.erased || self.other(identity).is_some()
    }
}

/// Decides. `given` holds the distinct identities, strongest first, each with its owner.
pub(crate) fn decide(given: &[(Identity, Option<&Known>)], trust: Trust) -> Decision {
    let stale = |owner: &Known, identity: &Identity| owner.is_stale(identity);
    let holds = |by: &Identity, owner: &Known| {
        !stale(owner, by)
            && given.iter().all(|(other, _)| {
                let decides = rank(other) < rank(by) || (rank(other) == 0 && rank(by) == 0);
                !decides || other == by || owner.other(other).is_none()
            })
    };
    let owned = || {
        given
            .iter()
            .filter_map(|(one, owner)| Some((one, (*owner)?)))
    };
    let mut contact = owned()
        .find(|(one, owner)| holds(one, owner))
        .map(|found| found.1);
    let nothing_is_free = given
        .iter()
        .all(|(one, owner)| owner.is_some_and(|owner| !stale(owner, one)));
    if contact.is_none() && nothing_is_free {
        contact = owned().next().map(|found| found.1);
    }
    Decision {
        contact: contact.map(|known| known.contact),
        fates: fates(contact, given, trust),
    }
}

/// The fates of identities that are given to this contact; without one they are a new contact's.
pub(crate) fn fates(
    contact: Option<&Known>,
    given: &[(Identity, Option<&Known>)],
    trust: Trust,
) -> Vec<Fate> {
    let fate = |(identity, owner): &(Identity, Option<&Known>)| match owner {
        Some(owner) if owner.is_stale(identity) => Fate::Stale(owner.contact),
        Some(owner) if Some(owner.contact) == contact.map(|known| known.contact) => Fate::Own,
        Some(owner) => Fate::Not(Reason::BelongsToAnother, Some(owner.contact)),
        None => contact.map_or(Fate::Own, |known| free(known, identity, trust)),
    };
    given.iter().map(fate).collect()
}

/// The fate of an identity without an owner, for a known contact.
fn free(known: &Known, identity: &Identity, trust: Trust) -> Fate {
    let is_address = matches!(identity, Identity::Email(_) | Identity::Phone(_));
    if known.exists && is_address && trust == Trust::Anybody {
        return Fate::Not(Reason::Unconfirmed, None);
    }
    if known.other(identity).is_some() && !(known.overwrites && is_address) {
        return Fate::Not(Reason::HasAnother, None);
    }
    Fate::Own
}

#[cfg(test)]
mod tests;
