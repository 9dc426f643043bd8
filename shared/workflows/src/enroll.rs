//! Enrolls contacts when an event starts a workflow.

use cloud::{Error, Pending};
use contacts::Event;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kernel::{ContactId, TenantKey, WorkflowId};

use crate::Workflows;
use crate::effects;
use crate::enrollment::Enrollment;
use crate::model::Workflow;

/// Workflows that one event starts concurrently.
const AT_ONCE: usize = 16;

impl Workflows {
    /// Starts every workflow that the event matches and that took in events at `recorded_at`; returns how many
    /// contacts were enrolled. A repeated event finds its enrollments and enrolls nobody twice. `recorded_at` is when
    /// the event was recorded, the same at each delivery. Workflows that wait for other values are not read.
    pub async fn happened(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        recorded_at: Timestamp,
    ) -> Result<u64, Error> {
        let wanting = self.listeners.of(tenant, &event.name, &event.data).await?;
        // Collected first: a stream over the borrowing closure could not be sent between threads.
        let starts: Vec<_> = wanting
            .into_iter()
            .map(|id| self.start(tenant, id, contact, event, recorded_at))
            .collect();
        let entered = stream::iter(starts).buffer_unordered(AT_ONCE);
        let entered: Vec<bool> = entered.try_collect().await?;
        Ok(entered.into_iter().map(u64::from).sum())
    }

    async fn start(
        &self,
        tenant: TenantKey,
        id: String,
        contact: ContactId,
        event: &Event,
        recorded_at: Timestamp,
    ) -> Result<bool, Error> {
        let Ok(id) = id.parse::<WorkflowId>() else {
            let flaw = format!("a listener that is no workflow: {id}");
            return Err(Error::Shape(flaw));
        };
        let Some(workflow) = self.workflows.recent(tenant, id).await? else {
            return Ok(false); // listens before it is saved as active; see Workflows::change
        };
        let matches = workflow.trigger.matches(&event.name, &event.data);
        if !matches || !workflow.counts(recorded_at) {
            return Ok(false);
        }
        self.enroll(tenant, &workflow, contact, event).await
    }

    async fn enroll(
        &self,
        tenant: TenantKey,
        workflow: &Workflow,
        contact: ContactId,
        event: &Event,
    ) -> Result<bool, Error> {
        let version = workflow.definition;
        let definition = self.workflows.version(tenant, workflow.id, version).await?;
        let start = &definition.graph.start;
        let now = self.clock().now();
        let mut enrollment =
            Enrollment::begin(tenant.workspace(), workflow, start, contact, event, now);
        enrollment.pending = Pending::of(&[effects::STEP]);
        Ok(self.enrollments.create(tenant, &enrollment).await?.is_new())
    }
}
