//! Events that the shop's own systems track, many at a time, and those of visitors whom nobody knows yet.
//!
//! An event that nobody waits for is written in batches of 25: its key is its identity, so a repetition writes the same
//! row. An event that a workflow or a segment waits for is written by a conditional put, so its messages are sent once.
//!
//! Events of an anonymous visitor are in a partition of the visitor for 30 days. A contact that claims the visitor adopts
//! them. The claim is written before the events are read, and a writer of anonymous events reads the claim afterwards.
//! So whichever comes last finds the other's rows.

use std::collections::BTreeMap;

use cloud::{Error, Key, Query};
use kernel::page::Page;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::model::{Event, Identity};
use crate::rows::{Claim, Profile};
use crate::store::Contacts;
use crate::timeline::Entry;

/// Seconds for which the events of an unknown visitor are kept.
const ANONYMOUS_SECONDS: i64 = 30 * 24 * 3600;
/// Rows that are moved at a time: as many as one request writes.
const PAGE: u32 = 25;

/// An event of an unknown visitor, as it is stored.
#[derive(Serialize, Deserialize)]
struct Unowned {
    #[serde(flatten)]
    event: Event,
    ttl: i64,
}

impl Contacts {
    /// The contact that owns the identity, if it exists and shows it. Eventually consistent; absence is read strongly. One
    /// read unit.
    pub async fn owner(
        &self,
        tenant: TenantKey,
        identity: &Identity,
    ) -> Result<Option<ContactId>, Error> {
        let claim: Option<Claim> = self
            .contacts
            .look_up(&keys::identity(tenant, identity))
            .await?;
        let Some(id) = claim.and_then(|claim| claim.contact) else {
            return Ok(None);
        };
        let profile: Option<Profile> = self.contacts.look_up(&keys::profile(tenant, id)).await?;
        let is_visitor = matches!(identity, Identity::Anonymous { .. });
        let contact = profile.and_then(Profile::given);
        let shows = contact.is_some_and(|one| is_visitor || one.owned().contains(identity));
        Ok(shows.then_some(id))
    }

    /// Whether the contact is there: not erased, and not merged into another one. Eventually consistent; half a read unit.
    pub async fn is_there(&self, tenant: TenantKey, id: ContactId) -> Result<bool, Error> {
        let profile: Option<Profile> = self.contacts.look_up(&keys::profile(tenant, id)).await?;
        Ok(profile.is_some_and(|row| row.exists() && row.erased_at.is_none()))
    }

    /// Records events of a contact, each with whether it may start workflows. Returns how many were new, of those that
    /// something waits for.
    pub async fn record_many(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        events: Vec<(Event, bool)>,
    ) -> Result<u64, Error> {
        let (mut plain, mut new) = (BTreeMap::new(), 0);
        for (event, triggers) in events {
            let entry = self.entry(tenant, &event, triggers).await?;
            let key = keys::event(tenant, contact, &event);
            if entry.is_waited_for() {
                new += u64::from(self.timeline.create(&key, &entry).await?.is_new());
            } else {
                plain.insert((key.pk.clone(), key.sk.clone()), (key, entry));
            }
        }
        let plain: Vec<(Key, Entry)> = plain.into_values().collect();
        self.timeline.put_many(&plain).await?;
        Ok(new)
    }

    /// Takes events of a contact back that was erased while they were recorded.
    pub async fn take_back(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        events: &[Event],
    ) -> Result<(), Error> {
        let rows: Vec<Key> = events
            .iter()
            .map(|event| keys::event(tenant, contact, event))
            .collect();
        self.timeline.delete_many(&distinct(rows)).await
    }

    /// Keeps the events of an unknown visitor for 30 days. One write unit each.
    pub async fn keep_anonymous(
        &self,
        tenant: TenantKey,
        visitor: &str,
        events: &[Event],
    ) -> Result<(), Error> {
        let ttl = self.timeline.clock().now().as_second() + ANONYMOUS_SECONDS;
        let rows: BTreeMap<String, (Key, Unowned)> = events
            .iter()
            .map(|event| {
                let key = keys::anonymous_event(tenant, visitor, event);
                let event = event.clone();
                (key.sk.clone(), (key, Unowned { event, ttl }))
            })
            .collect();
        let rows: Vec<(Key, Unowned)> = rows.into_values().collect();
        self.timeline.put_many(&rows).await
    }

    /// Moves the kept events of a visitor to the contact that claimed the visitor, `most` at a time. They start no
    /// workflow. Returns how many were moved. Safe to repeat.
    pub async fn adopt(
        &self,
        tenant: TenantKey,
        visitor: &str,
        contact: ContactId,
        most: usize,
    ) -> Result<usize, Error> {
        let (mut moved, mut cursor) = (0, None);
        loop {
            let query = Query::partition(keys::anonymous(tenant, visitor));
            let page: Page<Event> = self
                .timeline
                .query(query.limit(PAGE).cursor(cursor))
                .await?;
            moved += page.data.len();
            let gone = page.data.iter();
            let gone: Vec<Key> = gone
                .map(|event| keys::anonymous_event(tenant, visitor, event))
                .collect();
            let events = page.data.into_iter().map(|event| (event, false));
            self.record_many(tenant, contact, events.collect()).await?;
            self.timeline.delete_many(&gone).await?;
            cursor = page.next;
            if cursor.is_none() || moved >= most {
                return Ok(moved);
            }
        }
    }

    /// Deletes the kept events of a visitor whose contact is erased.
    pub(crate) async fn forget_anonymous(
        &self,
        tenant: TenantKey,
        visitor: &str,
    ) -> Result<(), Error> {
        let query = Query::partition(keys::anonymous(tenant, visitor));
        let events: Vec<Event> = self.timeline.query_all(query).await?;
        let rows: Vec<Key> = events
            .iter()
            .map(|event| keys::anonymous_event(tenant, visitor, event))
            .collect();
        self.timeline.delete_many(&rows).await
    }
}

/// The keys once each: a batch may not name a row twice.
fn distinct(rows: Vec<Key>) -> Vec<Key> {
    let rows = rows.into_iter();
    let rows: BTreeMap<_, _> = rows
        .map(|key| ((key.pk.clone(), key.sk.clone()), key))
        .collect();
    rows.into_values().collect()
}
