//! The worker of a campaign sender: one message sends the remaining recipients of one chunk, by any channel.

use accounts::{RecentWorkspaces, Workspace};
use campaigns::{ChunkOf, Sender};
use channels::SendChannel;
use cloud::Message;
use lambda::sqs::{Order, Record};
use lambda::{ConfigError, Failure, Function, Setup, metrics};

/// Builds the function of a campaign sender: its channel, and the provider's rate in messages a second.
pub fn function<C>(setup: &Setup, channel: C, rate: f64) -> Result<Function, ConfigError>
where
    C: SendChannel + Clone + 'static,
    ChunkOf<C>: Message,
{
    let resources = setup.resources();
    let sender = Sender::over(resources, channel, rate);
    let workspaces = RecentWorkspaces::over(resources);
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (sender, workspaces) = (sender.clone(), workspaces.clone());
        async move { handle(&sender, &workspaces, &record).await }
    })
}

/// Sends the chunk, or the part of it that may be sent now.
async fn handle<C>(
    sender: &Sender<C>,
    workspaces: &RecentWorkspaces,
    record: &Record,
) -> Result<(), Failure>
where
    C: SendChannel,
    ChunkOf<C>: Message,
{
    let (tenant, ChunkOf { message, .. }) = record.open::<ChunkOf<C>>()?;
    let workspace = workspaces.get(tenant).await?;
    if workspace.as_ref().is_some_and(Workspace::is_archived) {
        sender.pause(tenant, &message, "workspace_archived").await?;
        metrics::count("ChunksOfArchived", 1);
        return Ok(());
    }
    let rules = crate::rules(workspace.as_ref());
    // Boxed: the compiler bounds the depth of futures that hold one another.
    let ended = Box::pin(sender.handle(tenant, message, &rules)).await?;
    let outcomes = &ended.outcomes;
    metrics::count("MessagesSent", outcomes.sent);
    metrics::count("MessagesSkipped", outcomes.skipped.values().sum());
    metrics::incident("MessagesFailed", outcomes.failed.values().sum());
    metrics::incident("MessagesUnknown", outcomes.unknown);
    metrics::count("ChunksWaiting", u64::from(ended.waits_until.is_some()));
    metrics::count("ChunksPutBack", u64::from(ended.again_in.is_some()));
    Ok(())
}
