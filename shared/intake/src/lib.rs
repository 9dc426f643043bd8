//! The common part of the functions that take requests of sources: limit, find, check, enqueue.
//!
//! A function names its route and its provider, and answers as its provider expects. A request
//! is one message on the queue ingest, with its raw body or the file of a large one. A request is refused before anything else is done for it.
//! This crate writes one thing: that a source refused a request, at most once in ten seconds.

mod refusal;

use std::num::NonZeroU32;

use accounts::RecentWorkspaces;
use axum::http::HeaderMap;
use cloud::{Blobs, Buckets, QueueOf, SendOptions};
use kernel::{Clock, SourceId};
use lambda::http::{Json, Raw};
use lambda::{Setup, metrics};
use serde::Serialize;
use sources::{Activity, Call, Door, Inbound, Keyring, Provider, RawRequest, Sources};

pub use refusal::{Ended, Refusal};

/// Bytes of a shop's request. API Gateway and Lambda take 6 MB, with a body in base64.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Requests that a process takes of one key.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// In a second.
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

/// A shop's webhooks: a sale's first minute is a hundred orders a second.
pub const SHOP_RATE: Rate = Rate {
    per_second: NonZeroU32::new(100).unwrap(),
    burst: NonZeroU32::new(300).unwrap(),
};

/// Takes requests of sources; cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    sources: Sources,
    workspaces: RecentWorkspaces,
    activity: Activity,
    queue: QueueOf<Inbound>,
    /// For bodies that are too large for a message.
    files: Blobs,
    /// Absent in a function whose sources have tokens only.
    keyring: Option<Keyring>,
    clock: Clock,
    buckets: Buckets,
    rate: Rate,
}

/// The answer to a request that was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TakenRequest)]
pub struct Taken {
    /// True: the request is on its queue.
    pub accepted: bool,
}

/// A request of a source.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The source that its address names.
    pub source: SourceId,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The bytes of its body.
    pub body: &'a [u8],
    /// The address that the provider was given; only Shopee signs it.
    pub url: &'a str,
}

impl<'a> Request<'a> {
    /// A request to this source.
    pub fn new(source: SourceId, raw: &'a Raw) -> Self {
        Self {
            source,
            headers: &raw.headers,
            body: &raw.body,
            url: "",
        }
    }
}

impl Intake {
    /// Of a provider whose requests carry a token.
    pub fn of_tokens(setup: &Setup, rate: Rate) -> Self {
        Self::new(setup, rate, None)
    }

    /// Of a provider that signs its requests.
    pub fn of_keys(setup: &Setup) -> Self {
        let keyring = Keyring::new(setup.secret("SOURCES_SECRET"));
        Self::new(setup, SHOP_RATE, Some(keyring))
    }

    fn new(setup: &Setup, rate: Rate, keyring: Option<Keyring>) -> Self {
        let resources = setup.resources();
        Self {
            sources: Sources::over(resources),
            workspaces: RecentWorkspaces::over(resources),
            activity: Activity::over(resources),
            queue: resources.queue_of(),
            files: resources.bucket("Raw"),
            keyring,
            clock: setup.clock().clone(),
            buckets: Buckets::new(setup.clock(), rate.per_second, rate.burst),
            rate,
        }
    }

    /// The source of this id, if it is the provider's.
    pub async fn find(&self, provider: Provider, id: SourceId) -> Result<Door, Refusal> {
        let door = self.sources.find(id).await?;
        let own = door.filter(|door| door.source.provider == provider);
        own.ok_or(Refusal::Unknown)
    }

    /// Takes a request: on return its message is on the queue.
    pub async fn take(
        &self,
        provider: Provider,
        request: Request<'_>,
    ) -> Result<Json<Taken>, Refusal> {
        // Public pages show the address of a source, so a flood of it must cost nothing but the request.
        let key = request.source.to_string();
        slow_down(&self.buckets, &key, self.rate.per_second)?;
        let Door { tenant, source } = self.find(provider, request.source).await?;
        if source.disconnected_at.is_some() {
            return Err(Refusal::Disconnected);
        }
        let now = self.clock.now();
        let keyring = self.keyring.as_ref();
        let keys = keyring.map(|keyring| keyring.open(source.id, &source.auth, now));
        let call = Call {
            headers: request.headers,
            body: request.body,
            url: request.url,
            now,
        };
        if !source.auth.is_ready() {
            return Err(Refusal::NotReady);
        }
        if !provider.admits(&source.auth, &keys.unwrap_or_default(), &call) {
            metrics::incident("SignatureRefused", 1);
            // The owner sees it, for a wrong secret is the usual reason. A lost note changes no answer.
            if self.activity.refuse(tenant, source.id).await.is_err() {
                metrics::count("CountsLost", 1);
            }
            return Err(Refusal::Forged);
        }
        if source.paused_at.is_some() {
            return Err(Refusal::Paused);
        }
        if !self.workspaces.is_open(tenant).await? {
            return Err(Refusal::Archived);
        }
        let mut raw = RawRequest::take(source, request.headers, request.body, now).await?;
        raw.put_aside(tenant, &self.files).await?;
        let inbound = Inbound::Request(Box::new(raw));
        let options = SendOptions::default();
        let sent = self.queue.send(tenant, &inbound, options).await;
        sent.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        metrics::count("RequestsAccepted", 1);
        Ok(Json(Taken { accepted: true }))
    }
}

/// Takes a token of the key's bucket.
pub fn slow_down(buckets: &Buckets, key: &str, most: NonZeroU32) -> Result<(), Refusal> {
    buckets.take(key).map_err(|wait| {
        metrics::incident("RequestsOverLimit", 1);
        let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
        Refusal::Busy { most, seconds }
    })
}
