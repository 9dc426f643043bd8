//! One message: what is left of one chunk.

use campaigns::{ChunkMessage, Sender};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Sends the chunk, or as much of it as may go now.
pub async fn handle(sender: &Sender, record: &Record) -> Result<(), Failure> {
    let (tenant, message) = record.open::<ChunkMessage>()?;
    let ended = sender.handle(tenant, message).await?;
    let outcomes = &ended.outcomes;
    metrics::count("MailsSent", outcomes.sent);
    metrics::count("MailsSkipped", outcomes.skipped.values().sum());
    metrics::count("MailsFailed", outcomes.failed.values().sum());
    metrics::count("MailsUnknown", outcomes.unknown);
    metrics::count("ChunksPutBack", u64::from(ended.again_in.is_some()));
    Ok(())
}
