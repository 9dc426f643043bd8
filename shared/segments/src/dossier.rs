//! The facts and segments of one contact, for its page. Nothing is written.

use cloud::{Error, Query, Resources, Table};
use kernel::{ContactId, SegmentId, TenantKey};
use serde::Serialize;

use crate::facts::Orders;
use crate::keys;
use crate::members::{Members, Of};
use crate::model::{Kind, Segment};
use crate::state::State;

/// Reads what is known about single contacts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Dossiers {
    contacts: Table,
    directory: Table,
    members: Members,
}

/// A segment that a contact is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ContactSegment)]
pub struct Inside {
    /// The segment.
    pub segment_id: SegmentId,
    /// Its name.
    pub name: String,
    /// `dynamic` or `static`.
    pub kind: Kind,
}

impl Dossiers {
    /// Over the tables Contacts, Directory and Segments.
    pub fn over(resources: &Resources) -> Self {
        Self {
            contacts: resources.table("Contacts"),
            directory: resources.table("Directory"),
            members: Members::over(resources),
        }
    }

    /// The completed orders of a contact, as they were last added up. One read unit.
    pub async fn orders(&self, tenant: TenantKey, contact: ContactId) -> Result<Orders, Error> {
        Ok(self.state(tenant, contact).await?.facts.orders)
    }

    /// The segments that a contact is in, by name; eventually consistent. One unit for the state, and a query of the workspace's
    /// segments at a unit for about twenty. Half a unit for each segment of which the state holds no answer.
    pub async fn segments(
        &self,
        tenant: TenantKey,
        contact: ContactId,
    ) -> Result<Vec<Inside>, Error> {
        let query = Query::partition(keys::segments(tenant)).eventual();
        let (state, all) = futures::try_join!(
            self.state(tenant, contact),
            self.directory.query_all::<Segment>(query),
        )?;
        let live = |one: &Segment| {
            let segment = one.segment;
            one.live.map(|version| Of { segment, version })
        };
        let unknown = all.iter().filter_map(live);
        let unknown = unknown.filter(|of| state.is_in(of.segment, of.version).is_none());
        let unknown: Vec<Of> = unknown.collect();
        let found = self.members.glance(tenant, &unknown, contact).await?;
        let is_in = |one: &Segment| {
            live(one).is_some_and(|of| {
                let known = state.is_in(of.segment, of.version);
                known.unwrap_or_else(|| found.contains(&of))
            })
        };
        let mut inside: Vec<Inside> = all
            .iter()
            .filter(|one| is_in(one))
            .map(|one| Inside {
                segment_id: one.segment,
                name: one.name.clone(),
                kind: one.kind,
            })
            .collect();
        inside.sort_by(|a, b| (&a.name, a.segment_id).cmp(&(&b.name, b.segment_id)));
        Ok(inside)
    }

    async fn state(&self, tenant: TenantKey, contact: ContactId) -> Result<State, Error> {
        let key = keys::state(tenant, contact);
        Ok(self.contacts.get(&key).await?.unwrap_or_default())
    }
}
