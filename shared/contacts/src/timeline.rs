//! What happened to a contact, newest first.

use cloud::{Effect, Error, Pending, Query};
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::events::EventHappened;
use crate::model::Event;
use crate::{Contacts, keys};

/// Thirteen months: a year's comparison, and the month in which it is asked for.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;

/// An event may arrive again from a queue (4 days) or a dead-letter queue (14 more).
const REMEMBER_SECONDS: i64 = 35 * 24 * 3600;
/// First arrivals that are remembered of one id; who repeats himself more often is no visitor.
const REMEMBERED: usize = 50;

/// When events of one id first arrived. They say no time, so that nothing else tells one that was sent
/// again from a later one.
#[derive(Default, Serialize, Deserialize)]
struct Sightings {
    version: u64,
    firsts: Vec<Timestamp>,
    ttl: i64,
}

/// A timeline entry as it is stored.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    event: Event,
    ttl: i64,
    #[serde(default)]
    pending: Pending,
}

impl Contacts {
    /// For events that say no time: when this one happened. Arrivals of one id that lie within `within` of
    /// the first of them are the same event, in whatever order and however often they are handled.
    pub async fn first_seen(
        &self,
        tenant: TenantKey,
        event_id: &str,
        arrived: Timestamp,
        within: SignedDuration,
    ) -> Result<Timestamp, Error> {
        let key = keys::sightings(tenant, event_id);
        let stored: Option<Sightings> = self.timeline.get(&key).await?;
        let is_new = stored.is_none();
        let mut seen = stored.unwrap_or_default();
        let is_same = |first: &&Timestamp| first.duration_since(arrived).abs() <= within;
        if let Some(first) = seen.firsts.iter().find(is_same) {
            return Ok(*first);
        }
        let expected = seen.version;
        seen.version += 1;
        seen.firsts.push(arrived);
        if seen.firsts.len() > REMEMBERED {
            seen.firsts.remove(0);
        }
        seen.ttl = self.timeline.clock().now().as_second() + REMEMBER_SECONDS;
        if is_new {
            // Somebody else was faster: the message comes again and finds what they wrote.
            let created = self.timeline.create(&key, &seen).await?;
            return if created.is_new() {
                Ok(arrived)
            } else {
                Err(Error::Conflict)
            };
        }
        self.timeline.replace(&key, &seen, expected).await?;
        Ok(arrived)
    }

    /// Writes the event unless it is there; says whether it was new. Where a workflow listens to the
    /// event's name, the same write carries the message to the workflows' queue, so that neither
    /// comes without the other.
    pub async fn record(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
    ) -> Result<bool, Error> {
        let heard = self.hears(tenant, &event.name).await?;
        self.record_as(tenant, contact, event, heard).await
    }

    /// Whether a workflow listens to events of this name.
    pub async fn hears(&self, tenant: TenantKey, event_name: &str) -> Result<bool, Error> {
        match &self.listeners {
            Some(listeners) => listeners.any(tenant, event_name).await,
            None => Ok(false),
        }
    }

    /// As [`Contacts::record`], by somebody who knows whether a workflow listens and may be started.
    pub async fn record_as(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        triggers: bool,
    ) -> Result<bool, Error> {
        let mut effects = Vec::new();
        if triggers {
            let happened = EventHappened::V1 {
                contact,
                event: event.clone(),
            };
            let id = format!("{contact}#{}", event.id);
            effects.push(Effect::new(tenant, id, &happened)?);
        }
        let entry = Entry {
            event: event.clone(),
            ttl: event.at.as_second() + KEEP_SECONDS,
            pending: effects.into(),
        };
        let key = keys::event(tenant, contact, event);
        Ok(self.timeline.create(&key, &entry).await?.is_new())
    }

    /// Whether the event is on the timeline.
    pub async fn has(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
    ) -> Result<bool, Error> {
        let key = keys::event(tenant, contact, event);
        Ok(self.timeline.get::<Entry>(&key).await?.is_some())
    }

    /// A page of the contact's events, newest first.
    pub async fn timeline(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Event>, Error> {
        let query = Query::partition(keys::contact(tenant, contact));
        let query = query.descending().limit(limit.get()).cursor(cursor);
        self.timeline.query(query).await
    }
}
