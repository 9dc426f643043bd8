//! Handles the events of one message concurrently, and writes their counts together.

use channels::feedback::{Backlog, Gains, Receipt};
use channels::ses_event::About;
use channels::{Feedback, Gained, LedgerKey};
use cloud::counters::Hour;
use cloud::{Counters, Error};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use kernel::TenantKey;
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Events of a message that are handled at once.
const AT_ONCE: usize = 20;
/// Attempts of the count. The facts are already recorded, so a redelivery would not count them.
const ATTEMPTS: u32 = 3;

/// A send, the time of its event, and the figures that the event added.
type Learnt<'a> = (&'a LedgerKey, Timestamp, Result<Option<Gained>, Error>);

/// The state of the function.
#[derive(Clone)]
pub struct Desk {
    pub feedback: Feedback,
    pub counters: Counters,
}

impl Desk {
    /// The outcome of each event of a message.
    async fn learn<'a>(&self, tenant: TenantKey, message: &'a Backlog) -> Vec<Learnt<'a>> {
        match message {
            Backlog::V1 { events } => {
                let one = |about: &'a About| async move {
                    let About { key, at, .. } = about;
                    (key, *at, self.feedback.reported(tenant, about).await)
                };
                let work: Vec<_> = events.iter().map(one).collect();
                stream::iter(work).buffered(AT_ONCE).collect().await
            }
            Backlog::Receipts { receipts } => {
                let one = |receipt: &'a Receipt| async move {
                    let Receipt { key, at, .. } = receipt;
                    (key, *at, self.feedback.received(tenant, receipt).await)
                };
                let work: Vec<_> = receipts.iter().map(one).collect();
                stream::iter(work).buffered(AT_ONCE).collect().await
            }
        }
    }

    /// Takes in all events of a message. If one fails, the others are counted and the message is redelivered.
    pub async fn take_in(&self, record: &Record) -> Result<(), Failure> {
        let (tenant, message) = record.open::<Backlog>()?;
        let learnt = self.learn(tenant, &message).await;
        let (mut gains, mut failure) = (Gains::default(), None);
        for (key, at, learnt) in learnt {
            match learnt {
                Ok(Some(gained)) => gains.add(tenant, &key.scope, Hour::of(at), &gained),
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
