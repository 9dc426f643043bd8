//! The fields that an upsert writes: the difference between the input and the stored profile. Pure.

use std::collections::BTreeSet;

use cloud::Update;
use jiff::Timestamp;
use kernel::text::alike;
use kernel::{EmailAddress, person};
use serde_json::Value;

use crate::bounds::{self, Surplus};
use crate::consent::change::{Agreed, as_read};
use crate::consent::{Channel, ChannelStatus, Purpose};
use crate::identity::Reason;
use crate::keys;
use crate::labels::Tags;
use crate::mention;
use crate::model::{Contact, Identity, Incoming, Merge, OWN_SCOPE};
use crate::rows::{
    ALSO, BOUNCED, CUSTOM, Claim, EXTERNAL, FIELDS, FORMER, NAMED, OVERWRITTEN, OWNER, Profile,
    REPLACED, Replaced, VERSION,
};

use crate::unique::{Claims, TakenValue};

use self::custom::custom;
use self::names::{Names, is_name};

mod beside;
mod custom;
mod names;
mod patched;
mod was;

pub(crate) use self::beside::{BESIDE, set_of, size_of, stored};
pub(crate) use self::was::{Before, value};

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
    pub confirmed: Vec<(&'static str, Identity)>,
    /// Visitors that are new to the profile.
    visitors: Vec<String>,
    /// The input that the contact has no room for.
    pub surplus: Surplus,
    /// The further identities, if one of them becomes the first of its kind.
    also: Option<Vec<Identity>>,
    /// Whether known values are replaced, and from when the new ones are, if that was before now.
    overwrites: bool,
    given_at: Option<Timestamp>,
    /// Attributes to remove.
    pub removed: Vec<String>,
    /// The rows and marks of unique values among the fields.
    pub claims: Claims,
    /// The whole name, if it changes.
    pub indexed_name: Option<String>,
    /// The whole name that it replaces.
    pub former_name: Option<String>,
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
        let also = before.map(Contact::also).unwrap_or_default();
        for (identity, _) in own.iter().filter(|(one, _)| !also.contains(one)) {
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
        if let Some(owner) = incoming.owner {
            let old = before.and_then(|contact| stored_field(contact, OWNER));
            offer(OWNER, old, owner.to_string().into());
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
        change.removed = names.removed.into_iter().map(str::to_owned).collect();
        change.indexed_name = names.indexed;
        change.note_former_name(before);
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

    /// Notes the name that is replaced, so that its rows are deleted also after a crash.
    fn note_former_name(&mut self, before: Option<&Contact>) {
        let before = before.cloned().map(Contact::complete_names);
        let old = before.and_then(|contact| contact.person.full_name);
        self.former_name = old.filter(|_| self.indexed_name.is_some());
    }

    /// The identities that the contact shows now and will not show after the change. An opt-out goes with the address.
    fn replaced(&self, before: &Contact) -> Vec<Replaced> {
        let gone = before.identities().into_iter().filter(|old| {
            let mut new = self.identities.iter();
            new.any(|new| {
                keys::kind(new) == keys::kind(old) && keys::value(new) != keys::value(old)
            })
        });
        gone.map(|identity| released(before, identity)).collect()
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
            && self.removed.is_empty()
    }

    /// The custom fields that change, null for those that go.
    pub fn custom(&self) -> Vec<(String, Value)> {
        let set = self.fields.iter().cloned();
        let gone = self.removed.iter().map(|name| (name.clone(), Value::Null));
        let all = set.chain(gone);
        let named = all.filter_map(|(name, value)| {
            let name = name.strip_prefix(CUSTOM)?;
            Some((name.to_owned(), value))
        });
        named.collect()
    }

    /// Leaves out the values that other contacts have.
    pub fn settle(&mut self, claims: Claims, taken: &[TakenValue]) {
        let names: Vec<String> = taken
            .iter()
            .map(|one| format!("{CUSTOM}{}", one.field))
            .collect();
        self.fields.retain(|(name, _)| !names.contains(name));
        self.claims = claims;
    }

    /// The names by which a segment mentions what changes ([`crate::mention`]).
    pub fn names(&self, is_new: bool) -> Vec<String> {
        let fields = self.fields.iter().map(|(name, _)| name.clone());
        let removed = self.removed.iter().cloned();
        let mut names: Vec<String> = fields
            .chain(removed)
            .chain(self.agreed.names())
            .chain(mention::tags(&self.tags))
            .chain(self.lists.iter().map(|&list| mention::list(list)))
            .collect();
        if self.bounced.is_some() || names.iter().any(|name| name == "email") {
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
        let also = before.map(Contact::also).unwrap_or_default();
        let also: Vec<Identity> = own
            .iter()
            .map(|(address, _)| address.clone())
            .filter(|address| also.contains(address))
            .collect();
        self.agreed = Agreed::of(profile, incoming, &agreeing, &also);
    }

    /// Writes the change. Empty fields are filled only if they are still empty. An identity or a consent changes
    /// only if the profile shows the value that was read. Sets and custom fields are written only while they fit.
    pub fn onto(&self, update: Update, profile: Option<&Profile>, now: Timestamp) -> Update {
        let update = self.guarded(update, profile);
        let update = self.bounded(update, profile);
        let update = self.dated(update, profile, now);
        let update = self.claims.onto(self.accompanied(update));
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

    /// Only while there is room: the custom fields are those that were read, and the sets are small enough. A name
    /// changes only from the one that was read.
    fn bounded(&self, update: Update, profile: Option<&Profile>) -> Update {
        let mut update = update;
        let mut changed = self.fields.iter().map(|(name, _)| name);
        let mut removed = self.removed.iter();
        let is_custom = |name: &String| name.starts_with(CUSTOM);
        if changed.any(is_custom) || removed.any(is_custom) {
            let version = profile.and_then(|row| row.fields_version);
            update = update
                .set(FIELDS, next(version))
                .when_as_read(FIELDS, version);
        }
        if self.indexed_name.is_some() {
            let version = profile.and_then(|row| row.name_version);
            update = update
                .set(NAMED, next(version))
                .when_as_read(NAMED, version)
                .add_to_set(FORMER, self.former_name.clone());
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
        // No source of values gives an owner.
        let only_owner = self.fields.iter().all(|(name, _)| name == OWNER);
        if !self.overwrites || only_owner {
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
        let shows_others = !self.identities.is_empty() || !self.replaced.is_empty();
        if !shows_others && self.agreed.is_empty() && self.bounced.is_none() {
            return update;
        }
        let version = profile.and_then(|row| row.identity_version);
        let update = update.when_as_read(VERSION, version);
        if !shows_others {
            return update;
        }
        let update = update.set(VERSION, next(version));
        let update = update.set_some(ALSO, self.also.as_ref());
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
            Identity::External { .. } | Identity::Visitor { .. } | Identity::Anonymous { .. } => {
                update
            }
        })
    }
}

/// An identity that the contact will not show any more, with the refusal that goes with the address.
pub(crate) fn released(before: &Contact, identity: Identity) -> Replaced {
    let channel = match identity {
        Identity::Email(_) => Some((Channel::Email, before.email_status)),
        Identity::Phone(_) => Some((Channel::Sms, before.sms_status)),
        Identity::External { .. } | Identity::Visitor { .. } | Identity::Anonymous { .. } => None,
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
}

/// Whether the input replaces known values: not those that were given later.
pub(crate) fn overwrites(profile: Option<&Profile>, incoming: &Incoming) -> bool {
    let overwritten = profile.and_then(|profile| profile.overwritten_at);
    let is_newer = |at| overwritten.is_none_or(|overwritten| overwritten <= at);
    incoming.merge == Merge::Overwrite && incoming.at.is_none_or(is_newer)
}

/// The version after this one.
pub(crate) fn next(version: Option<u64>) -> u64 {
    version.unwrap_or_default() + 1
}

/// The profile's attribute for an identity; a visitor has none.
pub(crate) fn field(identity: &Identity) -> Option<(String, Value)> {
    match identity {
        Identity::External { scope, id } if scope == OWN_SCOPE => {
            Some(("external_id".to_owned(), id.as_str().into()))
        }
        Identity::External { scope, id } => {
            Some((format!("{EXTERNAL}{scope}"), id.as_str().into()))
        }
        Identity::Email(address) => Some(("email".to_owned(), address.as_str().into())),
        Identity::Phone(phone) => Some(("phone".to_owned(), phone.e164().into())),
        Identity::Visitor { .. } | Identity::Anonymous { .. } => None,
    }
}

fn stored_field(contact: &Contact, name: &str) -> Option<Value> {
    let text = match name {
        "external_id" => contact.external_id.clone(),
        "email" => contact.email.as_ref().map(ToString::to_string),
        "phone" => contact.phone.as_ref().map(ToString::to_string),
        OWNER => contact.owner.map(|owner| owner.to_string()),
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
