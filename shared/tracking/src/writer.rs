//! Writes the calls of a message: contacts first, then their events.
//!
//! The calls are joined by person, so a person's identities are read once for a message. Each write may be repeated: a
//! contact is found by its identities, an event by its key. An event whose time would differ at a repetition takes the
//! time of its first arrival, which a row of Timeline keeps.

use std::collections::BTreeSet;
use std::time::Duration;

use cloud::{Error, Resources, Window};
use contacts::{Contacts, Definitions, Event, Fields, NamedDevice, Trust};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use kernel::{ContactId, TenantKey};
use serde_json::Value;

use crate::call::{Call, Kind};
use crate::counts::Tally;
use crate::message::Batch;
use crate::people::{Consents, Group, Who, browser, groups, incoming};
use crate::time::when;
use crate::traits::Told;

/// Events of public keys that may start workflows for one contact in an hour. Anybody can send events in anybody's name,
/// and each start may be a mail.
pub const STARTS_AN_HOUR: u32 = 20;
const HOUR: Duration = Duration::from_hours(1);
/// Persons of a message that are written at once.
const AT_ONCE: usize = 10;
/// Browsers of one person that one message may bring.
const MAX_VISITORS: usize = 5;
/// Events that a contact adopts for one message. The next message that names the visitor adopts the rest.
const MAX_ADOPTED: usize = 1_000;
/// An arrival within this time of a first arrival is the same event: SDKs send again for hours.
const SAME_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Writes tracked calls; cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {
    contacts: Contacts,
    fields: Fields,
    window: Window,
}

/// The message, and what it needs.
struct Work<'a> {
    tenant: TenantKey,
    batch: &'a Batch,
    definitions: &'a Definitions,
    /// Whether an earlier delivery may have stopped half-way.
    is_again: bool,
}

impl Writer {
    /// Over the tables Contacts, Timeline, Directory and Limits.
    pub fn over(resources: &Resources) -> Self {
        let contacts = Contacts::over(resources);
        Self {
            fields: contacts.fields(),
            contacts,
            window: Window::over(resources),
        }
    }

    /// Writes the calls of a message. `is_again`: it was delivered before.
    pub async fn write(
        &self,
        tenant: TenantKey,
        batch: &Batch,
        is_again: bool,
    ) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        for (reason, n) in &batch.refused {
            tally.add("refused", i64::from(*n));
            tally.add(&format!("refused_{reason}"), i64::from(*n));
        }
        let mut calls = Vec::new();
        for value in &batch.calls {
            match Call::read(value, None) {
                Ok(call) => calls.push(call),
                Err(fault) => {
                    tally.add("refused", 1);
                    tally.add(&format!("refused_{}", fault.reason.code()), 1);
                }
            }
        }
        let definitions = self.fields.recent(tenant).await?;
        let work = Work {
            tenant,
            batch,
            definitions: &definitions,
            is_again,
        };
        // Collected first: the compiler cannot see that a stream of borrowing futures is `Send`.
        let persons: Vec<_> = groups(calls)
            .into_iter()
            .map(|(who, group)| self.person(&work, who, group))
            .collect();
        let tallies = stream::iter(persons).buffer_unordered(AT_ONCE);
        let tallies: Vec<Tally> = tallies.try_collect().await?;
        for one in tallies {
            tally += one;
        }
        Ok(tally)
    }

    /// Writes the calls of one person.
    async fn person(&self, work: &Work<'_>, who: Who, group: Group) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        tally.add("calls", group.calls.len() as i64);
        let mut told = Told::default();
        for call in &group.calls {
            told.take(&call.traits, work.definitions, work.batch.trust);
        }
        tally.add("traits_unreadable", told.unreadable);
        tally.add("traits_unknown", told.unknown);
        let contact = self.contact(work, &who, &group, told, &mut tally).await?;
        let events = self.events(work, &group).await?;
        tally.add("events", events.len() as i64);
        match (contact, &who) {
            (Some(contact), _) => {
                self.devices(work, contact, &group, &mut tally).await?;
                self.record(work, contact, events, &mut tally).await?;
            }
            (None, Who::Visitor(visitor)) => {
                self.keep(work, visitor, events, &mut tally).await?;
            }
            // An upsert by an id gives a contact.
            (None, Who::User(_)) => return Err(Error::Conflict),
        }
        Ok(tally)
    }

    /// The contact of a person: found, or made. `None`: a visitor whom nobody knows.
    async fn contact(
        &self,
        work: &Work<'_>,
        who: &Who,
        group: &Group,
        told: Told,
        tally: &mut Tally,
    ) -> Result<Option<ContactId>, Error> {
        let tenant = work.tenant;
        let known = self.contacts.owner(tenant, &who.identity()).await?;
        let mut strangers = Vec::new();
        for visitor in group.visitors.iter().take(MAX_VISITORS) {
            let browser = browser(visitor);
            if self.contacts.owner(tenant, &browser).await?.is_none() {
                strangers.push(visitor.clone());
            }
        }
        let consents = Consents::of(group);
        // A browser that takes push notifications is a person who can be reached.
        let is_reachable = group
            .calls
            .iter()
            .any(|call| call.device.is_some() && call.push_consent.is_some());
        let is_visitor = matches!(who, Who::Visitor(_));
        if is_visitor && known.is_none() && told.identities.is_empty() && !is_reachable {
            // Nobody could be found by a name alone.
            tally.add("traits_of_nobody", i64::from(!told.is_empty()));
            return Ok(None);
        }
        if is_visitor && known.is_none() && self.is_taken(work, &told).await? {
            tally.add("identities_not_taken", told.identities.len() as i64);
            return Ok(None);
        }
        let has_news = !told.is_empty() || !consents.is_empty() || !strangers.is_empty();
        if let Some(contact) = known.filter(|_| !has_news) {
            self.adopt(work, group, contact, &[], tally).await?;
            return Ok(Some(contact));
        }
        let incoming = incoming(work.batch, who, group, told, &strangers, &consents);
        let upserted = self.contacts.upsert(tenant, &incoming).await?;
        tally.add("contacts_created", i64::from(upserted.created));
        tally.add("identities_not_taken", upserted.not_taken.len() as i64);
        tally.add("traits_without_room", upserted.surplus.count() as i64);
        let contact = upserted.contact;
        if is_visitor {
            // Anybody can type anybody's address: the visitor stays unknown, and what was typed is the address's.
            let owner = self.contacts.owner(tenant, &who.identity()).await?;
            if owner != Some(contact) {
                return Ok(owner);
            }
        }
        self.adopt(work, group, contact, &strangers, tally).await?;
        if let (Who::Visitor(visitor), None) = (who, known) {
            let moved = self.contacts.adopt(tenant, visitor, contact, MAX_ADOPTED);
            tally.add("adopted", moved.await? as i64);
        }
        Ok(Some(contact))
    }

    /// Whether an address that anybody typed belongs to a contact. The visitor then stays unknown, and the contact as it is.
    async fn is_taken(&self, work: &Work<'_>, told: &Told) -> Result<bool, Error> {
        if work.batch.trust == Trust::Shop {
            return Ok(false);
        }
        for identity in &told.identities {
            let owner = self.contacts.find_identity(work.tenant, identity);
            if owner.await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves the events of the person's browsers to the contact: of new ones, and of all where a call names the person.
    async fn adopt(
        &self,
        work: &Work<'_>,
        group: &Group,
        contact: ContactId,
        new: &[String],
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let names = |call: &Call| matches!(call.kind, Kind::Identify | Kind::Alias);
        let all = work.is_again || group.calls.iter().any(names);
        for visitor in &group.visitors {
            if !all && !new.contains(visitor) {
                continue;
            }
            let browser = browser(visitor);
            let owner = self.contacts.find_identity(work.tenant, &browser);
            if owner.await? == Some(contact) {
                let moved = self
                    .contacts
                    .adopt(work.tenant, visitor, contact, MAX_ADOPTED);
                tally.add("adopted", moved.await? as i64);
            }
        }
        Ok(())
    }

    /// The events of the calls, with their times.
    async fn events(&self, work: &Work<'_>, group: &Group) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        for call in group.calls.iter().filter(|call| call.is_event()) {
            let id = call.event_id();
            let when = when(call.original, work.batch.sent_at, work.batch.received_at);
            let at = if when.is_stable {
                when.at
            } else {
                let first = self
                    .contacts
                    .first_seen(work.tenant, &id, when.at, SAME_WITHIN);
                first.await?
            };
            events.push(Event {
                id,
                name: call.name.clone(),
                at,
                source: work.batch.key.clone(),
                data: Value::Object(call.data.clone()),
            });
        }
        Ok(events)
    }

    /// Notes the devices that the calls came from.
    async fn devices(
        &self,
        work: &Work<'_>,
        contact: ContactId,
        group: &Group,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let named: BTreeSet<&NamedDevice> = group
            .calls
            .iter()
            .filter_map(|call| call.device.as_ref())
            .collect();
        for device in named.into_iter().take(MAX_VISITORS) {
            let noted = self
                .contacts
                .note_device(work.tenant, contact, device, work.batch.trust)
                .await?;
            tally.add("devices_not_taken", i64::from(!noted));
        }
        Ok(())
    }

    /// Records the events of a contact, and takes them back if the contact went meanwhile.
    async fn record(
        &self,
        work: &Work<'_>,
        contact: ContactId,
        events: Vec<Event>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let tenant = work.tenant;
        let mut heard = Vec::with_capacity(events.len());
        for event in &events {
            let hears = self.contacts.hears(tenant, event).await?;
            let admits = !hears || self.admits(work, contact, event).await?;
            tally.add("suppressed", i64::from(!admits));
            heard.push((event.clone(), hears && admits));
        }
        self.contacts.record_many(tenant, contact, heard).await?;
        if self.contacts.is_there(tenant, contact).await? {
            return Ok(());
        }
        self.contacts.take_back(tenant, contact, &events).await?;
        if self.contacts.forward(tenant, contact).await?.is_some() {
            // Merged: the next delivery finds the survivor.
            return Err(Error::Conflict);
        }
        tally.add("events_of_erased", events.len() as i64);
        Ok(())
    }

    /// Whether an event may start workflows. Counted by the time of its receipt, so that each delivery has one answer. One
    /// write unit, for an event of a public key that a workflow waits for.
    async fn admits(
        &self,
        work: &Work<'_>,
        contact: ContactId,
        event: &Event,
    ) -> Result<bool, Error> {
        if work.batch.trust == Trust::Shop {
            return Ok(true);
        }
        let scope = format!("{}#TRACKED#{contact}", work.tenant);
        let at = work.batch.received_at;
        self.window
            .admits(&scope, HOUR, at, &event.id, STARTS_AN_HOUR)
            .await
    }

    /// Keeps the events of an unknown visitor. A contact that claimed the visitor meanwhile adopts them.
    async fn keep(
        &self,
        work: &Work<'_>,
        visitor: &str,
        events: Vec<Event>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let tenant = work.tenant;
        tally.add("anonymous", events.len() as i64);
        self.contacts
            .keep_anonymous(tenant, visitor, &events)
            .await?;
        let browser = browser(visitor);
        let owner = self.contacts.find_identity(tenant, &browser);
        if let Some(contact) = owner.await? {
            let moved = self.contacts.adopt(tenant, visitor, contact, MAX_ADOPTED);
            tally.add("adopted", moved.await? as i64);
        }
        Ok(())
    }
}
