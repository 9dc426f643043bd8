//! What happened to a contact, newest first.

use cloud::{Effect, Error, Pending, Query};
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::events::EventHappened;
use crate::model::Event;
use crate::{Contacts, keys};

/// How many days an event is kept, by its name. Visits of machines and views of pages are many and soon of
/// no use.
const KEPT_DAYS: &[(&str, i64)] = &[
    ("message.machine_clicked", 30),
    ("message.machine_opened", 30),
    ("page.viewed", 90),
    ("product.viewed", 180),
];
/// All others, such as orders, forms, messages and consent: thirteen months, for a year's comparison and the
/// month in which it is asked for.
const KEPT_DAYS_OTHERWISE: i64 = 396;

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
        let mut effects = Vec::new();
        // Taken before the question: an event of after a workflow's `active_since` then surely finds it.
        let recorded_at = self.timeline.clock().now();
        let heard = match &self.listeners {
            Some(listeners) => listeners.any(tenant, &event.name).await?,
            None => false,
        };
        if heard {
            let happened = EventHappened::V1 {
                contact,
                event: event.clone(),
                recorded_at,
            };
            let id = format!("{contact}#{}", event.id);
            effects.push(Effect::new(tenant, id, &happened)?);
        }
        let entry = Entry {
            event: event.clone(),
            ttl: expiry(event),
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

/// When the event may go, seconds since the epoch.
fn expiry(event: &Event) -> i64 {
    let class = KEPT_DAYS.iter().find(|(name, _)| *name == event.name);
    let days = class.map_or(KEPT_DAYS_OTHERWISE, |(_, days)| *days);
    event.at.as_second() + days * 24 * 3600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_kept_as_long_as_its_class() {
        let days = |name: &str| {
            let event = Event {
                id: "e1".into(),
                name: name.into(),
                at: Timestamp::UNIX_EPOCH,
                source: "api".into(),
                data: serde_json::Value::Null,
            };
            expiry(&event) / (24 * 3600)
        };
        assert_eq!(days("message.machine_opened"), 30);
        assert_eq!(days("message.machine_clicked"), 30);
        assert_eq!(days("page.viewed"), 90);
        assert_eq!(days("product.viewed"), 180);
        for name in ["order.completed", "message.opened", "form.submitted"] {
            assert_eq!(days(name), 396, "{name}");
        }
    }
}
