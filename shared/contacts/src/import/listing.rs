//! The list of a workspace's imports: one row for each, which expires with the import.

use cloud::{Error, Query};
use futures::future::try_join_all;
use kernel::page::Page;
use kernel::{Cursor, ImportId, Limit, TenantKey};
use serde::{Deserialize, Serialize};

use super::job::Job;
use super::steps::Imports;
use crate::keys;

#[derive(Serialize)]
struct Listed {
    ttl: i64,
}

#[derive(Deserialize)]
struct ListedKey {
    sk: ImportId,
}

impl Imports {
    /// Enters an import in the list. Before the import is written: one that is in no list would be lost to the shop.
    pub(super) async fn list(&self, tenant: TenantKey, job: &Job) -> Result<(), Error> {
        let key = keys::import_listed(tenant, job.id);
        self.table.put(&key, &Listed { ttl: job.ttl }).await
    }

    /// A page of imports, newest first. Each import is read; a running one also has its lanes, four more rows.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Job>, Error> {
        let query = Query::partition(keys::imports(tenant)).descending();
        let query = query.limit(limit.get()).cursor(cursor);
        let page = self.table.query::<ListedKey>(query).await?;
        let jobs = page.data.iter().map(|one| self.get(tenant, one.sk));
        let jobs = try_join_all(jobs).await?;
        Ok(Page {
            data: jobs.into_iter().flatten().collect(),
            next: page.next,
        })
    }
}
