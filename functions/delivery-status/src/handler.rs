//! One batch: each event on its own, the counts together.

use channels::ses_event::{About, SesEvent, parse};
use channels::{Feedback, Tally, feedback::Gains};
use cloud::Counters;
use futures::{StreamExt, stream};
use kernel::TenantKey;
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Events of a batch that are handled at once.
const AT_ONCE: usize = 10;

/// Takes in a batch; gives what became of each record, in order.
pub async fn handle(
    feedback: &Feedback,
    counters: &Counters,
    records: &[Record],
) -> Vec<Result<(), Failure>> {
    // Collected first: a stream over the borrowing closure could not be sent between threads.
    let work: Vec<_> = records.iter().map(|record| one(feedback, record)).collect();
    let learnt: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
    let mut gains = Gains::default();
    let results = learnt
        .into_iter()
        .map(|result| {
            if let Some((tenant, scope, gained)) = result? {
                gains.add(tenant, &scope, gained);
            }
            Ok(())
        })
        .collect();
    let source = records.first().map(|record| record.message_id.as_str());
    if let Err(error) = gains.write(counters, source.unwrap_or_default()).await {
        // The facts are won, so no redelivery would count them: the report is low by these.
        metrics::count("CountsLost", 1);
        tracing::error!(%error, "a batch was not counted");
    }
    results
}

async fn one(
    feedback: &Feedback,
    record: &Record,
) -> Result<Option<(TenantKey, String, Tally)>, Failure> {
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
    let tenant = tenant(&about);
    let gained = feedback
        .provider(
            tenant,
            &about.key,
            about.fact,
            about.at,
            about.detail.as_deref(),
        )
        .await?;
    let Some(gained) = gained else {
        metrics::count("EventsUnmatched", 1);
        return Ok(None);
    };
    Ok(Some((tenant, about.key.scope, gained)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: only our account sends with our configuration set, and the tag is ours"
)]
fn tenant(about: &About) -> TenantKey {
    TenantKey::authenticated(about.workspace)
}
