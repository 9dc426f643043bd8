//! The end of a connection: the subscriptions at the provider end, then the credentials are erased.
//!
//! A provider that gives no answer keeps the credentials here for a few deliveries of the message only.

use jiff::Timestamp;
use kernel::{SourceId, TenantKey};
use lambda::{Failure, metrics};
use sources::api::{ApiError, Client};
use sources::{Provider, haravan, kiotviet, sapo};

use crate::check::address;
use crate::session::{PATIENCE, Session, Stop, Worker};

/// Disconnects a source whose owner asked for it at this time. A source that was connected again later keeps its credentials.
pub async fn handle(
    worker: &Worker,
    tenant: TenantKey,
    id: SourceId,
    at: Timestamp,
    received: u32,
) -> Result<(), Failure> {
    let stored = worker.sources.disconnect(tenant, id, at).await?;
    let link = worker.links.get(tenant, id).await?;
    let (Some(source), Some(link)) = (stored, link.filter(|link| link.entered_at <= at)) else {
        return Ok(());
    };
    let client = worker.links.client(source.provider, id, &link);
    if let Some(client) = client.filter(|_| source.disconnected_at.is_some()) {
        let mut session = Session {
            tenant,
            source,
            link: link.clone(),
            client,
            is_on: false,
        };
        match unsubscribed(worker, &mut session).await {
            Ok(()) => {}
            Err(Stop::Ours(failure)) => return Err(failure),
            Err(Stop::Theirs(error)) => give_up(&error, received)?,
        }
    }
    Ok(worker.links.forget(id, &link).await?)
}

/// Tries again while the provider gives no answer. Then its next request is refused, which ends most subscriptions.
fn give_up(error: &ApiError, received: u32) -> Result<(), Failure> {
    let is_passing = matches!(error, ApiError::Unavailable(_) | ApiError::Busy(_));
    if is_passing && received < PATIENCE {
        let text = error.to_string();
        return Err(Failure::retry("Provider.Unavailable", &text));
    }
    metrics::incident("SubscriptionsLeft", 1);
    Ok(())
}

/// Ends the subscriptions to the address of the source. One that is gone already is ended.
async fn unsubscribed(worker: &Worker, session: &mut Session) -> Result<(), Stop> {
    if session.waits_for_consent() {
        return Ok(());
    }
    let address = address(worker, &session.source);
    match session.source.provider {
        Provider::Kiotviet => {
            let list = |client: &Client, _| kiotviet::api::subscriptions(client);
            let own = worker.call(session, list, |client, answer| {
                Ok(kiotviet::api::own(&client.value(answer)?, &address))
            });
            for one in own.await? {
                let build = |client: &Client, _| kiotviet::api::unsubscribe(client, &one);
                worker.call(session, build, Client::deleted).await?;
            }
        }
        Provider::Sapo => {
            let list = |client: &Client, _| sapo::api::subscriptions(client);
            let own = worker.call(session, list, |client, answer| {
                Ok(sapo::api::own(&client.value(answer)?, &address))
            });
            for one in own.await? {
                let build = |client: &Client, _| sapo::api::unsubscribe(client, &one);
                worker.call(session, build, Client::deleted).await?;
            }
        }
        Provider::Haravan if session.client.access.is_some() => {
            let build = |client: &Client, _| haravan::api::unsubscribe(client);
            worker.call(session, build, Client::deleted).await?;
        }
        // Shopee pushes for all shops of the app. The webhooks of the others were entered by hand.
        Provider::Haravan
        | Provider::Shopee
        | Provider::Getfly
        | Provider::Custom
        | Provider::Ladipage => {}
    }
    Ok(())
}
