//! Workspaces for workers. They check at every message whether its workspace is open, and read the footer of its
//! mails. An answer may be ten seconds old ([`cloud::recent`]).

use cloud::{Error, Recent, Resources};
use kernel::TenantKey;

use crate::workspaces::{Workspace, Workspaces};

/// Workspaces that a process keeps in memory: about 10 MB.
const MOST: usize = 20_000;

/// Workspaces, up to ten seconds old; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct RecentWorkspaces {
    workspaces: Workspaces,
    recent: Recent<TenantKey, Option<Workspace>>,
}

impl RecentWorkspaces {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            workspaces: Workspaces::over(resources),
        }
    }

    /// The workspace of a tenant.
    pub async fn get(&self, tenant: TenantKey) -> Result<Option<Workspace>, Error> {
        let read = || {
            let workspaces = self.workspaces.clone();
            async move { workspaces.look_up(tenant).await }
        };
        self.recent.get(tenant, read).await
    }

    /// Whether the tenant is open. An archived workspace accepts no requests.
    pub async fn is_open(&self, tenant: TenantKey) -> Result<bool, Error> {
        let workspace = self.get(tenant).await?;
        Ok(workspace.is_some_and(|workspace| !workspace.is_archived()))
    }
}
