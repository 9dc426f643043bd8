//! Which workflows of a workspace listen to which event.
//!
//! The rows, one for each pair of event and workflow, are the source of truth. The interest set is one item that is
//! made from those rows. Writers of events read the set through [`Recent`], so an event costs no read.
//!
//! Every process sees a new listener after [`cloud::recent::LEAD`] at the latest. A workflow that has ended is still
//! seen for ten seconds. In that time an event may send a message that starts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud::{Error, Query, Recent, Resources, Table};
use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::keys;

/// Longest interest set, in bytes of JSON: about 3,000 workflows. Each process reads it every ten seconds.
pub const MAX_BYTES: usize = 64 * 1024;
/// Interest sets that a process keeps in memory.
const MOST: usize = 10_000;
/// How often the set is made again after another writer was faster.
const ROUNDS: u32 = 8;

/// Event names, each with the workflows that listen to it.
type Events = BTreeMap<String, BTreeSet<String>>;

/// The stored item.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Interest {
    /// The epoch. It increases with each write, so that a set made from older rows never replaces a newer one.
    version: u64,
    events: Events,
}

#[derive(Serialize, Deserialize)]
struct Row {
    event: String,
    workflow: String,
}

/// The workflows that each event starts. An event without a listening workflow sends no message.
#[derive(Clone, Debug)]
pub struct Listeners {
    directory: Table,
    recent: Recent<TenantKey, Arc<Interest>>,
}

impl Listeners {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            directory: resources.table("Directory"),
        }
    }

    /// Subscribes `workflow` to the event; safe to repeat. False if the workspace's interest set has no room for it:
    /// then nothing was written.
    pub async fn listen(
        &self,
        tenant: TenantKey,
        event: &str,
        workflow: &str,
    ) -> Result<bool, Error> {
        let mut events = self.events(tenant).await?;
        let listening = events.entry(event.to_owned()).or_default();
        listening.insert(workflow.to_owned());
        if serde_json::to_string(&events)?.len() > MAX_BYTES {
            return Ok(false);
        }
        let row = Row {
            event: event.to_owned(),
            workflow: workflow.to_owned(),
        };
        let key = keys::listener(tenant, event, workflow);
        self.directory.put(&key, &row).await?;
        self.derive(tenant).await?;
        Ok(true)
    }

    /// Unsubscribes `workflow` from the event; safe to repeat.
    pub async fn unlisten(
        &self,
        tenant: TenantKey,
        event: &str,
        workflow: &str,
    ) -> Result<(), Error> {
        let key = keys::listener(tenant, event, workflow);
        self.directory.delete(&key).await?;
        self.derive(tenant).await
    }

    /// The workflows that listen to the event; up to ten seconds old.
    pub async fn of(&self, tenant: TenantKey, event: &str) -> Result<Vec<String>, Error> {
        let interest = self.recent(tenant).await?;
        let listening = interest.events.get(event).into_iter().flatten();
        Ok(listening.cloned().collect())
    }

    /// Whether a workflow listens to the event; up to ten seconds old.
    pub async fn any(&self, tenant: TenantKey, event: &str) -> Result<bool, Error> {
        let interest = self.recent(tenant).await?;
        Ok(interest.events.contains_key(event))
    }

    async fn recent(&self, tenant: TenantKey) -> Result<Arc<Interest>, Error> {
        let read = || {
            let directory = self.directory.clone();
            async move {
                let interest: Option<Interest> = directory.look_up(&keys::interest(tenant)).await?;
                Ok(Arc::new(interest.unwrap_or_default()))
            }
        };
        self.recent.get(tenant, read).await
    }

    /// The source of truth, read from its rows.
    async fn events(&self, tenant: TenantKey) -> Result<Events, Error> {
        let query = Query::partition(keys::listeners(tenant));
        let rows: Vec<Row> = self.directory.query_all(query).await?;
        let mut events = Events::new();
        for Row { event, workflow } in rows {
            events.entry(event).or_default().insert(workflow);
        }
        Ok(events)
    }

    /// Makes the interest set from the rows. It is written even if nothing changed: another writer that read the
    /// rows earlier must find a newer epoch and read again.
    async fn derive(&self, tenant: TenantKey) -> Result<(), Error> {
        let key = keys::interest(tenant);
        for _ in 0..ROUNDS {
            // The epoch is read before the rows. Otherwise the rows could be older than the epoch says.
            let stored: Option<Interest> = self.directory.get(&key).await?;
            let epoch = stored.map(|interest| interest.version);
            let next = Interest {
                version: epoch.unwrap_or_default() + 1,
                events: self.events(tenant).await?,
            };
            let written = match epoch {
                Some(epoch) => self.directory.replace(&key, &next, epoch).await,
                None if self.directory.create(&key, &next).await?.is_new() => Ok(()),
                None => Err(Error::Conflict),
            };
            if !matches!(written, Err(Error::Conflict)) {
                return written;
            }
        }
        Err(Error::Conflict)
    }
}
