//! Handles one step message.

use accounts::{RecentWorkspaces, Workspace};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use workflows::{Advanced, StepMessage, Stepper};

pub async fn handle(
    stepper: &Stepper,
    workspaces: &RecentWorkspaces,
    record: &Record,
) -> Result<(), Failure> {
    let (tenant, message) = record.open::<StepMessage>()?;
    let workspace = workspaces.get(tenant).await?;
    let advanced = if workspace.as_ref().is_some_and(Workspace::is_archived) {
        stepper.wait_for_restoration(tenant, &message).await?
    } else {
        stepper.handle(tenant, message).await?
    };
    let metric = match advanced {
        Advanced::Moved => "StepsMoved",
        Advanced::Ignored => "StepsIgnored",
        Advanced::Held => "StepsHeld",
    };
    metrics::count(metric, 1);
    Ok(())
}
