//! Which workflows of a workspace listen to which event, and which segments mention which data of a contact.
//!
//! The rows, one for each pair of event and workflow, are the source of truth. The interest set is one item that is
//! made from those rows. Writers of events read the set through [`Recent`], so an event costs no read.
//!
//! Every process sees a new listener after [`cloud::recent::LEAD`] at the latest. A workflow that has ended is still
//! seen for ten seconds. In that time an event may send a message that starts nothing.
//!
//! A row also holds the values that its workflow waits for. So an event that has other values reads no workflow and
//! sends no message, however many workflows listen to its name.
//!
//! The set also holds a copy of the rules of the lead score: an event that meets one is reported as a mentioned event is.
//!
//! A webhook has one row with the names of the events that it wants.
//!
//! A segment has one row with everything that it mentions, as names like `full_name`, `tag=vip` or
//! `event=form.submitted` ([`crate::mention`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud::{Error, Query, Recent, Resources, Table};
use jiff::Timestamp;
use kernel::{SegmentId, TenantKey, WebhookId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scores::Scoring;
use crate::{keys, mention};

mod filter;

pub use filter::Filter;

/// Longest interest set, in bytes of JSON: about 2,900 workflows of one form each. Each process reads it every ten
/// seconds, at up to 16 read units.
pub const MAX_BYTES: usize = 128 * 1024;
/// Longest part of the set that belongs to segments, in bytes of JSON.
pub const MAX_SEGMENT_BYTES: usize = 64 * 1024;
/// Interest sets that a process keeps in memory.
const MOST: usize = 10_000;
/// How often the set is made again after another writer was faster.
const ROUNDS: u32 = 8;

/// Event names, each with the workflows that listen to it.
type Events = BTreeMap<String, BTreeMap<String, Filter>>;
/// Event names, each with the webhooks that want it.
type Hooks = BTreeMap<String, BTreeSet<WebhookId>>;

/// The stored item.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Interest {
    /// The epoch. It increases with each write, so that a set made from older rows never replaces a newer one.
    version: u64,
    events: Events,
    #[serde(default)]
    segments: Mentions,
    /// A copy of the rules of the lead score.
    #[serde(default)]
    scoring: Scoring,
    /// Names of events, each with the webhooks that want it.
    #[serde(default)]
    hooks: Hooks,
}

/// The set as a process remembers it.
#[derive(Debug)]
struct Known {
    events: Events,
    segments: Arc<Mentions>,
    scoring: Arc<Scoring>,
    hooks: Hooks,
}

/// The data that the segments of a workspace mention.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mentions {
    /// Names, each with the segments that mention it.
    names: BTreeMap<String, BTreeSet<SegmentId>>,
    /// Every segment that has conditions: a new contact concerns all of them.
    all: BTreeSet<SegmentId>,
    /// From this time on every mentioned event is reported. `None`: no event is mentioned.
    reported_since: Option<Timestamp>,
}

impl Mentions {
    fn of(rows: Vec<SegmentRow>) -> Self {
        let mut mentions = Self::default();
        for row in rows {
            if row
                .mentions
                .iter()
                .any(|name| name.starts_with(mention::EVENT))
            {
                mentions.reported_since = mentions.reported_since.max(Some(row.since));
            }
            for name in row.mentions {
                mentions.names.entry(name).or_default().insert(row.segment);
            }
            mentions.all.insert(row.segment);
        }
        mentions
    }

    /// The segments to evaluate after these changes of a contact.
    pub fn concerned<'a>(&self, changed: impl IntoIterator<Item = &'a str>) -> BTreeSet<SegmentId> {
        let mut segments = BTreeSet::new();
        for name in changed {
            if name == mention::CREATED {
                return self.all.clone();
            }
            segments.extend(self.names.get(name).into_iter().flatten());
        }
        segments
    }

    /// Names of the mentioned events.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        let names = self.names.keys();
        names.filter_map(|name| name.strip_prefix(mention::EVENT))
    }

    /// From this time on every mentioned event is reported.
    pub fn reported_since(&self) -> Option<Timestamp> {
        self.reported_since
    }

    fn has(&self, name: &str) -> bool {
        if name == mention::CREATED {
            !self.all.is_empty()
        } else {
            self.names.contains_key(name)
        }
    }
}

/// All that one segment mentions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SegmentRow {
    segment: SegmentId,
    mentions: BTreeSet<String>,
    /// From this time on every process knows this row.
    since: Timestamp,
}

/// The events that one webhook wants.
#[derive(Serialize, Deserialize)]
struct HookRow {
    webhook: WebhookId,
    events: BTreeSet<String>,
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
    recent: Recent<TenantKey, Arc<Known>>,
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

    /// Notes what a segment mentions, instead of what it mentioned; safe to repeat. `since` is at least
    /// [`cloud::recent::LEAD`] from now. False if the workspace's interest set has no room: then nothing was written.
    pub async fn mention(
        &self,
        tenant: TenantKey,
        segment: SegmentId,
        mentions: BTreeSet<String>,
        since: Timestamp,
    ) -> Result<bool, Error> {
        let row = SegmentRow {
            segment,
            mentions,
            since,
        };
        let mut rows = self.segment_rows(tenant).await?;
        rows.retain(|other| other.segment != segment);
        rows.push(row.clone());
        if serde_json::to_string(&Mentions::of(rows))?.len() > MAX_SEGMENT_BYTES {
            return Ok(false);
        }
        self.directory
            .put(&keys::mentioning(tenant, segment), &row)
            .await?;
        self.derive(tenant).await?;
        Ok(true)
    }

    /// Forgets what a segment mentions; safe to repeat.
    pub async fn unmention(&self, tenant: TenantKey, segment: SegmentId) -> Result<(), Error> {
        self.directory
            .delete(&keys::mentioning(tenant, segment))
            .await?;
        self.derive(tenant).await
    }

    /// Those of the names that a segment mentions; up to ten seconds old.
    pub async fn mentioned(
        &self,
        tenant: TenantKey,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Vec<String>, Error> {
        let interest = self.recent(tenant).await?;
        let names = names.into_iter();
        Ok(names.filter(|name| interest.segments.has(name)).collect())
    }

    /// Notes which events a webhook wants, by the names of the timeline, instead of those before; safe to repeat. The caller
    /// bounds the webhooks of a workspace.
    pub async fn hook(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        events: BTreeSet<String>,
    ) -> Result<(), Error> {
        let key = keys::hooking(tenant, webhook);
        let row = HookRow { webhook, events };
        self.directory.put(&key, &row).await?;
        self.derive(tenant).await
    }

    /// Forgets which events a webhook wants; safe to repeat.
    pub async fn unhook(&self, tenant: TenantKey, webhook: WebhookId) -> Result<(), Error> {
        let key = keys::hooking(tenant, webhook);
        self.directory.delete(&key).await?;
        self.derive(tenant).await
    }

    /// The webhooks that want an event of this name; up to ten seconds old.
    pub async fn hooks(&self, tenant: TenantKey, event: &str) -> Result<Vec<WebhookId>, Error> {
        let interest = self.recent(tenant).await?;
        let hooks = interest.hooks.get(event).into_iter().flatten();
        Ok(hooks.copied().collect())
    }

    /// Whether a webhook wants an event of one of these names; up to ten seconds old.
    pub async fn hooks_any<'a>(
        &self,
        tenant: TenantKey,
        events: impl IntoIterator<Item = &'a str>,
    ) -> Result<bool, Error> {
        let interest = self.recent(tenant).await?;
        let mut events = events.into_iter();
        Ok(events.any(|event| interest.hooks.contains_key(event)))
    }

    /// The rules of the lead score; up to ten seconds old.
    pub(crate) async fn scoring(&self, tenant: TenantKey) -> Result<Arc<Scoring>, Error> {
        Ok(self.recent(tenant).await?.scoring.clone())
    }

    /// Makes the set again after the rules of the lead score changed.
    pub(crate) async fn refresh(&self, tenant: TenantKey) -> Result<(), Error> {
        self.derive(tenant).await
    }

    /// The data that the segments of the workspace mention; up to ten seconds old.
    pub async fn mentions(&self, tenant: TenantKey) -> Result<Arc<Mentions>, Error> {
        Ok(self.recent(tenant).await?.segments.clone())
    }

    async fn segment_rows(&self, tenant: TenantKey) -> Result<Vec<SegmentRow>, Error> {
        let query = Query::partition(keys::mentions(tenant));
        self.directory.query_all(query).await
    }

    async fn recent(&self, tenant: TenantKey) -> Result<Arc<Known>, Error> {
        let read = || {
            let directory = self.directory.clone();
            async move {
                let interest: Option<Interest> = directory.look_up(&keys::interest(tenant)).await?;
                let interest = interest.unwrap_or_default();
                Ok(Arc::new(Known {
                    events: interest.events,
                    segments: Arc::new(interest.segments),
                    scoring: Arc::new(interest.scoring),
                    hooks: interest.hooks,
                }))
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

    async fn hook_rows(&self, tenant: TenantKey) -> Result<Hooks, Error> {
        let query = Query::partition(keys::hooks(tenant));
        let rows: Vec<HookRow> = self.directory.query_all(query).await?;
        let mut hooks = Hooks::new();
        for row in rows {
            for event in row.events {
                hooks.entry(event).or_default().insert(row.webhook);
            }
        }
        Ok(hooks)
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
                segments: Mentions::of(self.segment_rows(tenant).await?),
                scoring: self
                    .directory
                    .get(&keys::scoring(tenant))
                    .await?
                    .unwrap_or_default(),
                hooks: self.hook_rows(tenant).await?,
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
