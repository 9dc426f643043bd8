//! Moves one contact on: loads, runs the engine, carries out the effects, stores.
//!
//! Order of the effects, so that the next delivery completes them after a crash at any point:
//! 1. tags merge, so they may be repeated;
//! 2. the timer is written before the state that waits for it (no state has the token of an orphaned timer);
//! 3. the state is written under its version, and the same write holds its messages.

use cloud::{Error, Pending};
use contacts::Event;
use jiff::Timestamp;
use kernel::{TenantKey, WorkflowId};
use serde_json::json;

use crate::effects;
use crate::engine::{Action, Cause, Transition, Wake, step};
use crate::enrollment::{Enrollment, EnrollmentId};
use crate::model::Status;
use crate::{StepMessage, Stepper};

/// How often a run starts again when another run stored its state first. The loser then finds a state with another
/// token, so the second round nearly always ends it.
const ROUNDS: u32 = 4;

/// The outcome of a step message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advanced {
    /// The contact moved on.
    Moved,
    /// The message was late or repeated, or its enrollment does not exist.
    Ignored,
    /// The workflow is paused or its workspace archived; the contact stays until it is released.
    Held,
}

impl Stepper {
    /// Does what the message asks for. An enrollment moves on if it still has the state that the message names.
    pub async fn handle(&self, tenant: TenantKey, message: StepMessage) -> Result<Advanced, Error> {
        let queue = &self.queue;
        match message {
            StepMessage::V1 { enrollment, token } => {
                self.advance(tenant, &enrollment, &token).await
            }
            StepMessage::Resumed { workflow } => self.release_shards(tenant, queue, workflow).await,
            StepMessage::Release {
                workflow,
                shard,
                cursor,
            } => self.release(tenant, queue, (workflow, shard), cursor).await,
            StepMessage::Restored { cursor } => self.release_workflows(tenant, queue, cursor).await,
        }
    }

    async fn advance(
        &self,
        tenant: TenantKey,
        enrollment: &EnrollmentId,
        token: &str,
    ) -> Result<Advanced, Error> {
        for _ in 0..ROUNDS {
            match self.once(tenant, enrollment, token).await {
                Err(Error::Conflict) => {}
                result => return result,
            }
        }
        Err(Error::Conflict)
    }

    /// The workspace is archived: the enrollment does not move. Its restoration releases all that is held.
    pub async fn wait_for_restoration(
        &self,
        tenant: TenantKey,
        message: &StepMessage,
    ) -> Result<Advanced, Error> {
        let StepMessage::V1 { enrollment, token } = message else {
            return Ok(Advanced::Ignored);
        };
        let enrollment = self.workflows.enrollments.get(tenant, enrollment).await?;
        let stands = enrollment.filter(|it| !it.status.is_over() && it.token == *token);
        match stands {
            Some(enrollment) => self.hold(tenant, enrollment).await,
            None => Ok(Advanced::Ignored),
        }
    }

    async fn once(
        &self,
        tenant: TenantKey,
        id: &EnrollmentId,
        token: &str,
    ) -> Result<Advanced, Error> {
        let stores = &self.workflows;
        let Some(enrollment) = stores.enrollments.get(tenant, id).await? else {
            return Ok(Advanced::Ignored);
        };
        if enrollment.status.is_over() || enrollment.token != token {
            return Ok(Advanced::Ignored);
        }
        let cause = match self.status(tenant, enrollment.workflow).await? {
            Some(Status::Active) => Cause::Wake { token },
            Some(Status::Paused) => return self.hold(tenant, enrollment).await,
            Some(Status::Archived | Status::Draft) | None => Cause::Stop {
                token,
                reason: "workflow_ended",
            },
        };
        let definition = stores
            .workflows
            .version(tenant, enrollment.workflow, enrollment.definition)
            .await?;
        let now = stores.clock().now();
        match step(&definition, &enrollment, cause, now) {
            None => Ok(Advanced::Ignored),
            Some(transition) => {
                if enrollment.path.is_empty() {
                    self.note_entry(tenant, &enrollment).await?;
                }
                self.carry_out(tenant, transition).await
            }
        }
    }

    /// Says on the contact's timeline that the contact entered. The entry starts no workflow. One read and one write
    /// unit.
    async fn note_entry(&self, tenant: TenantKey, enrollment: &Enrollment) -> Result<(), Error> {
        let profiles = self.contacts.profiles();
        let contact = profiles.current(tenant, enrollment.contact).await?;
        let (Some(contact), Ok(at)) = (contact, enrollment.entered_at.parse()) else {
            // Erased: nothing may be told.
            return Ok(());
        };
        let event = Event {
            id: enrollment.id.to_string(),
            name: "workflow.entered".to_owned(),
            at,
            source: enrollment.workflow.to_string(),
            data: json!({ "workflow_id": enrollment.workflow }),
        };
        let noted = self.contacts.record_as(tenant, contact.id, &event, false);
        noted.await.map(drop)
    }

    /// The workflow's state; up to ten seconds old. A contact leaves for ever only for a state that can no longer
    /// change (archived) or that was read now.
    async fn status(&self, tenant: TenantKey, id: WorkflowId) -> Result<Option<Status>, Error> {
        let workflows = &self.workflows.workflows;
        let recent = workflows.recent(tenant, id).await?;
        Ok(match recent.map(|workflow| workflow.status) {
            None | Some(Status::Draft) => {
                let workflow = workflows.get(tenant, id).await?;
                workflow.map(|workflow| workflow.status)
            }
            status => status,
        })
    }

    async fn carry_out(
        &self,
        tenant: TenantKey,
        transition: Transition,
    ) -> Result<Advanced, Error> {
        let mut next = transition.next;
        for action in transition.actions {
            match action {
                Action::AddTags(tags) => {
                    self.contacts.add_tags(tenant, next.contact, &tags).await?;
                }
                Action::Send(send) => next.sends.push(send),
            }
        }
        let mut effects = Vec::new();
        if !next.sends.is_empty() {
            effects.push(effects::SENDS);
        }
        match transition.wake {
            Some(Wake::Now) => effects.push(effects::STEP),
            Some(Wake::At(due)) => self.wake_later(tenant, &next, due).await?,
            None => {}
        }
        next.pending = Pending::of(&effects);
        self.workflows.enrollments.replace(tenant, &next).await?;
        Ok(Advanced::Moved)
    }

    async fn wake_later(
        &self,
        tenant: TenantKey,
        enrollment: &Enrollment,
        due: Timestamp,
    ) -> Result<(), Error> {
        let message = StepMessage::V1 {
            enrollment: enrollment.id.clone(),
            token: enrollment.token.clone(),
        };
        self.timers
            .schedule(tenant, &enrollment.token, due, &message)
            .await
    }
}
