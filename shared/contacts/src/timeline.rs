//! What happened to a contact, newest first.

use cloud::outbox::{Image, Rule};
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

/// An event that a workflow listens to: tells the workflows.
const HEARD: Rule = Rule {
    name: "contact.event",
    messages: heard,
};

/// All rules of the table Timeline.
pub const EFFECTS: &[Rule] = &[HEARD];

fn heard(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let event: Event = image.row()?;
    let id = format!("{contact}#{}", event.id);
    let happened = EventHappened::V1 { contact, event };
    Ok(vec![Effect::new(image.tenant(), id, &happened)?])
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
        let heard = match &self.listeners {
            Some(listeners) => listeners.any(tenant, &event.name).await?,
            None => false,
        };
        let entry = Entry {
            event: event.clone(),
            ttl: event.at.as_second() + KEEP_SECONDS,
            pending: if heard {
                Pending::of(&[HEARD])
            } else {
                Pending::default()
            },
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

#[cfg(test)]
mod tests {
    use cloud::outbox::effects_of;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_that_is_heard_is_told_as_it_is_stored() {
        let image = json!({
            "pk": { "S": "ws_00000000001#con_0000000000a" },
            "sk": { "S": "2026-03-02T08:00:00.000Z#f1" },
            "id": { "S": "f1" },
            "name": { "S": "form.submitted" },
            "at": { "S": "2026-03-02T08:00:00.0000005Z" },
            "source": { "S": "ladipage" },
            "data": { "M": { "form_id": { "S": "F8" }, "rate": { "N": "4.5" }, "n": { "N": "3" } } },
            "ttl": { "N": "1806652800" },
            "pending": { "S": r#"{"names":["contact.event"],"trace":"t"}"# },
        });
        let effects = effects_of(EFFECTS, &image).unwrap();
        assert_eq!(effects.len(), 1);
        let effect = &effects[0];
        assert_eq!(effect.queue.as_str(), "workflow-trigger");
        assert_eq!(effect.group, "ws_00000000001");
        assert_eq!(effect.id, "con_0000000000a#f1");
        let message: serde_json::Value = serde_json::from_str(&effect.text).unwrap();
        let expected = json!({ "tenant": "ws_00000000001", "body": {
            "type": "contact.event.v1",
            "contact": "con_0000000000a",
            "event": {
                "id": "f1",
                "name": "form.submitted",
                "at": "2026-03-02T08:00:00.0000005Z",
                "source": "ladipage",
                "data": { "form_id": "F8", "rate": 4.5, "n": 3 },
            },
        }});
        assert_eq!(message, expected);
    }
}
