//! The events of a contact, newest first.

use std::collections::BTreeSet;

use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error, Pending, Query, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{ContactId, FormId, SourceId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::changed::TRACKED;
use crate::events::{EventHappened, for_webhooks};
use crate::model::Event;
use crate::moves::{Moves, OWN_DOOR};
use crate::{Contacts, keys, mention};

mod reads;

/// How many days an event is kept, by its name. Events of machines and mere views are many and soon useless, so
/// their time is short.
pub const KEPT_DAYS: &[(&str, i64)] = &[
    ("contact.updated", 180),
    ("message.machine_clicked", 30),
    ("message.machine_opened", 30),
    ("page.viewed", 90),
    ("product.viewed", 180),
    ("screen.viewed", 90),
];
/// All other events, such as orders, forms, messages and consent: thirteen months. That is a year to compare, and
/// the month of the comparison.
pub const KEPT_DAYS_OTHERWISE: i64 = 396;

/// An event may be redelivered from a queue (14 days) or a dead-letter queue (14 more).
const REMEMBER_SECONDS: i64 = 35 * 24 * 3600;
/// First arrivals that are stored for one id. No visitor repeats an event more often.
const REMEMBERED: usize = 50;

/// The first arrivals of events with one id. These events carry no time, so nothing else distinguishes a redelivery
/// from a later event.
#[derive(Default, Serialize, Deserialize)]
struct Sightings {
    version: u64,
    firsts: Vec<Timestamp>,
    ttl: i64,
}

/// The events with one id whose contacts were erased.
#[derive(Deserialize)]
struct Forgotten {
    /// Their times.
    at: BTreeSet<String>,
}

/// A timeline entry as it is stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    event: Event,
    /// Present only on events that a workflow listens to or a segment mentions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded_at: Option<Timestamp>,
    ttl: i64,
    /// The changes that the entry tells to workflows, of an entry that some workflow listens to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moves: Option<Moves>,
    #[serde(default)]
    pending: Pending,
}

impl Entry {
    /// Whether a workflow, a segment or a rule of the lead score waits for the event.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.pending.is_empty()
    }
}

/// The part of an entry that the message for workflows holds.
#[derive(Deserialize)]
struct Heard {
    #[serde(flatten)]
    event: Event,
    recorded_at: Timestamp,
    #[serde(default)]
    moves: Option<Moves>,
}

/// Sends an event to the workflows that listen to it.
pub(crate) const HEARD: Rule = Rule {
    name: "contact.event",
    messages: heard,
};

/// Tells webhooks of an event.
pub(crate) const HOOKED: Rule = Rule {
    name: "contact.hooked",
    messages: hooked,
};

/// The changes that the entry tells, and the entry itself.
fn hooked(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let Heard {
        event,
        recorded_at,
        moves,
    } = image.row()?;
    let mut events = moves.map(|moves| moves.events(&event)).unwrap_or_default();
    if events.iter().all(|one| one.name != event.name) {
        events.insert(0, event);
    }
    let effect = for_webhooks(image.tenant(), contact, events, recorded_at)?;
    Ok(vec![effect])
}

fn heard(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let Heard {
        event,
        recorded_at,
        moves,
    } = image.row()?;
    let events = match moves {
        Some(moves) => moves.events(&event),
        None => vec![event],
    };
    let effects = events.into_iter().map(|event| {
        let id = format!("{contact}#{}", event.id);
        let happened = EventHappened::V1 {
            contact,
            event,
            recorded_at,
        };
        Effect::new(image.tenant(), id, &happened)
    });
    effects.collect()
}

impl Contacts {
    /// The time of a source's event; `None` if its contact was erased, so that a redelivery makes no new contact. `within`
    /// as for [`Contacts::first_seen`], for an event that carries no time. A read more for an event that was seen before,
    /// or that carries its time.
    pub async fn arrival(
        &self,
        tenant: TenantKey,
        event_id: &str,
        at: Timestamp,
        within: Option<SignedDuration>,
    ) -> Result<Option<Timestamp>, Error> {
        let at = match within {
            None => at,
            Some(within) => {
                let (first, is_new) = self.sighted(tenant, event_id, at, within).await?;
                if is_new {
                    return Ok(Some(first));
                }
                first
            }
        };
        let key = keys::forgotten(tenant, event_id);
        let row: Option<Forgotten> = self.timeline.get(&key).await?;
        let is_forgotten = row.is_some_and(|row| row.at.contains(&kernel::clock::sortable(at)));
        Ok((!is_forgotten).then_some(at))
    }

    /// Remembers the events of an erased contact whose messages may still be delivered again. One query, and one write unit
    /// for each event of a source in the last 35 days. Safe to repeat, until the events are deleted.
    pub(crate) async fn forget_events(
        &self,
        tenant: TenantKey,
        contact: ContactId,
    ) -> Result<(), Error> {
        let now = self.timeline.clock().now();
        let from = now - SignedDuration::from_secs(REMEMBER_SECONDS);
        let query = Query::partition(keys::contact(tenant, contact));
        let query = query.after(kernel::clock::sortable(from));
        let mut cursor = None;
        loop {
            let page: Page<Event> = self.timeline.query(query.clone().cursor(cursor)).await?;
            let told = page.data.iter().filter(|event| is_of_source(event));
            for event in told {
                let at = kernel::clock::sortable(event.at);
                self.forget(tenant, &event.id, &at).await?;
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Remembers that the contact of the event was erased.
    pub(crate) async fn forget(
        &self,
        tenant: TenantKey,
        event_id: &str,
        at: &str,
    ) -> Result<(), Error> {
        let update = Update::new()
            .add_to_set("at", [at])
            .set(
                "ttl",
                self.timeline.clock().now().as_second() + REMEMBER_SECONDS,
            )
            .when_at_most("at", REMEMBERED);
        let key = keys::forgotten(tenant, event_id);
        self.timeline.update(&key, update).await.map(drop)
    }

    /// The time of an event that carries none. An arrival within `within` of a first arrival is the same event, in
    /// any order and any number.
    pub async fn first_seen(
        &self,
        tenant: TenantKey,
        event_id: &str,
        arrived: Timestamp,
        within: SignedDuration,
    ) -> Result<Timestamp, Error> {
        let (first, _) = self.sighted(tenant, event_id, arrived, within).await?;
        Ok(first)
    }

    /// The first arrival, and whether this is it.
    async fn sighted(
        &self,
        tenant: TenantKey,
        event_id: &str,
        arrived: Timestamp,
        within: SignedDuration,
    ) -> Result<(Timestamp, bool), Error> {
        let key = keys::sightings(tenant, event_id);
        let stored: Option<Sightings> = self.timeline.get(&key).await?;
        let is_new = stored.is_none();
        let mut seen = stored.unwrap_or_default();
        let is_same = |first: &&Timestamp| first.duration_since(arrived).abs() <= within;
        if let Some(first) = seen.firsts.iter().find(is_same) {
            return Ok((*first, false));
        }
        let expected = seen.version;
        seen.version += 1;
        seen.firsts.push(arrived);
        if seen.firsts.len() > REMEMBERED {
            seen.firsts.remove(0);
        }
        seen.ttl = self.timeline.clock().now().as_second() + REMEMBER_SECONDS;
        if is_new {
            // Another run was faster: the message is redelivered and finds the row.
            let created = self.timeline.create(&key, &seen).await?;
            return if created.is_new() {
                Ok((arrived, true))
            } else {
                Err(Error::Conflict)
            };
        }
        self.timeline.replace(&key, &seen, expected).await?;
        Ok((arrived, true))
    }

    /// Writes the event unless it exists; returns whether it was new. If a workflow listens to the event's name, the
    /// same write carries the message to the workflows' queue. So neither exists without the other.
    pub async fn record(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
    ) -> Result<bool, Error> {
        let heard = self.hears(tenant, event).await?;
        self.record_as(tenant, contact, event, heard).await
    }

    /// Like [`Contacts::record`], for an event that may come after the contact's erasure: then nothing is written. Two reads
    /// more. An erasure that begins between the two reads deletes what it finds, and the second read what it did not.
    pub async fn record_of_known(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
    ) -> Result<bool, Error> {
        let profiles = self.profiles();
        if profiles.current(tenant, contact).await?.is_none() {
            return Ok(false);
        }
        let is_new = self.record(tenant, contact, event).await?;
        if profiles.current(tenant, contact).await?.is_none() {
            let key = keys::event(tenant, contact, event);
            self.timeline.delete(&key).await?;
            return Ok(false);
        }
        Ok(is_new)
    }

    /// Whether a workflow listens to the event.
    pub async fn hears(&self, tenant: TenantKey, event: &Event) -> Result<bool, Error> {
        match &self.listeners {
            Some(listeners) => listeners.any(tenant, &event.name, &event.data).await,
            None => Ok(false),
        }
    }

    /// Whether a workflow, a segment, a webhook or a rule of the lead score waits for the event. No read if the interest set
    /// is known to this process.
    pub async fn is_waited_for(&self, tenant: TenantKey, event: &Event) -> Result<bool, Error> {
        let triggers = self.hears(tenant, event).await?;
        Ok(self.entry(tenant, event, triggers).await?.is_waited_for())
    }

    /// Whether the event gives points.
    pub async fn scores(&self, tenant: TenantKey, event: &Event) -> Result<bool, Error> {
        let scoring = self.interest.scoring(tenant).await?;
        Ok(scoring.met(&event.name, &event.data).next().is_some())
    }

    /// Like [`Contacts::record`], for a caller that knows whether a workflow listens and may start.
    pub async fn record_as(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        triggers: bool,
    ) -> Result<bool, Error> {
        let entry = self.entry(tenant, event, triggers).await?;
        let key = keys::event(tenant, contact, event);
        Ok(self.timeline.create(&key, &entry).await?.is_new())
    }

    /// The entry of an event, with the messages for those that listen to it.
    pub(crate) async fn entry(
        &self,
        tenant: TenantKey,
        event: &Event,
        triggers: bool,
    ) -> Result<Entry, Error> {
        let names = [event.name.as_str()];
        let hooked = self.interest.hooks_any(tenant, names).await?;
        self.entry_for(tenant, event, triggers, hooked).await
    }

    async fn entry_for(
        &self,
        tenant: TenantKey,
        event: &Event,
        triggers: bool,
        hooked: bool,
    ) -> Result<Entry, Error> {
        let recorded_at = self.timeline.clock().now();
        let name = [mention::event(&event.name)];
        let is_mentioned = !self.interest.mentioned(tenant, name).await?.is_empty();
        let is_tracked = is_mentioned || self.scores(tenant, event).await?;
        let rules = [(triggers, HEARD), (is_tracked, TRACKED), (hooked, HOOKED)];
        let rules = rules.into_iter().filter(|(is_told, _)| *is_told);
        let rules: Vec<Rule> = rules.map(|(_, rule)| rule).collect();
        Ok(Entry {
            event: event.clone(),
            recorded_at: (!rules.is_empty()).then_some(recorded_at),
            ttl: expiry(event),
            moves: None,
            pending: Pending::of(&rules),
        })
    }

    /// The entry of a change. The entry tells the change to webhooks that want it. The entry also tells the change to
    /// workflows if one listens to it, and if another door than a workflow made it.
    pub(crate) async fn entry_of(
        &self,
        tenant: TenantKey,
        event: &Event,
        moves: &Moves,
    ) -> Result<Entry, Error> {
        let heard = self.hears_change(tenant, moves, &event.source).await?;
        let names = [event.name.as_str()];
        let is_wanted = self.interest.hooks_any(tenant, names).await?;
        let hooked = is_wanted || self.hooks_change(tenant, moves).await?;
        let entry = self.entry_for(tenant, event, heard, hooked).await?;
        Ok(Entry {
            moves: (heard || hooked).then(|| moves.clone()),
            ..entry
        })
    }

    /// Whether a webhook wants one of the changes.
    pub(crate) async fn hooks_change(
        &self,
        tenant: TenantKey,
        moves: &Moves,
    ) -> Result<bool, Error> {
        let told = moves.told();
        let names = told.iter().map(|(name, _)| *name);
        self.interest.hooks_any(tenant, names).await
    }

    /// Whether a workflow listens to one of the changes by this door, or a webhook wants one.
    pub(crate) async fn tells_change(
        &self,
        tenant: TenantKey,
        moves: &Moves,
        door: &str,
    ) -> Result<bool, Error> {
        let hooked = self.hooks_change(tenant, moves).await?;
        Ok(hooked || self.hears_change(tenant, moves, door).await?)
    }

    /// Whether a webhook wants the event.
    pub async fn hooks(&self, tenant: TenantKey, event: &Event) -> Result<bool, Error> {
        self.interest.hooks_any(tenant, [event.name.as_str()]).await
    }

    /// Whether a workflow listens to one of the changes by this door.
    pub(crate) async fn hears_change(
        &self,
        tenant: TenantKey,
        moves: &Moves,
        door: &str,
    ) -> Result<bool, Error> {
        let Some(listeners) = self.listeners.as_ref().filter(|_| door != OWN_DOOR) else {
            return Ok(false);
        };
        for (name, data) in moves.told() {
            if listeners.any(tenant, name, &data).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a source or a form told the event, by a message that may be delivered again.
fn is_of_source(event: &Event) -> bool {
    event.source.parse::<SourceId>().is_ok() || event.source.parse::<FormId>().is_ok()
}

/// When the event expires, in seconds since the epoch.
fn expiry(event: &Event) -> i64 {
    let class = KEPT_DAYS.iter().find(|(name, _)| *name == event.name);
    let days = class.map_or(KEPT_DAYS_OTHERWISE, |(_, days)| *days);
    event.at.as_second() + days * 24 * 3600
}

#[cfg(test)]
mod tests;
