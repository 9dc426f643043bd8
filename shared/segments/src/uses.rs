//! The campaigns, workflows and segments that use a segment. A segment that is used is not deleted.
//!
//! A campaign that starts pins the live version of each of its segments. The members of a pinned version stay until the
//! audience is planned, also if new conditions become live meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use cloud::{Error, Lease, Query, Resources, Table};
use jiff::{SignedDuration, Timestamp};
use kernel::{SegmentId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::model::Segment;
use crate::store::{LEASE, LEASED, Segments};

/// A plan is finished after this time, or a person must look at it.
const PINNED: SignedDuration = SignedDuration::from_hours(24);
/// Users that a refusal names.
const NAMED: usize = 20;

#[derive(Serialize, Deserialize)]
struct Use {
    user: String,
    /// The version whose members the user reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// The version is kept until this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// Notes of who uses which segment; cheap to clone.
#[derive(Clone, Debug)]
pub struct Uses {
    directory: Table,
}

impl Uses {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// Notes that a campaign, a workflow or a segment uses the segment; safe to repeat. One write unit.
    pub async fn use_by(&self, tenant: TenantKey, id: SegmentId, user: &str) -> Result<(), Error> {
        let row = Use {
            user: user.to_owned(),
            version: None,
            until: None,
        };
        self.directory
            .put(&keys::used(tenant, id, user), &row)
            .await
    }

    /// Notes that it no longer does; safe to repeat.
    pub async fn unuse(&self, tenant: TenantKey, id: SegmentId, user: &str) -> Result<(), Error> {
        self.directory.delete(&keys::used(tenant, id, user)).await
    }

    async fn rows(&self, tenant: TenantKey, id: SegmentId) -> Result<Vec<Use>, Error> {
        let query = Query::partition(keys::uses(tenant, id));
        self.directory.query_all(query).await
    }

    /// Whether a user still reads the members of this version.
    pub(crate) async fn is_pinned(
        &self,
        tenant: TenantKey,
        id: SegmentId,
        version: u32,
    ) -> Result<bool, Error> {
        let now = self.directory.clock().now();
        let rows = self.rows(tenant, id).await?;
        let pins = |row: &Use| row.version == Some(version) && row.until > Some(now);
        Ok(rows.iter().any(pins))
    }

    async fn names(&self, tenant: TenantKey, id: SegmentId) -> Result<Vec<String>, Error> {
        let now = self.directory.clock().now();
        let rows = self.rows(tenant, id).await?.into_iter();
        // A job that was refused after its pin leaves the pin, which ends by itself.
        let used = rows.filter(|one| one.until.is_none_or(|until| until > now));
        Ok(used.map(|one| one.user).take(NAMED).collect())
    }
}

/// Why versions were not pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPinned {
    /// There is no such segment.
    Absent(SegmentId),
    /// The members of its first conditions are being found.
    Building(SegmentId),
    /// A change of the workspace's segments is running.
    Busy,
}

/// Pins the versions that a campaign reads; cheap to clone.
#[derive(Clone, Debug)]
pub struct Pins {
    uses: Uses,
    lease: Lease,
}

impl Pins {
    /// Over the tables Directory and Limits.
    pub fn over(resources: &Resources) -> Self {
        Self {
            uses: Uses::over(resources),
            lease: Lease::over(resources),
        }
    }

    /// The notes.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Whether the workspace has the segment.
    pub async fn knows(&self, tenant: TenantKey, id: SegmentId) -> Result<bool, Error> {
        let key = keys::segment(tenant, id);
        let found: Option<Segment> = self.uses.directory.get(&key).await?;
        Ok(found.is_some())
    }

    /// The live version of a segment, and its members when they were counted. Pins nothing.
    pub async fn live(
        &self,
        tenant: TenantKey,
        id: SegmentId,
    ) -> Result<Option<(u32, Option<i64>)>, Error> {
        let key = keys::segment(tenant, id);
        let found: Option<Segment> = self.uses.directory.get(&key).await?;
        Ok(found.and_then(|segment| Some((segment.live?, segment.count))))
    }

    /// Keeps the members of the live versions for `user`, a campaign or a job, for a day, or until [`Uses::unuse`]. No segment is deleted at
    /// the same time. Safe to repeat: the later call wins.
    pub async fn pin(
        &self,
        tenant: TenantKey,
        user: &str,
        ids: &BTreeSet<SegmentId>,
    ) -> Result<Result<BTreeMap<SegmentId, u32>, NotPinned>, Error> {
        if ids.is_empty() {
            return Ok(Ok(BTreeMap::new()));
        }
        let Some(held) = self.lease.take(tenant, LEASED, LEASE).await? else {
            return Ok(Err(NotPinned::Busy));
        };
        let outcome = self.pin_all(tenant, user, ids).await;
        self.lease.release(held).await?;
        outcome
    }

    async fn pin_all(
        &self,
        tenant: TenantKey,
        user: &str,
        ids: &BTreeSet<SegmentId>,
    ) -> Result<Result<BTreeMap<SegmentId, u32>, NotPinned>, Error> {
        let directory = &self.uses.directory;
        let mut versions = BTreeMap::new();
        for &id in ids {
            let Some(segment) = directory.get::<Segment>(&keys::segment(tenant, id)).await? else {
                return Ok(Err(NotPinned::Absent(id)));
            };
            let Some(live) = segment.live else {
                return Ok(Err(NotPinned::Building(id)));
            };
            versions.insert(id, live);
        }
        for (&id, &version) in &versions {
            let row = Use {
                user: user.to_owned(),
                version: Some(version),
                until: Some(directory.clock().now() + PINNED),
            };
            directory.put(&keys::used(tenant, id, user), &row).await?;
        }
        Ok(Ok(versions))
    }
}

impl Segments {
    pub(crate) async fn users(
        &self,
        tenant: TenantKey,
        id: SegmentId,
    ) -> Result<Vec<String>, Error> {
        self.uses.names(tenant, id).await
    }

    pub(crate) async fn use_all(
        &self,
        tenant: TenantKey,
        segment: &Segment,
        before: &BTreeSet<SegmentId>,
    ) -> Result<(), Error> {
        let user = segment.segment.to_string();
        for one in &segment.depends {
            self.uses.use_by(tenant, *one, &user).await?;
        }
        for one in before.difference(&segment.depends) {
            self.uses.unuse(tenant, *one, &user).await?;
        }
        Ok(())
    }
}
