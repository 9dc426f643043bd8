//! Sorts the messages by kind, and fetches single objects.

use jiff::Timestamp;
use kernel::{SourceId, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use sources::SyncTask;
use sources::api::Object;

use crate::session::{Session, Stop, Worker};
use crate::{check, disconnect, page};

pub async fn handle(worker: &Worker, record: &Record) -> Result<(), Failure> {
    let (tenant, task) = record.open::<SyncTask>()?;
    match task {
        SyncTask::Fetch {
            source,
            object,
            id,
            asked_at,
            slot,
        } => {
            let wanted = Wanted {
                object,
                id,
                asked_at,
            };
            fetch(worker, tenant, source, wanted, slot, record.receive_count).await
        }
        SyncTask::Page {
            source,
            run,
            seq,
            slot,
        } => {
            let at = page::Place { run, seq };
            page::handle(worker, tenant, source, at, slot, record.receive_count).await
        }
        SyncTask::Check { source } => {
            check::handle(worker, tenant, source, record.receive_count).await
        }
        SyncTask::Disconnect { source, at } => {
            disconnect::handle(worker, tenant, source, at, record.receive_count).await
        }
    }
}

struct Wanted {
    object: Object,
    id: String,
    asked_at: Timestamp,
}

/// Fetches one object. An object that is not fetched is left to the recovery, which reads the later changes.
async fn fetch(
    worker: &Worker,
    tenant: TenantKey,
    source: SourceId,
    wanted: Wanted,
    slot: Option<Timestamp>,
    received: u32,
) -> Result<(), Failure> {
    let Some(mut session) = worker.open(tenant, source).await? else {
        metrics::count("FetchesOfNobody", 1);
        return Ok(());
    };
    if !session.fetches() {
        return worker.leave(&session, wanted.asked_at).await;
    }
    let task = |slot| SyncTask::Fetch {
        source,
        object: wanted.object,
        id: wanted.id.clone(),
        asked_at: wanted.asked_at,
        slot,
    };
    if !worker.may_call(&session, slot, task).await? {
        return Ok(());
    }
    match fetched(worker, &mut session, &wanted).await {
        Ok(()) => Ok(worker.links.heal(source, &session.link).await?),
        Err(stop) => worker.stopped(&session, stop, &task(None), received).await,
    }
}

async fn fetched(worker: &Worker, session: &mut Session, wanted: &Wanted) -> Result<(), Stop> {
    let objects = worker.call(
        session,
        |client, now| client.one(wanted.object, &wanted.id, now),
        sources::api::Client::objects_in,
    );
    let objects = objects.await?;
    worker
        .hand_over(session, wanted.object, &objects, false)
        .await?;
    Ok(())
}
