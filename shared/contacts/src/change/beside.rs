//! The addresses that a contact shows without owning them, and its visitors. Pure.

use cloud::Update;

use super::Change;
use crate::identity::Reason;
use crate::model::{Contact, Identity};
use crate::rows::{Claim, Profile};
use crate::{bounds, keys};

/// The profile's sets of addresses that are no identities.
pub(crate) const BESIDE: [&str; 4] = [
    "shared_emails",
    "shared_phones",
    "unconfirmed_emails",
    "unconfirmed_phones",
];

/// The set that keeps an address.
pub(crate) fn set_of(identity: &Identity, reason: Reason) -> Option<&'static str> {
    match (identity, reason) {
        (Identity::Email(_), Reason::Unconfirmed) => Some("unconfirmed_emails"),
        (Identity::Phone(_), Reason::Unconfirmed) => Some("unconfirmed_phones"),
        (Identity::Email(_), _) => Some("shared_emails"),
        (Identity::Phone(_), _) => Some("shared_phones"),
        (Identity::External { .. } | Identity::Visitor { .. } | Identity::Anonymous { .. }, _) => {
            None
        }
    }
}

pub(crate) fn size_of(contact: &Contact, set: &str) -> usize {
    match set {
        "shared_emails" => contact.shared_emails.len(),
        "shared_phones" => contact.shared_phones.len(),
        "unconfirmed_emails" => contact.unconfirmed_emails.len(),
        _ => contact.unconfirmed_phones.len(),
    }
}

/// The text of an address in its set.
pub(crate) fn stored(identity: &Identity) -> String {
    match identity {
        Identity::Email(address) => address.to_string(),
        Identity::Phone(phone) => phone.to_string(),
        other => keys::value(other),
    }
}

impl Change {
    /// The addresses that the contact shows without owning them, and its visitors.
    pub(super) fn accompany(
        &mut self,
        profile: Option<&Profile>,
        before: Option<&Contact>,
        own: &[(Identity, Claim)],
        others: &[(Identity, Reason)],
    ) {
        for (identity, reason) in others {
            let Some(set) = set_of(identity, *reason) else {
                continue;
            };
            let stored = before.map_or(0, |contact| size_of(contact, set));
            let new = self.beside.iter().filter(|(other, _)| *other == set);
            let is_known = before.is_some_and(|contact| contact.beside().contains(identity));
            if !is_known && stored + new.count() < bounds::MAX_BESIDE {
                self.beside.push((set, identity.clone()));
            }
        }
        for (identity, _) in own {
            if let Identity::Visitor { .. } | Identity::Anonymous { .. } = identity {
                let value = keys::visitor(identity);
                let known = profile.map(|row| &row.visitors);
                let has_room = known.is_none_or(|known| {
                    !known.contains(&value) && known.len() < bounds::MAX_VISITORS
                });
                self.visitors.extend(has_room.then_some(value));
            }
            let is_beside = before.is_some_and(|contact| contact.beside().contains(identity));
            if is_beside {
                let reasons = [Reason::BelongsToAnother, Reason::Unconfirmed];
                let sets = reasons.map(|reason| set_of(identity, reason));
                let sets = sets.into_iter().flatten();
                self.confirmed
                    .extend(sets.map(|set| (set, identity.clone())));
            }
        }
    }

    /// Whether the contact shows the address after the change, without owning it.
    pub fn keeps(&self, before: Option<&Contact>, identity: &Identity) -> bool {
        let is_known = before.is_some_and(|contact| contact.beside().contains(identity));
        is_known || self.beside.iter().any(|(_, new)| new == identity)
    }

    /// The addresses beside the identities, while there is room.
    pub(super) fn accompanied(&self, mut update: Update) -> Update {
        for set in BESIDE {
            let of = |all: &[(&str, Identity)]| -> Vec<String> {
                let mine = all.iter().filter(|(name, _)| *name == set);
                mine.map(|(_, identity)| stored(identity)).collect()
            };
            let (new, gone) = (of(&self.beside), of(&self.confirmed));
            if !new.is_empty() {
                update = update.when_at_most(set, bounds::MAX_BESIDE.saturating_sub(new.len()));
                update = update.add_to_set(set, new);
            } else if !gone.is_empty() {
                update = update.remove_from_set(set, gone);
            }
        }
        update
    }
}
