//! The connection of a source to its provider's API: sealed credentials, sealed tokens, and whether they work.
//!
//! One row of the table Directory, beside the source. Each change of the tokens has the condition that the row still has the
//! version that was read, so a token that was replaced is never written again.

use cloud::{Error, Resources, Table, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::{SourceId, TenantKey, WorkspaceId, secret};
use serde::{Deserialize, Serialize};

use crate::api::{Access, Client, Credentials};
use crate::auth::{Keyring, PREFIX};
use crate::keys;
use crate::provider::Provider;

/// How long a person has to give consent.
const CONSENT: SignedDuration = SignedDuration::from_mins(15);
/// Characters of the words of a fault.
const MAX_DETAIL: usize = 200;

/// Whether the provider's API can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SyncStatus)]
#[serde(rename_all = "snake_case")]
pub enum LinkStatus {
    /// The credentials were not checked yet, or wait for the consent of a person.
    Connecting,
    /// The last call succeeded.
    Connected,
    /// The last call failed, and is tried again.
    Error,
    /// The provider refuses the credentials: the owner enters new ones, or gives consent again.
    TokenExpired,
}

/// The last fault of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SyncFault)]
pub struct LinkFault {
    /// `busy`, `unavailable`, `refused`, `unexpected` or `suspended`.
    pub code: String,
    /// The fault in words.
    pub detail: String,
    /// When it happened.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub at: Timestamp,
}

/// The connection of a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    workspace: WorkspaceId,
    version: u64,
    credentials: String,
    #[serde(default)]
    access: Option<String>,
    /// Whether the API can be called.
    pub status: LinkStatus,
    /// The last fault.
    #[serde(default)]
    pub error: Option<LinkFault>,
    /// Since when the provider refuses the credentials: later changes were not fetched.
    #[serde(default)]
    pub broken_at: Option<Timestamp>,
    /// The shop's name in webhooks.
    #[serde(default)]
    pub shop: Option<String>,
    /// When the credentials were entered.
    pub entered_at: Timestamp,
    /// When the subscription was last seen alive.
    #[serde(default)]
    pub checked_at: Option<Timestamp>,
}

impl Link {
    /// The number of changes of the credentials and tokens.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// A wait for the consent of a person at the provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Consent {
    workspace: WorkspaceId,
    /// The source.
    pub source: SourceId,
    until: Timestamp,
    ttl: i64,
}

impl Consent {
    /// The workspace of the person who asked for the consent.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the state of the redirect is a secret of this workspace's person"
    )]
    pub fn tenant(&self) -> TenantKey {
        TenantKey::authenticated(self.workspace)
    }
}

/// The connections of all sources; cheap to clone.
#[derive(Clone, Debug)]
pub struct Links {
    directory: Table,
    keyring: Keyring,
}

impl Links {
    /// Over the table Directory.
    pub fn over(resources: &Resources, keyring: Keyring) -> Self {
        Self {
            directory: resources.table("Directory"),
            keyring,
        }
    }

    /// The connection of a source of the workspace. One read unit.
    pub async fn get(&self, tenant: TenantKey, source: SourceId) -> Result<Option<Link>, Error> {
        let link: Option<Link> = self.directory.get(&keys::link(source)).await?;
        Ok(link.filter(|link| link.workspace == tenant.workspace()))
    }

    /// The API with the connection's credentials; `None` if they were sealed with another secret.
    pub fn client(&self, provider: Provider, source: SourceId, link: &Link) -> Option<Client> {
        let access: Option<Access> = match &link.access {
            Some(sealed) => Some(self.keyring.unseal(source, sealed)?),
            None => None,
        };
        Some(Client {
            provider,
            credentials: self.keyring.unseal(source, &link.credentials)?,
            access,
            shop: link.shop.clone(),
        })
    }

    /// Enters credentials. The tokens of earlier ones are gone.
    pub async fn enter(
        &self,
        tenant: TenantKey,
        source: SourceId,
        credentials: &Credentials,
    ) -> Result<Link, Error> {
        let before = self.get(tenant, source).await?;
        let link = Link {
            workspace: tenant.workspace(),
            version: before.as_ref().map_or(0, |link| link.version) + 1,
            credentials: self.close(source, credentials)?,
            access: None,
            status: LinkStatus::Connecting,
            error: None,
            broken_at: before.and_then(|link| link.broken_at),
            shop: None,
            entered_at: self.directory.clock().now(),
            checked_at: None,
        };
        self.directory.put(&keys::link(source), &link).await?;
        Ok(link)
    }

    /// Stores new tokens before they are used. `None`: another worker has changed the connection since it was read.
    pub async fn store(
        &self,
        source: SourceId,
        link: &Link,
        access: &Access,
    ) -> Result<Option<Link>, Error> {
        let update = Update::new()
            .set("access", self.close(source, access)?)
            .set("version", link.version + 1)
            .set_some("shop", access.shop.as_ref().filter(|_| link.shop.is_none()))
            .when_equals("version", link.version);
        let outcome = self.directory.update(&keys::link(source), update).await?;
        if outcome.applied() {
            outcome.item()
        } else {
            Ok(None)
        }
    }

    /// Notes a call that succeeded. A connection that was well costs no write.
    pub async fn heal(&self, source: SourceId, link: &Link) -> Result<(), Error> {
        if link.status == LinkStatus::Connected && link.error.is_none() {
            return Ok(());
        }
        let update = Update::new()
            .set("status", LinkStatus::Connected)
            .remove("error")
            .when_equals("version", link.version);
        self.directory.update(&keys::link(source), update).await?;
        Ok(())
    }

    /// Notes that the subscription is alive, and the shop's name.
    /// With `is_whole` nothing is missing any more.
    pub async fn checked(
        &self,
        source: SourceId,
        link: &Link,
        shop: Option<&str>,
        is_whole: bool,
    ) -> Result<(), Error> {
        let mut update = Update::new()
            .set("checked_at", self.directory.clock().now())
            .set("status", LinkStatus::Connected)
            .remove("error")
            .set_some("shop", shop)
            .when_equals("version", link.version);
        if is_whole {
            update = update.remove("broken_at");
        }
        self.directory.update(&keys::link(source), update).await?;
        Ok(())
    }

    /// Notes a fault. The same fault again costs no write. False: the connection was changed since it was read.
    pub async fn fail(
        &self,
        source: SourceId,
        link: &Link,
        status: LinkStatus,
        code: &str,
        detail: &str,
    ) -> Result<bool, Error> {
        let is_same = link.error.as_ref().is_some_and(|error| error.code == code);
        if link.status == status && is_same {
            return Ok(true);
        }
        let now = self.directory.clock().now();
        let error = LinkFault {
            code: code.to_owned(),
            detail: detail.chars().take(MAX_DETAIL).collect(),
            at: now,
        };
        let mut update = Update::new()
            .set("status", status)
            .set("error", error)
            .when_equals("version", link.version);
        if status == LinkStatus::TokenExpired {
            update = update.set_if_absent("broken_at", now);
        }
        let outcome = self.directory.update(&keys::link(source), update).await?;
        Ok(outcome.applied())
    }

    /// A state that names the source for [`CONSENT`], once.
    pub async fn ask_consent(&self, tenant: TenantKey, source: SourceId) -> Result<String, Error> {
        let state = secret::generate(PREFIX, self.directory.entropy());
        let until = self.directory.clock().now() + CONSENT;
        let row = Consent {
            workspace: tenant.workspace(),
            source,
            until,
            ttl: until.as_second() + 3600,
        };
        let key = keys::consent(&secret::hash(&state));
        self.directory.put(&key, &row).await?;
        Ok(state)
    }

    /// Takes a state: it is valid once. `None`: there is no such state, or its time is over.
    pub async fn take_consent(&self, state: &str) -> Result<Option<Consent>, Error> {
        let key = keys::consent(&secret::hash(state));
        let Some(row) = self.directory.get::<Consent>(&key).await? else {
            return Ok(None);
        };
        let only = Update::new().when_equals("source", row.source);
        let is_first = self.directory.delete_when(&key, only).await?;
        let in_time = self.directory.clock().now() < row.until;
        Ok(Some(row).filter(|_| is_first && in_time))
    }

    fn close(&self, source: SourceId, plain: &impl Serialize) -> Result<String, Error> {
        let sealed = self.keyring.close(source, self.directory.entropy(), plain);
        sealed.ok_or_else(|| Error::Shape("the credentials were not sealed".into()))
    }
}
