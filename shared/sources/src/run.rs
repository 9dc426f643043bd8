//! The back-fill of a source: which objects, since when, and how far.
//!
//! One row of the table Directory, beside the source. The number of pages is the row's version: a page counts only for the
//! worker that read the page before it, so a repeated page changes nothing.

use std::collections::BTreeMap;

use cloud::{Error, Resources, Table, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::{SourceId, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::api::Object;
use crate::keys;

/// How far back a back-fill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SyncHistory)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// Nothing: what comes from now on.
    None,
    /// Objects that changed in the last 30 days.
    #[serde(rename = "last_30d")]
    Last30d,
    /// Objects that changed in the last 365 days.
    #[serde(rename = "last_365d")]
    Last365d,
    /// All objects.
    All,
}

impl History {
    /// The first time of changes; `None` has no bound.
    pub fn since(self, now: Timestamp) -> Option<Timestamp> {
        let days = |days: i64| Some(now - SignedDuration::from_hours(24 * days));
        match self {
            Self::None => Some(now),
            Self::Last30d => days(30),
            Self::Last365d => days(365),
            Self::All => None,
        }
    }
}

/// How far one kind of objects is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Objects that were read.
    pub done: u64,
    /// All objects, if the provider tells.
    #[serde(default)]
    pub total: Option<u64>,
    /// Where the next page begins.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Whether the last page was read.
    #[serde(default)]
    pub is_over: bool,
}

/// A back-fill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    workspace: WorkspaceId,
    /// Names the back-fill.
    pub run: String,
    /// Pages that were read.
    pub seq: u64,
    /// The choice of the owner; `None` for the recovery after refused credentials.
    pub history: Option<History>,
    /// Only objects that changed since.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// The kinds of objects, by their order.
    pub objects: BTreeMap<Object, Progress>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
}

impl Run {
    fn begun(
        tenant: TenantKey,
        name: &str,
        history: Option<History>,
        since: Option<Timestamp>,
        objects: &[Object],
        now: Timestamp,
    ) -> Self {
        let objects = objects.iter().map(|object| (*object, Progress::default()));
        Self {
            workspace: tenant.workspace(),
            run: name.to_owned(),
            seq: 0,
            history,
            since,
            objects: objects.collect(),
            started_at: now,
            finished_at: (history == Some(History::None)).then_some(now),
        }
    }

    /// Whether it reads what was not fetched, not what an owner chose.
    pub fn is_recovery(&self) -> bool {
        self.history.is_none()
    }

    /// The kind of objects whose page is next; `None` after the last page of all.
    pub fn next(&self) -> Option<(Object, &Progress)> {
        let mut waiting = self
            .objects
            .iter()
            .filter(|(_, progress)| !progress.is_over);
        waiting.next().map(|(object, progress)| (*object, progress))
    }
}

/// The back-fills of all sources; cheap to clone.
#[derive(Clone, Debug)]
pub struct Runs {
    directory: Table,
}

impl Runs {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// The back-fill of a source of the workspace.
    pub async fn get(&self, tenant: TenantKey, source: SourceId) -> Result<Option<Run>, Error> {
        let run: Option<Run> = self.directory.get(&keys::run(source)).await?;
        Ok(run.filter(|run| run.workspace == tenant.workspace()))
    }

    /// Begins a back-fill in place of the one before it. A repetition of the same name gives the stored one.
    pub async fn begin(
        &self,
        tenant: TenantKey,
        source: SourceId,
        name: &str,
        history: Option<History>,
        since: Option<Timestamp>,
        objects: &[Object],
    ) -> Result<Run, Error> {
        if let Some(held) = self.get(tenant, source).await?
            && held.run == name
        {
            return Ok(held);
        }
        let now = self.directory.clock().now();
        let run = Run::begun(tenant, name, history, since, objects, now);
        self.directory.put(&keys::run(source), &run).await?;
        Ok(run)
    }

    /// Begins the recovery of this name in place of the back-fill that was read. `None`: another one was begun meanwhile.
    pub async fn recover(
        &self,
        tenant: TenantKey,
        source: SourceId,
        name: &str,
        since: Timestamp,
        objects: &[Object],
        read: Option<&Run>,
    ) -> Result<Option<Run>, Error> {
        let now = self.directory.clock().now();
        let run = Run::begun(tenant, name, None, Some(since), objects, now);
        let update = Update::new()
            .set("workspace", run.workspace)
            .set("run", &run.run)
            .set("seq", run.seq)
            .set("history", run.history)
            .set("since", run.since)
            .set("objects", &run.objects)
            .set("started_at", run.started_at)
            .remove("finished_at")
            .when_as_read("run", read.map(|read| &read.run))
            .when_as_read("seq", read.map(|read| read.seq));
        let outcome = self.directory.update(&keys::run(source), update).await?;
        Ok(outcome.applied().then_some(run))
    }

    /// Stores the progress after a page. `None`: another worker has read the page, or the back-fill was replaced.
    pub async fn advance(
        &self,
        source: SourceId,
        run: &Run,
        object: Object,
        progress: Progress,
    ) -> Result<Option<Run>, Error> {
        let now = self.directory.clock().now();
        let mut objects = run.objects.clone();
        objects.insert(object, progress);
        let is_over = objects.values().all(|progress| progress.is_over);
        let update = Update::new()
            .set("objects", objects)
            .set("seq", run.seq + 1)
            .set_some("finished_at", is_over.then_some(now))
            .when_equals("run", &run.run)
            .when_equals("seq", run.seq);
        let outcome = self.directory.update(&keys::run(source), update).await?;
        if outcome.applied() {
            outcome.item()
        } else {
            Ok(None)
        }
    }
}
