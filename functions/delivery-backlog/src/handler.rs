//! Handles the events of one message concurrently, and writes their counts together.

use channels::Feedback;
use channels::feedback::{Backlog, Gains};
use cloud::Counters;
use cloud::counters::Hour;
use futures::{StreamExt, stream};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Events of a message that are handled at once.
const AT_ONCE: usize = 20;
/// Attempts of the count. The facts are already recorded, so a redelivery would not count them.
const ATTEMPTS: u32 = 3;

/// The state of the function.
#[derive(Clone)]
pub struct Desk {
    pub feedback: Feedback,
    pub counters: Counters,
}

impl Desk {
    /// Takes in all events of a message. If one fails, the others are counted and the message is redelivered.
    pub async fn take_in(&self, record: &Record) -> Result<(), Failure> {
        let (tenant, Backlog::V1 { events }) = record.open()?;
        let work: Vec<_> = events
            .iter()
            .map(|about| self.feedback.reported(tenant, about))
            .collect();
        let learnt: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
        let (mut gains, mut failure) = (Gains::default(), None);
        for (about, learnt) in events.iter().zip(learnt) {
            match learnt {
                Ok(Some(gained)) => {
                    gains.add(tenant, &about.key.scope, Hour::of(about.at), &gained);
                }
                Ok(None) => metrics::count("EventsUnmatched", 1),
                Err(error) => failure = Some(error),
            }
        }
        let written = gains.write(&self.counters, &record.message_id, ATTEMPTS);
        if let Err(error) = written.await {
            // The report lacks these counts until a recount.
            metrics::incident("CountsLost", 1);
            tracing::error!(%error, "a message of events was not counted");
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}
