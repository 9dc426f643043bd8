//! The SMS channel of all workspaces, in the table Directory: the account at the provider, the brandnames, the templates.
//!
//! Keys of the account are sealed for their workspace and are never shown. Each change of a row requires the version that was
//! read.

use cloud::{Created, Error, Query, Recent, Resources, Table};
use jiff::Timestamp;
use kernel::{BrandnameId, Clock, Seal, SmsTemplateId, TenantKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::brandname::{self, Brandname};
use super::esms::Keys;
use super::keys;
use super::template::{self, Template};

/// Most brandnames of a workspace.
pub const MAX_BRANDNAMES: usize = 50;
/// Most templates of a workspace.
pub const MAX_TEMPLATES: usize = 200;
/// Workspaces and brandnames that a process keeps in memory.
const MOST: usize = 20_000;
/// Tries against other writers of a row.
const ROUNDS: u32 = 8;

/// The account of a workspace at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Hex of nonce and ciphertext of the keys.
    sealed: String,
    /// When the keys were entered and proven.
    pub connected_at: Timestamp,
}

/// Why a row is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The workspace has as many as there may be.
    Full,
    /// The workspace has this name for this kind already.
    NameTaken,
    /// The kind of a brandname cannot change.
    FixedKind,
    /// The brandname of a template cannot change.
    FixedBrandname,
    /// Templates name the brandname.
    InUse,
    /// There is no such row.
    Missing,
    /// The workspace has no such brandname.
    NoBrandname,
}

/// The settings of all workspaces; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct SmsSettings {
    directory: Table,
    seal: Seal,
    accounts: Recent<TenantKey, Option<Keys>>,
    brandnames: Recent<(TenantKey, BrandnameId), Option<Brandname>>,
}

impl SmsSettings {
    /// Over the table Directory. `secret` is the installation's.
    pub fn over(resources: &Resources, secret: &str) -> Self {
        let clock = resources.clock();
        Self {
            directory: resources.table("Directory"),
            seal: Seal::new("sms", secret),
            accounts: Recent::new(clock, MOST),
            brandnames: Recent::new(clock, MOST),
        }
    }

    /// The clock of the rows.
    pub fn clock(&self) -> &Clock {
        self.directory.clock()
    }

    /// The account, if one is connected.
    pub async fn account(&self, tenant: TenantKey) -> Result<Option<Account>, Error> {
        self.directory.get(&keys::account(tenant)).await
    }

    /// Stores the keys of an account in place of those before. The caller has proven them.
    pub async fn connect(&self, tenant: TenantKey, keys: &Keys) -> Result<Account, Error> {
        let plain = serde_json::to_vec(keys)?;
        let owner = tenant.to_string();
        let sealed = self.seal.close(self.directory.entropy(), &owner, &plain);
        let account = Account {
            sealed: sealed.ok_or_else(|| Error::Shape("keys that cannot be sealed".into()))?,
            connected_at: self.clock().now(),
        };
        self.directory.put(&keys::account(tenant), &account).await?;
        Ok(account)
    }

    /// Forgets the keys; safe to repeat. Messages stop within ten seconds.
    pub async fn disconnect(&self, tenant: TenantKey) -> Result<(), Error> {
        self.directory.delete(&keys::account(tenant)).await
    }

    /// The keys of an account. `None` also for keys that another installation sealed.
    pub fn keys_of(&self, tenant: TenantKey, account: &Account) -> Option<Keys> {
        let plain = self.seal.open(&tenant.to_string(), &account.sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    /// The keys of the workspace, up to ten seconds old.
    pub async fn recent_keys(&self, tenant: TenantKey) -> Result<Option<Keys>, Error> {
        let own = self.clone();
        let read = move || async move {
            let found: Option<Account> = own.directory.look_up(&keys::account(tenant)).await?;
            Ok(found.and_then(|account| own.keys_of(tenant, &account)))
        };
        self.accounts.get(tenant, read).await
    }

    /// A brandname, up to ten seconds old: for senders.
    pub async fn recent_brandname(
        &self,
        tenant: TenantKey,
        id: BrandnameId,
    ) -> Result<Option<Brandname>, Error> {
        let directory = self.directory.clone();
        let read = move || async move { directory.look_up(&keys::brandname(tenant, id)).await };
        self.brandnames.get((tenant, id), read).await
    }

    /// All brandnames of the workspace, oldest first.
    pub async fn brandnames(&self, tenant: TenantKey) -> Result<Vec<Brandname>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::BRANDNAMES);
        self.directory.query_all(query).await
    }

    /// A brandname.
    pub async fn brandname(
        &self,
        tenant: TenantKey,
        id: BrandnameId,
    ) -> Result<Option<Brandname>, Error> {
        self.directory.get(&keys::brandname(tenant, id)).await
    }

    /// Makes a brandname; `Ok(None)`: another record has the id. A repeated request gets the record of the first one.
    pub async fn create_brandname(
        &self,
        tenant: TenantKey,
        new: &Brandname,
    ) -> Result<Result<Option<Brandname>, Refused>, Error> {
        let all = self.brandnames(tenant).await?;
        let (name, kind) = (&new.settings.name, new.settings.kind);
        let mut others = all.iter().filter(|one| one.id != new.id);
        if others.any(|one| one.settings.name == *name && one.settings.kind == kind) {
            return Ok(Err(Refused::NameTaken));
        }
        if !all.iter().any(|one| one.id == new.id) && all.len() >= MAX_BRANDNAMES {
            return Ok(Err(Refused::Full));
        }
        let key = keys::brandname(tenant, new.id);
        Ok(Ok(match self.directory.create(&key, new).await? {
            Created::New => Some(new.clone()),
            Created::Existing(held) => (held.created_at == new.created_at).then_some(held),
        }))
    }

    /// Replaces the settings of a brandname. Its kind stays.
    pub async fn change_brandname(
        &self,
        tenant: TenantKey,
        id: BrandnameId,
        settings: &brandname::Settings,
    ) -> Result<Result<Brandname, Refused>, Error> {
        let key = keys::brandname(tenant, id);
        let now = self.clock().now();
        self.edit(&key, |one: &mut Brandname| {
            if one.settings.kind != settings.kind {
                return Err(Refused::FixedKind);
            }
            one.settings = settings.clone();
            one.updated_at = now;
            one.version += 1;
            Ok(one.version - 1)
        })
        .await
    }

    /// Removes a brandname that no template names; safe to repeat.
    pub async fn remove_brandname(
        &self,
        tenant: TenantKey,
        id: BrandnameId,
    ) -> Result<Result<(), Refused>, Error> {
        let templates = self.templates(tenant).await?;
        if templates.iter().any(|one| one.settings.brandname_id == id) {
            return Ok(Err(Refused::InUse));
        }
        self.directory.delete(&keys::brandname(tenant, id)).await?;
        Ok(Ok(()))
    }

    /// All templates of the workspace, oldest first.
    pub async fn templates(&self, tenant: TenantKey) -> Result<Vec<Template>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::TEMPLATES);
        self.directory.query_all(query).await
    }

    /// A template.
    pub async fn template(
        &self,
        tenant: TenantKey,
        id: SmsTemplateId,
    ) -> Result<Option<Template>, Error> {
        self.directory.get(&keys::template(tenant, id)).await
    }

    /// Makes a template; `Ok(None)`: another record has the id. A repeated request gets the record of the first one.
    pub async fn create_template(
        &self,
        tenant: TenantKey,
        new: &Template,
    ) -> Result<Result<Option<Template>, Refused>, Error> {
        let brandname = self.brandname(tenant, new.settings.brandname_id).await?;
        if brandname.is_none() {
            return Ok(Err(Refused::NoBrandname));
        }
        let all = self.templates(tenant).await?;
        if !all.iter().any(|one| one.id == new.id) && all.len() >= MAX_TEMPLATES {
            return Ok(Err(Refused::Full));
        }
        let key = keys::template(tenant, new.id);
        Ok(Ok(match self.directory.create(&key, new).await? {
            Created::New => Some(new.clone()),
            Created::Existing(held) => (held.created_at == new.created_at).then_some(held),
        }))
    }

    /// Replaces the settings of a template. Its brandname stays.
    pub async fn change_template(
        &self,
        tenant: TenantKey,
        id: SmsTemplateId,
        settings: &template::Settings,
    ) -> Result<Result<Template, Refused>, Error> {
        let key = keys::template(tenant, id);
        let now = self.clock().now();
        self.edit(&key, |one: &mut Template| {
            if one.settings.brandname_id != settings.brandname_id {
                return Err(Refused::FixedBrandname);
            }
            one.settings = settings.clone();
            one.updated_at = now;
            one.version += 1;
            Ok(one.version - 1)
        })
        .await
    }

    /// Removes a template; safe to repeat.
    pub async fn remove_template(&self, tenant: TenantKey, id: SmsTemplateId) -> Result<(), Error> {
        self.directory.delete(&keys::template(tenant, id)).await
    }

    /// Changes a row; `change` gives the version that was read. It runs again after another writer was faster.
    async fn edit<T: Serialize + DeserializeOwned>(
        &self,
        key: &cloud::Key,
        change: impl Fn(&mut T) -> Result<u64, Refused>,
    ) -> Result<Result<T, Refused>, Error> {
        for _ in 0..ROUNDS {
            let Some(mut value) = self.directory.get::<T>(key).await? else {
                return Ok(Err(Refused::Missing));
            };
            let read = match change(&mut value) {
                Ok(read) => read,
                Err(refused) => return Ok(Err(refused)),
            };
            match self.directory.replace(key, &value, read).await {
                Ok(()) => return Ok(Ok(value)),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}
