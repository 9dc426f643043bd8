//! Handles each event separately, writes the counts of a batch together, and queues the events of a busy
//! workspace for later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use channels::feedback::{Backlog, Gains};
use channels::ses_event::{About, SesEvent, parse};
use channels::{Feedback, Gained};
use cloud::counters::Hour;
use cloud::{Counters, QueueOf, SendOptions};
use kernel::{TenantKey, WorkspaceId};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Attempts of the count. The facts are already recorded, so a redelivery would not count them.
const ATTEMPTS: u32 = 3;
/// From this number of events in a batch of up to 100, the events of a workspace wait for their turn. Fewer are
/// not worth the requests. Up to four workspaces of a batch can reach this number.
const BUSY: usize = 20;

/// The state of the function.
#[derive(Clone)]
pub struct Desk {
    pub feedback: Feedback,
    pub counters: Counters,
    pub backlog: QueueOf<Backlog>,
}

/// The outcome of one event.
#[derive(Debug)]
pub enum Outcome {
    /// The event added to the counts of a campaign.
    Gained {
        tenant: TenantKey,
        scope: String,
        hour: Hour,
        gained: Gained,
        message_id: String,
    },
    /// The workspace has many events, so the event waits for its turn.
    Later(TenantKey, About),
    /// The event needs no action.
    Nothing,
}

/// The workspaces that have many events in this batch.
pub fn busy(records: &[Record]) -> BTreeSet<WorkspaceId> {
    let mut counts: BTreeMap<WorkspaceId, usize> = BTreeMap::new();
    for record in records {
        if let Ok(SesEvent::About(workspace, _)) = parse(&record.body) {
            *counts.entry(workspace).or_default() += 1;
        }
    }
    let busy = counts.into_iter().filter(|(_, events)| *events >= BUSY);
    busy.map(|(workspace, _)| workspace).collect()
}

impl Desk {
    /// Takes in one event, or leaves it for later.
    pub async fn learn(
        &self,
        record: &Record,
        busy: Arc<BTreeSet<WorkspaceId>>,
    ) -> Result<Outcome, Failure> {
        let event = parse(&record.body);
        let event = event.map_err(|error| Failure::reject("Message.Malformed", error))?;
        let (workspace, about) = match event {
            SesEvent::About(workspace, about) => (workspace, about),
            SesEvent::Untagged => {
                metrics::count("EventsUntagged", 1);
                return Ok(Outcome::Nothing);
            }
            SesEvent::Other(kind) => {
                metrics::count("EventsIgnored", 1);
                tracing::info!(kind, "an event that nothing follows from");
                return Ok(Outcome::Nothing);
            }
        };
        let tenant = tenant(workspace);
        if busy.contains(&workspace) {
            return Ok(Outcome::Later(tenant, about));
        }
        let Some(gained) = self.feedback.reported(tenant, &about).await? else {
            metrics::count("EventsUnmatched", 1);
            tracing::info!("an event about no send of ours");
            return Ok(Outcome::Nothing);
        };
        Ok(Outcome::Gained {
            tenant,
            scope: about.key.scope,
            hour: Hour::of(about.at),
            gained,
            message_id: record.message_id.clone(),
        })
    }

    /// Counts the changes of a batch, in one write unit for each campaign and hour. Then sends the waiting events
    /// in one message for each workspace. If that fails the whole batch is redelivered; recorded facts are not
    /// counted twice.
    pub async fn finish(&self, outcomes: Vec<Outcome>) -> Result<(), Failure> {
        let (mut gains, mut source) = (Gains::default(), None);
        let mut waiting: BTreeMap<TenantKey, Vec<About>> = BTreeMap::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Gained {
                    tenant,
                    scope,
                    hour,
                    gained,
                    message_id,
                } => {
                    gains.add(tenant, &scope, hour, &gained);
                    source.get_or_insert(message_id);
                }
                Outcome::Later(tenant, about) => waiting.entry(tenant).or_default().push(about),
                Outcome::Nothing => {}
            }
        }
        let source = source.unwrap_or_default();
        if let Err(error) = gains.write(&self.counters, &source, ATTEMPTS).await {
            // The report lacks these counts until a recount.
            metrics::incident("CountsLost", 1);
            tracing::error!(%error, "a batch was not counted");
        }
        for (tenant, events) in waiting {
            metrics::count("EventsWaiting", events.len() as u64);
            let message = Backlog::V1 { events };
            let options = SendOptions::default();
            self.backlog.send(tenant, &message, options).await?;
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: only our account sends with our configuration set, and the tag is ours"
)]
fn tenant(workspace: WorkspaceId) -> TenantKey {
    TenantKey::authenticated(workspace)
}
