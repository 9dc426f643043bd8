//! Workspaces for workers, which ask at every message whether theirs is still worked in and what its
//! mails say at the foot. What they get may be a minute old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloud::{Error, Resources};
use jiff::{SignedDuration, Timestamp};
use kernel::TenantKey;

use crate::workspaces::{Workspace, Workspaces};

/// How long one look is believed.
const BELIEVED: SignedDuration = SignedDuration::from_mins(1);
/// Workspaces that are kept.
const KEPT: usize = 1_000;

/// Each with the time of the look.
type Seen = HashMap<TenantKey, (Timestamp, Option<Workspace>)>;

/// Workspaces as they were up to a minute ago; cheap to clone, and clones share what they know.
#[derive(Clone, Debug)]
pub struct RecentWorkspaces {
    workspaces: Workspaces,
    clock: kernel::Clock,
    seen: Arc<Mutex<Seen>>,
}

impl RecentWorkspaces {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            clock: resources.clock().clone(),
            workspaces: Workspaces::over(resources),
            seen: Arc::default(),
        }
    }

    /// The workspace of a tenant.
    pub async fn get(&self, tenant: TenantKey) -> Result<Option<Workspace>, Error> {
        let now = self.clock.now();
        if let Some((at, workspace)) = self.seen().get(&tenant)
            && now.duration_since(*at) < BELIEVED
        {
            return Ok(workspace.clone());
        }
        let workspace = self.workspaces.get(tenant).await?;
        let mut seen = self.seen();
        if seen.len() >= KEPT {
            seen.clear();
        }
        seen.insert(tenant, (now, workspace.clone()));
        Ok(workspace)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
