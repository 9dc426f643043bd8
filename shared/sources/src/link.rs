//! The connection of a source to its provider's API: sealed credentials, sealed tokens, and whether they work.
//!
//! One row of the table Directory, beside the source. Each change of the tokens requires the version that was
//! read. So a token that was replaced is never written again.

use cloud::{Consents, Error, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{SourceId, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::api::{Access, Client, Credentials};
use crate::auth::{Keyring, PREFIX};
use crate::keys;
use crate::provider::Provider;

/// The code of the fault that only the owner can end, at the provider: no pushes come.
pub const SUSPENDED: &str = "suspended";
/// The code of the fault that the provider did not take the subscription to its webhooks.
pub const NOT_SUBSCRIBED: &str = "not_subscribed";
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
    /// `unavailable`, `refused`, `unexpected`, `not_found`, `not_subscribed` or `suspended`.
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
    /// Since when changes may be missing, because nothing was fetched: the recovery reads what changed since.
    #[serde(default)]
    pub missing_since: Option<Timestamp>,
    /// When something was last left out. A recovery that began before does not have it.
    #[serde(default)]
    pub missed_at: Option<Timestamp>,
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

    /// Whether objects can be fetched: a check has succeeded with these credentials, and no call was refused since.
    pub fn is_ready(&self) -> bool {
        self.checked_at.is_some() && self.status != LinkStatus::TokenExpired
    }

    /// Whether a change of this time would be read by the recovery that is due.
    pub fn will_recover(&self, at: Timestamp) -> bool {
        self.missing_since.is_some_and(|since| since <= at)
    }
}

/// The consent of a person at the provider.
#[derive(Debug, Clone)]
pub struct Consent {
    workspace: WorkspaceId,
    /// The source.
    pub source: SourceId,
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
    consents: Consents,
    keyring: Keyring,
}

impl Links {
    /// Over the table Directory.
    pub fn over(resources: &Resources, keyring: Keyring) -> Self {
        Self {
            directory: resources.table("Directory"),
            consents: Consents::over(resources, "SOURCE", PREFIX),
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

    /// Enters credentials. The tokens of earlier ones are gone. [`Error::Conflict`] means that another writer was first.
    pub async fn enter(
        &self,
        tenant: TenantKey,
        source: SourceId,
        credentials: &Credentials,
    ) -> Result<Link, Error> {
        let before = self.get(tenant, source).await?;
        let expected = before.as_ref().map(Link::version);
        let link = Link {
            workspace: tenant.workspace(),
            version: expected.map_or(0, |version| version + 1),
            credentials: self.close(source, credentials)?,
            access: None,
            status: LinkStatus::Connecting,
            error: None,
            missing_since: before.as_ref().and_then(|link| link.missing_since),
            missed_at: before.and_then(|link| link.missed_at),
            shop: None,
            entered_at: self.directory.clock().now(),
            checked_at: None,
        };
        let key = keys::link(source);
        self.directory
            .replace_or_create(&key, &link, expected)
            .await?;
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
            .set_some("shop", access.shop.as_ref())
            .when_equals("version", link.version);
        let outcome = self.directory.update(&keys::link(source), update).await?;
        if outcome.applied() {
            outcome.item()
        } else {
            Ok(None)
        }
    }

    /// Notes a call that succeeded after one that failed. A connection that was well costs no write.
    pub async fn heal(&self, source: SourceId, link: &Link) -> Result<(), Error> {
        let is_of_check = |error: &LinkFault| [SUSPENDED, NOT_SUBSCRIBED].contains(&&*error.code);
        if link.status != LinkStatus::Error || link.error.as_ref().is_some_and(is_of_check) {
            return Ok(());
        }
        let update = Update::new()
            .set("status", LinkStatus::Connected)
            .remove("error")
            .when_equals("status", LinkStatus::Error)
            .when_equals("version", link.version);
        self.directory.update(&keys::link(source), update).await?;
        Ok(())
    }

    /// Notes that the credentials are valid and the subscription is alive, and the shop's name. False: the connection was
    /// changed since it was read.
    pub async fn checked(
        &self,
        source: SourceId,
        link: &Link,
        shop: Option<&str>,
    ) -> Result<bool, Error> {
        let update = Update::new()
            .set("checked_at", self.directory.clock().now())
            .set("status", LinkStatus::Connected)
            .remove("error")
            .set_some("shop", shop)
            .when_equals("version", link.version);
        let outcome = self.directory.update(&keys::link(source), update).await?;
        Ok(outcome.applied())
    }

    /// Notes that a change of this time was not fetched. A change that the recovery reads anyway costs no write. True: a
    /// recovery is due that was not due before.
    pub async fn miss(&self, source: SourceId, link: &Link, at: Timestamp) -> Result<bool, Error> {
        if link.will_recover(at) && link.missed_at.is_some_and(|missed| missed > at) {
            return Ok(false);
        }
        let mut update = Update::new()
            .set("missed_at", self.directory.clock().now())
            .when_exists();
        if !link.will_recover(at) {
            update = update
                .set("missing_since", at)
                .when_as_read("missing_since", link.missing_since);
        }
        let outcome = self.directory.update(&keys::link(source), update).await?;
        if outcome.applied() {
            Ok(link.missing_since.is_none())
        } else {
            Err(Error::Conflict)
        }
    }

    /// Notes that the recovery has read all that was missing, unless something was left out meanwhile.
    pub async fn whole(&self, source: SourceId, link: &Link) -> Result<(), Error> {
        let update = Update::new()
            .remove("missing_since")
            .remove("missed_at")
            .when_as_read("missing_since", link.missing_since)
            .when_as_read("missed_at", link.missed_at);
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
            update = update
                .set_if_absent("missing_since", now)
                .set("missed_at", now);
        }
        let outcome = self.directory.update(&keys::link(source), update).await?;
        Ok(outcome.applied())
    }

    /// Erases the credentials and the tokens that were entered at this time, and the back-fill that they served. Newer
    /// credentials stay.
    pub async fn forget(&self, source: SourceId, link: &Link) -> Result<(), Error> {
        // The credentials are last: a repetition after a crash finds them.
        self.directory.delete(&keys::run(source)).await?;
        let only = Update::new().when_equals("entered_at", link.entered_at);
        self.directory
            .delete_when(&keys::link(source), only)
            .await?;
        Ok(())
    }

    /// A state that names the source for 15 minutes, once.
    pub async fn ask_consent(&self, tenant: TenantKey, source: SourceId) -> Result<String, Error> {
        self.consents.ask(tenant, &source.to_string()).await
    }

    /// Takes a state: it is valid once. `None`: there is no such state, or its time is over.
    pub async fn take_consent(&self, state: &str) -> Result<Option<Consent>, Error> {
        let taken = self.consents.take(state).await?;
        Ok(taken.and_then(|(workspace, source)| {
            let source = source.parse().ok()?;
            Some(Consent { workspace, source })
        }))
    }

    fn close(&self, source: SourceId, plain: &impl Serialize) -> Result<String, Error> {
        let sealed = self.keyring.close(source, self.directory.entropy(), plain);
        sealed.ok_or_else(|| Error::Shape("the credentials were not sealed".into()))
    }
}
