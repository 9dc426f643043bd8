//! How many contacts were enrolled, by status.

use cloud::Error;
use futures::future::try_join_all;
use kernel::{TenantKey, WorkflowId};
use serde::{Deserialize, Serialize};

use crate::Workflows;
use crate::enrollment::{SHARDS, Standing};

/// Counts of one workflow: `entered` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkflowReport)]
pub struct Report {
    /// Came in.
    pub entered: u64,
    /// About to take a step.
    pub active: u64,
    /// In a wait, or stopped with the workflow.
    pub waiting: u64,
    /// Came to the end.
    pub completed: u64,
    /// Left before the end.
    pub exited: u64,
    /// Could not go on.
    pub failed: u64,
}

#[derive(Deserialize)]
struct Row {
    status: Standing,
}

impl Report {
    fn count(&mut self, status: Standing) {
        self.entered += 1;
        *match status {
            Standing::Active => &mut self.active,
            Standing::Waiting | Standing::Held => &mut self.waiting,
            Standing::Completed => &mut self.completed,
            Standing::Exited => &mut self.exited,
            Standing::Failed => &mut self.failed,
        } += 1;
    }

    fn sum(self, other: Self) -> Self {
        Self {
            entered: self.entered + other.entered,
            active: self.active + other.active,
            waiting: self.waiting + other.waiting,
            completed: self.completed + other.completed,
            exited: self.exited + other.exited,
            failed: self.failed + other.failed,
        }
    }
}

impl Workflows {
    /// Counts from the index by workflow, all shards concurrently. Exact, but eventually consistent. It reads a row
    /// of about 100 bytes for each contact that was ever enrolled.
    pub async fn report(&self, tenant: TenantKey, id: WorkflowId) -> Result<Report, Error> {
        let shards = (0..SHARDS).map(|shard| self.report_shard(tenant, id, shard));
        let reports = try_join_all(shards).await?;
        Ok(reports.into_iter().fold(Report::default(), Report::sum))
    }

    async fn report_shard(
        &self,
        tenant: TenantKey,
        id: WorkflowId,
        shard: u32,
    ) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut cursor = None;
        loop {
            let page = self
                .enrollments
                .of_workflow::<Row>(tenant, id, shard, cursor)
                .await?;
            page.data.iter().for_each(|row| report.count(row.status));
            if page.next.is_none() {
                return Ok(report);
            }
            cursor = page.next;
        }
    }
}
