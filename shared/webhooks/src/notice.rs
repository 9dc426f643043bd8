//! The mail to the admins of an account about a webhook that the product disabled: who gets it, once each.
//!
//! The timer of the mail is written before the webhook is disabled. A mail about another time than that of the webhook's state
//! is not sent. A row claims the mail to each admin before the mail is sent.

use cloud::{Created, Error, Resources, Table};
use jiff::{SignedDuration, Timestamp};
use kernel::{TenantKey, UserId, WebhookId};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::model::{DisabledReason, Webhook, WebhookStatus};

/// Life of a claim: longer than any message about it.
const KEEP: SignedDuration = SignedDuration::from_hours(40 * 24);

/// The claims of notices; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Notices {
    directory: Table,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    user: UserId,
    ttl: i64,
}

impl Notices {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// The webhook, if the product disabled it at this time.
    pub async fn wanted(
        &self,
        tenant: TenantKey,
        id: WebhookId,
        at: Timestamp,
    ) -> Result<Option<Webhook>, Error> {
        let found: Option<Webhook> = self.directory.get(&keys::webhook(tenant, id)).await?;
        Ok(found.filter(|webhook| {
            let is_ours = webhook.reason != Some(DisabledReason::Manual);
            webhook.status == WebhookStatus::Disabled && webhook.status_at == at && is_ours
        }))
    }

    /// Claims the mail to one admin; false: it was mailed, or a worker died while it mailed.
    pub async fn claim(
        &self,
        tenant: TenantKey,
        (id, at): (WebhookId, Timestamp),
        user: UserId,
    ) -> Result<bool, Error> {
        let ttl = (self.directory.clock().now() + KEEP).as_second();
        let key = keys::notice(tenant, id, at, user);
        let created = self.directory.create(&key, &Claim { user, ttl }).await?;
        Ok(matches!(created, Created::New))
    }

    /// Takes the claim back: nothing was mailed.
    pub async fn release(
        &self,
        tenant: TenantKey,
        (id, at): (WebhookId, Timestamp),
        user: UserId,
    ) -> Result<(), Error> {
        self.directory
            .delete(&keys::notice(tenant, id, at, user))
            .await
    }
}
