//! One message sends the remaining recipients of one chunk.

use accounts::{RecentWorkspaces, Workspace};
use campaigns::{ChunkOf, Sender};
use channels::{EmailChannel, Letterhead};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Sends the chunk, or the part of it that may be sent now.
pub async fn handle(
    sender: &Sender<EmailChannel>,
    workspaces: &RecentWorkspaces,
    record: &Record,
) -> Result<(), Failure> {
    let (tenant, ChunkOf { message, .. }) = record.open::<ChunkOf<EmailChannel>>()?;
    let workspace = workspaces.get(tenant).await?;
    if workspace.as_ref().is_some_and(Workspace::is_archived) {
        sender.pause(tenant, &message, "workspace_archived").await?;
        metrics::count("ChunksOfArchived", 1);
        return Ok(());
    }
    let settings = workspace.map(|workspace| workspace.settings);
    let letterhead = settings.map(|settings| Letterhead {
        postal_address: settings.postal_address,
        permission_reminder: settings.permission_reminder,
        takes_assumed: !settings.strict_consent,
        is_labelled: settings.advertising_label,
    });
    let letterhead = letterhead.unwrap_or_default();
    let ended = sender.handle(tenant, message, &letterhead).await?;
    let outcomes = &ended.outcomes;
    metrics::count("MailsSent", outcomes.sent);
    metrics::count("MailsSkipped", outcomes.skipped.values().sum());
    metrics::incident("MailsFailed", outcomes.failed.values().sum());
    metrics::incident("MailsUnknown", outcomes.unknown);
    metrics::count("ChunksPutBack", u64::from(ended.again_in.is_some()));
    Ok(())
}
