//! The merge of two contacts that are one person (docs/adr/0037). Each call may run twice, and may be killed at any
//! point.
//!
//! One transaction moves every identity to the survivor and gives the survivor the values that it lacks. It turns the other
//! contact into a tombstone that forwards. So at no time an identity has two owners or none, and no value is lost. The
//! tombstone carries two messages: `segment-updater` joins the facts for segments, `contact-bulk` moves the other rows.
//!
//! `joined` decides and is pure, `finish` moves the rows.

mod finish;
mod joined;

use std::collections::{BTreeSet, HashMap};

use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error, Key, Pending, Update};
use futures::future::try_join_all;
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bulk::Step;
use crate::change::next;
use crate::changed::CHANGED;
use crate::consent::COUNT;
use crate::erase::{bare, visitor};
use crate::fields::MAX_UNIQUE;
use crate::model::{Contact, Identity};
use crate::notes::MAX_NOTES;
use crate::profiles::Profiles;
use crate::rows::{
    ALSO, BOUNCED, Claim, ERASED, FADE, FIELDS, MERGED_IDS, MERGED_INTO, NAMED, NameRow, Pair,
    Profile, Row, SCORE, VERSION,
};
use crate::store::Contacts;
use crate::unique::UNIQUE;
use crate::{keys, mention, names};

use joined::Joined;
pub use joined::{Excess, MAX_ALSO, MAX_MERGED};

/// The tombstone's attribute for the work that is left.
const MERGING: &str = "merging";
/// How long the former contact takes no notes, in seconds: no request lasts so long.
const CLOSED_SECONDS: i64 = 24 * 3600;
/// Merges that follow one another. A contact that was merged forwards through so many at most.
const HOPS: usize = MAX_MERGED + 1;

/// The outcome of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The survivor has everything, or will have it within moments.
    Yes,
    /// Together they pass these limits; nothing is written.
    Full(Vec<Excess>),
    /// One of them does not exist: the survivor, or else the other.
    NoContact(ContactId),
    /// The survivor is archived.
    Archived,
    /// The other was merged into a third contact.
    Elsewhere(ContactId),
}

/// The work that is left, as the tombstone lists it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Merging {
    at: Timestamp,
    /// The user or key that asked.
    actor: String,
    /// The folded name from each of its words.
    names: Vec<String>,
    /// Addresses whose rows beside the identities go.
    beside: Vec<Identity>,
}

/// On a tombstone: has the contact's rows moved.
pub(crate) const MERGE: Rule = Rule {
    name: "contact.merge",
    messages: merge,
};

fn merge(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let step = Step::Merge { contact };
    let id = format!("{contact}#merge");
    Ok(vec![Effect::new(image.tenant(), id, &step)?])
}

/// A contact as it was read.
struct Read {
    row: HashMap<String, Value>,
    profile: Profile,
    contact: Contact,
    notes: Option<i64>,
}

#[derive(Deserialize)]
struct Count {
    #[serde(default)]
    count: i64,
}

impl Profiles {
    /// The contact that this one is now, after merges; `None` if it was not merged. One read for each merge, and one.
    pub async fn forward(
        &self,
        tenant: TenantKey,
        id: ContactId,
    ) -> Result<Option<ContactId>, Error> {
        let mut at = id;
        for _ in 0..HOPS {
            let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, at)).await?;
            match profile.and_then(|row| row.merged_into) {
                Some(into) => at = into,
                None => break,
            }
        }
        Ok((at != id).then_some(at))
    }
}

impl Profiles {
    /// One contact, as it is now; for a merged one its survivor. One read, more only if there is no such contact.
    pub async fn current(
        &self,
        tenant: TenantKey,
        id: ContactId,
    ) -> Result<Option<Contact>, Error> {
        if let Some(contact) = self.get(tenant, id).await? {
            return Ok(Some(contact));
        }
        match self.forward(tenant, id).await? {
            Some(now) => self.get(tenant, now).await,
            None => Ok(None),
        }
    }
}

impl Contacts {
    /// The contact that this one is now, after merges. See [`Profiles::forward`].
    pub async fn forward(
        &self,
        tenant: TenantKey,
        id: ContactId,
    ) -> Result<Option<ContactId>, Error> {
        self.profiles().forward(tenant, id).await
    }

    /// Merges `gone` into `survivor`. Four reads and one for each identity; eight write units, two for each identity,
    /// one for each list, and those of the name. Later two write units for each row that moves.
    pub async fn merge(
        &self,
        tenant: TenantKey,
        survivor: ContactId,
        gone: ContactId,
        actor: &str,
    ) -> Result<Merged, Error> {
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let run = self.try_merge(tenant, survivor, gone, actor);
            // Its future is large.
            if let Some(merged) = Box::pin(run).await? {
                return Ok(merged);
            }
        }
    }

    async fn try_merge(
        &self,
        tenant: TenantKey,
        survivor: ContactId,
        gone: ContactId,
        actor: &str,
    ) -> Result<Option<Merged>, Error> {
        if let Some(now) = self.forward(tenant, gone).await? {
            if now != survivor {
                return Ok(Some(Merged::Elsewhere(now)));
            }
            return self.placed(tenant, survivor).await.map(Some);
        }
        let Some(own) = self.read_whole(tenant, survivor).await? else {
            return Ok(Some(Merged::NoContact(survivor)));
        };
        let Some(other) = self.read_whole(tenant, gone).await? else {
            return Ok(Some(Merged::NoContact(gone)));
        };
        if own.contact.is_archived() {
            return Ok(Some(Merged::Archived));
        }
        for one in [&own, &other] {
            let (version, replaced) = (one.profile.identity_version, &one.profile.replaced);
            if !replaced.is_empty() {
                let id = one.contact.id;
                self.give_up(tenant, id, version, replaced).await?;
                return Ok(None);
            }
        }
        let visitors = other.profile.visitors.iter().filter_map(|one| visitor(one));
        let identities: Vec<Identity> = other.contact.owned().into_iter().chain(visitors).collect();
        let rows = identities.iter().map(|one| self.look_up(tenant, one));
        let rows = try_join_all(rows).await?;
        let claims: Vec<(Identity, Claim)> = identities.into_iter().zip(rows).collect();
        let is_foreign = |claim: &Claim| {
            claim
                .contact
                .is_some_and(|owner| owner != gone && owner != survivor)
        };
        let foreign = claims.iter().filter(|(_, claim)| is_foreign(claim));
        let foreign = foreign.map(|(one, _)| one.clone()).collect();
        let sides = (
            (&own.profile, &own.contact),
            (&other.profile, &other.contact),
        );
        let joined = match Joined::of(sides.0, sides.1, &foreign) {
            Ok(joined) => joined,
            Err(mut excess) => {
                excess.extend(too_many_notes(&own, &other));
                return Ok(Some(Merged::Full(excess)));
            }
        };
        if let Some(excess) = too_many_notes(&own, &other) {
            return Ok(Some(Merged::Full(vec![excess])));
        }
        let found = found_by(tenant, survivor, &joined);
        if !found.is_empty() {
            self.contacts.put_many(&found).await?;
        }
        let updates = self.transaction(tenant, (&own, &other), &joined, &claims, actor);
        if !self.contacts.update_all(updates).await? {
            return Ok(None);
        }
        self.placed(tenant, survivor).await.map(Some)
    }

    /// Writes the survivor's places on its lists.
    async fn placed(&self, tenant: TenantKey, survivor: ContactId) -> Result<Merged, Error> {
        match self.get(tenant, survivor).await? {
            Some(contact) if contact.is_archived() => {}
            Some(contact) => self.place(tenant, &contact).await?,
            None => {}
        }
        Ok(Merged::Yes)
    }

    async fn read_whole(&self, tenant: TenantKey, id: ContactId) -> Result<Option<Read>, Error> {
        let row: Option<HashMap<String, Value>> =
            self.contacts.get(&keys::profile(tenant, id)).await?;
        let Some(row) = row else { return Ok(None) };
        let profile: Profile = serde_json::from_value(row.clone().into_iter().collect())?;
        let Some(contact) = profile.clone().given() else {
            return Ok(None);
        };
        let notes: Option<Count> = self.contacts.get(&keys::notes(tenant, id)).await?;
        Ok(Some(Read {
            row,
            profile,
            contact,
            notes: notes.map(|row| row.count),
        }))
    }

    /// The rows that are written together: both profiles, the counts of notes, and the identities.
    fn transaction(
        &self,
        tenant: TenantKey,
        (own, other): (&Read, &Read),
        joined: &Joined,
        claims: &[(Identity, Claim)],
        actor: &str,
    ) -> Vec<(Key, Update)> {
        let (survivor, gone) = (own.contact.id, other.contact.id);
        let now = self.contacts.clock().now();
        let closed = Update::new()
            .set("count", MAX_NOTES)
            .set("ttl", now.as_second() + CLOSED_SECONDS)
            .when_as_read("count", other.notes);
        let mut updates = vec![
            (
                keys::profile(tenant, survivor),
                self.survivor((own, other), joined),
            ),
            (
                keys::profile(tenant, gone),
                self.gone(other, survivor, actor),
            ),
            (keys::notes(tenant, gone), closed),
        ];
        if let Some(notes) = other.notes {
            let count = own.notes.unwrap_or_default() + notes;
            let update = Update::new().set("count", count);
            let update = update.when_as_read("count", own.notes);
            updates.push((keys::notes(tenant, survivor), update));
        }
        let moved = claims.iter().filter(|(_, claim)| match claim.contact {
            Some(owner) => owner == gone,
            None => true,
        });
        updates.extend(self.values(tenant, (own, other), joined));
        updates.extend(moved.map(|(identity, claim)| {
            let update = Update::new().set("contact", survivor);
            let update = update.when_as_read("contact", claim.contact);
            (keys::identity(tenant, identity), update)
        }));
        updates
    }

    /// The rows of the other's unique values: the survivor's now, or free. Beyond the room of a transaction, the row stays
    /// with a contact that does not show the value, and the next contact takes the row.
    fn values(
        &self,
        tenant: TenantKey,
        (own, other): (&Read, &Read),
        joined: &Joined,
    ) -> Vec<(Key, Update)> {
        let (survivor, gone) = (own.contact.id, other.contact.id);
        let marks = other.profile.unique().into_iter().take(MAX_UNIQUE);
        let rows = marks.map(|(field, hash)| {
            if joined.takes_custom(&field) {
                Self::handed(tenant, (gone, survivor), &field, &hash)
            } else {
                self.freed(tenant, gone, &field, &hash)
            }
        });
        rows.collect()
    }

    /// The update of the survivor, if the profile is the one that was read.
    fn survivor(&self, (own, other): (&Read, &Read), joined: &Joined) -> Update {
        let profile = &own.profile;
        let mut update = as_read(self.touch(), &own.row)
            .set(VERSION, next(profile.identity_version))
            .when_as_read(VERSION, profile.identity_version)
            .set_some(SCORE, joined.score)
            .set_some(FADE, joined.fade)
            .set_some(BOUNCED, joined.bounced.as_ref());
        if joined.has_custom {
            update = update.set(FIELDS, next(profile.fields_version));
        }
        if joined.name.is_some() {
            update = update.set(NAMED, next(profile.name_version));
        }
        if !joined.also.is_empty() {
            update = update.set(ALSO, &joined.also);
        }
        if joined.records > 0 {
            update = update.set(COUNT, joined.records);
        }
        for (name, value) in &joined.fields {
            update = update.set(name, value);
        }
        let marks = other.profile.unique().into_iter().take(MAX_UNIQUE);
        for (field, hash) in marks.filter(|(field, _)| joined.takes_custom(field)) {
            update = update.set(&format!("{UNIQUE}{field}"), hash);
        }
        for (mark, at) in &joined.marks {
            update = update.set(&mark.attribute(), at);
        }
        for set in crate::change::BESIDE {
            let new = joined.beside.iter().filter(|(name, _)| *name == set);
            let new = new.map(|(_, address)| crate::change::stored(address));
            update = update.add_to_set(set, new);
        }
        update
            .add_to_set("tags", joined.tags.iter().cloned())
            .add_to_set("lists", joined.lists.iter().map(ToString::to_string))
            .add_to_set("visitors", joined.visitors.iter().cloned())
            .add_to_set(
                MERGED_IDS,
                joined.merged_ids.iter().map(ToString::to_string),
            )
    }

    /// The update that leaves a tombstone, which forwards, and the work that is left.
    fn gone(&self, other: &Read, survivor: ContactId, actor: &str) -> Update {
        let now = self.contacts.clock().now();
        let (profile, contact) = (&other.profile, &other.contact);
        let name = contact.clone().complete_names().person.full_name;
        let names = profile.former_names.iter().chain(&name);
        let merging = Merging {
            at: now,
            actor: actor.to_owned(),
            names: names.flat_map(|name| names::rotations(name)).collect(),
            beside: [contact.beside(), contact.owned()].concat(),
        };
        let update = as_read(self.touch(), &other.row)
            .set(ERASED, now)
            .set(MERGED_INTO, survivor)
            .set(MERGING, merging)
            .set(VERSION, next(profile.identity_version))
            .set("pending", Pending::of(&[CHANGED, MERGE]))
            .add_to_set(cloud::item::CHANGED, [mention::CREATED])
            .when_as_read(VERSION, profile.identity_version);
        bare(&other.row, update)
    }
}

/// Only if the profile is the one that was read: each update names itself and its time.
fn as_read(update: Update, row: &HashMap<String, Value>) -> Update {
    let read = |name: &str| row.get(name).and_then(Value::as_str);
    update
        .when_as_read("update_id", read("update_id"))
        .when_as_read("updated_at", read("updated_at"))
}

fn too_many_notes(own: &Read, other: &Read) -> Option<Excess> {
    let count = own.notes.unwrap_or_default() + other.notes.unwrap_or_default();
    let message = format!("together {count} notes; a contact has at most {MAX_NOTES}");
    (count > MAX_NOTES).then_some(("", message))
}

/// The rows by which the survivor is found under its new name and addresses. The search skips them until the
/// survivor shows those.
fn found_by(tenant: TenantKey, survivor: ContactId, joined: &Joined) -> Vec<(Key, Row)> {
    let names = joined.name.iter();
    let names = names.flat_map(|name| Contacts::name_rows(tenant, survivor, name));
    let addresses: BTreeSet<&Identity> = joined.beside.iter().map(|(_, one)| one).collect();
    let beside = addresses.into_iter().flat_map(|address| {
        let row = Row::Name(NameRow { contact: survivor });
        let pair = Row::Pair(Pair {
            contact: survivor,
            address: address.clone(),
        });
        [
            (keys::beside(tenant, address, survivor), row),
            (keys::pair(tenant, address, survivor), pair),
        ]
    });
    names.chain(beside).collect()
}
