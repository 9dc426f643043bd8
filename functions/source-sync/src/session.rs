//! A source's API, ready for calls: the tokens are renewed under a lease, and stored before they are used.

use std::time::Duration;

use accounts::RecentWorkspaces;
use bytes::Bytes;
use cloud::limiter::Slot;
use cloud::{Blobs, Lease, Limiter, QueueOf, SendOptions, Timers};
use http::{Request, Response};
use jiff::Timestamp;
use kernel::{Clock, SourceId, TenantKey};
use lambda::{Failure, metrics};
use serde_json::Value;
use sources::api::{ApiError, Client, Desk, Object};
use sources::{Inbound, Keyring, Link, LinkStatus, Links, Runs, Source, Sources, SyncTask};

/// How long a renewal may take: the call's time-out and two writes.
const RENEWAL: Duration = Duration::from_secs(30);
/// A slot so near is used at once.
const NEAR: Duration = Duration::from_secs(1);

/// Deliveries after which a task leaves a provider that gives no answer to the next check.
pub const PATIENCE: u32 = 8;
/// The wait of a task whose provider gives no answer.
const LATER: Duration = Duration::from_secs(cloud::queue::MAX_DELAY_SECONDS as u64);

pub struct Worker {
    pub workspaces: RecentWorkspaces,
    pub sources: Sources,
    pub links: Links,
    pub runs: Runs,
    pub desk: Desk,
    pub limiter: Limiter,
    pub lease: Lease,
    pub timers: Timers,
    pub inbox: QueueOf<Inbound>,
    pub own: QueueOf<SyncTask>,
    /// Large bodies of requests.
    pub files: Blobs,
    pub keyring: Keyring,
    pub clock: Clock,
    pub base_url: String,
}

/// A source with its API.
pub struct Session {
    pub tenant: TenantKey,
    pub source: Source,
    pub link: Link,
    pub client: Client,
    /// Whether the workspace is open, and its owner has neither paused nor disconnected the source.
    pub is_on: bool,
}

impl Session {
    /// Whether objects are fetched now. While nothing is fetched, the next check that succeeds reads what changed.
    pub fn fetches(&self) -> bool {
        self.is_on && self.link.is_ready()
    }

    /// Whether the credentials are those of an app to which nobody has consented yet.
    pub fn waits_for_consent(&self) -> bool {
        let needs = self.client.credentials.needs_consent(self.source.provider);
        needs && self.client.access.is_none()
    }
}

/// Why a task cannot go on.
pub enum Stop {
    /// Our own state or queue.
    Ours(Failure),
    /// The provider.
    Theirs(ApiError),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Ours(failure)
    }
}

impl From<cloud::Error> for Stop {
    fn from(error: cloud::Error) -> Self {
        Self::Ours(error.into())
    }
}

impl Worker {
    /// The source and its connection; `None` if one of them is gone. Two read units.
    pub async fn open(&self, tenant: TenantKey, id: SourceId) -> Result<Option<Session>, Failure> {
        let Some(link) = self.links.get(tenant, id).await? else {
            return Ok(None);
        };
        let Some(source) = self.sources.get(tenant, id).await? else {
            return Ok(None);
        };
        let is_off = source.paused_at.is_some() || source.disconnected_at.is_some();
        let is_on = !is_off && self.workspaces.is_open(tenant).await?;
        let client = self.links.client(source.provider, id, &link);
        let client = client.ok_or_else(|| {
            Failure::reject(
                "Sync.Sealed",
                "the credentials were sealed with another secret",
            )
        })?;
        Ok(Some(Session {
            tenant,
            source,
            link,
            client,
            is_on,
        }))
    }

    /// Makes a call, with a new token if the old one ends or is refused.
    pub async fn call<T>(
        &self,
        session: &mut Session,
        build: impl Fn(&Client, Timestamp) -> Result<Request<Bytes>, ApiError>,
        read: impl Fn(&Client, &Response<Bytes>) -> Result<T, ApiError>,
    ) -> Result<T, Stop> {
        if session.client.is_stale(self.clock.now()) {
            self.renew(session).await?;
        }
        match self.once(session, &build, &read).await {
            Err(ApiError::Refused) if session.client.renews() => {
                self.renew(session).await?;
                self.once(session, &build, &read)
                    .await
                    .map_err(Stop::Theirs)
            }
            other => other.map_err(Stop::Theirs),
        }
    }

    async fn once<T>(
        &self,
        session: &Session,
        build: &impl Fn(&Client, Timestamp) -> Result<Request<Bytes>, ApiError>,
        read: &impl Fn(&Client, &Response<Bytes>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let request = build(&session.client, self.clock.now())?;
        let answer = self.desk.call(request).await?;
        metrics::count("ProviderCalls", 1);
        read(&session.client, &answer)
    }

    /// Renews the token. One worker does so: Shopee's refresh token is valid once.
    async fn renew(&self, session: &mut Session) -> Result<(), Stop> {
        let (tenant, name) = (session.tenant, format!("RENEW#{}", session.source.id));
        let renewed = self
            .lease
            .hold(tenant, &name, RENEWAL, Box::pin(self.renewed(session)))
            .await?;
        renewed.ok_or_else(|| Failure::retry("Sync.Renewing", "another worker renews the token"))?
    }

    async fn renewed(&self, session: &mut Session) -> Result<(), Stop> {
        let (tenant, id) = (session.tenant, session.source.id);
        let link = self.links.get(tenant, id).await?;
        let link = link.ok_or(Stop::Theirs(ApiError::Gone))?;
        if link.version() != session.link.version() {
            // Another worker has renewed it.
            return self.adopt(session, link);
        }
        let now = self.clock.now();
        let request = session.client.renewal(now).map_err(Stop::Theirs)?;
        let answer = self.desk.call(request).await.map_err(Stop::Theirs)?;
        let access = session.client.tokens(&answer, now).map_err(Stop::Theirs)?;
        metrics::count("TokensRenewed", 1);
        let stored = self.links.store(id, &link, &access).await?;
        let stored =
            stored.ok_or_else(|| Failure::retry("Sync.Changed", "the connection was changed"))?;
        self.adopt(session, stored)
    }

    fn adopt(&self, session: &mut Session, link: Link) -> Result<(), Stop> {
        let client = self
            .links
            .client(session.source.provider, session.source.id, &link);
        session.client = client.ok_or(Stop::Theirs(ApiError::Gone))?;
        session.link = link;
        Ok(())
    }

    /// Whether the call may be made now. False: the task was sent again for its slot. One write unit of the table Limits.
    pub async fn may_call(
        &self,
        session: &Session,
        slot: Option<Timestamp>,
        task: impl Fn(Option<Timestamp>) -> SyncTask,
    ) -> Result<bool, Failure> {
        let now = self.clock.now();
        let near = now + NEAR;
        if slot.is_some_and(|slot| slot <= near) {
            return Ok(true);
        }
        let (tenant, id) = (session.tenant, session.source.id);
        let slot = if let Some(slot) = slot {
            Slot::At(slot)
        } else {
            let scope = format!("SYNC#{tenant}#{id}");
            self.limiter
                .reserve(&scope, 1, session.client.rate())
                .await?
        };
        let (slot, wait) = match slot {
            Slot::At(at) if at <= near => return Ok(true),
            Slot::At(at) => (Some(at), at.duration_since(now).unsigned_abs()),
            Slot::Full(wait) => (None, wait),
        };
        self.send_later(tenant, &task(slot), wait).await?;
        Ok(false)
    }

    /// Sends a task of our own queue.
    pub async fn send_later(
        &self,
        tenant: TenantKey,
        task: &SyncTask,
        wait: Duration,
    ) -> Result<(), Failure> {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let options = SendOptions {
            delay_seconds: u16::try_from(seconds)
                .unwrap_or(u16::MAX)
                .min(cloud::queue::MAX_DELAY_SECONDS),
            ..SendOptions::default()
        };
        Ok(self.own.send(tenant, task, options).await?)
    }

    /// Gives objects to `ingest`, as requests of their source. With `fetches` ingest may ask for the objects that they name.
    pub async fn hand_over(
        &self,
        session: &Session,
        object: Object,
        objects: &[Value],
        fetches: bool,
    ) -> Result<(), Failure> {
        let (tenant, source) = (session.tenant, &session.source);
        let now = self.clock.now();
        let requests = session.client.as_requests(
            source.id,
            (&source.settings, fetches),
            object,
            objects,
            now,
        );
        let mut messages = Vec::with_capacity(requests.len());
        for mut request in requests {
            request.put_aside(tenant, &self.files).await?;
            messages.push(Inbound::Request(Box::new(request)));
        }
        self.inbox.send_all(tenant, &messages).await?;
        metrics::count("ObjectsFetched", objects.len() as u64);
        Ok(())
    }

    /// Leaves a change of this time to the recovery, and asks for a check if none knows of it.
    pub async fn leave(&self, session: &Session, at: Timestamp) -> Result<(), Failure> {
        metrics::count("FetchesLeft", 1);
        let source = session.source.id;
        if self.links.miss(source, &session.link, at).await? {
            let check = SyncTask::Check { source };
            self.send_later(session.tenant, &check, LATER).await?;
        }
        Ok(())
    }

    /// Ends a task that the provider stopped: the owner sees why. `again` is the task for a provider that is busy, and
    /// `received` how often the task was delivered.
    pub async fn stopped(
        &self,
        session: &Session,
        stop: Stop,
        again: &SyncTask,
        received: u32,
    ) -> Result<(), Failure> {
        let error = match stop {
            Stop::Ours(failure) => return Err(failure),
            Stop::Theirs(error) => error,
        };
        let id = session.source.id;
        let text = error.to_string();
        let note = |status, code| self.links.fail(id, &session.link, status, code, &text);
        match &error {
            ApiError::Busy(wait) => {
                metrics::count("ProviderBusy", 1);
                self.send_later(session.tenant, again, *wait).await
            }
            ApiError::Gone => match again {
                SyncTask::Fetch { .. } => {
                    metrics::count("ObjectsGone", 1);
                    Ok(())
                }
                // There is no such shop. The next check is that of tomorrow.
                SyncTask::Page { .. } | SyncTask::Check { .. } | SyncTask::Disconnect { .. } => {
                    note(LinkStatus::Error, "not_found").await?;
                    Ok(())
                }
            },
            ApiError::Refused => {
                metrics::incident("CredentialsRefused", 1);
                if !note(LinkStatus::TokenExpired, "refused").await? {
                    return Err(Failure::retry("Sync.Changed", "the connection was changed"));
                }
                match again {
                    SyncTask::Fetch { asked_at, .. } => {
                        self.links.miss(id, &session.link, *asked_at).await?;
                        Ok(())
                    }
                    SyncTask::Page { .. }
                    | SyncTask::Check { .. }
                    | SyncTask::Disconnect { .. } => Ok(()),
                }
            }
            ApiError::Unavailable(_) => {
                note(LinkStatus::Error, "unavailable").await?;
                if received < PATIENCE {
                    return Err(Failure::retry("Provider.Unavailable", &text));
                }
                match again {
                    SyncTask::Fetch { asked_at, .. } => self.leave(session, *asked_at).await,
                    SyncTask::Page { .. } => self.send_later(session.tenant, again, LATER).await,
                    // The next check is that of tomorrow.
                    SyncTask::Check { .. } | SyncTask::Disconnect { .. } => Ok(()),
                }
            }
            ApiError::Unexpected(_) => {
                note(LinkStatus::Error, "unexpected").await?;
                metrics::incident("AnswersUnexpected", 1);
                if received >= PATIENCE && matches!(again, SyncTask::Check { .. }) {
                    // The next check is that of tomorrow.
                    return Ok(());
                }
                Err(Failure::retry("Provider.Unexpected", &text))
            }
        }
    }
}
