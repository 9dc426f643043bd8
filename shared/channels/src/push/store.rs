//! The push channel of all workspaces, in one row of the table Directory for each.
//!
//! Private keys and service accounts are sealed for their workspace and are never shown. Each change requires the version
//! that was read.

use cloud::{Error, Recent, Resources, Table};
use jiff::Timestamp;
use kernel::{Clock, Seal, TenantKey};
use serde::{Deserialize, Serialize};

use super::fcm::Account;
use super::{keys, web};

/// Workspaces that a process keeps in memory.
const MOST: usize = 20_000;
/// Tries against other writers of the row.
const ROUNDS: u32 = 8;

/// When and where a website asks for the permission to notify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Seconds on the page before the question.
    pub delay_seconds: u32,
    /// The question.
    pub text: String,
    /// Beginnings of the paths on which it is asked; empty: on all.
    #[serde(default)]
    pub only_on: Vec<String>,
}

/// The web push of a workspace, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebPush {
    /// The public VAPID key, in base64url.
    pub public_key: String,
    /// Hex of nonce and ciphertext of the private key.
    sealed: String,
    /// `mailto:` address that push services write to.
    pub contact: String,
    /// When the keys were made.
    pub created_at: Timestamp,
    /// The question.
    pub site: Site,
}

/// The account at FCM, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MobilePush {
    /// The project of Firebase.
    pub project_id: String,
    /// The service account's address.
    pub client_email: String,
    /// Hex of nonce and ciphertext of the service account.
    sealed: String,
    /// When it was entered and proven.
    pub connected_at: Timestamp,
}

/// The row of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Web push, if it is set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<WebPush>,
    /// FCM, if it is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<MobilePush>,
    version: u64,
}

/// The keys that sign web pushes.
#[derive(Clone, PartialEq, Eq)]
pub struct Vapid {
    /// The private key: 32 bytes.
    pub private: Vec<u8>,
    /// The public key, in base64url.
    pub public_key: String,
    /// `mailto:` address.
    pub contact: String,
}

impl std::fmt::Debug for Vapid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vapid(..)")
    }
}

/// The keys of a workspace, for senders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ready {
    /// Of web push.
    pub vapid: Option<Vapid>,
    /// Of FCM.
    pub account: Option<Account>,
}

/// The settings of all workspaces; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct PushSettings {
    directory: Table,
    seal: Seal,
    ready: Recent<TenantKey, Ready>,
}

impl PushSettings {
    /// Over the table Directory. `secret` is the installation's.
    pub fn over(resources: &Resources, secret: &str) -> Self {
        Self {
            directory: resources.table("Directory"),
            seal: Seal::new("push", secret),
            ready: Recent::new(resources.clock(), MOST),
        }
    }

    /// The clock of the rows.
    pub fn clock(&self) -> &Clock {
        self.directory.clock()
    }

    /// The settings of a workspace.
    pub async fn get(&self, tenant: TenantKey) -> Result<Row, Error> {
        let found: Option<Row> = self.directory.get(&keys::settings(tenant)).await?;
        Ok(found.unwrap_or_default())
    }

    /// Sets the site's question. The VAPID keys are made at the first time, and stay: a subscription is for its key.
    pub async fn set_web(
        &self,
        tenant: TenantKey,
        contact: &str,
        site: &Site,
    ) -> Result<Row, Error> {
        let entropy = self.directory.entropy();
        let (private, public_key) = web::new_keys(|| entropy.bytes());
        let sealed = self.seal.close(entropy, &tenant.to_string(), &private);
        let made = WebPush {
            public_key,
            sealed: sealed.ok_or_else(|| Error::Shape("a key that cannot be sealed".into()))?,
            contact: contact.to_owned(),
            created_at: self.clock().now(),
            site: site.clone(),
        };
        self.edit(tenant, |row| {
            let kept = row.web.take();
            row.web = Some(match kept {
                Some(kept) => WebPush {
                    contact: contact.to_owned(),
                    site: site.clone(),
                    ..kept
                },
                None => made.clone(),
            });
        })
        .await
    }

    /// Forgets the VAPID keys; safe to repeat. The subscriptions of browsers end with them.
    pub async fn remove_web(&self, tenant: TenantKey) -> Result<(), Error> {
        self.edit(tenant, |row| row.web = None).await.map(drop)
    }

    /// Stores a service account in place of the one before. The caller has proven it.
    pub async fn connect(&self, tenant: TenantKey, account: &Account) -> Result<Row, Error> {
        let plain = serde_json::to_vec(account)?;
        let entropy = self.directory.entropy();
        let sealed = self.seal.close(entropy, &tenant.to_string(), &plain);
        let mobile = MobilePush {
            project_id: account.project_id.clone(),
            client_email: account.client_email.clone(),
            sealed: sealed
                .ok_or_else(|| Error::Shape("an account that cannot be sealed".into()))?,
            connected_at: self.clock().now(),
        };
        self.edit(tenant, |row| row.mobile = Some(mobile.clone()))
            .await
    }

    /// Forgets the service account; safe to repeat. Messages stop within ten seconds.
    pub async fn disconnect(&self, tenant: TenantKey) -> Result<(), Error> {
        self.edit(tenant, |row| row.mobile = None).await.map(drop)
    }

    /// The keys of the workspace, up to ten seconds old. Keys that another installation sealed are none.
    pub async fn ready(&self, tenant: TenantKey) -> Result<Ready, Error> {
        let own = self.clone();
        let read = move || async move {
            let found: Option<Row> = own.directory.look_up(&keys::settings(tenant)).await?;
            Ok(own.opened(tenant, found.unwrap_or_default()))
        };
        self.ready.get(tenant, read).await
    }

    fn opened(&self, tenant: TenantKey, row: Row) -> Ready {
        let owner = tenant.to_string();
        let vapid = row.web.and_then(|web| {
            Some(Vapid {
                private: self.seal.open(&owner, &web.sealed)?,
                public_key: web.public_key,
                contact: web.contact,
            })
        });
        let account = row.mobile.and_then(|mobile| {
            let plain = self.seal.open(&owner, &mobile.sealed)?;
            serde_json::from_slice(&plain).ok()
        });
        Ready { vapid, account }
    }

    /// Changes the row, which is made if there is none. `change` runs again after another writer was faster.
    async fn edit(&self, tenant: TenantKey, change: impl Fn(&mut Row)) -> Result<Row, Error> {
        let key = keys::settings(tenant);
        for _ in 0..ROUNDS {
            let found: Option<Row> = self.directory.get(&key).await?;
            let read = found.as_ref().map(|row| row.version);
            let mut row = found.unwrap_or_default();
            change(&mut row);
            row.version += 1;
            match self.directory.replace_or_create(&key, &row, read).await {
                Ok(()) => return Ok(row),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}

/// The web push of all workspaces, for their pages: no private key can be read here. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sites {
    directory: Table,
    known: Recent<TenantKey, Option<WebPush>>,
}

impl Sites {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            known: Recent::new(resources.clock(), MOST),
        }
    }

    /// Whether the workspace has set up web push or FCM.
    pub async fn may_push(&self, tenant: TenantKey) -> Result<bool, Error> {
        let found: Option<Row> = self.directory.get(&keys::settings(tenant)).await?;
        Ok(found.is_some_and(|row| row.web.is_some() || row.mobile.is_some()))
    }

    /// The web push of a workspace, up to ten seconds old.
    pub async fn recent(&self, tenant: TenantKey) -> Result<Option<WebPush>, Error> {
        let directory = self.directory.clone();
        let read = move || async move {
            let found: Option<Row> = directory.look_up(&keys::settings(tenant)).await?;
            Ok(found.and_then(|row| row.web))
        };
        self.known.get(tenant, read).await
    }
}
