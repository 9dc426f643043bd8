//! Keys and records of workflows and enrollments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud::{Created, Error, Key, Query, Recent, Resources, Table};
use kernel::page::Page;
use kernel::{ContactId, Cursor, Limit, TenantKey, WorkflowId};
use serde::{Deserialize, Serialize};

use crate::enrollment::{Enrollment, EnrollmentId, Standing};
use crate::model::{Definition, Status, Workflow};

fn meta(tenant: TenantKey, id: WorkflowId) -> Key {
    Key::new(format!("{tenant}#{id}"), "META")
}

fn definition(tenant: TenantKey, id: WorkflowId, version: u32) -> Key {
    Key::new(format!("{tenant}#{id}"), format!("VERSION#{version:04}"))
}

fn listed(tenant: TenantKey, id: &str) -> Key {
    Key::new(format!("{tenant}#WORKFLOWS"), id)
}

fn state(tenant: TenantKey, id: &EnrollmentId) -> Key {
    Key::new(format!("{tenant}#{id}"), "STATE")
}

/// Workflows that a process keeps in memory.
const MOST: usize = 10_000;
/// Versions that a process keeps in memory. One takes up to about 100 KB.
const MOST_VERSIONS: usize = 500;

/// Workflows and their versions, in the directory table. Clones share the cache.
#[derive(Clone, Debug)]
pub struct WorkflowStore {
    table: Table,
    recent: Recent<(TenantKey, WorkflowId), Option<Arc<Workflow>>>,
    versions: Recent<(TenantKey, WorkflowId, u32), Arc<Definition>>,
}

/// A row of the tenant's list of workflows. It only says that a workflow exists, so it never changes.
#[derive(Serialize, Deserialize)]
struct Listed {
    id: WorkflowId,
}

impl WorkflowStore {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            versions: Recent::kept(resources.clock(), MOST_VERSIONS),
            table: resources.table("Directory"),
        }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) async fn get(
        &self,
        tenant: TenantKey,
        id: WorkflowId,
    ) -> Result<Option<Workflow>, Error> {
        self.table.get(&meta(tenant, id)).await
    }

    /// The workflow; up to ten seconds old. For reads at each message.
    pub(crate) async fn recent(
        &self,
        tenant: TenantKey,
        id: WorkflowId,
    ) -> Result<Option<Arc<Workflow>>, Error> {
        let read = || {
            let table = self.table.clone();
            async move { table.look_up(&meta(tenant, id)).await }
        };
        self.recent.get((tenant, id), read).await
    }

    /// A version that must exist. It never changes, so it is cached until the cache is full.
    pub(crate) async fn version(
        &self,
        tenant: TenantKey,
        id: WorkflowId,
        version: u32,
    ) -> Result<Arc<Definition>, Error> {
        let read = || {
            let table = self.table.clone();
            async move {
                let found = table.look_up(&definition(tenant, id, version)).await?;
                found.ok_or_else(|| Error::Shape(format!("{id} has no version {version}")))
            }
        };
        self.versions.get((tenant, id, version), read).await
    }

    pub(crate) async fn definition(
        &self,
        tenant: TenantKey,
        id: WorkflowId,
        version: u32,
    ) -> Result<Option<Definition>, Error> {
        self.table.get(&definition(tenant, id, version)).await
    }

    /// Saves a new workflow; `None` if another workflow has the id. The record is written last: until then no reader
    /// sees the other rows.
    pub(crate) async fn create(
        &self,
        tenant: TenantKey,
        workflow: &Workflow,
        first: &Definition,
    ) -> Result<Option<Workflow>, Error> {
        let id = workflow.id;
        let version = definition(tenant, id, workflow.definition);
        if !self.table.create(&version, first).await?.is_ours(first) {
            return Ok(None);
        }
        self.table
            .put(&listed(tenant, &id.to_string()), &Listed { id })
            .await?;
        Ok(
            match self.table.create(&meta(tenant, id), workflow).await? {
                Created::New => Some(workflow.clone()),
                Created::Existing(found) => Some(found).filter(|found| found.is_draft_of(workflow)),
            },
        )
    }

    /// Whether the workflow has ended; up to ten seconds old.
    pub async fn is_archived(&self, tenant: TenantKey, id: WorkflowId) -> Result<bool, Error> {
        let workflow = self.recent(tenant, id).await?;
        Ok(workflow.is_some_and(|workflow| workflow.status == Status::Archived))
    }

    pub(crate) async fn replace(
        &self,
        tenant: TenantKey,
        workflow: &Workflow,
    ) -> Result<(), Error> {
        let key = meta(tenant, workflow.id);
        self.table
            .replace(&key, workflow, workflow.version - 1)
            .await
    }

    /// Names of workflows; eventually consistent.
    pub(crate) async fn names(
        &self,
        tenant: TenantKey,
        ids: impl IntoIterator<Item = WorkflowId>,
    ) -> Result<BTreeMap<WorkflowId, String>, Error> {
        let ids: BTreeSet<WorkflowId> = ids.into_iter().collect();
        let keys = ids.into_iter().map(|id| meta(tenant, id)).collect();
        let found = self.table.get_many::<Workflow>(keys).await?;
        let names = found.into_iter().map(|(_, one)| (one.id, one.name));
        Ok(names.collect())
    }

    /// Workflows, newest first.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Workflow>, Error> {
        let query = Query::partition(listed(tenant, "").pk)
            .descending()
            .limit(limit.get())
            .cursor(cursor);
        let rows: Page<Listed> = self.table.query(query).await?;
        let keys = rows.data.iter().map(|row| meta(tenant, row.id)).collect();
        let found = self.table.get_many::<Workflow>(keys).await?;
        let mut data: Vec<Workflow> = found.into_iter().map(|(_, workflow)| workflow).collect();
        data.sort_unstable_by_key(|workflow| std::cmp::Reverse(workflow.id));
        Ok(Page {
            data,
            next: rows.next,
        })
    }
}

/// Enrollments, in the flow table.
#[derive(Clone, Debug)]
pub(crate) struct EnrollmentStore {
    table: Table,
}

impl EnrollmentStore {
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Flow"),
        }
    }

    pub async fn get(
        &self,
        tenant: TenantKey,
        id: &EnrollmentId,
    ) -> Result<Option<Enrollment>, Error> {
        self.table.get(&state(tenant, id)).await
    }

    pub async fn create(
        &self,
        tenant: TenantKey,
        enrollment: &Enrollment,
    ) -> Result<Created<Enrollment>, Error> {
        self.table
            .create(&state(tenant, &enrollment.id), enrollment)
            .await
    }

    pub async fn replace(&self, tenant: TenantKey, enrollment: &Enrollment) -> Result<(), Error> {
        let key = state(tenant, &enrollment.id);
        self.table
            .replace(&key, enrollment, enrollment.version - 1)
            .await
    }

    /// A page of the held enrollments of one shard; eventually consistent.
    pub async fn held(
        &self,
        tenant: TenantKey,
        workflow: WorkflowId,
        shard: u32,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<EnrollmentId>, Error> {
        #[derive(Deserialize)]
        struct Row {
            pk: String,
        }
        let query = Query::index("ByWorkflow", &["status", "entered_at"])
            .with("tenant", tenant.to_string())
            .with("workflow", workflow.to_string())
            .with_number("shard", shard)
            .with("status", Standing::Held.name());
        let page = self.table.query::<Row>(query.limit(limit).cursor(cursor));
        let prefix = state(tenant, &EnrollmentId::default()).pk;
        let id = |row: Row| EnrollmentId::named(row.pk.strip_prefix(&prefix).unwrap_or_default());
        Ok(page.await?.map(id))
    }

    /// The latest enrollments of a contact, at most `most`, newest first; eventually consistent.
    pub async fn of_contact(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        most: u32,
    ) -> Result<Vec<Enrollment>, Error> {
        #[derive(Deserialize)]
        struct Row {
            pk: String,
            sk: String,
        }
        let query = Query::index("ByContact", &["entered_at"])
            .with("tenant", tenant.to_string())
            .with("contact", contact.to_string())
            .descending()
            .limit(most);
        let page = self.table.query::<Row>(query).await?;
        let keys = page.data.into_iter().map(|row| Key::new(row.pk, row.sk));
        let rows = self.table.get_many(keys.collect()).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// A page of the ids of a contact's enrollments, newest first; eventually consistent.
    pub async fn ids_of_contact(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<EnrollmentId>, Error> {
        #[derive(Deserialize)]
        struct Row {
            pk: String,
        }
        let query = Query::index("ByContact", &["entered_at"])
            .with("tenant", tenant.to_string())
            .with("contact", contact.to_string())
            .descending();
        let page = self.table.query::<Row>(query.limit(limit).cursor(cursor));
        let prefix = state(tenant, &EnrollmentId::default()).pk;
        let id = |row: Row| EnrollmentId::named(row.pk.strip_prefix(&prefix).unwrap_or_default());
        Ok(page.await?.map(id))
    }

    /// One page of one shard of the index by workflow.
    pub async fn of_workflow<T: serde::de::DeserializeOwned>(
        &self,
        tenant: TenantKey,
        workflow: WorkflowId,
        shard: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<T>, Error> {
        let query = Query::index("ByWorkflow", &["status", "entered_at"])
            .with("tenant", tenant.to_string())
            .with("workflow", workflow.to_string())
            .with_number("shard", shard)
            .cursor(cursor);
        self.table.query(query).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn tenant() -> TenantKey {
        TenantKey::authenticated("ws_00000000001".parse().unwrap())
    }

    #[test]
    fn keys_begin_with_the_tenant() {
        let id: WorkflowId = "wfl_00000000002".parse().unwrap();
        let key = |pk: &str, sk: &str| Key::new(format!("ws_00000000001#{pk}"), sk);
        assert_eq!(meta(tenant(), id), key("wfl_00000000002", "META"));
        assert_eq!(
            definition(tenant(), id, 1),
            key("wfl_00000000002", "VERSION#0001")
        );
        let row = listed(tenant(), &id.to_string());
        assert_eq!(row, key("WORKFLOWS", "wfl_00000000002"));
        let enrollment: EnrollmentId = serde_json::from_str("\"enr_1\"").unwrap();
        assert_eq!(state(tenant(), &enrollment), key("enr_1", "STATE"));
    }
}
