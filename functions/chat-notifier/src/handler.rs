//! Parses notices one by one, then calls the use case once for those of each workspace, so that each room is read
//! once.

use access::Operation;
use accounts::Sessions;
use accounts::sessions::{Holder, tenant_of};
use chat::body::{Happened, Notice};
use chat::realtime::Pusher;
use cloud::Error;
use kernel::{TenantKey, Verdict};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// The state of the function.
#[derive(Clone)]
pub struct Notifier {
    pub pusher: Pusher,
    pub sessions: Sessions,
}

impl Notifier {
    /// Whether the holder of an agent's connection may still read the workspace's conversations.
    async fn admits(&self, tenant: TenantKey, holder: String) -> Result<bool, Error> {
        // A row of an older build names no holder. The connection is closed, and the browser connects again.
        let Ok(holder) = serde_json::from_str::<Holder>(&holder) else {
            return Ok(false);
        };
        let standing = self.sessions.standing(&holder, tenant.workspace()).await?;
        Ok(match standing {
            Verdict::Granted(grant) => {
                grant.may(Operation::ListConversations) && tenant_of(&grant) == Some(tenant)
            }
            Verdict::Refused { .. } => false,
        })
    }
}

/// The notice of a record.
pub fn read(record: &Record) -> Result<(TenantKey, Happened), Failure> {
    let (tenant, Notice::V1(happened)) = record.open()?;
    Ok((tenant, happened))
}

/// Notifies the open browsers.
pub async fn push(notifier: &Notifier, happened: &[(TenantKey, Happened)]) -> Result<(), Failure> {
    let admits = |tenant, holder| notifier.admits(tenant, holder);
    let pushed = notifier.pusher.push(happened, admits).await?;
    metrics::count("PostsSent", pushed.posted);
    metrics::count("PostsGone", pushed.gone);
    metrics::incident("PostsLost", pushed.lost);
    metrics::count("ConnectionsEnded", pushed.ended);
    Ok(())
}
