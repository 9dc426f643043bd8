//! The deliveries of all webhooks, in the table Webhooks. A delivery expires after 30 days.
//!
//! The deliveries of a webhook lie in eight partitions, so that a campaign's events do not make one of them hot. The index
//! `Failed` holds only those that failed or are held.

use cloud::{Created, Error, Query, Resources, Table};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{Cursor, Limit, TenantKey, WebhookId};
use serde::Deserialize;

use crate::keys::{self, SHARDS};
use crate::model::{Delivery, DeliveryId, DeliveryStatus};
use crate::pages::{End, joined};

/// How long a delivery is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The deliveries of all webhooks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Deliveries {
    table: Table,
}

#[derive(Deserialize)]
struct Place {
    sk: DeliveryId,
}

/// The deliveries of a shard that failed or are held.
fn failed_in(tenant: TenantKey, webhook: WebhookId, shard: u32) -> Query {
    Query::index("Failed", &["failed_id"])
        .with("tenant", tenant.to_string())
        .with("failed", keys::failed(webhook, shard))
}

impl Deliveries {
    /// Over the table Webhooks.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Webhooks"),
        }
    }

    /// A delivery that is not stored yet. `is_held`: the webhook is paused.
    pub(crate) fn begin(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        id: DeliveryId,
        (kind, body): (&str, String),
        is_held: bool,
    ) -> Delivery {
        let now = self.table.clock().now();
        let failed = keys::failed(webhook, keys::shard_of(&id));
        Delivery {
            tenant: tenant.to_string(),
            failed: is_held.then_some(failed),
            failed_id: is_held.then(|| id.clone()),
            id,
            webhook,
            kind: kind.to_owned(),
            body,
            status: if is_held {
                DeliveryStatus::Held
            } else {
                DeliveryStatus::Pending
            },
            reason: None,
            attempts: Vec::new(),
            next_at: (!is_held).then_some(now),
            created_at: now,
            turn: 1,
            failures: 0,
            version: 1,
            ttl: (now + KEPT).as_second(),
        }
    }

    /// Stores a new delivery, or finds the one of an earlier run.
    pub(crate) async fn create(
        &self,
        tenant: TenantKey,
        delivery: &Delivery,
    ) -> Result<Created<Delivery>, Error> {
        let key = keys::delivery(tenant, delivery.webhook, &delivery.id);
        self.table.create(&key, delivery).await
    }

    /// Stores the next state of a delivery. False: another run has changed it.
    pub(crate) async fn store(
        &self,
        tenant: TenantKey,
        before: &Delivery,
        mut next: Delivery,
    ) -> Result<bool, Error> {
        let key = keys::delivery(tenant, next.webhook, &next.id);
        let is_listed = matches!(next.status, DeliveryStatus::Failed | DeliveryStatus::Held);
        let failed = keys::failed(next.webhook, keys::shard_of(&next.id));
        next.failed = is_listed.then_some(failed);
        next.failed_id = is_listed.then(|| next.id.clone());
        next.version = before.version + 1;
        match self.table.replace(&key, &next, before.version).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A delivery of the webhook, if it has not expired.
    pub async fn get(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        id: &DeliveryId,
    ) -> Result<Option<Delivery>, Error> {
        let now = self.table.clock().now().as_second();
        let key = keys::delivery(tenant, webhook, id);
        let found: Option<Delivery> = self.table.get(&key).await?;
        Ok(found.filter(|delivery| delivery.ttl > now))
    }

    /// A page of a webhook's deliveries, newest first; `failed`: only those that failed or are held. Eight queries and one
    /// batch read.
    pub async fn list(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        failed: bool,
        (limit, cursor): (Limit, Option<Cursor>),
    ) -> Result<Page<Delivery>, Error> {
        let before = match cursor {
            Some(Cursor(text)) => {
                let place: Result<DeliveryId, _> = text.parse();
                Some(place.map_err(|_| Error::Cursor("is damaged"))?)
            }
            None => None,
        };
        let most = limit.get().div_ceil(SHARDS) * 2 + 4;
        let ends = (0..SHARDS).map(|shard| {
            let query = if failed {
                failed_in(tenant, webhook, shard)
            } else {
                Query::partition(keys::shard(tenant, webhook, shard)).eventual()
            };
            self.end(query, before.clone(), most)
        });
        let ends = try_join_all(ends).await?;
        let (ids, goes_on) = joined(ends, limit.get() as usize);
        let next = ids.last().filter(|_| goes_on);
        let next = next.map(|last| Cursor(last.to_string()));
        let wanted = ids
            .iter()
            .map(|id| keys::delivery(tenant, webhook, id))
            .collect();
        let now = self.table.clock().now().as_second();
        let found = self.table.get_many::<Delivery>(wanted).await?;
        let mut data: Vec<Delivery> = found.into_iter().map(|(_, row)| row).collect();
        data.retain(|delivery| delivery.ttl > now);
        data.sort_unstable_by(|a, b| b.id.cmp(&a.id));
        Ok(Page { data, next })
    }

    async fn end(
        &self,
        query: Query,
        before: Option<DeliveryId>,
        most: u32,
    ) -> Result<End<DeliveryId>, Error> {
        // The delivery where the page before ended may be in the answer.
        let query = match &before {
            Some(before) => query.between("evt_", before.to_string()).limit(most + 1),
            None => query.limit(most),
        };
        let page: Page<Place> = self.table.query(query.descending()).await?;
        let ids = page.data.into_iter().map(|row| row.sk);
        Ok(End {
            entries: ids
                .filter(|id| before.as_ref().is_none_or(|before| id < before))
                .collect(),
            goes_on: page.next.is_some(),
        })
    }

    /// The next deliveries of a shard that failed or are held, of events since then, oldest first; and whether there are
    /// more.
    pub(crate) async fn failed_since(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        shard: u32,
        (since, after): (Timestamp, Option<&DeliveryId>),
        most: u32,
    ) -> Result<(Vec<DeliveryId>, bool), Error> {
        let low = after.map_or_else(|| DeliveryId::floor(since), ToString::to_string);
        let query = failed_in(tenant, webhook, shard).after(low).limit(most);
        let page: Page<Place> = self.table.query(query).await?;
        let ids = page.data.into_iter().map(|row| row.sk).collect();
        Ok((ids, page.next.is_some()))
    }
}
