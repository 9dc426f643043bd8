//! Writes of [`Keeper`]: the state with its transitions, then member rows and events.
//!
//! The state is written first. A run that is delivered again makes the rows and events of the remembered transitions
//! again. This file evaluates nothing.

use cloud::Error;
use contacts::Event;
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, TenantKey};
use serde_json::json;

use super::{ENTERED, Keeper, LEFT, Settled, Work};
use crate::evaluation::Found;
use crate::keys;
use crate::members::Of;
use crate::model::{Kind, STATIC};
use crate::state::{Moved, REMEMBERED, State};

/// SQS keeps a message so long.
const MESSAGE_LIVES: SignedDuration = SignedDuration::from_hours(14 * 24);
impl Keeper {
    /// Writes the state with the transitions; false if another run was faster.
    pub(super) async fn write(
        &self,
        tenant: TenantKey,
        id: ContactId,
        before: &State,
        state: &mut State,
        found: &Found,
        at: Timestamp,
    ) -> Result<bool, Error> {
        state.version = before.version + 1;
        let fresh = found.moved.iter().map(|&(s, v, i)| Moved {
            s,
            v,
            i,
            n: state.version,
            at: found.at(s, at),
        });
        // No message is delivered after fourteen days.
        let now = self.now();
        let is_recent = |one: &&Moved| now.duration_since(one.at) < MESSAGE_LIVES;
        let recent: Vec<Moved> = before.moved.iter().filter(is_recent).cloned().collect();
        let room = REMEMBERED.saturating_sub(found.moved.len());
        let surplus = recent.len().saturating_sub(room);
        self.make_again(tenant, id, before, &recent[..surplus])
            .await?;
        state.moved = recent[surplus..].iter().cloned().chain(fresh).collect();
        self.save(tenant, id, before.version, state).await
    }

    /// Writes the state under the version that was read.
    pub(crate) async fn save(
        &self,
        tenant: TenantKey,
        id: ContactId,
        expected: u64,
        state: &State,
    ) -> Result<bool, Error> {
        let key = keys::state(tenant, id);
        let expected = Some(expected).filter(|version| *version > 0);
        match self.table.replace_or_create(&key, state, expected).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The member rows and events of this run.
    pub(super) async fn make(
        &self,
        tenant: TenantKey,
        id: ContactId,
        state: &State,
        found: &Found,
        at: Timestamp,
    ) -> Result<(), Error> {
        let n = state.version;
        for &(segment, version, is_in) in found.moved.iter().chain(&found.built) {
            let of = Of { segment, version };
            let decided = (n, found.at(segment, at));
            self.members.decide(tenant, of, id, is_in, decided).await?;
        }
        for &(segment, version, is_in) in &found.moved {
            let moved = Moved {
                s: segment,
                v: version,
                i: is_in,
                n,
                at: found.at(segment, at),
            };
            self.tell(tenant, id, &moved).await?;
        }
        Ok(())
    }

    /// The rows and events of earlier transitions, which a killed run may have left out.
    pub(super) async fn make_again(
        &self,
        tenant: TenantKey,
        id: ContactId,
        state: &State,
        moved: &[Moved],
    ) -> Result<(), Error> {
        for one in moved {
            let of = Of {
                segment: one.s,
                version: one.v,
            };
            if let Some(is_in) = state.is_in(one.s, one.v) {
                let decided = (state.version, one.at);
                self.members.decide(tenant, of, id, is_in, decided).await?;
            }
            self.tell(tenant, id, one).await?;
        }
        Ok(())
    }

    /// Records the transition on the timeline if something hears it.
    async fn tell(&self, tenant: TenantKey, id: ContactId, moved: &Moved) -> Result<(), Error> {
        let event = Event {
            id: format!(
                "{}#{}#{}",
                if moved.i { ENTERED } else { LEFT },
                moved.s,
                moved.n
            ),
            name: if moved.i { ENTERED } else { LEFT }.to_owned(),
            at: moved.at,
            source: moved.s.to_string(),
            data: json!({ "segment_id": moved.s }),
        };
        let heard = self.contacts.hears(tenant, &event).await?;
        let name = [contacts::mention::event(&event.name)];
        let is_mentioned = !self.listeners.mentioned(tenant, name).await?.is_empty();
        let hooked = self.contacts.hooks(tenant, &event).await?;
        if heard || hooked || is_mentioned || self.contacts.scores(tenant, &event).await? {
            self.contacts.record_as(tenant, id, &event, heard).await?;
        }
        Ok(())
    }

    /// A contact was merged: the survivor takes over its last acts, its static segments and these changes, and is
    /// evaluated with the timelines of both. May be repeated, also after the former contact has left its segments.
    pub(super) async fn give(
        &self,
        tenant: TenantKey,
        id: ContactId,
        survivor: ContactId,
        work: &Work,
        state: &State,
    ) -> Result<(), Error> {
        let mut given = work.clone();
        given.again = false;
        given.written_at = None;
        given.flips.clear();
        given.changed.insert(contacts::mention::CREATED.to_owned());
        given.absorbed = Some(state.facts.last);
        given.ordered = true;
        let defined = self.definitions.of(tenant).await?;
        for one in defined
            .all
            .iter()
            .filter(|one| one.segment.kind == Kind::Static)
        {
            let segment = one.segment.segment;
            let of = Of {
                segment,
                version: STATIC,
            };
            if let Some((true, at)) = self.members.row(tenant, of, id).await? {
                given.placed.entry(segment).or_insert((at, true));
            }
        }
        Box::pin(self.settle(tenant, survivor, &given))
            .await
            .map(drop)
    }

    /// A contact that was erased or merged leaves its segments, and its state goes.
    pub(super) async fn forget(
        &self,
        tenant: TenantKey,
        id: ContactId,
        state: State,
    ) -> Result<Option<Settled>, Error> {
        let (n, now) = (state.version + 1, self.now());
        let defined = self.definitions.of(tenant).await?;
        let known = defined.all.iter().flat_map(|one| {
            let (segment, live, building) =
                (one.segment.segment, one.segment.live, one.segment.building);
            live.into_iter()
                .chain(building)
                .map(move |version| Of { segment, version })
        });
        for of in known {
            if self.members.has(tenant, of, id).await? {
                self.members.decide(tenant, of, id, false, (n, now)).await?;
            }
        }
        self.table.delete_many(&[keys::state(tenant, id)]).await?;
        Ok(Some(Settled::default()))
    }
}
