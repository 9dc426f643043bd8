//! What happened to a contact, newest first.

use cloud::{Effect, Error, Pending, Query, QueueName};
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::events::EventHappened;
use crate::model::Event;
use crate::{Contacts, keys};

/// Thirteen months: a year's comparison, and the month in which it is asked for.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;

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
        let heard = match &self.listeners {
            Some(listeners) => listeners.any(tenant, &event.name).await?,
            None => false,
        };
        if heard {
            let happened = EventHappened::V1 {
                contact,
                event: event.clone(),
            };
            let id = format!("{contact}#{}", event.id);
            effects.push(Effect::new(
                tenant,
                QueueName::WorkflowTrigger,
                id,
                &happened,
            )?);
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
