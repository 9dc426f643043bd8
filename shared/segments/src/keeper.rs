//! Keeps the memberships of one contact current after changes (docs/adr/0029).
//!
//! The order of a run: read profile and state, evaluate, write the timer, write the state, write member rows, record
//! events. A run that is killed is delivered again; it then makes the last transitions again. This file reads and
//! evaluates; `record` writes.
//!
//! Units of a change: one read and one write unit, one write unit more for each transition, each timer and each event
//! that something hears. A counted event costs one read unit more, for the entries of its day.

use std::collections::{BTreeMap, BTreeSet};

use cloud::{Error, Resources, Table, Timers};
use contacts::{Contact, ContactChanged, Contacts, Event};
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, SegmentId, TenantKey};

use crate::definitions::{Defined, Definitions};
use crate::evaluation::{Found, Looked, Placed, earliest, evaluate, needed};
use crate::facts::Last;
use crate::keys;
use crate::members::{Members, Of};
use crate::model::{STATIC, dependents};
use crate::state::State;

mod record;

/// Tries of a run against other writers of the same contact.
const ROUNDS: u32 = 8;
/// A member row that the builder wrote so long ago is on every replica. Only the builder writes a row that the state
/// does not know.
const REPLICATED: SignedDuration = SignedDuration::from_mins(1);
/// A contact entered a segment.
pub const ENTERED: &str = "segment.entered";
/// A contact left a segment.
pub const LEFT: &str = "segment.left";

/// The changes of one contact in a batch.
#[derive(Debug, Clone, Default)]
pub struct Work {
    /// Names of changed data.
    pub changed: BTreeSet<String>,
    /// Recorded events.
    pub events: Vec<Event>,
    /// Static segments that staff added the contact to, or removed it from, and when.
    pub placed: BTreeMap<SegmentId, (Timestamp, bool)>,
    /// Tokens of timers that are due.
    pub flips: BTreeSet<String>,
    /// When the profile was last written.
    pub written_at: Option<Timestamp>,
    /// When the last of the causes happened.
    pub at: Option<Timestamp>,
    /// Whether a message was delivered before.
    pub again: bool,
    /// The last acts of a contact that was merged into this one.
    pub absorbed: Option<Last>,
    /// Whether the orders of the contact changed.
    pub ordered: bool,
}

impl Work {
    /// Adds a message.
    pub fn add(&mut self, message: ContactChanged, again: bool) {
        self.again |= again;
        let at = match message {
            ContactChanged::Profile { changed, at, .. } => {
                self.changed.extend(changed);
                self.written_at = self.written_at.max(at);
                at
            }
            ContactChanged::Event { event, .. } => {
                self.changed.insert(contacts::mention::event(&event.name));
                let at = event.at;
                self.events.push(event);
                Some(at)
            }
            ContactChanged::Placed {
                segment, is_in, at, ..
            } => {
                let placed = self.placed.entry(segment).or_insert((at, is_in));
                *placed = (*placed).max((at, is_in));
                Some(at)
            }
            ContactChanged::Ordered { .. } => {
                self.changed.insert(contacts::mention::ORDERS.to_owned());
                self.ordered = true;
                None
            }
            ContactChanged::Flip { token, .. } => {
                let due = token.parse().ok().map(Timestamp::from_millisecond);
                self.flips.insert(token);
                due.and_then(Result::ok)
            }
        };
        self.at = self.at.max(at);
    }
}

/// The result of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Segments that were checked.
    pub checks: u64,
    /// Segments that the contact entered or left.
    pub moved: u64,
}

/// Keeps memberships current; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub(crate) table: Table,
    pub(crate) contacts: Contacts,
    pub(crate) listeners: contacts::Listeners,
    pub(crate) definitions: Definitions,
    pub(crate) members: Members,
    pub(crate) orders: commerce::Orders,
    timers: Timers,
}

impl Keeper {
    /// Over the tables Commerce, Contacts, Directory, Segments, Timeline and Timers.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Contacts"),
            contacts: Contacts::over(resources),
            listeners: contacts::Listeners::over(resources),
            definitions: Definitions::over(resources),
            members: Members::over(resources),
            orders: commerce::Orders::over(resources),
            timers: Timers::over(resources),
        }
    }

    fn now(&self) -> Timestamp {
        self.table.clock().now()
    }

    /// Evaluates the segments that the changes of a contact concern.
    pub async fn settle(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        work: &Work,
    ) -> Result<Settled, Error> {
        for round in 0..ROUNDS {
            if let Some(settled) = self.attempt(tenant, contact, work, round > 0).await? {
                return Ok(settled);
            }
        }
        Err(Error::Conflict)
    }

    async fn state(&self, tenant: TenantKey, id: ContactId, strong: bool) -> Result<State, Error> {
        let key = keys::state(tenant, id);
        if strong {
            return Ok(self.table.get(&key).await?.unwrap_or_default());
        }
        let rows = self.table.get_many(vec![key]).await?;
        Ok(rows
            .into_iter()
            .next()
            .map(|(_, state)| state)
            .unwrap_or_default())
    }

    async fn profile(
        &self,
        tenant: TenantKey,
        id: ContactId,
        strong: bool,
    ) -> Result<Option<Contact>, Error> {
        if strong {
            return self.contacts.get(tenant, id).await;
        }
        let mut found = self.contacts.profiles().glance(tenant, &[id]).await?;
        Ok(found.remove(&id))
    }

    /// `None`: what was read was too old, or another run was faster.
    async fn attempt(
        &self,
        tenant: TenantKey,
        id: ContactId,
        work: &Work,
        strong: bool,
    ) -> Result<Option<Settled>, Error> {
        let read = futures::try_join!(
            self.profile(tenant, id, strong),
            self.state(tenant, id, strong),
        );
        let (contact, before) = read?;
        let Some(contact) = contact else {
            if !strong {
                return Ok(None);
            }
            let now = self.contacts.forward(tenant, id).await?;
            // Of an erased contact the orders keep the amounts and lose the person.
            self.orders.hand_over(tenant, id, now).await?;
            if let Some(now) = now {
                self.give(tenant, id, now, work, &before).await?;
            }
            return self.forget(tenant, id, before).await;
        };
        if !strong && work.written_at.is_some_and(|at| at > contact.updated_at) {
            // The replica may lack the change.
            return Ok(None);
        }
        let interest = self.listeners.mentions(tenant).await?;
        let defined = self.definitions.of(tenant).await?;
        let flip = before.flip.map(|due| due.as_millisecond().to_string());
        let flipped = flip.is_some_and(|token| work.flips.contains(&token));
        let names = work.changed.iter().map(String::as_str);
        let mut affected = interest.concerned(names);
        if flipped {
            affected.extend(defined.all.iter().map(|one| one.segment.segment));
        }
        if work.again {
            self.make_again(tenant, id, &before, &before.moved).await?;
        }
        let placed = self.placed(tenant, id, work).await?;
        for segment in placed.keys() {
            affected.extend(dependents(&interest, *segment));
        }
        if affected.is_empty() && placed.is_empty() && !work.ordered {
            return Ok(Some(Settled::default()));
        }
        let mut state = before.clone();
        let now = self.now();
        if let Some(last) = work.absorbed {
            state.facts.last.absorb(last);
            state.filled_at = None;
        }
        if work.ordered {
            // Read after the state: a run that read older orders does not find its version any more.
            state.facts.orders = self.orders.totals(tenant, id).await?.into();
        }
        self.count_events(
            tenant,
            &contact,
            &defined,
            &interest,
            &affected,
            &work.events,
            &mut state,
        )
        .await?;
        let looked = self
            .look_up(
                tenant,
                &contact,
                &defined,
                &needed(&defined, &interest, &affected),
                &mut state,
            )
            .await?;
        let mut found = Found::of_placed(placed, &mut state);
        evaluate(
            &defined, &interest, affected, &contact, &mut state, &looked, now, &mut found,
        );
        self.timer(tenant, id, flipped, &found, &mut state).await?;
        let placed = found.placed.keys().map(|segment| (*segment, STATIC));
        state.keep(&live(&defined).into_iter().chain(placed).collect::<Vec<_>>());
        if strong && state == before && found.built.is_empty() {
            return Ok(Some(done(&found)));
        }
        let at = work.at.unwrap_or(now);
        if !self
            .write(tenant, id, &before, &mut state, &found, at)
            .await?
        {
            return Ok(None);
        }
        self.make(tenant, id, &state, &found, at).await?;
        Ok(Some(done(&found)))
    }

    /// The requests of staff that are later than the stored decisions, each with whether it changes the membership.
    async fn placed(
        &self,
        tenant: TenantKey,
        id: ContactId,
        work: &Work,
    ) -> Result<BTreeMap<SegmentId, Placed>, Error> {
        let mut placed = BTreeMap::new();
        for (&segment, &(at, is_in)) in &work.placed {
            let version = STATIC;
            let row = self
                .members
                .row(tenant, Of { segment, version }, id)
                .await?;
            if row.is_some_and(|(_, stored)| stored >= at) {
                continue;
            }
            let was_in = row.is_some_and(|(was_in, _)| was_in);
            let is_news = was_in != is_in;
            placed.insert(segment, Placed { is_in, at, is_news });
        }
        Ok(placed)
    }

    /// The timer of the contact: written before the state that waits for it, and only if it must be earlier.
    pub(crate) async fn timer(
        &self,
        tenant: TenantKey,
        id: ContactId,
        flipped: bool,
        found: &Found,
        state: &mut State,
    ) -> Result<(), Error> {
        let waiting = state.flip.filter(|_| !flipped);
        let due = earliest(waiting, found.flips_at);
        if due != waiting
            && let Some(due) = due
        {
            let token = due.as_millisecond().to_string();
            let message = ContactChanged::Flip { contact: id, token };
            self.timers
                .schedule(tenant, &format!("{id}#flip"), due, &message)
                .await?;
        }
        state.flip = due;
        Ok(())
    }

    /// Reads the member rows of the segments whose answer the state does not hold.
    pub(crate) async fn look_up(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        defined: &Defined,
        needed: &BTreeSet<SegmentId>,
        state: &mut State,
    ) -> Result<Looked, Error> {
        let mut looked = Looked::new();
        let (mut settled, now) = (Vec::new(), self.now());
        for &segment in needed {
            let Some(one) = defined.get(segment) else {
                continue;
            };
            let Some(version) = one.live_version() else {
                continue;
            };
            let is_static = one.live.is_none();
            if !is_static && state.is_in(segment, version).is_some() {
                continue;
            }
            let of = Of { segment, version };
            let age = one
                .segment
                .live_since
                .map(|since| now.duration_since(since));
            if !is_static && age.is_some_and(|age| age > REPLICATED) {
                settled.push(of);
                continue;
            }
            // A contact that is younger than the live version is no member that the builder found.
            let is_younger = one
                .segment
                .live_since
                .is_some_and(|since| since < contact.created_at);
            let is_in =
                (is_static || !is_younger) && self.members.has(tenant, of, contact.id).await?;
            looked.insert(segment, is_in);
            state.note(segment, version, is_in);
        }
        let inside = self.members.glance(tenant, &settled, contact.id).await?;
        for of in settled {
            let is_in = inside.contains(&of);
            looked.insert(of.segment, is_in);
            state.note(of.segment, of.version, is_in);
        }
        Ok(looked)
    }
}

fn done(found: &Found) -> Settled {
    Settled {
        checks: found.checks,
        moved: found.moved.len() as u64,
    }
}

/// The live versions of dynamic segments and of static ones.
pub(crate) fn live(defined: &Defined) -> Vec<(SegmentId, u32)> {
    let live = defined.all.iter();
    live.filter_map(|one| Some((one.segment.segment, one.live_version()?)))
        .collect()
}
