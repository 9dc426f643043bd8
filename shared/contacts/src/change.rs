//! The fields that an upsert writes: the difference between the input and the stored profile. Pure.

use std::collections::{BTreeMap, BTreeSet};

use cloud::Update;
use jiff::Timestamp;
use kernel::text::{alike, nfc};
use kernel::{EmailAddress, Person, person};
use serde_json::Value;

use crate::bounds::{self, Surplus};
use crate::consent::change::{Agreed, as_read};
use crate::consent::{Channel, ChannelStatus, Purpose};
use crate::identity::Reason;
use crate::keys;
use crate::labels::{FieldName, Tags};
use crate::model::{Contact, Identity, Incoming, Merge, OWN_SCOPE};
use crate::rows::{
    BOUNCED, CUSTOM, Claim, EXTERNAL, FIELDS, NAMED, OVERWRITTEN, Profile, REPLACED, Replaced,
    VERSION,
};
use crate::{mention, names};

/// The changes of an upsert in a profile. Pure.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Attributes and their new values.
    pub fields: Vec<(String, Value)>,
    /// Identity fields among them.
    pub identities: Vec<Identity>,
    /// Identities that these new ones replace.
    pub replaced: Vec<Replaced>,
    /// The marks and rows of consent that the input adds.
    pub agreed: Agreed,
    /// The address that the profile will show, if it is known to have bounced.
    bounced: Option<EmailAddress>,
    pub tags: Vec<String>,
    pub lists: Vec<kernel::ListId>,
    /// Addresses to show beside the identities: the profile's set and the address.
    pub beside: Vec<(&'static str, Identity)>,
    /// Addresses that become identities and leave those sets.
    confirmed: Vec<(&'static str, Identity)>,
    /// Visitors that are new to the profile.
    visitors: Vec<String>,
    /// The input that the contact has no room for.
    pub surplus: Surplus,
    /// Whether known values are replaced, and from when the new ones are, if that was before now.
    overwrites: bool,
    given_at: Option<Timestamp>,
    /// Attributes to remove.
    removed: Vec<&'static str>,
    /// The whole name, if it changes.
    pub indexed_name: Option<String>,
}

impl Change {
    /// Compares the input with the profile. `own` holds the identities of the input that belong to the contact,
    /// `others` those that do not.
    pub fn of(
        profile: Option<&Profile>,
        incoming: &Incoming,
        own: &[(Identity, Claim)],
        others: &[(Identity, Reason)],
    ) -> Self {
        let before = profile.cloned().and_then(Profile::given);
        let before = before.as_ref();
        let overwrite = overwrites(profile, incoming);
        let mut change = Self {
            overwrites: overwrite,
            given_at: incoming.at,
            ..Self::default()
        };
        let mut surplus = Surplus::default();
        let mut offer = |name: &str, old: Option<Value>, new: Value| {
            let wanted = match old {
                None => true,
                Some(old) => overwrite && old != new,
            };
            if wanted && !change.fields.iter().any(|(field, _)| field == name) {
                change.fields.push((name.to_owned(), new));
                return true;
            }
            false
        };
        for (identity, _) in own {
            let Some((name, new)) = field(identity) else {
                continue;
            };
            let old = before.and_then(|contact| stored_field(contact, &name));
            if offer(&name, old, new) {
                change.identities.push(identity.clone());
            }
        }
        let given = incoming.person.fitted();
        for (field, value) in given.values().filter(|(field, _)| !is_name(field.name())) {
            let old = before.and_then(|contact| stored_field(contact, field.name()));
            offer(field.name(), old, value.into());
        }
        let names = Names::after(before, &given, overwrite);
        for (name, value) in &names.set {
            let old = before.and_then(|contact| stored_field(contact, name));
            offer(name, old, value.as_str().into());
        }
        let mut fields = bounds::Fields::of(before);
        let (custom, unnamed) = custom(before, incoming);
        surplus.fields.extend(unnamed);
        for (name, new) in &custom {
            let old = before.and_then(|contact| contact.custom.get(name));
            let changes = old.is_none_or(|old| overwrite && old != new);
            if new.is_null() || !changes {
                continue;
            }
            if fields.takes(name, old, new) {
                offer(&format!("{CUSTOM}{name}"), old.cloned(), new.clone());
            } else {
                surplus.fields.push(name.clone());
            }
        }
        change.removed = names.removed;
        change.indexed_name = names.indexed;
        let (tags, refused) = Tags::all(&incoming.tags);
        let known: BTreeSet<String> = before
            .iter()
            .flat_map(|contact| contact.tags.iter().map(|tag| alike(tag)))
            .collect();
        let new_tags = tags.into_iter().filter(|tag| !known.contains(&tag.key()));
        change.tags = new_tags.map(String::from).collect();
        let stored = profile.map_or(0, |profile| profile.stored_tags().len());
        surplus.tags = refused + bounds::fit(&mut change.tags, stored, bounds::MAX_TAGS);
        let on_list = |list| before.is_some_and(|contact| contact.lists.contains(list));
        let new_lists = incoming.lists.iter().filter(|list| !on_list(list));
        change.lists = new_lists.copied().collect();
        change.lists.sort_unstable();
        change.lists.dedup();
        let stored = before.map_or(0, |contact| contact.lists.len());
        surplus.lists = bounds::fit(&mut change.lists, stored, bounds::MAX_LISTS);
        change.surplus = surplus;
        change.replaced = before
            .map(|contact| change.replaced(contact))
            .unwrap_or_default();
        change.agree(profile, before, incoming, own);
        change.accompany(profile, before, own, others);
        change
    }

    /// The identities that the contact shows now and will not show after the change. An opt-out goes with the address.
    fn replaced(&self, before: &Contact) -> Vec<Replaced> {
        let gone = before.identities().into_iter().filter(|old| {
            let mut new = self.identities.iter();
            new.any(|new| {
                keys::kind(new) == keys::kind(old) && keys::value(new) != keys::value(old)
            })
        });
        gone.map(|identity| {
            let channel = match identity {
                Identity::Email(_) => Some((Channel::Email, before.email_status)),
                Identity::Phone(_) => Some((Channel::Sms, before.sms_status)),
                Identity::External { .. } | Identity::Visitor { .. } => None,
            };
            let refusal = channel.filter(|(_, status)| status.refuses());
            let since = refusal.and_then(|(channel, _)| {
                let state = before.consents.state(channel, Purpose::Marketing);
                state.since.map(Timestamp::as_millisecond)
            });
            Replaced {
                identity,
                status: refusal.map(|(_, status)| status),
                since,
            }
        })
        .collect()
    }

    /// The addresses that the contact shows without owning them, and its visitors.
    fn accompany(
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
            if let Identity::Visitor { .. } = identity {
                let value = keys::value(identity);
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

    /// Whether the profile stays as it is.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.agreed.is_empty()
            && self.bounced.is_none()
            && self.tags.is_empty()
            && self.lists.is_empty()
            && self.beside.is_empty()
            && self.confirmed.is_empty()
            && self.visitors.is_empty()
    }

    /// The names by which a segment mentions what changes ([`crate::mention`]).
    pub fn names(&self, is_new: bool) -> Vec<String> {
        let fields = self.fields.iter().map(|(name, _)| name.clone());
        let removed = self.removed.iter().map(ToString::to_string);
        let mut names: Vec<String> = fields
            .chain(removed)
            .chain(self.agreed.channels().map(mention::status))
            .chain(mention::tags(&self.tags))
            .chain(self.lists.iter().map(|&list| mention::list(list)))
            .collect();
        if self.bounced.is_some() || self.fields.iter().any(|(name, _)| name == "email") {
            names.push("email_status".into());
        }
        // Each name follows from the others.
        let of_names = ["full_name", "first_name", "last_name"];
        if of_names
            .iter()
            .any(|name| names.iter().any(|one| one == name))
        {
            names.extend(of_names.map(str::to_owned));
        }
        if is_new {
            names.push(mention::CREATED.into());
        }
        names
    }

    /// The changes of consent, from the input and from the addresses' own records. A consent belongs to its address.
    /// So it counts only if the profile shows that address afterwards.
    fn agree(
        &mut self,
        profile: Option<&Profile>,
        before: Option<&Contact>,
        incoming: &Incoming,
        own: &[(Identity, Claim)],
    ) {
        let mut shown = before.map(Contact::identities).unwrap_or_default();
        shown.retain(|old| self.replaced.iter().all(|one| one.identity != *old));
        let mut agreeing = Vec::new();
        for (address, claim) in own {
            if !shown.contains(address) && !self.identities.contains(address) {
                continue;
            }
            let mut held = claim.status.unwrap_or_default();
            if let (ChannelStatus::Bounced, Identity::Email(address)) = (held, address) {
                let known = profile.and_then(|profile| profile.email_bounced.as_ref());
                self.bounced = Some(address.clone()).filter(|new| known != Some(new));
                held = ChannelStatus::None;
            }
            agreeing.push((address.clone(), (held, claim.status_since)));
        }
        self.agreed = Agreed::of(profile, incoming, &agreeing);
    }

    /// Writes the change. Empty fields are filled only if they are still empty. An identity or a consent changes
    /// only if the profile shows the value that was read. Sets and custom fields are written only while they fit.
    pub fn onto(&self, update: Update, profile: Option<&Profile>, now: Timestamp) -> Update {
        let update = self.guarded(update, profile);
        let update = self.bounded(update, profile);
        let update = self.dated(update, profile, now);
        let update = self.accompanied(update);
        let update = update.set_some(BOUNCED, self.bounced.as_ref());
        let update = self.agreed.onto(update);
        let fields = self.fields.iter().fold(update, |update, (name, value)| {
            if self.overwrites {
                update.set(name, value)
            } else {
                update.set_if_absent(name, value)
            }
        });
        let removed = self.removed.iter();
        removed
            .fold(fields, |update, name| update.remove(name))
            .add_to_set("tags", self.tags.iter().cloned())
            .add_to_set("lists", self.lists.iter().map(ToString::to_string))
            .add_to_set("visitors", self.visitors.iter().cloned())
    }

    /// The addresses beside the identities, while there is room.
    fn accompanied(&self, mut update: Update) -> Update {
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

    /// Only while there is room: the custom fields are those that were read, and the sets are small enough. A name
    /// changes only from the one that was read.
    fn bounded(&self, update: Update, profile: Option<&Profile>) -> Update {
        let mut update = update;
        if self.fields.iter().any(|(name, _)| name.starts_with(CUSTOM)) {
            let version = profile.and_then(|row| row.fields_version);
            update = update
                .set(FIELDS, next(version))
                .when_as_read(FIELDS, version);
        }
        if self.indexed_name.is_some() {
            let version = profile.and_then(|row| row.name_version);
            update = update
                .set(NAMED, next(version))
                .when_as_read(NAMED, version);
        }
        for (set, new, most) in [
            ("tags", self.tags.len(), bounds::MAX_TAGS),
            ("lists", self.lists.len(), bounds::MAX_LISTS),
        ] {
            if new > 0 {
                update = update.when_at_most(set, most.saturating_sub(new));
            }
        }
        update
    }

    /// Notes when values were overwritten. Values from an earlier time need the note that was read.
    fn dated(&self, update: Update, profile: Option<&Profile>, now: Timestamp) -> Update {
        if !self.overwrites || self.fields.is_empty() {
            return update;
        }
        let update = update.set(OVERWRITTEN, self.given_at.unwrap_or(now));
        match self.given_at {
            Some(_) => {
                let read = profile.and_then(|row| row.overwritten_at);
                update.when_as_read(OVERWRITTEN, read)
            }
            None => update,
        }
    }

    fn guarded(&self, update: Update, profile: Option<&Profile>) -> Update {
        if self.identities.is_empty() && self.agreed.is_empty() && self.bounced.is_none() {
            return update;
        }
        let version = profile.and_then(|row| row.identity_version);
        let update = update.when_as_read(VERSION, version);
        if self.identities.is_empty() {
            return update;
        }
        let update = update.set(VERSION, next(version));
        let (Some(row), false) = (profile, self.replaced.is_empty()) else {
            return update;
        };
        // The consent of the address must still be the value that was read.
        let update = update.set(REPLACED, &self.replaced);
        let kept = self.replaced.iter();
        kept.fold(update, |update, one| match one.identity {
            Identity::Email(_) => as_read(update, row, Channel::Email)
                .when_as_read(BOUNCED, row.email_bounced.as_ref()),
            Identity::Phone(_) => as_read(update, row, Channel::Sms),
            Identity::External { .. } | Identity::Visitor { .. } => update,
        })
    }
}

/// Whether the input replaces known values: not those that were given later.
pub(crate) fn overwrites(profile: Option<&Profile>, incoming: &Incoming) -> bool {
    let overwritten = profile.and_then(|profile| profile.overwritten_at);
    let is_newer = |at| overwritten.is_none_or(|overwritten| overwritten <= at);
    incoming.merge == Merge::Overwrite && incoming.at.is_none_or(is_newer)
}

/// The profile's sets of addresses that are no identities.
const BESIDE: [&str; 4] = [
    "shared_emails",
    "shared_phones",
    "unconfirmed_emails",
    "unconfirmed_phones",
];

/// The set that keeps an address.
fn set_of(identity: &Identity, reason: Reason) -> Option<&'static str> {
    match (identity, reason) {
        (Identity::Email(_), Reason::Unconfirmed) => Some("unconfirmed_emails"),
        (Identity::Phone(_), Reason::Unconfirmed) => Some("unconfirmed_phones"),
        (Identity::Email(_), _) => Some("shared_emails"),
        (Identity::Phone(_), _) => Some("shared_phones"),
        (Identity::External { .. } | Identity::Visitor { .. }, _) => None,
    }
}

fn size_of(contact: &Contact, set: &str) -> usize {
    match set {
        "shared_emails" => contact.shared_emails.len(),
        "shared_phones" => contact.shared_phones.len(),
        "unconfirmed_emails" => contact.unconfirmed_emails.len(),
        _ => contact.unconfirmed_phones.len(),
    }
}

/// The text of an address in its set.
fn stored(identity: &Identity) -> String {
    match identity {
        Identity::Email(address) => address.to_string(),
        Identity::Phone(phone) => phone.to_string(),
        other => keys::value(other),
    }
}

/// The version after this one.
pub(crate) fn next(version: Option<u64>) -> u64 {
    version.unwrap_or_default() + 1
}

/// The new names of a contact. All name fields change together: parts of an old name do not stay beside a new one,
/// and an empty field is not filled from another name.
#[derive(Default)]
struct Names {
    set: Vec<(&'static str, String)>,
    removed: Vec<&'static str>,
    indexed: Option<String>,
}

impl Names {
    fn after(before: Option<&Contact>, given: &Person, overwrites: bool) -> Self {
        let full = given.full_name.as_deref();
        let mut first = given.first_name.as_deref();
        let mut last = given.last_name.as_deref();
        let old = before.map(|contact| contact.clone().complete_names().person);
        let old = old.filter(|person| person.full_name.is_some());
        if [full, first, last].iter().all(Option::is_none) || (old.is_some() && !overwrites) {
            return Self::default();
        }
        if full.is_none() {
            first = first.or(old.as_ref().and_then(|old| old.first_name.as_deref()));
            last = last.or(old.as_ref().and_then(|old| old.last_name.as_deref()));
        }
        let indexed = full.map(str::to_owned).or_else(|| names::join(last, first));
        let same = indexed == old.as_ref().and_then(|old| old.full_name.clone());
        if same && full.is_some() && first.is_none() && last.is_none() {
            return Self::default();
        }
        let indexed = indexed.filter(|_| !same);
        let all = [
            ("full_name", full),
            ("first_name", first),
            ("last_name", last),
        ];
        let mut names = Self {
            indexed,
            ..Self::default()
        };
        for (name, value) in all {
            match value {
                Some(value) => names.set.push((name, value.to_owned())),
                None if old.is_some() => names.removed.push(name),
                None => {}
            }
        }
        names
    }
}

/// The name fields change together; see [`Names`].
fn is_name(field: &str) -> bool {
    matches!(field, "full_name" | "first_name" | "last_name")
}

/// The custom fields of the input under the names that the contact has for them, texts composed. Also the names that
/// are none.
fn custom(before: Option<&Contact>, incoming: &Incoming) -> (BTreeMap<String, Value>, Vec<String>) {
    let stored = before.iter().flat_map(|contact| contact.custom.keys());
    let mut spelling: BTreeMap<String, String> =
        stored.map(|name| (alike(name), name.clone())).collect();
    let (mut fields, mut unnamed) = (BTreeMap::new(), Vec::new());
    for (name, value) in &incoming.custom {
        match FieldName::parse(name) {
            Ok(name) => {
                let spelt = spelling
                    .entry(name.key())
                    .or_insert_with(|| name.as_str().to_owned());
                fields.insert(spelt.clone(), composed(value));
            }
            Err(_) => unnamed.push(name.clone()),
        }
    }
    (fields, unnamed)
}

/// The value with its texts composed.
fn composed(value: &Value) -> Value {
    match value {
        Value::String(text) => nfc(text).into(),
        Value::Array(values) => values.iter().map(composed).collect(),
        other => other.clone(),
    }
}

/// The profile's attribute for an identity; a widget's visitor has none.
fn field(identity: &Identity) -> Option<(String, Value)> {
    match identity {
        Identity::External { scope, id } if scope == OWN_SCOPE => {
            Some(("external_id".to_owned(), id.as_str().into()))
        }
        Identity::External { scope, id } => {
            Some((format!("{EXTERNAL}{scope}"), id.as_str().into()))
        }
        Identity::Email(address) => Some(("email".to_owned(), address.as_str().into())),
        Identity::Phone(phone) => Some(("phone".to_owned(), phone.e164().into())),
        Identity::Visitor { .. } => None,
    }
}

fn stored_field(contact: &Contact, name: &str) -> Option<Value> {
    let text = match name {
        "external_id" => contact.external_id.clone(),
        "email" => contact.email.as_ref().map(ToString::to_string),
        "phone" => contact.phone.as_ref().map(ToString::to_string),
        name if name.starts_with(EXTERNAL) => {
            let id = contact.external_ids.get(&name[EXTERNAL.len()..]);
            id.cloned()
        }
        name => {
            let field = person::field(name);
            field.and_then(|field| field.of(&contact.person).map(str::to_owned))
        }
    };
    text.map(Into::into)
}
