//! Official Accounts and their templates in the table Directory.
//!
//! Tokens are sealed for their workspace and are never shown. A change of the tokens requires the version that was read, so a
//! pair that was replaced is never written again.

use std::collections::BTreeMap;

use cloud::{Error, Query, Recent, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{Clock, Seal, TenantKey};

use super::account::{
    DEFAULT_RATE, Facts, MIN_RATE, Oa, REFRESH_REFUSED, Settings, Status, Tokens,
};
use super::keys;
use super::template::Template;

/// Accounts and templates that a process keeps in memory.
const MOST: usize = 20_000;
/// Tries against other writers of a row.
const ROUNDS: u32 = 8;
/// Tries of the write of a new pair: the pair before is spent.
const PAIR_ROUNDS: u32 = 3;

/// The accounts of all workspaces; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct ZaloStore {
    directory: Table,
    seal: Seal,
    accounts: Recent<(TenantKey, String), Option<Oa>>,
    templates: Recent<(TenantKey, String, String), Option<Template>>,
}

impl ZaloStore {
    /// Over the table Directory. `secret` is the installation's.
    pub fn over(resources: &Resources, secret: &str) -> Self {
        let clock = resources.clock();
        Self {
            directory: resources.table("Directory"),
            seal: Seal::new("zalo", secret),
            accounts: Recent::new(clock, MOST),
            templates: Recent::new(clock, MOST),
        }
    }

    /// The clock of the rows.
    pub fn clock(&self) -> &Clock {
        self.directory.clock()
    }

    /// All accounts of the workspace.
    pub async fn accounts(&self, tenant: TenantKey) -> Result<Vec<Oa>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::ACCOUNTS);
        self.directory.query_all(query).await
    }

    /// An account.
    pub async fn account(&self, tenant: TenantKey, oa_id: &str) -> Result<Option<Oa>, Error> {
        self.directory.get(&keys::account(tenant, oa_id)).await
    }

    /// An account, up to ten seconds old: for senders.
    pub async fn recent_account(
        &self,
        tenant: TenantKey,
        oa_id: &str,
    ) -> Result<Option<Oa>, Error> {
        let (directory, key) = (self.directory.clone(), keys::account(tenant, oa_id));
        let read = move || async move { directory.look_up(&key).await };
        self.accounts.get((tenant, oa_id.to_owned()), read).await
    }

    /// The tokens of an account. `None` if another installation sealed them.
    pub fn tokens(&self, tenant: TenantKey, oa: &Oa) -> Option<Tokens> {
        let plain = self.seal.open(&owner(tenant, &oa.oa_id), &oa.sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    fn close(&self, tenant: TenantKey, oa_id: &str, tokens: &Tokens) -> Result<String, Error> {
        let plain = serde_json::to_vec(tokens)?;
        let entropy = self.directory.entropy();
        let sealed = self.seal.close(entropy, &owner(tenant, oa_id), &plain);
        sealed.ok_or_else(|| Error::Shape("tokens that cannot be sealed".into()))
    }

    /// Stores a consent: a new account, or new tokens for one that the workspace has. Its settings stay.
    pub async fn connect(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        facts: &Facts,
        (tokens, expires_at): (&Tokens, Timestamp),
    ) -> Result<Oa, Error> {
        let (key, sealed) = (
            keys::account(tenant, oa_id),
            self.close(tenant, oa_id, tokens)?,
        );
        for _ in 0..ROUNDS {
            let before = self.account(tenant, oa_id).await?;
            let expected = before.as_ref().map(|oa| oa.version);
            let now = self.clock().now();
            let oa = Oa {
                oa_id: oa_id.to_owned(),
                version: expected.map_or(1, |version| version + 1),
                facts: facts.clone(),
                sealed: sealed.clone(),
                expires_at,
                renewed_at: now,
                status: Status::Active,
                problem: None,
                api_rate_per_minute: before
                    .as_ref()
                    .map_or(DEFAULT_RATE, |oa| oa.api_rate_per_minute),
                daily_quota: before.as_ref().and_then(|oa| oa.daily_quota),
                remaining_quota: before.as_ref().and_then(|oa| oa.remaining_quota),
                quiet_until: None,
                connected_at: now,
                synced_at: before.and_then(|oa| oa.synced_at),
            };
            match self.directory.replace_or_create(&key, &oa, expected).await {
                Ok(()) => return Ok(oa),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Stores a renewed pair before it is used. `None`: a person has connected the account again meanwhile, or disconnected it.
    /// The pair before is spent, so a write without an answer is tried again.
    pub(super) async fn renewed(
        &self,
        tenant: TenantKey,
        read: &Oa,
        (tokens, expires_at): (&Tokens, Timestamp),
    ) -> Result<Option<Oa>, Error> {
        let sealed = self.close(tenant, &read.oa_id, tokens)?;
        let key = keys::account(tenant, &read.oa_id);
        let mut last = Error::Conflict;
        for _ in 0..PAIR_ROUNDS {
            let update = Update::new()
                .set("sealed", &sealed)
                .set("version", read.version + 1)
                .set("expires_at", expires_at)
                .set("renewed_at", self.clock().now())
                .set("status", Status::Active)
                .remove("problem")
                .when_equals("version", read.version);
            match self.directory.update(&key, update).await {
                Ok(outcome) => {
                    let stored = outcome.item::<Oa>()?;
                    // An update whose answer was lost has our own text.
                    return Ok(stored.filter(|oa| oa.sealed == sealed));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Notes a fault of the account. The same fault again costs no write.
    pub(super) async fn fail(
        &self,
        tenant: TenantKey,
        read: &Oa,
        status: Status,
        problem: &str,
    ) -> Result<(), Error> {
        if read.status == status && read.problem.as_deref() == Some(problem) {
            return Ok(());
        }
        let update = Update::new()
            .set("status", status)
            .set("problem", problem)
            .when_equals("version", read.version);
        let key = keys::account(tenant, &read.oa_id);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Notes what Zalo tells about an account whose calls succeed.
    pub(super) async fn learn(
        &self,
        tenant: TenantKey,
        read: &Oa,
        facts: &Facts,
        (daily, remaining): (Option<u64>, Option<u64>),
    ) -> Result<Option<Oa>, Error> {
        let mut update = Update::new()
            .set("facts", facts)
            .set_some("daily_quota", daily)
            .set_some("remaining_quota", remaining)
            .set("synced_at", self.clock().now())
            .when_equals("version", read.version);
        // A refused renewal stays a problem while the old token works.
        if read.problem.as_deref() != Some(REFRESH_REFUSED) {
            update = update.set("status", Status::Active).remove("problem");
        }
        let key = keys::account(tenant, &read.oa_id);
        let outcome = self.directory.update(&key, update).await?;
        outcome.item()
    }

    /// Halves the rate after an answer that says *too many*.
    pub(super) async fn slow_down(&self, tenant: TenantKey, read: &Oa) -> Result<(), Error> {
        let rate = read.api_rate_per_minute;
        let update = Update::new()
            .set("api_rate_per_minute", (rate / 2).max(MIN_RATE))
            .when_equals("api_rate_per_minute", rate);
        let key = keys::account(tenant, &read.oa_id);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Notes until when Zalo takes no message of the account, or of the one template.
    pub(super) async fn quiet(
        &self,
        tenant: TenantKey,
        (oa_id, template_id): (&str, Option<&str>),
        until: Timestamp,
    ) -> Result<(), Error> {
        let key = template_id.map_or_else(
            || keys::account(tenant, oa_id),
            |template| keys::template(tenant, oa_id, template),
        );
        let update = Update::new().set("quiet_until", until).when_exists();
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Changes the settings. `None`: the workspace has no such account.
    pub async fn change(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        settings: &Settings,
    ) -> Result<Option<Oa>, Error> {
        let update = Update::new()
            .set("api_rate_per_minute", settings.api_rate_per_minute)
            .when_exists();
        let key = keys::account(tenant, oa_id);
        self.directory.update(&key, update).await?.item()
    }

    /// Forgets an account, its tokens and its templates; safe to repeat. Messages stop within ten seconds.
    pub async fn disconnect(&self, tenant: TenantKey, oa_id: &str) -> Result<(), Error> {
        // The account is last: a repetition after a crash finds it.
        let of = |template: &Template| keys::template(tenant, oa_id, &template.template_id);
        let all: Vec<_> = self
            .templates(tenant, oa_id)
            .await?
            .iter()
            .map(of)
            .collect();
        self.directory.delete_many(&all).await?;
        self.directory.delete(&keys::account(tenant, oa_id)).await
    }

    /// All templates of an account.
    pub async fn templates(&self, tenant: TenantKey, oa_id: &str) -> Result<Vec<Template>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::templates(oa_id));
        self.directory.query_all(query).await
    }

    /// A template.
    pub async fn template(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        template_id: &str,
    ) -> Result<Option<Template>, Error> {
        let key = keys::template(tenant, oa_id, template_id);
        self.directory.get(&key).await
    }

    /// A template, up to ten seconds old: for senders.
    pub async fn recent_template(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        template_id: &str,
    ) -> Result<Option<Template>, Error> {
        let key = keys::template(tenant, oa_id, template_id);
        let directory = self.directory.clone();
        let read = move || async move { directory.look_up(&key).await };
        let name = (tenant, oa_id.to_owned(), template_id.to_owned());
        self.templates.get(name, read).await
    }

    /// Stores the templates that Zalo lists in place of those before; the details that are known stay. Returns the stored ones.
    pub(super) async fn put_templates(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        listed: Vec<Template>,
    ) -> Result<Vec<Template>, Error> {
        let known = self.templates(tenant, oa_id).await?;
        let mut known: BTreeMap<String, Template> = known
            .into_iter()
            .map(|one| (one.template_id.clone(), one))
            .collect();
        let merged: Vec<Template> = listed
            .into_iter()
            .map(|new| match known.remove(&new.template_id) {
                Some(before) if before.is_detailed => Template {
                    name: new.name,
                    status: new.status,
                    quality: new.quality,
                    synced_at: new.synced_at,
                    ..before
                },
                _ => new,
            })
            .collect();
        let key = |id: &str| keys::template(tenant, oa_id, id);
        let rows: Vec<_> = merged
            .iter()
            .map(|one| (key(&one.template_id), one.clone()))
            .collect();
        self.directory.put_many(&rows).await?;
        let gone: Vec<_> = known.keys().map(|id| key(id)).collect();
        self.directory.delete_many(&gone).await?;
        Ok(merged)
    }

    /// Stores the details of a template.
    pub(super) async fn put_template(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        template: &Template,
    ) -> Result<(), Error> {
        let key = keys::template(tenant, oa_id, &template.template_id);
        self.directory.put(&key, template).await
    }
}

/// The owner that tokens are sealed for.
fn owner(tenant: TenantKey, oa_id: &str) -> String {
    format!("{tenant}#{oa_id}")
}
