//! Writes the calls of a message, and counts those of a batch.

use kernel::{TenantKey, WorkspaceId};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use tracking::{Counted, Tally, Tracked, Writer};

/// The share of one message in its workspace's counts.
pub struct Done {
    tenant: TenantKey,
    received_at: jiff::Timestamp,
    tally: Tally,
    message: String,
}

/// Handles a message.
pub async fn handle(writer: &Writer, record: &Record) -> Result<Done, Failure> {
    let (tenant, Tracked::Calls(batch)) = record.open::<Tracked>()?;
    let is_again = record.receive_count > 1;
    let tally = writer.write(tenant, &batch, is_again).await?;
    let n = |name: &str| u64::try_from(tally.get(name)).unwrap_or_default();
    metrics::count("EventsRecorded", n("events"));
    metrics::count("ContactsCreated", n("contacts_created"));
    metrics::count("TriggersSuppressed", n("suppressed"));
    metrics::incident("IdentitiesNotTaken", n("identities_not_taken"));
    Ok(Done {
        tenant,
        received_at: batch.received_at,
        tally,
        message: record.message_id.clone(),
    })
}

/// The workspace whose calls are counted together.
pub fn workspace(done: &Done) -> WorkspaceId {
    done.tenant.workspace()
}

/// Counts the calls of one workspace. A lost count must repeat no call.
pub async fn count(counted: &Counted, done: Vec<Done>) {
    let mut done = done.into_iter();
    let Some(mut sum) = done.next() else {
        return;
    };
    for one in done {
        sum.tally += one.tally;
        sum.received_at = sum.received_at.max(one.received_at);
    }
    let counted = counted.add(sum.tenant, sum.received_at, &sum.tally, &sum.message);
    if counted.await.is_err() {
        metrics::count("CountsLost", 1);
    }
}
