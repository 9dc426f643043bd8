//! Each event on its own, the counts of a batch together.

use channels::ses_event::{About, SesEvent, parse};
use channels::{Feedback, Tally, feedback::Gains};
use cloud::Counters;
use kernel::TenantKey;
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use tracing::Instrument;

/// The facts are won when the counts are written, and no redelivery would count them again.
const ATTEMPTS: u32 = 3;

/// What one event has added to a campaign.
#[derive(Debug)]
pub struct Gained {
    tenant: TenantKey,
    scope: String,
    tally: Tally,
    message_id: String,
}

/// Takes in one event. `None`: nothing follows from it.
pub async fn learn(feedback: &Feedback, record: &Record) -> Result<Option<Gained>, Failure> {
    let event = parse(&record.body);
    let about = match event.map_err(|error| Failure::reject("Message.Malformed", error))? {
        SesEvent::About(about) => about,
        SesEvent::Untagged => {
            metrics::count("EventsUntagged", 1);
            return Ok(None);
        }
        SesEvent::Other(kind) => {
            metrics::count("EventsIgnored", 1);
            tracing::info!(kind, "an event that nothing follows from");
            return Ok(None);
        }
    };
    // The mail was sent under this id; the event itself comes from outside and carries none.
    let trace = about.trace.clone();
    let work = Box::pin(take_in(feedback, record, about));
    match trace {
        Some(trace) => {
            let span = tracing::info_span!("event", message_id = %record.message_id, %trace);
            cloud::trace::scope(trace, work).instrument(span).await
        }
        None => work.await,
    }
}

async fn take_in(
    feedback: &Feedback,
    record: &Record,
    about: About,
) -> Result<Option<Gained>, Failure> {
    let tenant = tenant(&about);
    let (address, detail) = (&about.address, about.detail.as_deref());
    let gained = feedback.provider(tenant, &about.key, address, about.fact, about.at, detail);
    let Some(tally) = gained.await? else {
        metrics::count("EventsUnmatched", 1);
        tracing::info!("an event about no send of ours");
        return Ok(None);
    };
    Ok(Some(Gained {
        tenant,
        scope: about.key.scope,
        tally,
        message_id: record.message_id.clone(),
    }))
}

/// Counts what the events of a batch have added, in one write for each campaign.
pub async fn count(counters: &Counters, gained: Vec<Option<Gained>>) {
    let gained: Vec<Gained> = gained.into_iter().flatten().collect();
    let Some(first) = gained.first() else { return };
    let source = first.message_id.clone();
    let mut gains = Gains::default();
    for one in gained {
        gains.add(one.tenant, &one.scope, one.tally);
    }
    if let Err(error) = gains.write(counters, &source, ATTEMPTS).await {
        // The report is low by these until a recount.
        metrics::incident("CountsLost", 1);
        tracing::error!(%error, "a batch was not counted");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: only our account sends with our configuration set, and the tag is ours"
)]
fn tenant(about: &About) -> TenantKey {
    TenantKey::authenticated(about.workspace)
}
