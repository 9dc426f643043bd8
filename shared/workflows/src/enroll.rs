//! Enrolls contacts when an event starts a workflow.

use cloud::{Error, Pending};
use contacts::Event;
use jiff::Timestamp;
use kernel::{ContactId, TenantKey, WorkflowId};

use crate::Workflows;
use crate::effects;
use crate::enrollment::Enrollment;
use crate::model::Workflow;

impl Workflows {
    /// Starts every active workflow that the event matches; returns how many contacts were enrolled. A repeated
    /// event finds its enrollments and enrolls nobody twice. `recorded_at` is when the event was recorded, the same
    /// at each delivery.
    pub async fn happened(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        recorded_at: Timestamp,
    ) -> Result<u64, Error> {
        let mut entered = 0;
        for id in self.listeners.of(tenant, &event.name).await? {
            let Ok(id) = id.parse::<WorkflowId>() else {
                return Err(Error::Shape(format!(
                    "a listener that is no workflow: {id}"
                )));
            };
            let Some(workflow) = self.workflows.recent(tenant, id).await? else {
                continue; // listens before it is saved as active; see Workflows::change
            };
            let matches = workflow.trigger.matches(&event.name, &event.data);
            if matches && workflow.counts(recorded_at) {
                entered += u64::from(self.enroll(tenant, &workflow, contact, event).await?);
            }
        }
        Ok(entered)
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
