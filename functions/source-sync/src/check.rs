//! The check of a connection: when its credentials change, and each day.
//!
//! The timer of the next check is written first, so that the checks never end while the source is connected.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kernel::{SourceId, TenantKey};
use lambda::{Failure, metrics};
use sources::api::{ApiError, Client};
use sources::{
    Inbound, LinkStatus, Provider, RawRequest, Run, Settings, Source, SyncTask, haravan, kiotviet,
    sapo, shopee,
};

use crate::session::{Session, Stop, Worker};
use crate::{disconnect, page};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// A change may be older than the refusal that followed it, by the clocks of two systems.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// Two daily checks are further apart than this.
const HALF_DAY: SignedDuration = SignedDuration::from_hours(12);
/// Shopee keeps lost pushes for three days.
const LOST_FOR: SignedDuration = SignedDuration::from_hours(72);
/// Pages of lost pushes that one check reads: 1,000 pushes.
const MOST_LOST: usize = 10;

/// The source's moment of tomorrow. Moments of sources are spread over the day.
fn tomorrow(source: SourceId, now: Timestamp) -> Timestamp {
    let spread = kernel::hash::bucket(&[&source.to_string()], 24 * 60);
    let day = now.as_millisecond().div_euclid(DAY_MS) + 1;
    let at = day * DAY_MS + i64::from(spread) * 60_000;
    Timestamp::from_millisecond(at).unwrap_or(now)
}

pub async fn handle(
    worker: &Worker,
    tenant: TenantKey,
    source: SourceId,
    received: u32,
) -> Result<(), Failure> {
    let Some(mut session) = worker.open(tenant, source).await? else {
        return Ok(());
    };
    if let Some(at) = session.source.disconnected_at {
        // An act that was not finished is finished here.
        return disconnect::handle(worker, tenant, source, at, received).await;
    }
    if session.waits_for_consent() {
        return Ok(());
    }
    let task = SyncTask::Check { source };
    let next = tomorrow(source, worker.clock.now());
    let name = format!("SYNC#{source}#{}", next.as_second());
    worker.timers.schedule(tenant, &name, next, &task).await?;
    if !session.is_on {
        return Ok(());
    }
    match checked(worker, &mut session).await {
        Ok(()) => Ok(()),
        Err(stop) => worker.stopped(&session, stop, &task, received).await,
    }
}

async fn checked(worker: &Worker, session: &mut Session) -> Result<(), Stop> {
    let (tenant, source) = (session.tenant, session.source.id);
    let shop = worker.call(session, Client::probe, Client::shop_of).await?;
    if shop.is_none() {
        let text = "the provider names no shop";
        return Err(Stop::Theirs(ApiError::Unexpected(text.into())));
    }
    session.client.shop.clone_from(&shop);
    if !session.source.settings.fetches || session.source.settings.shop != shop {
        worker
            .sources
            .connect(tenant, source, shop.as_deref())
            .await?;
    }
    let pushes = pushes(worker, session).await?;
    if session.source.provider == Provider::Shopee {
        lost_pushes(worker, session).await?;
    }
    // Pages and fetches wait for this: it is written before their messages are sent.
    let links = &worker.links;
    let changed = || Failure::retry("Sync.Changed", "the connection was changed");
    if !links
        .checked(source, &session.link, shop.as_deref())
        .await?
    {
        return Err(changed().into());
    }
    let last = session.link.checked_at;
    session.link = links.get(tenant, source).await?.ok_or_else(changed)?;
    if let Some(fault) = pushes {
        without_pushes(worker, session, last, fault).await?;
        session.link = links.get(tenant, source).await?.ok_or_else(changed)?;
    }
    continued(worker, session).await
}

/// Code and words of a fault that ends the webhooks, but not the calls.
type Fault = (&'static str, String);

/// Subscribes to the webhooks. A provider that refuses the subscription hinders no call.
async fn pushes(worker: &Worker, session: &mut Session) -> Result<Option<Fault>, Stop> {
    match subscribed(worker, session).await {
        Ok(true) => Ok(None),
        Ok(false) => {
            let text = "the provider has ended the pushes of the app: its owner begins them again at the provider";
            Ok(Some((sources::SUSPENDED, text.to_owned())))
        }
        Err(Stop::Theirs(
            error @ (ApiError::Refused | ApiError::Gone | ApiError::Unexpected(_)),
        )) => Ok(Some((sources::NOT_SUBSCRIBED, error.to_string()))),
        Err(stop) => Err(stop),
    }
}

/// Tells the owner that no pushes come, and notes that their changes since the last check are missing.
async fn without_pushes(
    worker: &Worker,
    session: &Session,
    last: Option<Timestamp>,
    (code, text): Fault,
) -> Result<(), Failure> {
    metrics::incident("SubscriptionsEnded", 1);
    let (source, link) = (session.source.id, &session.link);
    // Once a day: the check that ends the recovery begins no other one.
    let is_daily = |last: &Timestamp| worker.clock.now().duration_since(*last) > HALF_DAY;
    worker
        .links
        .fail(source, link, LinkStatus::Error, code, &text)
        .await?;
    if let Some(last) = last.filter(is_daily) {
        let link = worker.links.get(session.tenant, source).await?;
        let link = link.ok_or_else(|| Failure::retry("Sync.Changed", "the connection is gone"))?;
        worker.links.miss(source, &link, last).await?;
    }
    Ok(())
}

/// The address that the provider posts to.
pub fn address(worker: &Worker, source: &Source) -> String {
    let (provider, id) = (source.provider.name(), source.id);
    format!("{}/w/{provider}/{id}", worker.base_url)
}

/// Subscribes to what is not subscribed. False: only the owner can do so, at the provider.
async fn subscribed(worker: &Worker, session: &mut Session) -> Result<bool, Stop> {
    let source = &session.source;
    let address = address(worker, source);
    match source.provider {
        Provider::Kiotviet => {
            let (now, auth) = (worker.clock.now(), &source.auth);
            let Some(secret) = worker.keyring.secret(source.id, auth, now) else {
                return Ok(true);
            };
            let list = |client: &Client, _| kiotviet::api::subscriptions(client);
            let missing = worker.call(session, list, |client, answer| {
                Ok(kiotviet::api::missing(&client.value(answer)?, &address))
            });
            for kind in missing.await? {
                let build =
                    |client: &Client, _| kiotviet::api::subscribe(client, kind, &address, &secret);
                worker.call(session, build, Client::value).await?;
                metrics::count("SubscriptionsMade", 1);
            }
        }
        Provider::Sapo => {
            let list = |client: &Client, _| sapo::api::subscriptions(client);
            let missing = worker.call(session, list, |client, answer| {
                Ok(sapo::api::missing(&client.value(answer)?, &address))
            });
            for topic in missing.await? {
                let build = |client: &Client, _| sapo::api::subscribe(client, topic, &address);
                worker.call(session, build, Client::value).await?;
                metrics::count("SubscriptionsMade", 1);
            }
        }
        // The app of a private token has no subscription: its webhooks are entered in the shop.
        Provider::Haravan if session.client.access.is_some() => {
            let list = |client: &Client, _| haravan::api::subscriptions(client);
            let is_alive = worker.call(session, list, |client, answer| {
                Ok(haravan::api::is_subscribed(&client.value(answer)?))
            });
            if !is_alive.await? {
                let build = |client: &Client, _| haravan::api::subscribe(client);
                worker.call(session, build, Client::value).await?;
                metrics::count("SubscriptionsMade", 1);
            }
        }
        Provider::Shopee => {
            let state = worker.call(session, shopee::api::push_state, |client, answer| {
                Ok(!shopee::api::is_suspended(&client.value(answer)?))
            });
            return state.await;
        }
        Provider::Haravan | Provider::Getfly | Provider::Custom | Provider::Ladipage => {}
    }
    Ok(true)
}

/// Reads the pushes that Shopee could not deliver. They are confirmed after they are on the queue.
///
/// Shopee keeps them for all shops of the app together. Pushes of other shops are left to the sources of these shops: then
/// nothing is confirmed, and pushes that one answer does not hold are left to the recovery.
async fn lost_pushes(worker: &Worker, session: &mut Session) -> Result<(), Stop> {
    for _ in 0..MOST_LOST {
        let (pushes, last, has_more) = worker
            .call(session, shopee::api::lost, |client, answer| {
                Ok(shopee::api::lost_in(&client.value(answer)?))
            })
            .await?;
        let now = worker.clock.now();
        let shop = session.client.shop.as_deref().unwrap_or_default();
        let count = pushes.len();
        let own = pushes.into_iter().filter(|(of, _)| of == shop);
        let messages: Vec<Inbound> = own.map(|(_, body)| pushed(session, body, now)).collect();
        worker.inbox.send_all(session.tenant, &messages).await?;
        metrics::incident("PushesRecovered", messages.len() as u64);
        if messages.len() < count {
            if has_more {
                let (source, link) = (session.source.id, &session.link);
                worker.links.miss(source, link, now - LOST_FOR).await?;
            }
            return Ok(());
        }
        let Some(last) = last.filter(|_| !messages.is_empty()) else {
            return Ok(());
        };
        let build = |client: &Client, now| shopee::api::confirm(client, last, now);
        worker.call(session, build, Client::value).await?;
        if !has_more {
            return Ok(());
        }
    }
    Ok(())
}

fn pushed(session: &Session, body: String, now: Timestamp) -> Inbound {
    Inbound::Request(Box::new(RawRequest {
        source: session.source.id,
        provider: Provider::Shopee,
        received_at: now,
        headers: [].into(),
        body,
        file: None,
        replay_of: None,
        settings: Settings {
            fetches: true,
            shop: session.client.shop.clone(),
            ..session.source.settings.clone()
        },
    }))
}

/// Continues a back-fill that waits, and reads what was not fetched.
async fn continued(worker: &Worker, session: &Session) -> Result<(), Stop> {
    let (tenant, source, link) = (session.tenant, session.source.id, &session.link);
    let mut run = worker.runs.get(tenant, source).await?;
    if let Some(since) = link.missing_since {
        let missed = link.missed_at.unwrap_or(since);
        let name = format!(
            "recovery-{}-{}",
            since.as_millisecond(),
            missed.as_millisecond()
        );
        let is_own = |run: &Run| run.run == name;
        match &run {
            Some(run) if is_own(run) && run.finished_at.is_some() => {
                worker.links.whole(source, link).await?;
                return Ok(());
            }
            // A back-fill of the owner's is first, because one row holds one of them.
            Some(run) if run.finished_at.is_none() && (is_own(run) || !run.is_recovery()) => {}
            _ => {
                let (since, objects) = (since - OVERLAP, session.client.objects());
                let begun =
                    worker
                        .runs
                        .recover(tenant, source, &name, since, objects, run.as_ref());
                // The owner's back-fill, begun meanwhile, is not replaced.
                let another = || Failure::retry("Sync.Changed", "another back-fill was begun");
                run = Some(begun.await?.ok_or_else(another)?);
            }
        }
    }
    if let Some(run) = run.filter(|run| run.finished_at.is_none()) {
        // A second message of the same page changes nothing.
        let next = page::next_of(source, &run);
        worker.send_later(tenant, &next, Duration::ZERO).await?;
    }
    Ok(())
}
