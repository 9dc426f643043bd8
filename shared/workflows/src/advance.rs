//! Moves one contact on: loads, runs the engine, carries out the effects, stores.
//!
//! Order of the effects, so that the next delivery completes them after a crash at any point:
//! 1. tags merge, so they may be repeated;
//! 2. the timer is written before the state that waits for it (no state has the token of an orphaned timer);
//! 3. the state is written under its version, and the same write holds its messages.

use cloud::{Error, Pending};
use jiff::Timestamp;
use kernel::{TenantKey, WorkflowId};

use crate::effects;
use crate::engine::{Action, Cause, Transition, Wake, step};
use crate::enrollment::{Enrollment, EnrollmentId};
use crate::model::Status;
use crate::{StepMessage, Stepper};

/// How often a run starts again when another run stored its state first. The loser then finds a state with another
/// token, so the second round nearly always ends it.
const ROUNDS: u32 = 4;
/// How often the contacts of a paused workflow try again.
const PAUSED_SECONDS: u32 = 900;
/// How often the contacts of an archived workspace try again. It may be archived for ever.
const ARCHIVED_SECONDS: u32 = 86_400;

/// The outcome of a step message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advanced {
    /// The contact moved on.
    Moved,
    /// The message was late or repeated, or its enrollment does not exist.
    Ignored,
    /// The workflow is paused or its workspace archived; the contact tries again later.
    Parked,
}

impl Stepper {
    /// Moves the enrollment on if it still has the state that the message names.
    pub async fn advance(
        &self,
        tenant: TenantKey,
        message: &StepMessage,
    ) -> Result<Advanced, Error> {
        let StepMessage::V1 { enrollment, token } = message;
        for _ in 0..ROUNDS {
            match self.once(tenant, enrollment, token).await {
                Err(Error::Conflict) => {}
                result => return result,
            }
        }
        Err(Error::Conflict)
    }

    /// The workspace is archived: the enrollment does not move, and its message is sent again later.
    pub async fn wait_for_restoration(
        &self,
        tenant: TenantKey,
        message: &StepMessage,
    ) -> Result<Advanced, Error> {
        let StepMessage::V1 { enrollment, token } = message;
        let enrollment = self.workflows.enrollments.get(tenant, enrollment).await?;
        let stands = enrollment.filter(|it| !it.status.is_over() && it.token == *token);
        match stands {
            Some(enrollment) => self.park(tenant, &enrollment, ARCHIVED_SECONDS).await,
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
            Some(Status::Paused) => return self.park(tenant, &enrollment, PAUSED_SECONDS).await,
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
            Some(transition) => self.carry_out(tenant, transition).await,
        }
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
                Action::SendEmail(mail) => next.mails.push(mail),
            }
        }
        let mut effects = Vec::new();
        if !next.mails.is_empty() {
            effects.push(effects::MAILS);
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

    /// The contact does not move, and its message is sent again later. Each state has its own grid of instants. So
    /// duplicates of a message use the same timer and do not multiply. Contacts that stopped together do not resume
    /// together.
    async fn park(
        &self,
        tenant: TenantKey,
        enrollment: &Enrollment,
        period: u32,
    ) -> Result<Advanced, Error> {
        let now = self.workflows.clock().now();
        let offset = kernel::hash::bucket(&[&enrollment.token], period);
        let second = next_on_grid(now.as_second(), offset.into(), period.into());
        let due = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        self.wake_later(tenant, enrollment, due).await?;
        Ok(Advanced::Parked)
    }
}

/// The first second after `now`, plus a margin, at `offset` within a period.
fn next_on_grid(now: i64, offset: i64, period: i64) -> i64 {
    let periods = (now + 60 - offset).div_euclid(period) + 1;
    periods * period + offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parked_duplicates_meet_on_the_same_instant() {
        for offset in [0, 1, 450, 899] {
            let first = next_on_grid(1_000_000, offset, 900);
            assert!(
                (61..=960).contains(&(first - 1_000_000)),
                "{offset}: {first}"
            );
            assert_eq!(next_on_grid(first - 61, offset, 900), first);
            assert_eq!(next_on_grid(first, offset, 900), first + 900);
        }
    }
}
