//! How many contacts were enrolled, by status, and how many transactional mails were sent, by reason.

use cloud::counters::Hour;
use cloud::{Counters, Error};
use futures::future::try_join_all;
use jiff::Timestamp;
use kernel::{TenantKey, TransactionalReason, WorkflowId};
use serde::{Deserialize, Serialize};

use crate::Workflows;
use crate::enrollment::{SHARDS, Standing};

/// Attempts to count a mail.
const ATTEMPTS: u32 = 3;

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
    /// Transactional mails that were sent, by reason. A crash may lose a count.
    pub transactional_mails: Reasons,
}

/// Transactional mails by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TransactionalMails)]
pub struct Reasons {
    /// About orders.
    pub order: u64,
    /// About the receiver's own account at the shop.
    pub account: u64,
    /// About bookings.
    pub booking: u64,
    /// Answers to forms.
    pub form_answer: u64,
}

/// Subject of the counts of a workflow's transactional mails.
fn subject(workflow: WorkflowId) -> String {
    format!("{workflow}#reasons")
}

/// Counts a transactional mail that was sent, in the hour of its step. One write unit. Only the winner of the send's claim
/// counts it.
pub async fn count_sent(
    counters: &Counters,
    tenant: TenantKey,
    workflow: WorkflowId,
    reason: TransactionalReason,
    at: Timestamp,
) -> Result<(), Error> {
    let counts = [(reason.name().to_owned(), 1)].into();
    let (subject, source, hour) = (subject(workflow), at.to_string(), Hour::of(at));
    let written = counters.add_trying(tenant, &subject, hour, &source, &counts, ATTEMPTS);
    written.await
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
            transactional_mails: self.transactional_mails,
        }
    }
}

impl Workflows {
    /// Counts from the index by workflow, all shards concurrently. Exact, but eventually consistent. It reads a row
    /// of about 100 bytes for each contact that was ever enrolled.
    pub async fn report(
        &self,
        tenant: TenantKey,
        id: WorkflowId,
        counters: &Counters,
    ) -> Result<Report, Error> {
        let shards = (0..SHARDS).map(|shard| self.report_shard(tenant, id, shard));
        let reports = try_join_all(shards).await?;
        let report = reports.into_iter().fold(Report::default(), Report::sum);
        let counts = counters.read(tenant, &subject(id)).await?;
        let sent = |reason: TransactionalReason| {
            let count = counts.get(reason.name()).copied().unwrap_or_default();
            count.unsigned_abs()
        };
        let transactional_mails = Reasons {
            order: sent(TransactionalReason::Order),
            account: sent(TransactionalReason::Account),
            booking: sent(TransactionalReason::Booking),
            form_answer: sent(TransactionalReason::FormAnswer),
        };
        Ok(Report {
            transactional_mails,
            ..report
        })
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
