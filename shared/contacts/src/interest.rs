//! Which workflows of a workspace listen to which event.
//!
//! The rows, one for each pair of event and workflow, are the source of truth. The interest set is one item that is
//! made from those rows. Writers of events read the set through [`Recent`], so an event costs no read.
//!
//! Every process sees a new listener after [`cloud::recent::LEAD`] at the latest. A workflow that has ended is still
//! seen for ten seconds. In that time an event may send a message that starts nothing.
//!
//! A row also holds the values that its workflow waits for. So an event that has other values reads no workflow and
//! sends no message, however many workflows listen to its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud::{Error, Query, Recent, Resources, Table};
use kernel::TenantKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::keys;

/// Longest interest set, in bytes of JSON: about 2,900 workflows of one form each. Each process reads it every ten
/// seconds, at up to 16 read units.
pub const MAX_BYTES: usize = 128 * 1024;
/// Interest sets that a process keeps in memory.
const MOST: usize = 10_000;
/// How often the set is made again after another writer was faster.
const ROUNDS: u32 = 8;

/// Event names, each with the workflows that listen to it.
type Events = BTreeMap<String, BTreeMap<String, Filter>>;

/// Values that an event must have in its data, as texts. An empty filter passes every event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Filter(BTreeMap<String, String>);

impl Filter {
    /// The filter for these fields and values. Only texts, numbers and truth values can be compared.
    pub fn of<'a>(wanted: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Self {
        let texts = wanted
            .into_iter()
            .filter_map(|(name, value)| Some((name.clone(), text(value)?)));
        Self(texts.collect())
    }

    /// Whether the data of an event has all values. A list has each of its values.
    pub fn passes(&self, data: &Value) -> bool {
        let mut wanted = self.0.iter();
        wanted.all(|(name, wanted)| data.get(name).is_some_and(|actual| has(actual, wanted)))
    }
}

/// A form's id is a number in one source and a text in another.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn has(actual: &Value, wanted: &str) -> bool {
    match actual {
        Value::Array(values) => values.iter().any(|value| has(value, wanted)),
        _ => text(actual).is_some_and(|actual| actual == wanted),
    }
}

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
    #[serde(default)]
    filter: Filter,
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

    /// Subscribes `workflow` to the event where the filter passes; safe to repeat. False if the workspace's interest set has no room for it:
    /// then nothing was written.
    pub async fn listen(
        &self,
        tenant: TenantKey,
        event: &str,
        workflow: &str,
        filter: &Filter,
    ) -> Result<bool, Error> {
        let mut events = self.events(tenant).await?;
        let listening = events.entry(event.to_owned()).or_default();
        listening.insert(workflow.to_owned(), filter.clone());
        if serde_json::to_string(&events)?.len() > MAX_BYTES {
            return Ok(false);
        }
        let row = Row {
            event: event.to_owned(),
            workflow: workflow.to_owned(),
            filter: filter.clone(),
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

    /// The workflows that listen to an event of this name and data; up to ten seconds old.
    pub async fn of(
        &self,
        tenant: TenantKey,
        event: &str,
        data: &Value,
    ) -> Result<Vec<String>, Error> {
        let interest = self.recent(tenant).await?;
        let listening = interest.events.get(event).into_iter().flatten();
        let passing = listening.filter(|(_, filter)| filter.passes(data));
        Ok(passing.map(|(workflow, _)| workflow.clone()).collect())
    }

    /// Whether a workflow listens to an event of this name and data; up to ten seconds old.
    pub async fn any(&self, tenant: TenantKey, event: &str, data: &Value) -> Result<bool, Error> {
        let interest = self.recent(tenant).await?;
        let mut listening = interest.events.get(event).into_iter().flatten();
        Ok(listening.any(|(_, filter)| filter.passes(data)))
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
        for row in rows {
            let listening = events.entry(row.event).or_default();
            listening.insert(row.workflow, row.filter);
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
