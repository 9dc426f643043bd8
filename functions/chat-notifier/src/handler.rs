//! A batch of notices to one call of the use case: a room is read once for all of them.

use accounts::Sessions;
use accounts::sessions::{Holder, tenant_of};
use chat::body::{Happened, Notice};
use chat::realtime::Pusher;
use cloud::Error;
use kernel::{Operation, TenantKey, Verdict};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// What the function works with.
#[derive(Clone)]
pub struct Notifier {
    pub pusher: Pusher,
    pub sessions: Sessions,
}

impl Notifier {
    /// Whether who opened an agent's connection may still read the workspace's conversations.
    async fn admits(&self, tenant: TenantKey, holder: String) -> Result<bool, Error> {
        // A row of another build names nobody: its browser connects again.
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

/// The answer for each record: malformed ones are rejected by themselves, the others share one fate.
pub async fn handle(notifier: &Notifier, records: Vec<Record>) -> Vec<Result<(), Failure>> {
    let opened: Vec<Result<(TenantKey, Happened), Failure>> = records
        .iter()
        .map(|record| {
            let (tenant, Notice::V1(happened)) = record.open()?;
            Ok((tenant, happened))
        })
        .collect();
    let happened: Vec<_> = opened.iter().flatten().cloned().collect();
    let admits = |tenant, holder| notifier.admits(tenant, holder);
    let pushed = notifier.pusher.push(&happened, admits).await;
    match &pushed {
        Ok(pushed) => {
            metrics::count("PostsSent", pushed.posted);
            metrics::count("PostsGone", pushed.gone);
            metrics::count("PostsLost", pushed.lost);
            metrics::count("ConnectionsEnded", pushed.ended);
        }
        Err(error) => tracing::warn!(%error, "the rooms could not be read"),
    }
    let shared = |_| match &pushed {
        Ok(_) => Ok(()),
        Err(error) if error.is_retryable() => Err(Failure::retry(error.name(), error)),
        Err(error) => Err(Failure::reject(error.name(), error)),
    };
    opened.into_iter().map(|one| one.and_then(shared)).collect()
}
