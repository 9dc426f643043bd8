//! A batch of notices to one call of the use case: a room is read once for all of them.

use chat::body::{Happened, Notice};
use chat::realtime::Pusher;
use kernel::TenantKey;
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// The answer for each record: malformed ones are rejected by themselves, the others share one fate.
pub async fn handle(pusher: &Pusher, records: Vec<Record>) -> Vec<Result<(), Failure>> {
    let opened: Vec<Result<(TenantKey, Happened), Failure>> = records
        .iter()
        .map(|record| {
            let (tenant, Notice::V1(happened)) = record.open()?;
            Ok((tenant, happened))
        })
        .collect();
    let happened: Vec<_> = opened.iter().flatten().cloned().collect();
    let pushed = pusher.push(&happened).await;
    match &pushed {
        Ok(pushed) => {
            metrics::count("PostsSent", pushed.posted);
            metrics::count("PostsGone", pushed.gone);
            metrics::count("PostsLost", pushed.lost);
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
