//! The contact that an input is about, and which of the input's identities that contact may have. Pure.
//!
//! The rules are those of [ADR 0027](../../../docs/adr/0027-who-is-who.md), the same at every way in.

use kernel::ContactId;
use serde::{Deserialize, Serialize};

use crate::model::{Identity, OWN_SCOPE, Trust};

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
        Identity::Visitor { .. } | Identity::Anonymous { .. } => None,
    }
}

/// Whether it is an id that the shop itself gave.
fn is_own_id(identity: &Identity) -> bool {
    matches!(identity, Identity::External { scope, .. } if scope == OWN_SCOPE)
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
    // Anybody can give an id of the shop beside somebody else's address. Then only the id names the contact.
    let names = |by: &Identity, owner: &Known| {
        trust == Trust::Shop
            || given.iter().all(|(other, other_owner)| {
                let is_owner = other_owner.is_some_and(|known| known.contact == owner.contact);
                !is_own_id(other) || other == by || is_owner
            })
    };
    let holds = |by: &Identity, owner: &Known| {
        !stale(owner, by)
            && names(by, owner)
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
    let by_id = |known: &Known| {
        let mut given = given.iter();
        given.any(|(one, _)| is_own_id(one) && known.shows.contains(one))
    };
    let fate = |(identity, owner): &(Identity, Option<&Known>)| match owner {
        Some(owner) if owner.is_stale(identity) => Fate::Stale(owner.contact),
        Some(owner) if Some(owner.contact) == contact.map(|known| known.contact) => Fate::Own,
        Some(owner) => Fate::Not(Reason::BelongsToAnother, Some(owner.contact)),
        None => contact.map_or(Fate::Own, |known| {
            free(known, identity, trust, by_id(known))
        }),
    };
    given.iter().map(fate).collect()
}

/// The fate of an identity without an owner, for a known contact. `by_id`: an id of the shop in the input names the
/// contact.
fn free(known: &Known, identity: &Identity, trust: Trust, by_id: bool) -> Fate {
    let is_address = matches!(identity, Identity::Email(_) | Identity::Phone(_));
    let is_browser = matches!(identity, Identity::Anonymous { .. });
    let waits = is_address || is_own_id(identity) || (is_browser && !by_id);
    if known.exists && waits && trust == Trust::Anybody {
        return Fate::Not(Reason::Unconfirmed, None);
    }
    if known.other(identity).is_some() && !(known.overwrites && is_address) {
        return Fate::Not(Reason::HasAnother, None);
    }
    Fate::Own
}

#[cfg(test)]
mod tests;
