//! Workspaces: the tenants.

use cloud::{Error, Table};
use jiff::Timestamp;
use kernel::{TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::keys;

/// A workspace and the settings that its messages use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Id.
    pub id: WorkspaceId,
    /// Name.
    pub name: String,
    /// IANA time zone of its schedules.
    pub time_zone: String,
    /// Postal address at the foot of mails, as the anti-spam rules ask.
    pub postal_address: String,
    /// Why readers get these mails.
    pub permission_reminder: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// All workspaces.
#[derive(Clone, Debug)]
pub struct Workspaces {
    directory: Table,
}

impl Workspaces {
    /// Over the directory table.
    pub fn new(directory: Table) -> Self {
        Self { directory }
    }

    /// Makes a workspace in Vietnam's time zone.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the workspace is new and its maker's own"
    )]
    pub async fn create(&self, name: &str, postal_address: &str) -> Result<TenantKey, Error> {
        let (clock, entropy) = (self.directory.clock(), self.directory.entropy());
        loop {
            let tenant = TenantKey::authenticated(WorkspaceId::new(clock, entropy));
            let workspace = Workspace {
                id: tenant.workspace(),
                name: name.to_owned(),
                time_zone: "Asia/Ho_Chi_Minh".to_owned(),
                postal_address: postal_address.to_owned(),
                permission_reminder: String::new(),
                created_at: clock.now(),
            };
            if self
                .directory
                .create(&keys::workspace(tenant), &workspace)
                .await?
                .is_new()
            {
                return Ok(tenant);
            }
        }
    }

    /// The workspace's settings.
    pub async fn get(&self, tenant: TenantKey) -> Result<Option<Workspace>, Error> {
        self.directory.get(&keys::workspace(tenant)).await
    }
}
