//! The enrollments of one contact, for its page. Nothing is written.

use std::cmp::Reverse;

use cloud::{Error, Resources};
use futures::future::try_join_all;
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{ContactId, Cursor, TenantKey, WorkflowId};
use serde::Serialize;

use crate::Workflows;
use crate::enrollment::{Enrollment, EnrollmentId, Standing};
use crate::store::EnrollmentStore;

/// Enrollments that the page of a contact shows.
const MOST: u32 = 25;

/// A run of a contact through a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ContactEnrollment)]
pub struct Entered {
    /// The run.
    pub enrollment_id: String,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Its name.
    pub workflow_name: Option<String>,
    /// `held`: stopped with its workflow or its workspace.
    pub status: Standing,
    /// The step that comes next.
    pub step: Option<String>,
    /// When the contact entered.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub entered_at: Timestamp,
    /// When the wait ends.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub wake_at: Option<Timestamp>,
    /// When the run ended.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub ended_at: Option<Timestamp>,
    /// Why it exited or failed.
    pub reason: Option<String>,
}

impl Workflows {
    /// The latest 25 enrollments under any of the contact's ids, newest first; eventually consistent. For each id a query of
    /// half a read unit; half a unit for each enrollment and each workflow.
    pub async fn of_contact(
        &self,
        tenant: TenantKey,
        ids: impl IntoIterator<Item = ContactId>,
    ) -> Result<Vec<Entered>, Error> {
        let ids = ids.into_iter();
        let found = ids.map(|id| self.enrollments.of_contact(tenant, id, MOST));
        let found: Vec<Vec<Enrollment>> = try_join_all(found).await?;
        let mut all: Vec<Enrollment> = found.into_iter().flatten().collect();
        all.sort_by_key(|one| Reverse((one.entered_at.clone(), one.id.clone())));
        all.truncate(MOST as usize);
        let workflows = all.iter().map(|one| one.workflow);
        let names = self.workflows.names(tenant, workflows).await?;
        let shown = all.into_iter().map(|one| {
            let entered_at = one.entered_at.parse();
            Ok(Entered {
                enrollment_id: one.id.to_string(),
                workflow_id: one.workflow,
                workflow_name: names.get(&one.workflow).cloned(),
                status: one.status,
                step: one.at.filter(|_| !one.status.is_over()),
                entered_at: entered_at.map_err(|_| Error::Shape("a time of entry".into()))?,
                wake_at: one.wake_at,
                ended_at: one.ended_at,
                reason: one.reason,
            })
        });
        shown.collect()
    }
}

/// The runs of workflows over contacts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Runs {
    enrollments: EnrollmentStore,
}

impl Runs {
    /// Over the table Flow.
    pub fn over(resources: &Resources) -> Self {
        Self {
            enrollments: EnrollmentStore::over(resources),
        }
    }

    /// A page of the ids of a contact's runs, newest first; eventually consistent.
    pub async fn of_contact(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<EnrollmentId>, Error> {
        let page = self
            .enrollments
            .ids_of_contact(tenant, contact, limit, cursor);
        page.await
    }
}
