//! Sorts the messages by kind, and fetches single objects.

use jiff::Timestamp;
use kernel::{SourceId, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use sources::api::Object;
use sources::{LinkStatus, SyncTask};

use crate::session::{Session, Stop, Worker};
use crate::{check, page};

pub async fn handle(worker: &Worker, record: &Record) -> Result<(), Failure> {
    let (tenant, task) = record.open::<SyncTask>()?;
    match task {
        SyncTask::Fetch {
            source,
            object,
            id,
            slot,
        } => fetch(worker, tenant, source, Wanted { object, id }, slot).await,
        SyncTask::Page {
            source,
            run,
            seq,
            slot,
        } => {
            let at = page::Place { run, seq };
            page::handle(worker, tenant, source, at, slot, record.receive_count > 1).await
        }
        SyncTask::Check { source } => check::handle(worker, tenant, source).await,
    }
}

struct Wanted {
    object: Object,
    id: String,
}

/// Fetches one object. While the credentials are refused nothing is fetched: the recovery reads what changed since.
async fn fetch(
    worker: &Worker,
    tenant: TenantKey,
    source: SourceId,
    wanted: Wanted,
    slot: Option<Timestamp>,
) -> Result<(), Failure> {
    let Some(mut session) = worker.open(tenant, source).await? else {
        metrics::count("FetchesOfNobody", 1);
        return Ok(());
    };
    if session.link.status == LinkStatus::TokenExpired {
        metrics::count("FetchesLeft", 1);
        return Ok(());
    }
    let task = |slot| SyncTask::Fetch {
        source,
        object: wanted.object,
        id: wanted.id.clone(),
        slot,
    };
    if !worker.may_call(&session, slot, task).await? {
        return Ok(());
    }
    match fetched(worker, &mut session, &wanted).await {
        Ok(()) => Ok(worker.links.heal(source, &session.link).await?),
        Err(stop) => worker.stopped(&session, stop, &task(None)).await,
    }
}

async fn fetched(worker: &Worker, session: &mut Session, wanted: &Wanted) -> Result<(), Stop> {
    let objects = worker.call(
        session,
        |client, now| client.one(wanted.object, &wanted.id, now),
        |client, answer| client.objects_in(answer),
    );
    let objects = objects.await?;
    worker.hand_over(session, wanted.object, &objects).await?;
    Ok(())
}
