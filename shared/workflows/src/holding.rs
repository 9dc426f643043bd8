//! Contacts that a pause has stopped, and their release.
//!
//! A contact whose message arrives while its workflow is paused, or its workspace archived, is stored as held. A
//! held contact has no timer and no message, so it costs nothing. A resume, an archival of the workflow and a
//! restoration of the workspace write a timer before their own state (docs/adr/0006). The timer's message releases
//! the contacts, page by page and shard by shard. Each step of the release may run twice, late or not to its end.

use cloud::recent::LEAD;
use cloud::{Error, Pending, QueueOf, SendOptions, Timers};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use kernel::{Cursor, Limit, TenantKey, WorkflowId};

use crate::advance::Advanced;
use crate::effects;
use crate::enrollment::{Enrollment, EnrollmentId, SHARDS, Standing};
use crate::model::Status;
use crate::{StepMessage, Stepper};

/// From a command to the release of contacts. For ten seconds other processes believe the state before the command.
/// A run that began then holds its contact within its time-out, 15 seconds. The rest is for the index.
const RELEASE_AFTER: SignedDuration = LEAD.saturating_add(SignedDuration::from_secs(15));
/// Contacts that one message releases.
const PAGE: u32 = 100;
/// Contacts that are released concurrently.
const AT_ONCE: usize = 10;

/// Schedules the release of a workflow's held contacts; call it before the state that frees them is written. If
/// that state is never written, the release finds the workflow paused and does nothing.
pub(crate) async fn release_later(
    timers: &Timers,
    tenant: TenantKey,
    workflow: WorkflowId,
    version: u64,
) -> Result<(), Error> {
    let due = timers.clock().now() + RELEASE_AFTER;
    let id = format!("{workflow}#release#{version}");
    let message = StepMessage::Resumed { workflow };
    timers.schedule(tenant, &id, due, &message).await
}

/// Schedules the release of the held contacts of all workflows of a workspace; call it before the workspace is
/// restored. If it stays archived, the release does nothing.
pub async fn restore_later(timers: &Timers, tenant: TenantKey) -> Result<(), Error> {
    let due = timers.clock().now() + RELEASE_AFTER;
    let message = StepMessage::Restored { cursor: None };
    timers.schedule(tenant, "restored", due, &message).await
}

impl Stepper {
    /// Stores that the contact is stopped. Nothing is scheduled.
    pub(crate) async fn hold(
        &self,
        tenant: TenantKey,
        enrollment: Enrollment,
    ) -> Result<Advanced, Error> {
        if enrollment.status != Standing::Held {
            let mut next = enrollment;
            next.status = Standing::Held;
            next.version += 1;
            next.sends = Vec::new();
            next.pending = Pending::default();
            self.workflows.enrollments.replace(tenant, &next).await?;
        }
        Ok(Advanced::Held)
    }

    /// Sends a message for each shard of a workflow's held contacts.
    pub(crate) async fn release_shards(
        &self,
        tenant: TenantKey,
        queue: &QueueOf<StepMessage>,
        workflow: WorkflowId,
    ) -> Result<Advanced, Error> {
        for shard in 0..SHARDS {
            let message = StepMessage::Release {
                workflow,
                shard,
                cursor: None,
            };
            queue.send(tenant, &message, SendOptions::default()).await?;
        }
        Ok(Advanced::Moved)
    }

    /// Releases a page of a shard's held contacts, then asks for the next page.
    pub(crate) async fn release(
        &self,
        tenant: TenantKey,
        queue: &QueueOf<StepMessage>,
        (workflow, shard): (WorkflowId, u32),
        cursor: Option<Cursor>,
    ) -> Result<Advanced, Error> {
        let stores = &self.workflows;
        let stored = stores.workflows.get(tenant, workflow).await?;
        if stored.is_none_or(|stored| stored.status == Status::Paused) {
            return Ok(Advanced::Ignored);
        }
        let held = stores
            .enrollments
            .held(tenant, workflow, shard, PAGE, cursor);
        let page = held.await?;
        let released: Vec<_> = page
            .data
            .iter()
            .map(|id| self.release_one(tenant, id))
            .collect();
        let released = stream::iter(released).buffer_unordered(AT_ONCE);
        released.try_collect::<Vec<()>>().await?;
        if let Some(cursor) = page.next {
            let message = StepMessage::Release {
                workflow,
                shard,
                cursor: Some(cursor),
            };
            queue.send(tenant, &message, SendOptions::default()).await?;
        }
        Ok(Advanced::Moved)
    }

    /// The write that ends the stop carries the message that moves the contact on.
    async fn release_one(&self, tenant: TenantKey, id: &EnrollmentId) -> Result<(), Error> {
        let enrollments = &self.workflows.enrollments;
        let Some(mut next) = enrollments.get(tenant, id).await? else {
            return Ok(());
        };
        if next.status != Standing::Held {
            return Ok(());
        }
        next.status = Standing::Active;
        next.version += 1;
        next.pending = Pending::of(&[effects::STEP]);
        match enrollments.replace(tenant, &next).await {
            // Another run has moved the contact.
            Err(Error::Conflict) => Ok(()),
            result => result,
        }
    }

    /// Asks for the release of a page of the workspace's workflows, then for the next page.
    pub(crate) async fn release_workflows(
        &self,
        tenant: TenantKey,
        queue: &QueueOf<StepMessage>,
        cursor: Option<Cursor>,
    ) -> Result<Advanced, Error> {
        let workflows = &self.workflows.workflows;
        let page = workflows.page(tenant, Limit::default(), cursor).await?;
        let may_have = |status| matches!(status, Status::Active | Status::Archived);
        for workflow in page.data.iter().filter(|one| may_have(one.status)) {
            let message = StepMessage::Resumed {
                workflow: workflow.id,
            };
            queue.send(tenant, &message, SendOptions::default()).await?;
        }
        if page.next.is_some() {
            let message = StepMessage::Restored { cursor: page.next };
            queue.send(tenant, &message, SendOptions::default()).await?;
        }
        Ok(Advanced::Moved)
    }
}
