//! Finds the members of a version among all contacts, in 16 shards, and makes the version the live one.
//!
//! A page may be done twice: a member row is replaced only by a later decision. Changes meanwhile are evaluated by
//! both versions, and their rows win over those of the builder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud::{Error, Resources, Update, UpdateOutcome};
use contacts::{Contact, Profiles};
use futures::{StreamExt, TryStreamExt, stream};
use kernel::{ContactId, Cursor, SegmentId, TenantKey};

use crate::definitions::{Compiled, Defined};
use crate::evaluation::Found;
use crate::keeper::{Keeper, live};
use crate::keys;
use crate::members::Of;
use crate::messages::BuildMessage;
use crate::model::{Segment, counted, dependents};
use crate::state::State;
use crate::store::Segments;
use crate::subject::Subject;

/// Contacts of one page.
const PAGE: u32 = 500;
/// Pages of one run; the rest is left to a message.
const RUN: u32 = 20;
/// Contacts of a page that are evaluated concurrently.
const AT_ONCE: usize = 16;
/// Builds of a workspace that run at once.
const TURNS: usize = 2;
/// Rows that are deleted by one run.
const CLEARED: u32 = 1_000;
/// Seconds until a version that a campaign reads is looked at again; the longest delay of SQS.
const PINNED_AFTER: u16 = 900;
/// Tries against other writers of the same contact.
const ROUNDS: u32 = 8;

/// Builds versions; cheap to clone.
#[derive(Clone, Debug)]
pub struct Builder {
    keeper: Keeper,
    segments: Segments,
    profiles: Profiles,
}

/// The version that is being built, and the other segments.
struct Build<'a> {
    tenant: TenantKey,
    of: Of,
    compiled: &'a Compiled,
    defined: &'a Defined,
    interest: Arc<contacts::Mentions>,
}

impl Builder {
    /// Over the same tables as [`Keeper`], and the queue `segment-build`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            keeper: Keeper::over(resources),
            segments: Segments::over(resources),
            profiles: Profiles::over(resources),
        }
    }

    /// Does the task of the message. Returns the number of contacts checked.
    pub async fn handle(&self, tenant: TenantKey, message: BuildMessage) -> Result<u64, Error> {
        match message {
            BuildMessage::Build {
                segment,
                version,
                shard,
                cursor,
            } => {
                self.build(tenant, Of { segment, version }, shard, cursor)
                    .await
            }
            BuildMessage::Clear {
                segment,
                version,
                shard,
            } => {
                self.clear(tenant, Of { segment, version }, shard).await?;
                Ok(0)
            }
        }
    }

    async fn build(
        &self,
        tenant: TenantKey,
        of: Of,
        shard: u32,
        mut cursor: Option<Cursor>,
    ) -> Result<u64, Error> {
        let segment = self.segments.get(tenant, of.segment).await?;
        if segment.as_ref().and_then(|one| one.live) == Some(of.version) {
            // A run that was killed after the switch may have left the next build without its messages.
            self.next(tenant).await?;
        }
        let Some(segment) = segment.filter(|one| one.building == Some(of.version)) else {
            return Ok(0);
        };
        if !segment.built.contains(&name(shard)) {
            if !self.has_turn(tenant, of.segment).await? {
                return Err(Error::Conflict);
            }
            let defined = self.keeper.definitions.of(tenant).await?;
            let compiled = self
                .keeper
                .definitions
                .compiled(tenant, of.segment, Some(of.version));
            let Some(compiled) = compiled.await? else {
                return Ok(0);
            };
            let interest = self.keeper.listeners.mentions(tenant).await?;
            let build = Build {
                tenant,
                of,
                compiled: &compiled,
                defined: &defined,
                interest,
            };
            let mut checked = 0;
            for _ in 0..RUN {
                let page = self.profiles.of_shard(tenant, shard, PAGE, cursor).await?;
                checked += page.data.len() as u64;
                self.page(&build, &page.data).await?;
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            if cursor.is_some() {
                let (segment, version) = (of.segment, of.version);
                let rest = BuildMessage::Build {
                    segment,
                    version,
                    shard,
                    cursor,
                };
                self.segments.send(tenant, &rest, 0).await?;
                return Ok(checked);
            }
            self.finish(tenant, of, shard).await?;
            return Ok(checked);
        }
        self.finish(tenant, of, shard).await?;
        Ok(0)
    }

    /// The segments that are being built, in the order of their turns.
    async fn waiting(&self, tenant: TenantKey) -> Result<Vec<Segment>, Error> {
        let mut waiting = self.segments.all(tenant).await?;
        waiting.retain(|one| one.building.is_some());
        waiting.sort_by_key(|one| (one.active_since, one.segment));
        Ok(waiting)
    }

    /// Whether the build is among the first of its workspace.
    async fn has_turn(&self, tenant: TenantKey, id: SegmentId) -> Result<bool, Error> {
        let waiting = self.waiting(tenant).await?;
        Ok(waiting.iter().take(TURNS).any(|one| one.segment == id))
    }

    /// Begins the build that has the turn which another build has left. Its first messages wait in the queue too, for
    /// a growing time; a message of a shard that is finished does nothing.
    async fn next(&self, tenant: TenantKey) -> Result<(), Error> {
        let waiting = self.waiting(tenant).await?;
        let Some(next) = waiting.get(TURNS - 1).filter(|one| one.built.is_empty()) else {
            return Ok(());
        };
        self.segments.build_now(tenant, next).await
    }

    async fn page(&self, build: &Build<'_>, ids: &[ContactId]) -> Result<(), Error> {
        let keys = ids
            .iter()
            .map(|&id| keys::state(build.tenant, id))
            .collect();
        let (contacts, states) = futures::try_join!(
            self.profiles.glance(build.tenant, ids),
            self.keeper.table.get_many::<State>(keys),
        )?;
        let mut states: BTreeMap<String, State> = states
            .into_iter()
            .map(|(key, state)| (key.pk, state))
            .collect();
        let work = contacts.into_values().map(|contact| {
            let state = states.remove(&keys::state(build.tenant, contact.id).pk);
            (contact, state.unwrap_or_default())
        });
        let work: Vec<_> = work
            .map(|(contact, state)| self.one(build, contact, state))
            .collect();
        stream::iter(work)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Evaluates one contact. The state is written only if the contact needs an earlier timer or counts of events.
    async fn one(&self, build: &Build<'_>, contact: Contact, read: State) -> Result<(), Error> {
        let (tenant, id) = (build.tenant, contact.id);
        let (mut contact, mut read) = (contact, read);
        for _ in 0..ROUNDS {
            let mut state = read.clone();
            let mentions = build.compiled.predicate.mentions();
            let affected = BTreeSet::from([build.of.segment]);
            let keeper = &self.keeper;
            keeper
                .count_events(
                    tenant,
                    &contact,
                    build.defined,
                    &build.interest,
                    &affected,
                    &[],
                    &mut state,
                )
                .await?;
            let named = &mentions.segments;
            keeper
                .look_up(tenant, &contact, build.defined, named, &mut state)
                .await?;
            let now = keeper.table.clock().now();
            let subject = Subject::new(&contact, &state.facts);
            let verdict = build.compiled.predicate.check(&subject, now);
            let found = Found {
                flips_at: verdict.flips_at,
                ..Found::default()
            };
            keeper.timer(tenant, id, false, &found, &mut state).await?;
            state.keep(&live(build.defined));
            let needs = state.flip != read.flip || state.filled_at != read.filled_at;
            if needs {
                state.version = read.version + 1;
                if !keeper.save(tenant, id, read.version, &state).await? {
                    read = keeper
                        .table
                        .get(&keys::state(tenant, id))
                        .await?
                        .unwrap_or_default();
                    match keeper.contacts.get(tenant, id).await? {
                        Some(found) => contact = found,
                        None => return Ok(()),
                    }
                    continue;
                }
            }
            if verdict.is_in {
                let decided = (state.version.max(read.version), now);
                keeper
                    .members
                    .decide(tenant, build.of, id, true, decided)
                    .await?;
            }
            return Ok(());
        }
        Err(Error::Conflict)
    }

    /// The shard is finished; the last one makes the version the live one.
    async fn finish(&self, tenant: TenantKey, of: Of, shard: u32) -> Result<(), Error> {
        let members = self.keeper.members.count(tenant, of, shard).await?;
        let update = Update::new()
            .add_to_set("built", [name(shard)])
            .set(&counted(shard), members)
            .when_equals("building", of.version);
        let key = keys::segment(tenant, of.segment);
        let outcome = self.segments.directory.update(&key, update).await?;
        if !outcome.applied() {
            return Ok(());
        }
        let segment: Option<Segment> = UpdateOutcome::item(outcome)?;
        let Some(segment) = segment else {
            return Ok(());
        };
        if segment.built.len() < contacts::SHARDS as usize {
            return Ok(());
        }
        self.switch(tenant, of, &segment).await
    }

    /// The messages that must follow are sent first: a run that is killed before the switch does it again.
    async fn switch(&self, tenant: TenantKey, of: Of, segment: &Segment) -> Result<(), Error> {
        if let Some(old) = segment.live {
            self.segments.clear(tenant, of.segment, old).await?;
        }
        let interest = self.keeper.listeners.mentions(tenant).await?;
        for one in dependents(&interest, of.segment) {
            self.segments.rebuild(tenant, one).await?;
        }
        let now = self.keeper.table.clock().now();
        let update = Update::new()
            .set("live", of.version)
            .set("live_since", now)
            .set("count", segment.counted())
            .set("count_at", now)
            .remove("building")
            .remove("built")
            .when_equals("building", of.version);
        let key = keys::segment(tenant, of.segment);
        self.segments.directory.update(&key, update).await?;
        self.next(tenant).await
    }

    async fn clear(&self, tenant: TenantKey, of: Of, shard: u32) -> Result<(), Error> {
        let segment = self.segments.get(tenant, of.segment).await?;
        let is_used = segment
            .is_some_and(|one| one.live == Some(of.version) || one.building == Some(of.version));
        if is_used {
            return Ok(());
        }
        let uses = &self.segments.uses;
        if uses.is_pinned(tenant, of.segment, of.version).await? {
            let (segment, version) = (of.segment, of.version);
            let later = BuildMessage::Clear {
                segment,
                version,
                shard,
            };
            return self.segments.send(tenant, &later, PINNED_AFTER).await;
        }
        if !self
            .keeper
            .members
            .clear(tenant, of, shard, CLEARED)
            .await?
        {
            let (segment, version) = (of.segment, of.version);
            let rest = BuildMessage::Clear {
                segment,
                version,
                shard,
            };
            self.segments.send(tenant, &rest, 0).await?;
        }
        Ok(())
    }
}

fn name(shard: u32) -> String {
    format!("{shard:02}")
}
