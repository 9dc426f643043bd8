//! The values that a contact has after another one was merged into it. Pure.
//!
//! The survivor keeps its values and takes the missing ones. Identities, tags, lists and stops of messages are joined:
//! the order of the two does not matter for them.

use std::collections::BTreeSet;

use kernel::text::alike;
use kernel::{ContactId, ListId, person};
use serde_json::Value;

use crate::bounds::{self, Fields};
use crate::change::field;
use crate::consent::marks::Mark;
use crate::consent::{Channel, MAX_RECORDS};
use crate::identity::Reason;
use crate::keys;
use crate::model::{Contact, Identity};
use crate::rows::{CUSTOM, OWNER, Profile};
use crate::scores::Fade;

/// Most further identities of one contact.
pub const MAX_ALSO: usize = 40;
/// Most contacts that were merged into one, also through others.
pub const MAX_MERGED: usize = 20;
/// Identities that move in one transaction, which DynamoDB limits to 100 rows.
const MAX_MOVED: usize = 90;

/// Fields that belong together: the survivor keeps its own, or takes all of the other's.
const GROUPS: [&[&str]; 2] = [
    &["full_name", "first_name", "last_name"],
    &[
        "address",
        "ward",
        "district",
        "province",
        "country",
        "postal_code",
    ],
];

/// A limit that the two contacts together would pass: the place of the values, and the limit in words.
pub type Excess = (&'static str, String);

/// The changes of the survivor.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Joined {
    /// Attributes and their new values.
    pub fields: Vec<(String, Value)>,
    /// The whole name that the survivor takes.
    pub name: Option<String>,
    /// Its further identities after the merge.
    pub also: Vec<Identity>,
    /// Times of decisions about messages that grow.
    pub marks: Vec<(Mark, i64)>,
    /// New members of its sets.
    pub tags: Vec<String>,
    pub lists: Vec<ListId>,
    pub visitors: Vec<String>,
    pub merged_ids: Vec<ContactId>,
    /// Addresses that it will show without owning them, each with its set.
    pub beside: Vec<(&'static str, Identity)>,
    /// Whether custom fields are among the values.
    pub has_custom: bool,
    /// How many decisions are recorded of both.
    pub records: u64,
    /// The address of the other that bounced, if the survivor takes the address.
    pub bounced: Option<String>,
    pub score: Option<i64>,
    /// How the score fades from then on.
    pub fade: Option<Fade>,
}

/// The identities that the other contact does not own, although it shows them: another contact was faster.
pub(crate) type Foreign = BTreeSet<Identity>;

impl Joined {
    /// Joins two contacts that exist. An error names each limit that they pass together.
    pub fn of(
        survivor: (&Profile, &Contact),
        gone: (&Profile, &Contact),
        foreign: &Foreign,
    ) -> Result<Self, Vec<Excess>> {
        let ((row, own), (other_row, other)) = (survivor, gone);
        let mut joined = Self::default();
        let mut excess = Vec::new();
        let taken = joined.identities(own, other, foreign);
        joined.beside(own, other, foreign);
        joined.consents(own, other, &taken);
        joined.plain(own, other);
        joined.custom(own, other, &mut excess);
        let known: BTreeSet<String> = own.tags.iter().map(|tag| alike(tag)).collect();
        let tags = other.tags.iter().filter(|tag| !known.contains(&alike(tag)));
        joined.tags = tags.cloned().collect();
        joined.lists = other.lists.difference(&own.lists).copied().collect();
        joined.visitors = new(&row.visitors, &other_row.visitors);
        let ids: BTreeSet<ContactId> = other.all_ids().collect();
        joined.merged_ids = new(&own.merged_ids, &ids);
        joined.records =
            row.consent_records.unwrap_or_default() + other_row.consent_records.unwrap_or_default();
        joined.bounced = other_row
            .email_bounced
            .as_ref()
            .filter(|address| taken.contains(&Identity::Email((*address).clone())))
            .map(ToString::to_string);
        if let Some(other) = other_row.score {
            // Each as of its own last points: only so the order of merges does not matter.
            joined.score = Some(row.score.unwrap_or_default().saturating_add(other));
            let last = [row.score_fade, other_row.score_fade];
            joined.fade = last.into_iter().flatten().max_by_key(Fade::order);
        }
        let moved = other.owned().len() + other_row.visitors.len();
        let counts = [
            (
                "/tags",
                row.stored_tags().len() + joined.tags.len(),
                bounds::MAX_TAGS,
                "tags",
            ),
            (
                "/list_ids",
                own.lists.len() + joined.lists.len(),
                bounds::MAX_LISTS,
                "lists",
            ),
            (
                "",
                row.visitors.len() + joined.visitors.len(),
                bounds::MAX_VISITORS,
                "visitors of chats",
            ),
            ("", joined.also.len(), MAX_ALSO, "further identities"),
            ("", moved, MAX_MOVED, "identities to move"),
            (
                "/merged_ids",
                own.merged_ids.len() + joined.merged_ids.len(),
                MAX_MERGED,
                "merged contacts",
            ),
            (
                "",
                joined.records as usize,
                MAX_RECORDS as usize,
                "decisions about consent",
            ),
        ];
        for (pointer, count, most, name) in counts {
            if count > most {
                excess.push((
                    pointer,
                    format!("together {count} {name}; a contact has at most {most}"),
                ));
            }
        }
        joined.fits_beside(own, &mut excess);
        if excess.is_empty() {
            Ok(joined)
        } else {
            Err(excess)
        }
    }

    /// The identities of both. Returns those that become the first of their kind.
    fn identities(&mut self, own: &Contact, other: &Contact, foreign: &Foreign) -> Vec<Identity> {
        let mut kinds: BTreeSet<String> = own.identities().iter().map(kind).collect();
        let (mut also, mut taken): (BTreeSet<Identity>, _) =
            (own.also().into_iter().collect(), Vec::new());
        for identity in other.owned() {
            if foreign.contains(&identity) || own.owned().contains(&identity) {
                continue;
            }
            match field(&identity) {
                Some(attribute) if kinds.insert(kind(&identity)) => {
                    self.fields.push(attribute);
                    taken.push(identity);
                }
                _ => drop(also.insert(identity)),
            }
        }
        self.also = also.into_iter().collect();
        taken
    }

    /// The addresses that only the other contact shows without owning them.
    fn beside(&mut self, own: &Contact, other: &Contact, foreign: &Foreign) {
        let mine = [own.owned(), other.owned(), own.beside()].concat();
        let shared = other.shared_emails.iter().cloned().map(Identity::Email);
        let shared = shared.chain(other.shared_phones.iter().cloned().map(Identity::Phone));
        let shared = shared.chain(foreign.iter().cloned());
        let unconfirmed = other
            .unconfirmed_emails
            .iter()
            .cloned()
            .map(Identity::Email);
        let phones = other
            .unconfirmed_phones
            .iter()
            .cloned()
            .map(Identity::Phone);
        let unconfirmed = unconfirmed.chain(phones);
        let all = shared.map(|one| (one, Reason::BelongsToAnother));
        for (address, reason) in all.chain(unconfirmed.map(|one| (one, Reason::Unconfirmed))) {
            let is_mine = mine.contains(&address) && !foreign.contains(&address);
            let is_known = self.beside.iter().any(|(_, known)| *known == address);
            if let Some(set) =
                crate::change::set_of(&address, reason).filter(|_| !is_mine && !is_known)
            {
                self.beside.push((set, address));
            }
        }
    }

    fn fits_beside(&self, own: &Contact, excess: &mut Vec<Excess>) {
        for (set, pointer) in [
            ("shared_emails", "/shared_emails"),
            ("shared_phones", "/shared_phones"),
            ("unconfirmed_emails", "/unconfirmed_emails"),
            ("unconfirmed_phones", "/unconfirmed_phones"),
        ] {
            let new = self.beside.iter().filter(|(one, _)| *one == set).count();
            let count = crate::change::size_of(own, set) + new;
            if count > bounds::MAX_BESIDE {
                let most = bounds::MAX_BESIDE;
                excess.push((
                    pointer,
                    format!("together {count} addresses; a contact shows at most {most}"),
                ));
            }
        }
    }

    /// A grant of the other counts for the address that it was given for. A stop counts for the person.
    fn consents(&mut self, own: &Contact, other: &Contact, taken: &[Identity]) {
        let mut given = other.consents.clone();
        let of = |is_one: fn(&Identity) -> bool| taken.iter().any(is_one);
        let email = of(|one| matches!(one, Identity::Email(_)));
        let phone = of(|one| matches!(one, Identity::Phone(_)));
        for (channel, is_taken) in [
            (Channel::Email, email),
            (Channel::Sms, phone),
            (Channel::Zalo, phone),
        ] {
            if !is_taken {
                given = given.stops_of(channel);
            }
        }
        let both = own.consents.merged(&given);
        let marks = both.marks().iter().copied();
        self.marks = marks
            .filter(|(mark, at)| own.consents.at(*mark) != Some(*at))
            .collect();
    }

    fn plain(&mut self, own: &Contact, other: &Contact) {
        let has = |name: &str, contact: &Contact| {
            person::field(name).is_some_and(|field| field.of(&contact.person).is_some())
        };
        let has_group = |name: &str| {
            let mut groups = GROUPS.iter();
            let group = groups.find(|group| group.contains(&name));
            group.is_some_and(|group| group.iter().any(|name| has(name, own)))
        };
        for (field, value) in other.person.values() {
            if !has(field.name(), own) && !has_group(field.name()) {
                self.fields.push((field.name().to_owned(), value.into()));
            }
        }
        if let (None, Some(owner)) = (own.owner, other.owner) {
            self.fields
                .push((OWNER.to_owned(), owner.to_string().into()));
        }
        if !has_group("full_name") {
            self.name = other.clone().complete_names().person.full_name;
        }
    }

    /// Whether the survivor takes the other's value of the field.
    pub fn takes_custom(&self, field: &str) -> bool {
        let mut names = self
            .fields
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(CUSTOM));
        names.any(|name| alike(name) == field)
    }

    fn custom(&mut self, own: &Contact, other: &Contact, excess: &mut Vec<Excess>) {
        let known: BTreeSet<String> = own.custom.keys().map(|name| alike(name)).collect();
        let mut fields = Fields::of(Some(own));
        let (mut fits, mut count) = (true, own.custom.len());
        for (name, value) in other
            .custom
            .iter()
            .filter(|(name, _)| !known.contains(&alike(name)))
        {
            fits &= fields.takes(name, None, value);
            count += 1;
            self.fields.push((format!("{CUSTOM}{name}"), value.clone()));
            self.has_custom = true;
        }
        if !fits {
            let (most, bytes) = (bounds::MAX_FIELDS, bounds::MAX_FIELD_BYTES);
            excess.push((
                "/custom",
                format!(
                    "together {count} fields; a contact has at most {most}, together {bytes} bytes"
                ),
            ));
        }
    }
}

fn new<T: Ord + Clone>(own: &BTreeSet<T>, other: &BTreeSet<T>) -> Vec<T> {
    other.difference(own).cloned().collect()
}

fn kind(identity: &Identity) -> String {
    keys::kind(identity).into_owned()
}

#[cfg(test)]
mod tests;
