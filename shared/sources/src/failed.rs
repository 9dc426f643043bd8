//! Requests that this build cannot read. They wait for the workspace's people: a mapping may be repaired, and then the
//! request is replayed.
//!
//! A request is two rows of the table Directory for 30 days: a short one for the list, and its text. The text is written
//! first, so that each row of the list has one. Costs two writes: one unit, and one for each KB of the body.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cloud::{Error, Query, QueueOf, Resources, SendOptions, Table, Update, Window};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Cursor, Limit, SourceId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::inbound::{Inbound, RawRequest};
use crate::keys;
use crate::source::Settings;
use crate::submission::ParseError;

/// How long a request is kept.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// Failed requests of a source that are kept of an hour. Anybody can post to a public form.
pub const FAILED_AN_HOUR: u32 = 200;
const HOUR: Duration = Duration::from_hours(1);

/// The id of a failed request: the milliseconds of its arrival, and a hash of its body. So a redelivered message finds the
/// rows of its first delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(
    min_length = 46,
    max_length = 46,
    pattern = "^[0-9]{13}-[0-9a-f]{32}$",
    example = "1772413260000-0123456789abcdef0123456789abcdef"
)]
pub struct FailedId(String);

impl FailedId {
    fn of(request: &RawRequest) -> Self {
        let at = request.received_at.as_millisecond();
        let text = request.file.as_deref().unwrap_or(&request.body);
        Self(format!("{at:013}-{}", kernel::hash::name(&[text])))
    }
}

impl TryFrom<String> for FailedId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text.split_once('-');
        let is_id = parts.is_some_and(|(at, hash)| {
            let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
            at.len() == 13
                && at.chars().all(|c| c.is_ascii_digit())
                && hash.len() == 32
                && hash.chars().all(is_hex)
        });
        is_id
            .then_some(Self(text))
            .ok_or("expected the id of a failed request")
    }
}

impl FromStr for FailedId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for FailedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A failed request, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FailedRequest)]
pub struct Failed {
    /// Id; requests are listed in the order of their ids, which is that of their arrival.
    pub id: FailedId,
    /// A stable name of the reason, such as `unmapped_address`.
    pub reason: String,
    /// The reason in words; it holds nothing of the body.
    pub message: String,
    /// When the request was accepted.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub received_at: Timestamp,
    /// When the request was last replayed.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub replayed_at: Option<Timestamp>,
}

/// The stored form: the row is deleted after its time.
#[derive(Serialize, Deserialize)]
struct Expiring<T> {
    #[serde(flatten)]
    row: T,
    ttl: i64,
}

/// The failed requests of all workspaces; cheap to clone.
#[derive(Clone, Debug)]
pub struct FailedRequests {
    directory: Table,
}

impl FailedRequests {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// Keeps a request. False: the source has failed too many in this hour. A repetition finds the rows of its first
    /// run, and a replayed request its own rows.
    pub async fn keep(
        &self,
        window: &Window,
        tenant: TenantKey,
        request: &RawRequest,
        error: &ParseError,
    ) -> Result<bool, Error> {
        let replayed = request.replay_of.clone();
        let id = replayed.unwrap_or_else(|| FailedId::of(request));
        if request.replay_of.is_none() {
            let scope = format!("{tenant}#FAILED#{}", request.source);
            // By the present hour: a redrive of the surplus fails the next ones.
            let at = self.directory.clock().now();
            let admits = window.admits(&scope, HOUR, at, &id.0, FAILED_AN_HOUR);
            if !admits.await? {
                return Ok(false);
            }
        }
        let ttl = request.received_at.as_second() + KEPT.as_secs() as i64;
        let text = Expiring { row: request, ttl };
        let key = keys::failed_text(tenant, request.source, &id);
        self.directory.put(&key, &text).await?;
        let update = Update::new()
            .set("id", &id)
            .set("reason", error.code())
            .set("message", error.to_string())
            .set("received_at", request.received_at)
            .set("ttl", ttl);
        let key = keys::failed(tenant, request.source, &id);
        self.directory.update(&key, update).await?;
        Ok(true)
    }

    /// A page of a source's failed requests, oldest first.
    pub async fn list(
        &self,
        tenant: TenantKey,
        source: SourceId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Failed>, Error> {
        let query = Query::partition(keys::failed_of(tenant, source))
            .limit(limit.get())
            .cursor(cursor);
        self.directory.query(query).await
    }

    /// The newest failed request of a source.
    pub async fn newest(
        &self,
        tenant: TenantKey,
        source: SourceId,
    ) -> Result<Option<Failed>, Error> {
        let query = Query::partition(keys::failed_of(tenant, source));
        let page: Page<Failed> = self.directory.query(query.descending().limit(1)).await?;
        Ok(page.data.into_iter().next())
    }

    /// A failed request with its text.
    pub async fn get(
        &self,
        tenant: TenantKey,
        source: SourceId,
        id: &FailedId,
    ) -> Result<Option<(Failed, RawRequest)>, Error> {
        let key = keys::failed(tenant, source, id);
        let Some(failed) = self.directory.get::<Failed>(&key).await? else {
            return Ok(None);
        };
        let key = keys::failed_text(tenant, source, id);
        let text: Option<RawRequest> = self.directory.get(&key).await?;
        Ok(text.map(|request| (failed, request)))
    }

    /// Puts a failed request on the queue again, with these settings. False: there is no such request. The rows go when
    /// the request was read, so a request whose replay fails is still listed.
    pub async fn replay(
        &self,
        tenant: TenantKey,
        source: SourceId,
        id: &FailedId,
        settings: &Settings,
        queue: &QueueOf<Inbound>,
    ) -> Result<bool, Error> {
        let Some((_, request)) = self.get(tenant, source, id).await? else {
            return Ok(false);
        };
        let update = Update::new()
            .set("replayed_at", self.directory.clock().now())
            .when_exists();
        let key = keys::failed(tenant, source, id);
        if !self.directory.update(&key, update).await?.applied() {
            return Ok(false);
        }
        let again = RawRequest {
            settings: settings.clone(),
            replay_of: Some(id.clone()),
            ..request
        };
        let inbound = Inbound::Request(Box::new(again));
        queue.send(tenant, &inbound, SendOptions::default()).await?;
        Ok(true)
    }

    /// Removes a failed request: first its place in the list.
    pub async fn remove(
        &self,
        tenant: TenantKey,
        source: SourceId,
        id: &FailedId,
    ) -> Result<(), Error> {
        let key = keys::failed(tenant, source, id);
        self.directory.delete(&key).await?;
        let key = keys::failed_text(tenant, source, id);
        self.directory.delete(&key).await
    }
}
