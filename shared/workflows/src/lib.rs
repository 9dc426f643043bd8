//! Workflows: their triggers, their steps, and the progress of each contact.
//!
//! - [`draft`] and [`trigger`] define a valid workflow; [`model`] is the stored form.
//! - [`engine`] computes the next step of a contact, without I/O and without a clock.
//! - [`Workflows`] reads and writes the tables: save, activate, pause, archive, report, and enroll contacts at an
//!   event.
//! - [`Stepper`] moves an enrolled contact on when its message arrives.
//!
//! This crate may use `kernel`, `cloud`, `contacts` and `channels` only. It never calls a provider: the effects of a
//! state are stored in the state and relayed from there (docs/adr/0003). A wait is a timer that is written before
//! the state (docs/adr/0006).

mod activity;
mod advance;
pub mod draft;
mod effects;
pub mod engine;
mod enroll;
pub mod enrollment;
mod holding;
mod manage;
pub mod model;
mod of_contact;
mod report;
mod schema;
mod store;
pub mod trigger;

use cloud::{Message, QueueName, QueueOf, Resources, Timers};
use contacts::fields::FieldUses;
use contacts::{Contacts, Listeners};
use kernel::{Cursor, WorkflowId};
use serde::{Deserialize, Serialize};

pub use activity::Activity;
pub use advance::Advanced;
pub use draft::{Draft, Flaw};
pub use effects::EFFECTS;
pub use enrollment::{Enrollment, EnrollmentId, Standing};
pub use holding::restore_later;
pub use manage::{Change, Refusal};
pub use model::{Definition, EntryRule, Graph, Node, Status, Workflow};
pub use of_contact::{Entered, Runs};
pub use report::{Reasons, Report, count_sent};
pub use store::WorkflowStore;
pub use trigger::Trigger;

/// Message on the queue of workflow steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum StepMessage {
    /// Moves the state with this token on; any other state stays.
    #[serde(rename = "workflow.step.v1")]
    V1 {
        /// The enrollment.
        enrollment: EnrollmentId,
        /// The token of the state.
        token: String,
    },
    /// Releases the held contacts of a workflow that is no longer paused.
    #[serde(rename = "workflow.resumed.v1")]
    Resumed {
        /// The workflow.
        workflow: WorkflowId,
    },
    /// Releases a page of the held contacts of one shard, and those after it.
    #[serde(rename = "workflow.release.v1")]
    Release {
        /// The workflow.
        workflow: WorkflowId,
        /// Part of the index.
        shard: u32,
        /// Where the page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
    /// Releases the held contacts of all workflows of a workspace that was restored.
    #[serde(rename = "workflow.restored.v1")]
    Restored {
        /// Where the page of workflows begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
}

impl Message for StepMessage {
    const QUEUE: QueueName = QueueName::new("workflow-step");
}

/// Saved workflows, for the API and the trigger.
#[derive(Clone, Debug)]
pub struct Workflows {
    workflows: store::WorkflowStore,
    enrollments: store::EnrollmentStore,
    mails: channels::MailStore,
    listeners: Listeners,
    field_uses: FieldUses,
}

impl Workflows {
    /// Over the tables Directory and Flow.
    pub fn over(resources: &Resources) -> Self {
        Self {
            workflows: store::WorkflowStore::over(resources),
            enrollments: store::EnrollmentStore::over(resources),
            mails: channels::MailStore::over(resources),
            listeners: Listeners::over(resources),
            field_uses: FieldUses::over(resources),
        }
    }

    fn clock(&self) -> &kernel::Clock {
        self.workflows.table().clock()
    }
}

/// Moves contacts on, for the step worker.
#[derive(Clone, Debug)]
pub struct Stepper {
    workflows: Workflows,
    contacts: Contacts,
    timers: Timers,
    queue: QueueOf<StepMessage>,
}

impl Stepper {
    /// Over the tables of workflows, of contacts and of timers, and the queue of steps.
    pub fn over(resources: &Resources) -> Self {
        Self {
            workflows: Workflows::over(resources),
            contacts: Contacts::over(resources).by("workflow"),
            timers: Timers::over(resources),
            queue: resources.queue_of(),
        }
    }
}
