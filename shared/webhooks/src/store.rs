//! The webhooks of all workspaces, in the table Directory.
//!
//! The interest set of the workspace ([`contacts::Listeners`]) names which webhook wants which event. A webhook is in the set
//! before it is stored, and leaves the set after it is gone: a name without a webhook sends nothing.

use std::collections::BTreeSet;

use cloud::{Error, Query, Recent, Resources, Table, Update};
use contacts::Listeners;
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{Clock, Cursor, Entropy, Limit, Seal, TenantKey, WebhookId, standard_webhooks};

use crate::events::EventType;
use crate::keys;
use crate::model::{DisabledReason, MAX_WEBHOOKS, SealedSecret, Webhook, WebhookStatus};

/// How long the secret before the newest still signs.
pub const BOTH_SECRETS: SignedDuration = SignedDuration::from_hours(24);
/// Secrets that sign at a time.
const MAX_SECRETS: usize = 5;
/// Webhooks that a process keeps in memory.
const MOST: usize = 20_000;
/// The attribute with the ids of a workspace's webhooks.
const IDS: &str = "ids";
/// Tries against other writers of a webhook.
const ROUNDS: u32 = 8;

/// A webhook to make.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Where events are posted to; checked by the caller.
    pub url: String,
    /// The shop's own note.
    pub description: Option<String>,
    /// The events that it wants.
    pub events: BTreeSet<EventType>,
}

/// The outcome of a new webhook.
#[derive(Debug, Clone)]
pub enum Added {
    /// It is stored. The secret is never returned again.
    Made(Box<Webhook>, String),
    /// The workspace has [`MAX_WEBHOOKS`].
    Full,
    /// Another webhook has the id.
    Taken,
}

/// A change of a webhook; absent parts stay.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Where events are posted to; checked by the caller.
    pub url: Option<String>,
    /// The shop's own note.
    pub description: Option<Option<String>>,
    /// The events that it wants.
    pub events: Option<BTreeSet<EventType>>,
    /// Whether it gets events.
    pub status: Option<WebhookStatus>,
}

/// The webhooks of all workspaces; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct Webhooks {
    directory: Table,
    listeners: Listeners,
    seal: Seal,
    recent: Recent<(TenantKey, WebhookId), Option<Webhook>>,
}

impl Webhooks {
    /// Over the table Directory. `secret` seals the secrets of webhooks.
    pub fn over(resources: &Resources, secret: &str) -> Self {
        Self {
            directory: resources.table("Directory"),
            listeners: Listeners::over(resources),
            seal: Seal::new("webhooks", secret),
            recent: Recent::new(resources.clock(), MOST),
        }
    }

    /// The clock of its process.
    pub fn clock(&self) -> &Clock {
        self.directory.clock()
    }

    /// The randomness of its process.
    pub fn entropy(&self) -> &Entropy {
        self.directory.entropy()
    }

    /// The webhooks that want a recorded event of this name; up to ten seconds old.
    pub(crate) async fn wanting(
        &self,
        tenant: TenantKey,
        recorded: &str,
    ) -> Result<Vec<WebhookId>, Error> {
        self.listeners.hooks(tenant, recorded).await
    }

    /// A webhook; up to ten seconds old.
    pub(crate) async fn recent(
        &self,
        tenant: TenantKey,
        id: WebhookId,
    ) -> Result<Option<Webhook>, Error> {
        let directory = self.directory.clone();
        let read = || async move { directory.look_up(&keys::webhook(tenant, id)).await };
        self.recent.get((tenant, id), read).await
    }

    /// The secrets that sign now, newest first.
    pub(crate) fn secrets(&self, webhook: &Webhook) -> Vec<Vec<u8>> {
        webhook.open(&self.seal, self.clock().now())
    }

    /// A webhook of the workspace.
    pub async fn get(&self, tenant: TenantKey, id: WebhookId) -> Result<Option<Webhook>, Error> {
        self.directory.get(&keys::webhook(tenant, id)).await
    }

    /// A page of the workspace's webhooks, oldest first.
    pub async fn list(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Webhook>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::WEBHOOKS);
        let query = query.limit(limit.get()).cursor(cursor);
        self.directory.query(query).await
    }

    /// Makes a webhook, unless the workspace has [`MAX_WEBHOOKS`]: a row of the workspace has the ids of its webhooks, and one
    /// transaction writes both. A repetition finds the webhook of its first run and gives it a new secret; nobody has seen the
    /// earlier one.
    pub async fn add(
        &self,
        tenant: TenantKey,
        id: WebhookId,
        at: Timestamp,
        new: &NewWebhook,
    ) -> Result<Added, Error> {
        let (secret, sealed) = self.new_secret(id)?;
        let webhook = Webhook {
            id,
            url: new.url.clone(),
            description: new.description.clone(),
            events: new.events.clone(),
            status: WebhookStatus::Active,
            status_at: at,
            reason: None,
            created_at: at,
            secrets: vec![sealed],
            version: 1,
        };
        self.hear(tenant, &webhook).await?;
        let key = keys::webhook(tenant, id);
        let rows = [(key.clone(), webhook.clone())];
        let counted = Update::new()
            .add_to_set(IDS, [id.to_string()])
            .when_has_or_fits(IDS, &id.to_string(), MAX_WEBHOOKS);
        let all = keys::webhooks(tenant);
        let written = self
            .directory
            .update_and_create((&all, counted), &self.directory, &rows);
        if written.await? {
            return Ok(Added::Made(Box::new(webhook), secret));
        }
        let Some(held) = self.directory.get::<Webhook>(&key).await? else {
            self.listeners.unhook(tenant, id).await?;
            return Ok(Added::Full);
        };
        let same = Webhook {
            secrets: webhook.secrets.clone(),
            ..held.clone()
        };
        if same != webhook {
            return Ok(Added::Taken);
        }
        let next = Webhook {
            version: held.version + 1,
            ..webhook
        };
        self.directory.replace(&key, &next, held.version).await?;
        Ok(Added::Made(Box::new(next), secret))
    }

    /// Changes a webhook; `None` if there is none.
    pub async fn change(
        &self,
        tenant: TenantKey,
        id: WebhookId,
        change: &Change,
    ) -> Result<Option<Webhook>, Error> {
        let now = self.clock().now();
        let changed = self.rewrite(tenant, id, |webhook| {
            if let Some(url) = &change.url {
                webhook.url.clone_from(url);
            }
            if let Some(description) = &change.description {
                webhook.description.clone_from(description);
            }
            if let Some(events) = &change.events {
                webhook.events.clone_from(events);
            }
            if let Some(status) = change.status.filter(|status| *status != webhook.status) {
                webhook.status = status;
                webhook.status_at = now;
                let is_off = status == WebhookStatus::Disabled;
                webhook.reason = is_off.then_some(DisabledReason::Manual);
            }
            true
        });
        changed.await
    }

    /// Disables a webhook, unless it is disabled.
    pub(crate) async fn disable(
        &self,
        tenant: TenantKey,
        id: WebhookId,
        (reason, at): (DisabledReason, Timestamp),
    ) -> Result<(), Error> {
        let changed = self.rewrite(tenant, id, |webhook| {
            if webhook.status == WebhookStatus::Disabled {
                return false;
            }
            webhook.status = WebhookStatus::Disabled;
            webhook.status_at = at;
            webhook.reason = Some(reason);
            true
        });
        changed.await.map(drop)
    }

    /// Gives a webhook a new secret; the one before it signs for [`BOTH_SECRETS`]. `None` if there is no such webhook.
    pub async fn rotate(
        &self,
        tenant: TenantKey,
        id: WebhookId,
    ) -> Result<Option<(Webhook, String)>, Error> {
        let (secret, sealed) = self.new_secret(id)?;
        let now = self.clock().now();
        let changed = self.rewrite(tenant, id, |webhook| {
            // Also those before: a request that is repeated after a lost answer must not end the secret in use.
            let before = webhook.secrets.iter().map(|before| SealedSecret {
                sealed: before.sealed.clone(),
                until: before.until.or(Some(now + BOTH_SECRETS)),
            });
            let before = before.filter(|before| before.until.is_some_and(|until| until > now));
            let all = [sealed.clone()].into_iter().chain(before);
            webhook.secrets = all.take(MAX_SECRETS).collect();
            true
        });
        Ok(changed.await?.map(|webhook| (webhook, secret)))
    }

    /// Removes a webhook. Its deliveries expire. Its place is free first: a removal that a crash has stopped leaves a webhook
    /// that can be removed, and no place that nobody uses.
    pub async fn remove(&self, tenant: TenantKey, id: WebhookId) -> Result<(), Error> {
        let free = Update::new().remove_from_set(IDS, [id.to_string()]);
        let all = keys::webhooks(tenant);
        self.directory.update(&all, free).await?;
        self.directory.delete(&keys::webhook(tenant, id)).await?;
        self.listeners.unhook(tenant, id).await
    }

    /// Changes the stored webhook, if `edit` asks for it.
    async fn rewrite(
        &self,
        tenant: TenantKey,
        id: WebhookId,
        edit: impl Fn(&mut Webhook) -> bool,
    ) -> Result<Option<Webhook>, Error> {
        let key = keys::webhook(tenant, id);
        for _ in 0..ROUNDS {
            let Some(before) = self.directory.get::<Webhook>(&key).await? else {
                return Ok(None);
            };
            let mut next = before.clone();
            let is_changed = edit(&mut next);
            next.version += 1;
            if is_changed {
                let all = Webhook {
                    events: &next.events | &before.events,
                    ..next.clone()
                };
                self.hear(tenant, &all).await?;
                match self.directory.replace(&key, &next, before.version).await {
                    Err(Error::Conflict) => continue,
                    other => other?,
                }
            }
            // Another writer may have changed the webhook since: its own last step makes the set from the later state.
            self.hear(tenant, &next).await?;
            return Ok(Some(next));
        }
        Err(Error::Conflict)
    }

    /// Notes in the interest set which events the webhook wants.
    async fn hear(&self, tenant: TenantKey, webhook: &Webhook) -> Result<(), Error> {
        if webhook.status == WebhookStatus::Disabled {
            return self.listeners.unhook(tenant, webhook.id).await;
        }
        let heard = webhook.events.iter().flat_map(|kind| kind.heard());
        let heard = heard.map(|name| (*name).to_owned()).collect();
        self.listeners.hook(tenant, webhook.id, heard).await
    }

    fn new_secret(&self, id: WebhookId) -> Result<(String, SealedSecret), Error> {
        let entropy = self.entropy();
        let secret = standard_webhooks::new_secret(entropy);
        let sealed = self.seal.close(entropy, &id.to_string(), secret.as_bytes());
        let sealed = sealed.ok_or_else(|| Error::Shape("a secret that cannot be sealed".into()))?;
        let sealed = SealedSecret {
            sealed,
            until: None,
        };
        Ok((secret, sealed))
    }
}
