//! The fields that an upsert writes: the difference between the input and the stored profile. Pure.

use cloud::Update;
use jiff::Timestamp;
use kernel::EmailAddress;

use crate::bounds::{self, Surplus};
use crate::consent::{Channel, ChannelStatus};
use crate::keys;
use crate::model::{Contact, Identity, Incoming, Merge};
use crate::rows::{
    BOUNCED, CUSTOM, Claim, FIELDS, NAMED, OVERWRITTEN, Profile, REPLACED, Replaced, VERSION,
    raised,
};
use crate::{mention, names};

/// The changes of an upsert in a profile. Pure.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Attributes and their new values.
    pub fields: Vec<(String, serde_json::Value)>,
    /// Identity fields among them.
    pub identities: Vec<Identity>,
    /// Identities that these new ones replace.
    pub replaced: Vec<Replaced>,
    /// Consent that moves up.
    pub consents: Vec<(Channel, ChannelStatus)>,
    /// The address that the profile will show, if it is known to have bounced.
    bounced: Option<EmailAddress>,
    pub tags: Vec<String>,
    pub lists: Vec<kernel::ListId>,
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
    /// Compares the input with the profile. `own` holds the identities of the input that belong to the contact.
    pub fn of(profile: Option<&Profile>, incoming: &Incoming, own: &[(Identity, Claim)]) -> Self {
        let before = profile.cloned().and_then(Profile::given);
        let before = before.as_ref();
        let overwritten = profile.and_then(|profile| profile.overwritten_at);
        let is_newer = |at| overwritten.is_none_or(|overwritten| overwritten <= at);
        let overwrite = incoming.merge == Merge::Overwrite && incoming.at.is_none_or(is_newer);
        let mut change = Self {
            overwrites: overwrite,
            given_at: incoming.at,
            ..Self::default()
        };
        let mut surplus = Surplus::default();
        let mut offer = |name: &str, old: Option<serde_json::Value>, new: serde_json::Value| {
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
            let old = before.and_then(|contact| stored_field(contact, name));
            if offer(name, old, new) {
                change.identities.push(identity.clone());
            }
        }
        let names = Names::after(before, incoming, overwrite);
        for (name, value) in &names.set {
            let old = before.and_then(|contact| stored_field(contact, name));
            offer(name, old, value.as_str().into());
        }
        let mut fields = bounds::Fields::of(before);
        for (name, new) in &incoming.custom {
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
        let has_tag = |tag: &String| before.is_some_and(|contact| contact.tags.contains(tag));
        let new_tags = incoming.tags.iter().filter(|tag| !has_tag(tag));
        change.tags = new_tags.cloned().collect();
        change.tags.sort_unstable();
        change.tags.dedup();
        let stored = before.map_or(0, |contact| contact.tags.len());
        surplus.tags = bounds::fit(&mut change.tags, stored, bounds::MAX_TAGS);
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
            let status = match identity {
                Identity::Email(_) => before.email_status,
                Identity::Phone(_) => before.sms_status,
                Identity::External(_) | Identity::Visitor { .. } => ChannelStatus::None,
            };
            let status = status.refuses().then_some(status);
            Replaced { identity, status }
        })
        .collect()
    }

    /// Whether the profile stays as it is.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.consents.is_empty()
            && self.bounced.is_none()
            && self.tags.is_empty()
            && self.lists.is_empty()
    }

    /// The names by which a segment mentions what changes ([`crate::mention`]).
    pub fn names(&self, is_new: bool) -> Vec<String> {
        let fields = self.fields.iter().map(|(name, _)| name.clone());
        let removed = self.removed.iter().map(ToString::to_string);
        let consents = self.consents.iter();
        let mut names: Vec<String> = fields
            .chain(removed)
            .chain(consents.map(|(channel, _)| format!("{}_status", channel.name())))
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

    /// The consent changes that raise the rank, from the input and from the addresses' own records. A consent
    /// belongs to its address. So it counts only if the profile shows that address afterwards.
    fn agree(
        &mut self,
        profile: Option<&Profile>,
        before: Option<&Contact>,
        incoming: &Incoming,
        own: &[(Identity, Claim)],
    ) {
        let mut shown = before.map(Contact::identities).unwrap_or_default();
        shown.retain(|old| self.replaced.iter().all(|one| one.identity != *old));
        for (address, claim) in own {
            if !shown.contains(address) && !self.identities.contains(address) {
                continue;
            }
            let (channel, given) = match address {
                Identity::Email(_) => (Channel::Email, incoming.email_status),
                Identity::Phone(_) => (Channel::Sms, incoming.sms_status),
                Identity::External(_) | Identity::Visitor { .. } => continue,
            };
            let known = profile.map(|profile| profile.consent(channel));
            let (given, held) = (given.unwrap_or_default(), claim.status.unwrap_or_default());
            let status = match (held, address) {
                (ChannelStatus::Bounced, Identity::Email(address)) => {
                    let known = profile.and_then(|profile| profile.email_bounced.as_ref());
                    self.bounced = Some(address.clone()).filter(|new| known != Some(new));
                    given
                }
                _ => given.merge(held),
            };
            if status.rank() > known.unwrap_or_default().rank() {
                self.consents.push((channel, status));
            }
        }
    }

    /// Writes the change. Empty fields are filled only if they are still empty. An identity or a consent changes
    /// only if the profile shows the value that was read. `told` is when and why the consent changes. Sets and
    /// custom fields are written only while they fit.
    pub fn onto(
        &self,
        update: Update,
        profile: Option<&Profile>,
        told: (Timestamp, &str),
    ) -> Update {
        let update = self.guarded(update, profile);
        let update = self.bounded(update, profile);
        let update = self.dated(update, profile, told.0);
        let update = update.set_some(BOUNCED, self.bounced.as_ref());
        let update = self
            .consents
            .iter()
            .fold(update, |update, one| raised(update, one.0, one.1, told));
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
        if self.identities.is_empty() && self.consents.is_empty() && self.bounced.is_none() {
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
        let rank = |channel| Some(row.consent(channel).rank()).filter(|rank| *rank > 0);
        let update = update.set(REPLACED, &self.replaced);
        let kept = self.replaced.iter();
        kept.fold(update, |update, one| match one.identity {
            Identity::Email(_) => update
                .when_as_read("email_rank", rank(Channel::Email))
                .when_as_read(BOUNCED, row.email_bounced.as_ref()),
            Identity::Phone(_) => update.when_as_read("sms_rank", rank(Channel::Sms)),
            Identity::External(_) | Identity::Visitor { .. } => update,
        })
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
    fn after(before: Option<&Contact>, incoming: &Incoming, overwrites: bool) -> Self {
        let full = clean(incoming.full_name.as_deref());
        let mut first = clean(incoming.first_name.as_deref());
        let mut last = clean(incoming.last_name.as_deref());
        let old = before.map(|contact| contact.clone().complete_names());
        let old = old.filter(|contact| contact.full_name.is_some());
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

fn clean(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The profile's attribute for an identity; a widget's visitor has none.
fn field(identity: &Identity) -> Option<(&'static str, serde_json::Value)> {
    match identity {
        Identity::External(id) => Some(("external_id", id.as_str().into())),
        Identity::Email(address) => Some(("email", address.as_str().into())),
        Identity::Phone(phone) => Some(("phone", phone.e164().into())),
        Identity::Visitor { .. } => None,
    }
}

fn stored_field(contact: &Contact, name: &str) -> Option<serde_json::Value> {
    let text = match name {
        "external_id" => contact.external_id.clone(),
        "email" => contact.email.as_ref().map(ToString::to_string),
        "phone" => contact.phone.as_ref().map(ToString::to_string),
        "full_name" => contact.full_name.clone(),
        "first_name" => contact.first_name.clone(),
        "last_name" => contact.last_name.clone(),
        _ => None,
    };
    text.map(Into::into)
}
