//! The brandnames of workspaces for those who only read them: no keys of accounts.

use cloud::{Error, Resources, Table};
use kernel::{BrandnameId, TenantKey};

use super::brandname::Brandname;
use super::keys;

/// Reads brandnames; cheap to clone.
#[derive(Clone, Debug)]
pub struct Brandnames {
    directory: Table,
}

impl Brandnames {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// The current time.
    pub fn now(&self) -> jiff::Timestamp {
        self.directory.clock().now()
    }

    /// A brandname, if the workspace has it. Half a read unit.
    pub async fn get(
        &self,
        tenant: TenantKey,
        id: BrandnameId,
    ) -> Result<Option<Brandname>, Error> {
        self.directory.look_up(&keys::brandname(tenant, id)).await
    }
}
