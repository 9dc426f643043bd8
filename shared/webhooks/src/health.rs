//! The health of endpoints: an endpoint that fails is called once a minute, and after five days of failures no more.
//!
//! A healthy endpoint has no row. The row is written at each failed call, and deleted at the first success. So the row is as
//! busy as an endpoint fails, and the circuit bounds that.

use cloud::{Error, Recent, Resources, Table, Update, UpdateOutcome};
use jiff::{SignedDuration, Timestamp};
use kernel::{TenantKey, WebhookId};
use serde::{Deserialize, Serialize};

use crate::keys;

/// Failed calls without a success between them that open the circuit.
pub(crate) const OPENS: u64 = 5;
/// While the circuit is open one call is made in this time.
const PROBE: SignedDuration = SignedDuration::from_mins(1);
/// An endpoint is given up after failing for so long.
pub(crate) const GIVEN_UP: SignedDuration = SignedDuration::from_hours(5 * 24);
/// A row outlives every wait between attempts.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Endpoints that a process keeps in memory.
const MOST: usize = 20_000;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Row {
    #[serde(default)]
    failures: u64,
    #[serde(default)]
    since: i64,
}

/// The health of all endpoints; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    table: Table,
    recent: Recent<(TenantKey, WebhookId), Option<Row>>,
}

impl Health {
    /// Over the table Webhooks.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Webhooks"),
            recent: Recent::new(resources.clock(), MOST),
        }
    }

    async fn known(&self, tenant: TenantKey, id: WebhookId) -> Result<Option<Row>, Error> {
        let table = self.table.clone();
        let read = || async move { table.look_up(&keys::health(tenant, id)).await };
        self.recent.get((tenant, id), read).await
    }

    /// Whether the endpoint may be called. While its circuit is open, one caller a minute may.
    pub async fn may_call(&self, tenant: TenantKey, id: WebhookId) -> Result<bool, Error> {
        let row = self.known(tenant, id).await?;
        if row.is_none_or(|row| row.failures < OPENS) {
            return Ok(true);
        }
        let now = self.table.clock().now();
        let claim = Update::new()
            .set("probe_at", (now + PROBE).as_millisecond())
            .when_exists()
            .when_absent_or_less("probe_at", now.as_millisecond());
        match self.table.update(&keys::health(tenant, id), claim).await? {
            UpdateOutcome::Applied(_) => Ok(true),
            // Another process has seen a success.
            UpdateOutcome::Refused(item) => Ok(item.is_empty()),
        }
    }

    /// Notes a success.
    pub async fn succeeded(&self, tenant: TenantKey, id: WebhookId) -> Result<(), Error> {
        if self.known(tenant, id).await?.is_some() {
            self.table.delete(&keys::health(tenant, id)).await?;
        }
        Ok(())
    }

    /// Notes a failed call. True: the endpoint has failed for so long that it is given up.
    pub async fn failed(&self, tenant: TenantKey, id: WebhookId) -> Result<bool, Error> {
        let now = self.table.clock().now();
        let update = Update::new()
            .add("failures", 1)
            .set_if_absent("since", now.as_millisecond())
            .set("ttl", (now + KEPT).as_second());
        let outcome = self.table.update(&keys::health(tenant, id), update).await?;
        let row: Row = outcome.item()?.unwrap_or_default();
        let since = Timestamp::from_millisecond(row.since).unwrap_or(now);
        Ok(row.since > 0 && now.duration_since(since) >= GIVEN_UP)
    }

    /// Forgets the failures: the webhook was disabled, or is active again.
    pub async fn forget(&self, tenant: TenantKey, id: WebhookId) -> Result<(), Error> {
        self.table.delete(&keys::health(tenant, id)).await
    }
}
