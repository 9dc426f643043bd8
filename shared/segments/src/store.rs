//! The segments themselves: made, changed, listed, deleted. Each change is one conditional write of the segment's row.
//!
//! One change of a workspace's segments runs at a time, by a lease: so names stay unique and no cycle arises.

use std::collections::BTreeSet;
use std::time::Duration;

use cloud::{Error, Lease, Query, QueueOf, Resources, Table, Update};
use contacts::Listeners;
use jiff::Timestamp;
use kernel::{Cursor, Limit, SegmentId, TenantKey, page::Page};

use crate::keys;
use crate::language::Conditions;
use crate::messages::BuildMessage;
use crate::model::{Kind, MAX_SEGMENTS, Segment};
use crate::uses::Uses;

/// Longer than the time-out of any function that changes segments.
pub(crate) const LEASE: Duration = Duration::from_secs(40);
/// Name of the lease.
pub(crate) const LEASED: &str = "segments";

/// The segments of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Segments {
    pub(crate) directory: Table,
    pub(crate) listeners: Listeners,
    pub(crate) queue: QueueOf<BuildMessage>,
    pub(crate) uses: Uses,
    lease: Lease,
}

/// A new segment.
#[derive(Debug, Clone)]
pub struct NewSegment {
    /// Name.
    pub name: String,
    /// Its purpose.
    pub description: Option<String>,
    /// Its conditions; a static segment has none.
    pub conditions: Option<Conditions>,
    /// Name of the offered segment.
    pub system: Option<String>,
    /// Time zone of the workspace.
    pub zone: String,
}

/// The changes of a segment; `None` changes nothing.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Name.
    pub name: Option<String>,
    /// Its purpose.
    pub description: Option<Option<String>>,
    /// Its conditions, with the time zone of the workspace.
    pub conditions: Option<(Conditions, String)>,
}

/// Why a segment was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such segment.
    Absent,
    /// Another segment has the name.
    NameTaken,
    /// The id belongs to another segment.
    IdTaken,
    /// The conditions name a segment that does not exist.
    Unknown(SegmentId),
    /// The segment would name itself.
    Cycle,
    /// The workspace has too many segments.
    TooMany,
    /// The segments of the workspace mention too much.
    NoRoom,
    /// A static segment has no conditions.
    Static,
    /// Another change of the workspace's segments is running.
    Busy,
    /// These use the segment.
    Used(Vec<String>),
}

type Outcome = Result<Result<Segment, Refused>, Error>;

impl Segments {
    /// Over the tables Directory and Limits, and the queue `segment-build`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            listeners: Listeners::over(resources),
            queue: resources.queue_of(),
            uses: Uses::over(resources),
            lease: Lease::over(resources),
        }
    }

    /// One segment, as it is now.
    pub async fn get(&self, tenant: TenantKey, id: SegmentId) -> Result<Option<Segment>, Error> {
        self.directory.get(&keys::segment(tenant, id)).await
    }

    /// A page of segments, oldest first.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Segment>, Error> {
        let query = Query::partition(keys::segments(tenant));
        self.directory
            .query(query.limit(limit.get()).cursor(cursor))
            .await
    }

    /// Runs a change while no other change of the workspace's segments runs.
    async fn alone<F>(&self, tenant: TenantKey, change: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Outcome>,
    {
        let Some(held) = self.lease.take(tenant, LEASED, LEASE).await? else {
            return Ok(Err(Refused::Busy));
        };
        let outcome = change().await;
        self.lease.release(held).await?;
        outcome
    }

    /// Makes a segment. A repetition with the same id and name finds the segment of the first run.
    pub async fn create(
        &self,
        tenant: TenantKey,
        id: SegmentId,
        at: Timestamp,
        new: &NewSegment,
    ) -> Outcome {
        self.alone(tenant, || self.create_alone(tenant, id, at, new))
            .await
    }

    async fn create_alone(
        &self,
        tenant: TenantKey,
        id: SegmentId,
        at: Timestamp,
        new: &NewSegment,
    ) -> Outcome {
        let all = self.all(tenant).await?;
        if let Some(known) = all.iter().find(|one| one.segment == id) {
            let is_ours = known.created_at == at && known.name == new.name;
            return Ok(if is_ours {
                Ok(known.clone())
            } else {
                Err(Refused::IdTaken)
            });
        }
        if all.len() >= MAX_SEGMENTS {
            return Ok(Err(Refused::TooMany));
        }
        if is_taken(&all, id, &new.name) {
            return Ok(Err(Refused::NameTaken));
        }
        let mut segment = Segment {
            segment: id,
            name: new.name.clone(),
            description: new.description.clone(),
            kind: Kind::Static,
            system: new.system.clone(),
            latest: 1,
            live: Some(1),
            live_since: Some(at),
            building: None,
            active_since: None,
            built: BTreeSet::new(),
            depends: BTreeSet::new(),
            // The members of a static segment are not counted.
            count: None,
            count_at: None,
            rest: std::collections::BTreeMap::default(),
            created_at: at,
            updated_at: at,
        };
        if let Some(conditions) = &new.conditions {
            segment.kind = Kind::Dynamic;
            segment.live = None;
            segment.live_since = None;
            let begun = self
                .begin(tenant, &all, &mut segment, conditions, &new.zone)
                .await?;
            if let Err(refused) = begun {
                return Ok(Err(refused));
            }
        }
        let created = self
            .directory
            .create(&keys::segment(tenant, id), &segment)
            .await?;
        self.use_all(tenant, &segment, &BTreeSet::new()).await?;
        Ok(match created {
            cloud::Created::New => Ok(segment),
            cloud::Created::Existing(known) => Ok(known),
        })
    }

    /// Changes a segment. New conditions are a new version, whose members are found while the old ones are shown.
    pub async fn change(&self, tenant: TenantKey, id: SegmentId, changes: &Changes) -> Outcome {
        self.alone(tenant, || self.change_alone(tenant, id, changes))
            .await
    }

    async fn change_alone(&self, tenant: TenantKey, id: SegmentId, changes: &Changes) -> Outcome {
        let all = self.all(tenant).await?;
        let Some(before) = all.iter().find(|one| one.segment == id) else {
            return Ok(Err(Refused::Absent));
        };
        let mut next = before.clone();
        if let Some(name) = &changes.name {
            if is_taken(&all, id, name) {
                return Ok(Err(Refused::NameTaken));
            }
            next.name.clone_from(name);
        }
        if let Some(description) = &changes.description {
            next.description.clone_from(description);
        }
        if let Some((conditions, zone)) = &changes.conditions {
            if before.kind == Kind::Static {
                return Ok(Err(Refused::Static));
            }
            let begun = self
                .begin(tenant, &all, &mut next, conditions, zone)
                .await?;
            if let Err(refused) = begun {
                return Ok(Err(refused));
            }
            self.use_all(tenant, &next, &before.depends).await?;
        }
        next.updated_at = self.directory.clock().now();
        self.write(tenant, before, &next).await.map(Ok)
    }

    pub(crate) async fn write(
        &self,
        tenant: TenantKey,
        before: &Segment,
        next: &Segment,
    ) -> Result<Segment, Error> {
        let mut update = Update::new()
            .set("name", &next.name)
            .set("description", &next.description)
            .set("updated_at", next.updated_at)
            .when_equals("latest", before.latest);
        if next.latest != before.latest {
            update = update
                .set("latest", next.latest)
                .set("building", next.building)
                .set("active_since", next.active_since)
                .set("depends", &next.depends)
                .remove("built");
        }
        let key = keys::segment(tenant, next.segment);
        let outcome = self.directory.update(&key, update).await?;
        if !outcome.applied() {
            return Err(Error::Conflict);
        }
        let written = self.get(tenant, next.segment).await?;
        written.ok_or(Error::Conflict)
    }

    /// Deletes a segment that nothing uses.
    pub async fn delete(&self, tenant: TenantKey, id: SegmentId) -> Outcome {
        self.alone(tenant, || self.delete_alone(tenant, id)).await
    }

    async fn delete_alone(&self, tenant: TenantKey, id: SegmentId) -> Outcome {
        let Some(segment) = self.get(tenant, id).await? else {
            return Ok(Err(Refused::Absent));
        };
        let users = self.users(tenant, id).await?;
        if !users.is_empty() {
            return Ok(Err(Refused::Used(users)));
        }
        for version in segment.live.into_iter().chain(segment.building) {
            self.clear(tenant, id, version).await?;
        }
        self.listeners.unmention(tenant, id).await?;
        for one in &segment.depends {
            self.uses.unuse(tenant, *one, &id.to_string()).await?;
        }
        self.directory.delete(&keys::segment(tenant, id)).await?;
        Ok(Ok(segment))
    }

    /// Every segment of the workspace, at most [`MAX_SEGMENTS`].
    pub(crate) async fn all(&self, tenant: TenantKey) -> Result<Vec<Segment>, Error> {
        self.directory
            .query_all(Query::partition(keys::segments(tenant)))
            .await
    }
}

fn is_taken(all: &[Segment], id: SegmentId, name: &str) -> bool {
    let name = kernel::text::fold(name);
    let mut others = all.iter().filter(|one| one.segment != id);
    others.any(|one| kernel::text::fold(&one.name) == name)
}
