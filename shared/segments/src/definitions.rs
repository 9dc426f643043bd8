//! The segments of a workspace, compiled. Each process reads the list every ten seconds, and a version once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud::{Error, Query, Recent, Resources, Table};
use jiff::tz::TimeZone;
use kernel::{SegmentId, TenantKey};

use crate::keys;
use crate::language::{Bounds, parse};
use crate::model::{Kind, Segment, Version};
use crate::predicate::Predicate;

/// Workspaces and versions that a process keeps in memory.
const MOST: usize = 2_000;

/// A version, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub version: u32,
    pub zone: TimeZone,
    pub predicate: Predicate,
}

/// A segment with its versions that are evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub segment: Segment,
    pub live: Option<Arc<Compiled>>,
    pub building: Option<Arc<Compiled>>,
}

impl Definition {
    /// The versions that are evaluated.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<Compiled>> {
        self.live.iter().chain(&self.building)
    }

    /// The live version's number; a static segment has one too.
    pub fn live_version(&self) -> Option<u32> {
        self.segment.live
    }
}

/// The segments of a workspace; a segment comes after those that it names.
#[derive(Debug, Default)]
pub(crate) struct Defined {
    pub all: Vec<Definition>,
}

impl Defined {
    pub fn get(&self, segment: SegmentId) -> Option<&Definition> {
        self.all.iter().find(|one| one.segment.segment == segment)
    }
}

/// Reads and compiles segments; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Definitions {
    directory: Table,
    recent: Recent<TenantKey, Arc<Defined>>,
    versions: Recent<(TenantKey, SegmentId, u32), Arc<Compiled>>,
}

impl Definitions {
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            recent: Recent::new(resources.clock(), MOST),
            versions: Recent::kept(resources.clock(), MOST),
        }
    }

    /// The segments, up to ten seconds old.
    pub async fn of(&self, tenant: TenantKey) -> Result<Arc<Defined>, Error> {
        let own = self.clone();
        let read = || async move { own.read(tenant).await.map(Arc::new) };
        self.recent.get(tenant, read).await
    }

    async fn read(&self, tenant: TenantKey) -> Result<Defined, Error> {
        let query = Query::partition(keys::segments(tenant)).eventual();
        let segments: Vec<Segment> = self.directory.query_all(query).await?;
        let mut all = Vec::new();
        for segment in in_order(segments) {
            let (live, building) = match segment.kind {
                Kind::Static => (None, None),
                Kind::Dynamic => (segment.live, segment.building),
            };
            all.push(Definition {
                live: self.compiled(tenant, segment.segment, live).await?,
                building: self.compiled(tenant, segment.segment, building).await?,
                segment,
            });
        }
        Ok(Defined { all })
    }

    /// One version, compiled.
    pub async fn compiled(
        &self,
        tenant: TenantKey,
        segment: SegmentId,
        version: Option<u32>,
    ) -> Result<Option<Arc<Compiled>>, Error> {
        let Some(version) = version else {
            return Ok(None);
        };
        let directory = self.directory.clone();
        let read = || async move {
            let key = keys::version(tenant, segment, version);
            let stored: Option<Version> = directory.get(&key).await?;
            let stored = stored.ok_or_else(|| Error::Shape(format!("{segment} lost {version}")))?;
            compile(&stored, version).map(Arc::new)
        };
        let key = (tenant, segment, version);
        self.versions.get(key, read).await.map(Some)
    }
}

/// Compiles a stored version.
pub(crate) fn compile(stored: &Version, version: u32) -> Result<Compiled, Error> {
    let flaw = |error: String| Error::Shape(format!("a stored segment: {error}"));
    let json = serde_json::from_str(&stored.conditions).map_err(|error| flaw(error.to_string()))?;
    let conditions = parse(&json, &Bounds::default()).map_err(|faults| {
        let first = faults.first().map(|fault| fault.pointer.clone());
        flaw(format!("conditions {}", first.unwrap_or_default()))
    })?;
    let zone = TimeZone::get(&stored.zone).map_err(|error| flaw(error.to_string()))?;
    Ok(Compiled {
        version,
        predicate: Predicate::compile(&conditions, &zone),
        zone,
    })
}

/// Each segment after those that it names. There are no cycles; if a defect made one, its segments come last.
fn in_order(segments: Vec<Segment>) -> Vec<Segment> {
    let mut waiting: BTreeMap<SegmentId, Segment> = segments
        .into_iter()
        .map(|segment| (segment.segment, segment))
        .collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |segment: &&Segment| {
            let mut depends = segment.depends.iter();
            depends.all(|one| *one == segment.segment || !waiting.contains_key(one))
        };
        let free = waiting.values().filter(is_free);
        let mut free: BTreeSet<SegmentId> = free.map(|segment| segment.segment).collect();
        if free.is_empty() {
            free = waiting.keys().copied().collect();
        }
        ordered.extend(free.iter().filter_map(|one| waiting.remove(one)));
    }
    ordered
}

/// Whether naming `depends` would make the segment name itself, directly or through others.
pub(crate) fn is_cycle(all: &[Segment], segment: SegmentId, depends: &BTreeSet<SegmentId>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<SegmentId> = depends.iter().copied().collect();
    while let Some(one) = next.pop() {
        if one == segment {
            return true;
        }
        if seen.insert(one)
            && let Some(found) = all.iter().find(|other| other.segment == one)
        {
            next.extend(&found.depends);
        }
    }
    false
}
