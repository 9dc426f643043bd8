//! One page of a back-fill: read, handed over, noted, continued.

use std::time::Duration;

use jiff::Timestamp;
use kernel::{SourceId, TenantKey};
use lambda::{Failure, metrics};
use sources::api::{Asked, Object, Page};
use sources::{Progress, Run, SyncTask};

use crate::session::{Session, Stop, Worker};

/// Where a message stands in its back-fill.
pub struct Place {
    pub run: String,
    pub seq: u64,
}

/// The message of the next page.
pub fn next_of(source: SourceId, run: &Run) -> SyncTask {
    SyncTask::Page {
        source,
        run: run.run.clone(),
        seq: run.seq,
        slot: None,
    }
}

pub async fn handle(
    worker: &Worker,
    tenant: TenantKey,
    source: SourceId,
    at: Place,
    slot: Option<Timestamp>,
    received: u32,
) -> Result<(), Failure> {
    let Some(mut session) = worker.open(tenant, source).await? else {
        return Ok(());
    };
    let run = worker.runs.get(tenant, source).await?;
    let Some(run) = run.filter(|run| run.run == at.run) else {
        metrics::count("PagesOfOldRuns", 1);
        return Ok(());
    };
    if !session.fetches() {
        // The next check that succeeds continues it.
        return Ok(());
    }
    if run.seq > at.seq {
        // The page was read. A worker that was stopped may not have sent the next message.
        if received > 1 && run.seq == at.seq + 1 && run.finished_at.is_none() {
            worker
                .send_later(tenant, &next_of(source, &run), Duration::ZERO)
                .await?;
        }
        return Ok(());
    }
    let Some((object, progress)) = run.next() else {
        return Ok(());
    };
    let task = |slot| SyncTask::Page {
        source,
        run: at.run.clone(),
        seq: at.seq,
        slot,
    };
    if !worker.may_call(&session, slot, task).await? {
        return Ok(());
    }
    let (object, progress) = (object, progress.clone());
    match read(worker, &mut session, &run, object, progress).await {
        Ok(()) => Ok(worker.links.heal(source, &session.link).await?),
        Err(stop) => worker.stopped(&session, stop, &task(None), received).await,
    }
}

async fn read(
    worker: &Worker,
    session: &mut Session,
    run: &Run,
    object: Object,
    mut progress: Progress,
) -> Result<(), Stop> {
    let cursor = progress.cursor.clone();
    let asked = |now| Asked {
        object,
        since: run.since,
        cursor: cursor.as_deref(),
        until: run.started_at,
        now,
    };
    if cursor.is_none() {
        progress.total = count(worker, session, &asked).await?;
    }
    let now = worker.clock.now();
    let page: Page = worker
        .call(
            session,
            |client, now| client.list(&asked(now)),
            |client, answer| client.page(&asked(now), answer),
        )
        .await?;
    let objects = match session.client.details(&page, now) {
        Some(_) => {
            let build = |client: &sources::api::Client, now| {
                let request = client.details(&page, now);
                request.unwrap_or(Err(sources::api::ApiError::Gone))
            };
            worker
                .call(session, build, sources::api::Client::objects_in)
                .await?
        }
        None => page.objects,
    };
    // The buyers of orders are among the customers, but for those that have not changed since.
    let fetches = run.since.is_some();
    worker.hand_over(session, object, &objects, fetches).await?;
    progress.done += objects.len() as u64;
    progress.total = page.total.or(progress.total);
    progress.is_over = page.next.is_none();
    progress.cursor = page.next;
    let (tenant, source) = (session.tenant, session.source.id);
    let Some(after) = worker.runs.advance(source, run, object, progress).await? else {
        return Ok(());
    };
    if after.finished_at.is_none() {
        worker
            .send_later(tenant, &next_of(source, &after), Duration::ZERO)
            .await?;
    } else if session.link.missing_since.is_some() {
        // The check sees that nothing is missing any more, or begins the recovery.
        worker
            .send_later(tenant, &SyncTask::Check { source }, Duration::ZERO)
            .await?;
    }
    Ok(())
}

/// The number of all objects, from a provider whose lists do not tell it. A provider that gives none hinders nothing.
async fn count<'a>(
    worker: &Worker,
    session: &mut Session,
    asked: &impl Fn(Timestamp) -> Asked<'a>,
) -> Result<Option<u64>, Stop> {
    if session.client.count(&asked(worker.clock.now())).is_none() {
        return Ok(None);
    }
    let counted = worker.call(
        session,
        |client, now| {
            let request = client.count(&asked(now));
            request.unwrap_or(Err(sources::api::ApiError::Gone))
        },
        |client, answer| Ok(client.value(answer)?["count"].as_u64()),
    );
    match counted.await {
        Err(Stop::Theirs(sources::api::ApiError::Gone | sources::api::ApiError::Unexpected(_))) => {
            Ok(None)
        }
        other => other,
    }
}
