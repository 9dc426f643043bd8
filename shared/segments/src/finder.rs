//! The contacts that a segment or conditions choose, for the jobs of the crate `contacts`. Nothing is written but the
//! end of a pin.
//!
//! Conditions are checked for each contact of the workspace: a page of 100 costs about 100 read units, and a read more
//! for each contact whose events or segments the conditions mention. Events are read from the timeline, so none is
//! missing. The members of a segment cost a read unit for about eighty.

use std::collections::BTreeMap;

use cloud::{Error, Resources, Table};
use contacts::{Asked, Choice, Contact, Contacts};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kernel::{BulkId, ContactId, ExportId, TenantKey, page::Page};

use crate::counting::{self, count_all};
use crate::definitions::{Compiled, compile};
use crate::keys;
use crate::members::{Members, Of};
use crate::model::{Segment, Version};
use crate::state::State;
use crate::subject::Subject;
use crate::uses::Uses;

/// Contacts that are checked concurrently.
const AT_ONCE: usize = 16;

/// Finds the contacts of choices; cheap to clone.
#[derive(Clone, Debug)]
pub struct Finder {
    table: Table,
    directory: Table,
    contacts: Contacts,
    members: Members,
    uses: Uses,
}

/// A job over many contacts.
#[derive(Debug, Clone, Copy)]
pub enum JobId {
    /// A bulk job.
    Bulk(BulkId),
    /// An export.
    Export(ExportId),
}

impl JobId {
    /// The name under which the job uses a segment.
    pub fn user(self) -> String {
        match self {
            Self::Bulk(id) => id.to_string(),
            Self::Export(id) => id.to_string(),
        }
    }
}

impl Finder {
    /// Over the tables Contacts, Directory, Segments and Timeline.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Contacts"),
            directory: resources.table("Directory"),
            contacts: Contacts::over(resources),
            members: Members::over(resources),
            uses: Uses::over(resources),
        }
    }

    /// The chosen ones among the next contacts. A page may hold fewer than `limit`, also none.
    pub async fn page(&self, asked: Asked) -> Result<Page<ContactId>, Error> {
        match asked.choice {
            Choice::Segment {
                segment_id: segment,
                version,
            } => {
                let of = Of { segment, version };
                let (shard, limit) = (asked.shard, asked.limit);
                let page = self
                    .members
                    .page(asked.tenant, of, shard, limit, asked.cursor);
                page.await
            }
            Choice::Conditions {
                ref conditions,
                ref zone,
                at,
            } => {
                let version = Version {
                    conditions: conditions.clone(),
                    zone: zone.clone(),
                };
                let compiled = compile(&version, 0)?;
                self.checked(&asked, &compiled, at).await
            }
            Choice::Receivers { .. } => {
                Err(Error::Shape("receivers are found by campaigns".to_owned()))
            }
        }
    }

    /// Ends the pin of a job that is over; safe to repeat. One write unit.
    pub async fn release(
        &self,
        tenant: TenantKey,
        job: JobId,
        choice: Option<Choice>,
    ) -> Result<(), Error> {
        match choice {
            Some(Choice::Segment { segment_id, .. }) => {
                self.uses.unuse(tenant, segment_id, &job.user()).await
            }
            Some(Choice::Conditions { .. } | Choice::Receivers { .. }) | None => Ok(()),
        }
    }

    async fn checked(
        &self,
        asked: &Asked,
        compiled: &Compiled,
        at: Timestamp,
    ) -> Result<Page<ContactId>, Error> {
        let (tenant, profiles) = (asked.tenant, self.contacts.profiles());
        let (limit, cursor) = (asked.limit, asked.cursor.clone());
        let page = profiles.of_shard(tenant, asked.shard, limit, cursor);
        let page = page.await?;
        let states = page.data.iter().map(|&id| keys::state(tenant, id));
        let (mut contacts, states) = futures::try_join!(
            profiles.glance(tenant, &page.data),
            self.table.get_many::<State>(states.collect()),
        )?;
        let mut states: BTreeMap<String, State> = states
            .into_iter()
            .map(|(key, state)| (key.pk, state))
            .collect();
        let named = self.named(tenant, compiled).await?;
        let found = page.data.iter().filter_map(|id| contacts.remove(id));
        let work: Vec<_> = found
            .map(|contact| {
                let state = states.remove(&keys::state(tenant, contact.id).pk);
                self.check(
                    tenant,
                    contact,
                    state.unwrap_or_default(),
                    (compiled, &named),
                    at,
                )
            })
            .collect();
        let found: Vec<Option<ContactId>> =
            stream::iter(work).buffered(AT_ONCE).try_collect().await?;
        Ok(Page {
            data: found.into_iter().flatten().collect(),
            next: page.next,
        })
    }

    /// The live versions of the segments that the conditions name.
    async fn named(&self, tenant: TenantKey, compiled: &Compiled) -> Result<Vec<Of>, Error> {
        let mut named = Vec::new();
        for &segment in &compiled.predicate.mentions().segments {
            let row: Option<Segment> = self.directory.get(&keys::segment(tenant, segment)).await?;
            if let Some(version) = row.and_then(|row| row.live) {
                named.push(Of { segment, version });
            }
        }
        Ok(named)
    }

    /// The contact, if the conditions hold it at this time.
    async fn check(
        &self,
        tenant: TenantKey,
        contact: Contact,
        mut state: State,
        (compiled, named): (&Compiled, &[Of]),
        at: Timestamp,
    ) -> Result<Option<ContactId>, Error> {
        let mentions = compiled.predicate.mentions();
        if !mentions.event_names().is_empty() {
            let since = counting::since(at);
            let events = self
                .contacts
                .events_since(tenant, &contact, since, counting::MOST)
                .await?;
            let tracked = mentions.events.iter();
            let tracked = tracked.map(|one| (one.hash, one.clone())).collect();
            count_all(&mut state, &tracked, &events, &compiled.zone, at);
        }
        if !named.is_empty() {
            let inside = self.members.glance(tenant, named, contact.id).await?;
            for of in named {
                state.note(of.segment, of.version, inside.contains(of));
            }
        }
        let subject = Subject::new(&contact, &state.facts);
        let verdict = compiled.predicate.check(&subject, at);
        Ok(verdict.is_in.then_some(contact.id))
    }
}
