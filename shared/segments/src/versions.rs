//! The versions of a segment's conditions: begun, built again, cleared.
//!
//! The messages of a build are sent before the row names the version, with a delay that is longer than the function's
//! time-out. A message whose version the row does not name is ignored. So neither exists without the other for long.

use cloud::recent::LEAD;
use cloud::{Error, SendOptions};
use kernel::{SegmentId, TenantKey};

use crate::definitions::{compile, is_cycle};
use crate::keys;
use crate::language::Conditions;
use crate::messages::BuildMessage;
use crate::model::{Kind, Segment, Version, names};
use crate::store::{Refused, Segments};

/// A build begins when every process knows the version ([`LEAD`]).
const BUILD_AFTER: u16 = 20;
/// Old members are deleted when no process evaluates their version any more.
const CLEAR_AFTER: u16 = 120;

impl Segments {
    /// The newest conditions of these segments, as JSON texts.
    pub async fn conditions(
        &self,
        tenant: TenantKey,
        of: &[Segment],
    ) -> Result<Vec<(SegmentId, String)>, Error> {
        let of: Vec<&Segment> = of.iter().filter(|one| one.kind == Kind::Dynamic).collect();
        let key = |one: &&Segment| keys::version(tenant, one.segment, one.latest);
        let rows = self
            .directory
            .get_many(of.iter().map(key).collect())
            .await?;
        let rows = rows
            .into_iter()
            .filter_map(|(found, version): (_, Version)| {
                let one = of.iter().find(|one| key(one) == found)?;
                Some((one.segment, version.conditions))
            });
        Ok(rows.collect())
    }

    /// Prepares a version: what it mentions, its row, the messages of its build. The row of the segment is left to
    /// the caller.
    pub(crate) async fn begin(
        &self,
        tenant: TenantKey,
        all: &[Segment],
        segment: &mut Segment,
        conditions: &Conditions,
        zone: &str,
    ) -> Result<Result<(), Refused>, Error> {
        let id = segment.segment;
        let stored = Version {
            conditions: conditions.json().to_string(),
            zone: zone.to_owned(),
        };
        let compiled = compile(&stored, 0)?;
        let mentions = compiled.predicate.mentions();
        let known = |one: &&SegmentId| all.iter().any(|other| other.segment == **one);
        if let Some(unknown) = mentions.segments.iter().find(|one| !known(one)) {
            return Ok(Err(Refused::Unknown(*unknown)));
        }
        if is_cycle(all, id, &mentions.segments) {
            return Ok(Err(Refused::Cycle));
        }
        let mut mentioned = names(mentions);
        if let Some(live) = segment.live {
            let key = keys::version(tenant, id, live);
            if let Some(live) = self.directory.get::<Version>(&key).await? {
                mentioned.extend(names(compile(&live, 0)?.predicate.mentions()));
            }
        }
        let active_since = self.directory.clock().now() + LEAD;
        if !self
            .listeners
            .mention(tenant, id, mentioned, active_since)
            .await?
        {
            return Ok(Err(Refused::NoRoom));
        }
        let depends = mentions.segments.clone();
        // A version number that a lost change left behind is passed over.
        let mut version = segment.latest;
        if segment.building.is_some() || segment.live.is_some() {
            version += 1;
        }
        while !self
            .directory
            .create(&keys::version(tenant, id, version), &stored)
            .await?
            .is_ours(&stored)
        {
            version += 1;
        }
        let build = |shard| BuildMessage::Build {
            segment: id,
            version,
            shard,
            cursor: None,
        };
        self.send_all(tenant, build, BUILD_AFTER).await?;
        if let Some(old) = segment.building {
            self.clear(tenant, id, old).await?;
        }
        segment.latest = version;
        segment.building = Some(version);
        segment.active_since = Some(active_since);
        segment.depends = depends;
        Ok(Ok(()))
    }

    async fn send_all(
        &self,
        tenant: TenantKey,
        message: impl Fn(u32) -> BuildMessage,
        delay: u16,
    ) -> Result<(), Error> {
        let sends = (0..contacts::SHARDS).map(|shard| {
            let message = message(shard);
            async move { self.send(tenant, &message, delay).await }
        });
        futures::future::try_join_all(sends).await.map(drop)
    }

    /// Sends the messages of a build that has its turn, once every process knows the version.
    pub(crate) async fn build_now(
        &self,
        tenant: TenantKey,
        segment: &Segment,
    ) -> Result<(), Error> {
        let (Some(version), Some(since)) = (segment.building, segment.active_since) else {
            return Ok(());
        };
        let is_known = since <= self.directory.clock().now();
        let build = |shard| BuildMessage::Build {
            segment: segment.segment,
            version,
            shard,
            cursor: None,
        };
        let delay = if is_known { 0 } else { BUILD_AFTER };
        self.send_all(tenant, build, delay).await
    }

    /// Sends a message to `segment-builder`.
    pub(crate) async fn send(
        &self,
        tenant: TenantKey,
        message: &BuildMessage,
        delay_seconds: u16,
    ) -> Result<(), Error> {
        let options = SendOptions {
            delay_seconds,
            ..SendOptions::default()
        };
        self.queue.send(tenant, message, options).await
    }

    /// Deletes the members of a version, once no process evaluates it any more.
    pub(crate) async fn clear(
        &self,
        tenant: TenantKey,
        segment: SegmentId,
        version: u32,
    ) -> Result<(), Error> {
        let clear = |shard| BuildMessage::Clear {
            segment,
            version,
            shard,
        };
        self.send_all(tenant, clear, CLEAR_AFTER).await
    }

    /// Builds the newest conditions again under a new version. For segments that name a segment whose members
    /// changed with its own conditions.
    pub(crate) async fn rebuild(&self, tenant: TenantKey, id: SegmentId) -> Result<(), Error> {
        let all = self.all(tenant).await?;
        let Some(before) = all.iter().find(|one| one.segment == id) else {
            return Ok(());
        };
        let key = keys::version(tenant, id, before.latest);
        let Some(stored) = self.directory.get::<Version>(&key).await? else {
            return Ok(());
        };
        let json = serde_json::from_str(&stored.conditions)?;
        let Ok(conditions) = crate::parse(&json, &crate::Bounds::default()) else {
            return Ok(());
        };
        let mut next = before.clone();
        let begun = self.begin(tenant, &all, &mut next, &conditions, &stored.zone);
        if begun.await?.is_ok() {
            self.write(tenant, before, &next).await?;
        }
        Ok(())
    }
}
