//! Removes a contact that an import made and nobody has touched since.
//!
//! One conditional write takes the record out of every list and names its identities for release, by the same list as
//! an overwritten address ([`crate::claims`]). The rows beside the profile go afterwards. A repetition finds the
//! marked profile and does the rest. The empty profile expires after a day: until then no run can found the id again.

use std::collections::BTreeMap;

use cloud::{Error, Key, Query, Update};
use kernel::{ContactId, TenantKey};
use serde::Deserialize;
use serde_json::Value;

use super::job::Job;
use super::steps::Imports;
use crate::consent::{Channel, ChannelStatus, Purpose};
use crate::model::{Contact, Event, Identity, Source};
use crate::rows::{IMPORTED, Profile, REPLACED, Replaced, UNDONE, VERSION};
use crate::{change, keys, mention, names};

/// How long the empty profile is kept, in seconds.
const KEEP_SECONDS: i64 = 24 * 3600;
/// Events of a contact that are looked at.
const LOOKED_AT: u32 = 25;
/// Attributes that stay on the profile: its key, its versions, and its unsent effects.
const STAY: [&str; 12] = [
    "pk",
    "sk",
    "contact",
    "ttl",
    "pending",
    "unsent",
    "outbox",
    "changed",
    "updated_at",
    "update_id",
    VERSION,
    UNDONE,
];

/// Why a contact stays.
pub(super) type Kept = &'static str;

/// The mark of a row whose text nobody needs.
#[derive(Deserialize)]
struct Any {
    sk: String,
}

impl Imports {
    /// Removes the contact, or tells why it stays. About two read and ten write units.
    pub(super) async fn unmake(
        &self,
        tenant: TenantKey,
        job: &Job,
        id: ContactId,
    ) -> Result<Result<(), Kept>, Error> {
        let import = job.id.to_string();
        let key = keys::profile(tenant, id);
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let Some(row) = self.table.get::<BTreeMap<String, Value>>(&key).await? else {
                return Ok(Err("the contact is gone"));
            };
            if row.get(UNDONE) == Some(&Value::from(import.as_str())) {
                self.clear_away(tenant, id, row).await?;
                return Ok(Ok(()));
            }
            let mark = row
                .get(IMPORTED)
                .and_then(Value::as_str)
                .unwrap_or_default();
            let is_ours = mark.split_once('#').is_some_and(|(by, _)| by == import);
            let Some(contact) = shown(&row, false)? else {
                return Ok(Err("the contact is gone"));
            };
            if !is_ours {
                return Ok(Err("the contact was changed since"));
            }
            if self.was_used(tenant, id).await? {
                return Ok(Err("the contact has notes or events"));
            }
            let version = row.get(VERSION).and_then(Value::as_u64);
            let update = Update::new()
                .set(UNDONE, &import)
                .set(VERSION, change::next(version))
                .set(REPLACED, released(&contact))
                .set("ttl", self.table.clock().now().as_second() + KEEP_SECONDS)
                .set("updated_at", self.table.clock().now())
                .remove("created_at")
                .remove("tenant")
                .remove("shard")
                .remove(IMPORTED)
                .when_equals(IMPORTED, mark)
                .when_as_read(VERSION, version);
            let names = [mention::CREATED.to_owned()];
            let update = self.contacts.telling(tenant, update, names).await?;
            self.table.update(&key, update).await?;
        }
    }

    /// Whether somebody wrote a note on the contact, or it did something.
    async fn was_used(&self, tenant: TenantKey, id: ContactId) -> Result<bool, Error> {
        let notes = Query::partition(keys::contact(tenant, id))
            .begins_with("NOTE#")
            .limit(1);
        if !self.table.query::<Any>(notes).await?.data.is_empty() {
            return Ok(true);
        }
        let events = Query::partition(keys::contact(tenant, id))
            .descending()
            .limit(LOOKED_AT);
        let events = self.contacts.timeline.query::<Event>(events).await?;
        // Segments follow the import by themselves, and the import tells its own changes.
        let own = |event: &Event| {
            !event.name.starts_with("segment.") && event.source != Source::Import.name()
        };
        Ok(events.next.is_some() || events.data.iter().any(own))
    }

    /// The rows beside the profile, the claims, and the personal data of the profile.
    async fn clear_away(
        &self,
        tenant: TenantKey,
        id: ContactId,
        row: BTreeMap<String, Value>,
    ) -> Result<(), Error> {
        if let Some(contact) = shown(&row, true)? {
            let mut rows = beside(tenant, &contact);
            let records = Query::partition(keys::contact(tenant, id)).begins_with(keys::CONSENT);
            let records = self.table.query_all::<Any>(records).await?;
            rows.extend(
                records
                    .into_iter()
                    .map(|one| Key::new(keys::contact(tenant, id), one.sk)),
            );
            self.table.delete_many(&rows).await?;
        }
        let profile: Profile = parsed(&row)?;
        if !profile.replaced.is_empty() {
            self.contacts
                .give_up(tenant, id, profile.identity_version, &profile.replaced)
                .await?;
        }
        self.contacts
            .drop_values(tenant, id, &profile.unique())
            .await?;
        let others = row.keys().filter(|name| !STAY.contains(&name.as_str()));
        let update = others.fold(Update::new(), |update, name| update.remove(name));
        let update = update.when_absent("created_at").when_absent(REPLACED);
        let key = keys::profile(tenant, id);
        self.table.update(&key, update).await.map(drop)
    }
}

/// The contact of a stored profile, also of one that is marked.
fn shown(row: &BTreeMap<String, Value>, is_marked: bool) -> Result<Option<Contact>, Error> {
    let mut row = row.clone();
    if is_marked {
        row.insert("created_at".into(), Value::from("1970-01-01T00:00:00Z"));
    }
    Ok(parsed(&row)?.given())
}

fn parsed(row: &BTreeMap<String, Value>) -> Result<Profile, Error> {
    let row = row
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    serde_json::from_value(Value::Object(row.collect()))
        .map_err(|error| Error::Shape(error.to_string()))
}

/// The identities of the contact. A refusal goes with its address.
fn released(contact: &Contact) -> Vec<Replaced> {
    let one = |identity: Identity| {
        let channel = match identity {
            Identity::Email(_) => Some((Channel::Email, contact.email_status)),
            Identity::Phone(_) => Some((Channel::Sms, contact.sms_status)),
            Identity::External { .. } | Identity::Visitor { .. } | Identity::Anonymous { .. } => {
                None
            }
        };
        let refusal = channel.filter(|(_, status): &(Channel, ChannelStatus)| status.refuses());
        let since = refusal
            .and_then(|(channel, _)| contact.consents.state(channel, Purpose::Marketing).since);
        Replaced {
            identity,
            status: refusal.map(|(_, status)| status),
            since: since.map(jiff::Timestamp::as_millisecond),
        }
    };
    contact.owned().into_iter().map(one).collect()
}

/// The rows of names, shared addresses and lists.
fn beside(tenant: TenantKey, contact: &Contact) -> Vec<Key> {
    let id = contact.id;
    let name = contact.clone().complete_names().person.full_name;
    let names = names::rotations(name.as_deref().unwrap_or_default());
    let names = names
        .iter()
        .map(|rotation| keys::name(tenant, rotation, id));
    let addresses = contact
        .beside()
        .into_iter()
        .map(|one| keys::beside(tenant, &one, id));
    let lists = contact
        .lists
        .iter()
        .map(|&list| keys::membership(tenant, id, list));
    names.chain(addresses).chain(lists).collect()
}
