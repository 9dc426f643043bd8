//! The erasure of a contact. Each call may run twice, and may be killed at any point.
//!
//! One write turns the profile into a tombstone: nothing of the person is left that a reader sees, the contact is in no
//! index, and no writer can change it. The tombstone lists what is to be deleted, and carries two messages: for
//! `segment-updater`, which takes the contact out of its segments, and for `contact-bulk`, which deletes the other
//! rows. Then it holds only its id until it expires.
//!
//! A refusal of messages is kept under a hash of the address. The next contact with the address gets it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error, Key, Pending, Query, Table, Update};
use futures::future::try_join_all;
use kernel::page::Page;
use kernel::{ContactId, Cursor, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bulk::Step;
use crate::change::{next, released};
use crate::changed::CHANGED;
use crate::consent::ChannelStatus;
use crate::events::for_webhooks;
use crate::files::Files;
use crate::model::{Contact, Event, Identity};
use crate::rows::{Claim, ERASED, IMPORTED, MERGED_INTO, Profile, REPLACED, Replaced, VERSION};
use crate::store::Contacts;
use crate::{keys, mention, names};

/// Life of a tombstone in seconds, longer than any message about the contact: 14 days in a queue, 14 more in a
/// dead-letter queue.
const KEPT_SECONDS: i64 = 35 * 24 * 3600;
/// The tombstone's attribute for what is to be deleted.
const ERASING: &str = "erasing";
/// Rows that are read at a time.
const PAGE: u32 = 500;

/// Values of the profile that rows elsewhere repeat.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Erasing {
    /// The identities that the profile has shown, and the refusals that go with the addresses.
    identities: Vec<Replaced>,
    /// The folded name from each of its words.
    names: Vec<String>,
    /// Addresses beside the identities, now or before they were confirmed.
    beside: Vec<Identity>,
    /// Contacts that were merged into it.
    #[serde(default)]
    merged: Vec<ContactId>,
    /// The marks of unique values, by field.
    #[serde(default)]
    unique: BTreeMap<String, String>,
}

/// A tombstone.
#[derive(Deserialize)]
struct Tombstone {
    erased_at: Option<jiff::Timestamp>,
    merged_into: Option<ContactId>,
    erasing: Option<Erasing>,
}

/// A refusal that outlives its contact.
#[derive(Serialize, Deserialize)]
struct Suppressed {
    status: ChannelStatus,
    status_since: Option<i64>,
}

/// On a tombstone: has the contact's other rows deleted.
pub(crate) const ERASE: Rule = Rule {
    name: "contact.erase",
    messages: erase,
};

fn erase(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let step = Step::Erase { contact };
    let id = format!("{contact}#erase");
    Ok(vec![Effect::new(image.tenant(), id, &step)?])
}

/// On a tombstone: tells webhooks that the contact is gone.
pub(crate) const DELETED: Rule = Rule {
    name: "contact.hooked_deleted",
    messages: deleted,
};
/// The event of an erasure. Only webhooks hear of it: the timeline goes with the contact.
pub const GONE: &str = "contact.deleted";

fn deleted(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let Tombstone { erased_at, .. } = image.row()?;
    let at = erased_at.ok_or_else(|| Error::Shape("a tombstone without its time".into()))?;
    let event = Event {
        id: format!("{GONE}#{contact}"),
        name: GONE.to_owned(),
        at,
        source: "erasure".to_owned(),
        data: Value::Null,
    };
    let effect = for_webhooks(image.tenant(), contact, vec![event], at)?;
    Ok(vec![effect])
}

impl Contacts {
    /// Erases a contact; false: there is none. Two reads and two write units at once, and three for the outbox; later
    /// one write unit for each of its rows.
    pub async fn erase(&self, tenant: TenantKey, id: ContactId) -> Result<bool, Error> {
        let key = keys::profile(tenant, id);
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let row: Option<HashMap<String, Value>> = self.contacts.get(&key).await?;
            let Some(row) = row else { return Ok(false) };
            if row.contains_key(ERASED) {
                // A merged contact lives on in another one.
                return Ok(!row.contains_key(MERGED_INTO));
            }
            let profile: Profile = serde_json::from_value(row.clone().into_iter().collect())?;
            let (version, visitors) = (profile.identity_version, profile.visitors.clone());
            let former = profile.former_names.clone();
            let unique = profile.unique();
            let mut replaced = profile.replaced.clone();
            let Some(contact) = profile.given() else {
                return Ok(false);
            };
            let visitors = visitors.iter().filter_map(|value| visitor(value));
            let shown = contact.owned().into_iter().chain(visitors);
            replaced.extend(shown.map(|identity| released(&contact, identity)));
            let hooked = self.interest.hooks_any(tenant, [GONE]).await?;
            let rules: &[Rule] = if hooked {
                &[CHANGED, ERASE, DELETED]
            } else {
                &[CHANGED, ERASE]
            };
            let update = self
                .tombstone(&row, version, (&contact, &former), (&replaced[..], unique))
                .set("pending", Pending::of(rules));
            if self.contacts.update(&key, update).await?.applied() {
                return Ok(true);
            }
        }
    }

    /// The update that leaves nothing of the profile but the work that is left, if the profile is the one that was read.
    fn tombstone(
        &self,
        row: &HashMap<String, Value>,
        version: Option<u64>,
        (contact, former): (&Contact, &BTreeSet<String>),
        (replaced, unique): (&[Replaced], BTreeMap<String, String>),
    ) -> Update {
        let now = self.contacts.clock().now();
        let name = contact.clone().complete_names().person.full_name;
        let names = former.iter().chain(&name);
        let erasing = Erasing {
            identities: replaced.to_vec(),
            names: names.flat_map(|name| names::rotations(name)).collect(),
            beside: [contact.beside(), contact.owned()].concat(),
            merged: contact.merged_ids.iter().copied().collect(),
            unique,
        };
        let read = |name: &str| row.get(name).and_then(Value::as_str);
        let update = self
            .touch()
            .set(ERASED, now)
            .set("ttl", now.as_second() + KEPT_SECONDS)
            .set(VERSION, next(version))
            .set(REPLACED, replaced)
            .set(ERASING, erasing)
            .add_to_set(cloud::item::CHANGED, [mention::CREATED])
            .when_as_read("update_id", read("update_id"))
            .when_as_read("updated_at", read("updated_at"))
            .when_as_read(VERSION, version);
        bare(row, update)
    }

    /// Deletes what is left of an erased contact, its files too. A repetition does the rest. One write unit for each row.
    pub async fn finish_erasure(
        &self,
        tenant: TenantKey,
        id: ContactId,
        files: &Files,
    ) -> Result<(), Error> {
        let key = keys::profile(tenant, id);
        let Some(row) = self.contacts.get::<Tombstone>(&key).await? else {
            return Ok(());
        };
        let Some(erased_at) = row.erased_at.filter(|_| row.merged_into.is_none()) else {
            return Ok(());
        };
        let erasing = row.erasing.unwrap_or_default();
        let identities = erasing.identities.iter();
        let work = identities.map(|one| self.drop_claim(tenant, id, one));
        try_join_all(work).await?;
        for one in &erasing.identities {
            if let Identity::Anonymous { id: visitor } = &one.identity {
                self.forget_anonymous(tenant, visitor).await?;
            }
        }
        let names = erasing
            .names
            .iter()
            .map(|name| keys::name(tenant, name, id));
        let beside = erasing.beside.iter();
        let beside =
            beside.flat_map(|one| [keys::beside(tenant, one, id), keys::pair(tenant, one, id)]);
        let rows: BTreeSet<Key> = names.chain(beside).collect();
        let rows: Vec<Key> = rows.into_iter().collect();
        self.contacts.delete_many(&rows).await?;
        self.drop_values(tenant, id, &erasing.unique).await?;
        // The updater of segments needs the state, and deletes it.
        let kept = [keys::PROFILE, keys::STATE];
        empty(&self.contacts, tenant, id, &kept).await?;
        self.forget_events(tenant, id).await?;
        empty(&self.timeline, tenant, id, &[]).await?;
        files.delete_all(tenant, id).await?;
        for former in erasing.merged {
            files.delete_all(tenant, former).await?;
            empty(&self.contacts, tenant, former, &kept).await?;
            self.forget_events(tenant, former).await?;
            empty(&self.timeline, tenant, former, &[]).await?;
            let expires = erased_at.as_second() + KEPT_SECONDS;
            let expires = Update::new().set("ttl", expires).when_exists();
            let key = keys::profile(tenant, former);
            self.contacts.update(&key, expires).await?;
        }
        let done = Update::new()
            .remove(ERASING)
            .remove(REPLACED)
            .when_equals(ERASED, erased_at);
        self.contacts.update(&key, done).await.map(drop)
    }

    /// Keeps the refusal of an identity's row without the address, and deletes the row unless another contact has it.
    async fn drop_claim(
        &self,
        tenant: TenantKey,
        id: ContactId,
        one: &Replaced,
    ) -> Result<(), Error> {
        loop {
            let claim = self.look_up(tenant, &one.identity).await?;
            if claim.mark.is_none() || claim.contact.is_some_and(|owner| owner != id) {
                // Gone, or another contact's with the refusal.
                return Ok(());
            }
            let (status, since) = match claim.status.filter(|status| status.refuses()) {
                Some(status) => (Some(status), claim.status_since),
                None => (one.status, one.since),
            };
            if let Some(status) = status {
                self.suppress(tenant, &one.identity, status, since).await?;
            }
            let key = keys::identity(tenant, &one.identity);
            let as_read = Update::new().when_as_read("update_id", claim.mark.as_ref());
            if self.contacts.delete_when(&key, as_read).await? {
                return Ok(());
            }
        }
    }

    /// Keeps the refusal of an address without the address.
    pub(crate) async fn suppress(
        &self,
        tenant: TenantKey,
        identity: &Identity,
        status: ChannelStatus,
        status_since: Option<i64>,
    ) -> Result<(), Error> {
        let row = Suppressed {
            status,
            status_since,
        };
        let key = keys::suppressed(tenant, identity);
        self.contacts.put(&key, &row).await
    }

    /// The refusal that an erased contact left with the address. One read.
    pub(crate) async fn suppression(
        &self,
        tenant: TenantKey,
        identity: &Identity,
    ) -> Result<Claim, Error> {
        if !matches!(identity, Identity::Email(_) | Identity::Phone(_)) {
            return Ok(Claim::default());
        }
        let key = keys::suppressed(tenant, identity);
        let row: Option<Suppressed> = self.contacts.get(&key).await?;
        Ok(row.map_or_else(Claim::default, |row| Claim {
            status: Some(row.status),
            status_since: row.status_since,
            ..Claim::default()
        }))
    }
}

/// The update that also removes every attribute of the person from the profile that was read.
pub(crate) fn bare(row: &HashMap<String, Value>, update: Update) -> Update {
    let kept = [
        "pk",
        "sk",
        "contact",
        "update_id",
        "pending",
        "unsent",
        "outbox",
        "updated_at",
        "ttl",
        cloud::item::CHANGED,
        VERSION,
        REPLACED,
        // Every update removes it.
        IMPORTED,
    ];
    let gone = row.keys().filter(|name| !kept.contains(&name.as_str()));
    gone.fold(update, |update, name| update.remove(name))
}

/// The visitor of a stored value.
pub(crate) fn visitor(value: &str) -> Option<Identity> {
    if let Some(id) = value.strip_prefix(keys::ANONYMOUS) {
        return Some(Identity::Anonymous { id: id.to_owned() });
    }
    let (visitor, inbox) = value.rsplit_once('@')?;
    Some(Identity::Visitor {
        inbox: inbox.parse().ok()?,
        visitor: visitor.to_owned(),
    })
}

#[derive(Deserialize)]
struct Placed {
    pk: String,
    sk: String,
}

/// Deletes the rows of the contact's partition, but for these.
async fn empty(
    table: &Table,
    tenant: TenantKey,
    id: ContactId,
    kept: &[&str],
) -> Result<(), Error> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let query = Query::partition(keys::contact(tenant, id)).limit(PAGE);
        let page: Page<Placed> = table.query(query.cursor(cursor)).await?;
        let gone = page.data.into_iter();
        let gone = gone.filter(|row| !kept.contains(&row.sk.as_str()));
        let gone: Vec<Key> = gone.map(|row| Key::new(row.pk, row.sk)).collect();
        table.delete_many(&gone).await?;
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
