//! From an event to its delivery: a row for each webhook that wants the event, then attempts until one succeeds.
//!
//! Each message may come twice. The id of a delivery follows from the event, so a repeated event finds its row. A message names
//! the attempt that it is for, and a row in another state ignores it. The message of the next attempt is sent before the row
//! that waits for it is stored: a message that comes before its row is delivered again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use accounts::AccountMail;
use cloud::{Error, QueueOf, Resources, SendOptions, Timers};
use contacts::Happened;
use jiff::Timestamp;
use kernel::{Origin, TenantKey, WebhookId};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::call::Caller;
use crate::deliveries::Deliveries;
use crate::events::{EventType, TEST, body};
use crate::health::Health;
use crate::keys::SHARDS;
use crate::message::WebhookTask;
use crate::model::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, DisabledReason, FailureReason, Webhook,
    WebhookStatus,
};
use crate::schedule;
use crate::store::Webhooks;

/// Deliveries that one request delivers again at most.
pub const REDELIVERED: u32 = 10_000;
/// Deliveries of one step of such a request.
const STEP: u32 = 100;
/// Calls of one endpoint that a process makes at a time.
const IN_FLIGHT: usize = 4;
/// How long a call waits for its turn. Then its message goes back to the queue.
const TURN: Duration = Duration::from_secs(3);
/// Seconds that such a message waits at least, and how many more at most.
const BACK: (u64, u64) = (5, 15);
/// A message that begins a delivery again comes after its row.
const AFTER_ROW: Duration = Duration::from_secs(3);
/// After a webhook is resumed every process knows so.
const RESUMED: Duration = cloud::recent::LEAD.unsigned_abs();
/// Endpoints whose turns a process remembers.
const TURNS: usize = 1_000;

/// The outcome of a message about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The endpoint took the event.
    Yes,
    /// The attempt failed; another one is planned, or none is left.
    No,
    /// No attempt was made: there is nothing to do, or the webhook is paused, disabled or removed.
    Nothing,
    /// The endpoint is busy: the message is redelivered.
    Later,
    /// The message came before the row that waits for it.
    Early,
}

/// Sends events to webhooks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    webhooks: Webhooks,
    deliveries: Deliveries,
    health: Health,
    caller: Caller,
    timers: Timers,
    queue: QueueOf<WebhookTask>,
    turns: Arc<Mutex<HashMap<WebhookId, Arc<Semaphore>>>>,
}

impl Dispatcher {
    /// Over the tables Directory, Webhooks and Timers, and the queue of webhooks.
    pub fn over(resources: &Resources, webhooks: Webhooks, caller: Caller) -> Self {
        Self {
            webhooks,
            deliveries: Deliveries::over(resources),
            health: Health::over(resources),
            caller,
            timers: Timers::over(resources),
            queue: resources.queue_of(),
            turns: Arc::default(),
        }
    }

    /// Makes the deliveries of what happened; returns how many webhooks want it.
    pub async fn happened(&self, tenant: TenantKey, happened: &Happened) -> Result<u64, Error> {
        let mut wanted = 0;
        for event in &happened.events {
            let Some(kind) = EventType::of(&event.name) else {
                continue;
            };
            for webhook in self.webhooks.wanting(tenant, &event.name).await? {
                let found = self.webhooks.recent(tenant, webhook).await?;
                let wants = |webhook: &Webhook| {
                    webhook.events.contains(&kind) && webhook.status != WebhookStatus::Disabled
                };
                let Some(found) = found.filter(wants) else {
                    continue;
                };
                let contact = happened.contact.to_string();
                let parts = [kind.name(), &contact, &event.id];
                let id = DeliveryId::of(happened.recorded_at, &parts);
                let data = kind.data(happened.contact, event);
                let text = body(kind.name(), event.at, tenant.workspace(), &id, data)?;
                let is_held = found.status == WebhookStatus::Paused;
                let named = (kind.name(), text);
                let delivery = self.deliveries.begin(tenant, webhook, id, named, is_held);
                self.start(tenant, &delivery).await?;
                wanted += 1;
            }
        }
        Ok(wanted)
    }

    /// Stores a delivery and sends its first attempt, unless an earlier run has come further.
    async fn start(&self, tenant: TenantKey, delivery: &Delivery) -> Result<Delivery, Error> {
        let created = self.deliveries.create(tenant, delivery).await?;
        let stored = match created {
            cloud::Created::New => delivery.clone(),
            cloud::Created::Existing(stored) => stored,
        };
        if stored.status == DeliveryStatus::Pending && stored.turn == 1 {
            self.send(tenant, &deliver(&stored, 1), Duration::ZERO)
                .await?;
        }
        Ok(stored)
    }

    /// Sends a test event to a webhook. The same request sends it once.
    pub async fn test(
        &self,
        tenant: TenantKey,
        webhook: &Webhook,
        origin: &Origin,
    ) -> Result<Delivery, Error> {
        let id = DeliveryId::of(origin.at, &[TEST, &webhook.id.to_string(), &origin.name]);
        let data = json!({ "webhook_id": webhook.id });
        let text = body(TEST, origin.at, tenant.workspace(), &id, data)?;
        let delivery = self
            .deliveries
            .begin(tenant, webhook.id, id, (TEST, text), false);
        self.start(tenant, &delivery).await
    }

    /// Makes an attempt of a delivery, if the delivery waits for this one.
    pub async fn deliver(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        id: &DeliveryId,
        turn: u32,
    ) -> Result<Delivered, Error> {
        let Some(delivery) = self.deliveries.get(tenant, webhook, id).await? else {
            return Ok(Delivered::Nothing);
        };
        if delivery.turn < turn {
            return Ok(Delivered::Early);
        }
        if delivery.status != DeliveryStatus::Pending || delivery.turn != turn {
            return Ok(Delivered::Nothing);
        }
        let Some(found) = self.webhooks.recent(tenant, webhook).await? else {
            return Ok(Delivered::Nothing);
        };
        let mut next = delivery.clone();
        next.next_at = None;
        match found.status {
            WebhookStatus::Active => {}
            WebhookStatus::Paused => {
                next.status = DeliveryStatus::Held;
                self.deliveries.store(tenant, &delivery, next).await?;
                return Ok(Delivered::Nothing);
            }
            WebhookStatus::Disabled => {
                next.status = DeliveryStatus::Failed;
                next.reason = Some(FailureReason::WebhookDisabled);
                self.deliveries.store(tenant, &delivery, next).await?;
                return Ok(Delivered::Nothing);
            }
        }
        let Some(permit) = self.turn(webhook).await else {
            let random = self.webhooks.entropy().u64() % BACK.1;
            let wait = Duration::from_secs(BACK.0 + random);
            self.send(tenant, &deliver(&delivery, turn), wait).await?;
            return Ok(Delivered::Later);
        };
        let attempt = self.attempt(tenant, &found, &delivery).await?;
        drop(permit);
        self.settle(tenant, &delivery, attempt).await
    }

    /// Calls the endpoint, unless its circuit is open.
    async fn attempt(
        &self,
        tenant: TenantKey,
        webhook: &Webhook,
        delivery: &Delivery,
    ) -> Result<Attempt, Error> {
        let secrets = self.webhooks.secrets(webhook);
        if secrets.is_empty() {
            return Ok(self.none("secret_unreadable"));
        }
        if !self.health.may_call(tenant, webhook.id).await? {
            return Ok(self.none("endpoint_failing"));
        }
        let attempt = self.caller.call(webhook, &secrets, delivery).await;
        if succeeded(&attempt) {
            self.health.succeeded(tenant, webhook.id).await?;
        } else {
            let is_over = self.health.failed(tenant, webhook.id).await?;
            let reason = match attempt.status {
                Some(410) => Some(DisabledReason::Gone),
                _ => is_over.then_some(DisabledReason::Failing),
            };
            if let Some(reason) = reason {
                self.disable(tenant, webhook.id, reason).await?;
            }
        }
        Ok(attempt)
    }

    /// An attempt without a call.
    fn none(&self, error: &str) -> Attempt {
        Attempt {
            at: self.timers.clock().now(),
            status: None,
            error: Some(error.to_owned()),
            duration_ms: 0,
            response: None,
        }
    }

    /// Disables a webhook. The timer of the mail about it is written first.
    async fn disable(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        reason: DisabledReason,
    ) -> Result<(), Error> {
        let at = self.timers.clock().now();
        let mail = AccountMail::WebhookDisabled { webhook, at };
        let name = format!("{webhook}#disabled#{}", kernel::clock::sortable(at));
        self.timers.schedule(tenant, &name, at, &mail).await?;
        self.webhooks.disable(tenant, webhook, (reason, at)).await?;
        self.health.forget(tenant, webhook).await
    }

    /// Stores the outcome of an attempt. The message of the next attempt is sent first.
    async fn settle(
        &self,
        tenant: TenantKey,
        delivery: &Delivery,
        attempt: Attempt,
    ) -> Result<Delivered, Error> {
        let mut next = delivery.clone();
        let (is_done, is_gone) = (succeeded(&attempt), attempt.status == Some(410));
        next.note(attempt);
        next.next_at = None;
        if is_done {
            next.status = DeliveryStatus::Succeeded;
            next.reason = None;
            self.deliveries.store(tenant, delivery, next).await?;
            return Ok(Delivered::Yes);
        }
        next.failures += 1;
        let random = self.webhooks.entropy().u64();
        if let Some(wait) = schedule::wait(next.failures, random).filter(|_| !is_gone) {
            next.turn += 1;
            let at = self.timers.clock().now() + wait;
            next.next_at = Some(at);
            self.send(tenant, &deliver(&next, next.turn), wait).await?;
        } else {
            next.status = DeliveryStatus::Failed;
            next.reason = Some(if is_gone {
                FailureReason::WebhookDisabled
            } else {
                FailureReason::Exhausted
            });
        }
        self.deliveries.store(tenant, delivery, next).await?;
        Ok(Delivered::No)
    }

    /// Begins a delivery again, whatever came of it. False: another run has changed it.
    pub async fn again(&self, tenant: TenantKey, delivery: &Delivery) -> Result<bool, Error> {
        let mut next = delivery.clone();
        next.turn += 1;
        next.failures = 0;
        next.status = DeliveryStatus::Pending;
        next.reason = None;
        next.next_at = Some(self.timers.clock().now());
        self.send(tenant, &deliver(&next, next.turn), AFTER_ROW)
            .await?;
        self.deliveries.store(tenant, delivery, next).await
    }

    /// Delivers again what failed of events since then, up to [`REDELIVERED`] deliveries.
    pub async fn redeliver(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        since: Timestamp,
    ) -> Result<(), Error> {
        let task = begin_again(webhook, since, false);
        self.send(tenant, &task, Duration::ZERO).await
    }

    /// Delivers what the pause since then has held back, once every process knows that the webhook is active.
    pub async fn release(
        &self,
        tenant: TenantKey,
        webhook: WebhookId,
        since: Timestamp,
    ) -> Result<(), Error> {
        self.health.forget(tenant, webhook).await?;
        let task = begin_again(webhook, since, true);
        self.send(tenant, &task, RESUMED).await
    }

    /// One step of a redelivery. A repeated step finds the deliveries of its first run begun.
    pub async fn step(&self, tenant: TenantKey, task: &WebhookTask) -> Result<u64, Error> {
        let WebhookTask::Redeliver {
            webhook,
            since,
            held_only,
            shard,
            after,
            left,
        } = task
        else {
            return Ok(0);
        };
        let place = (*since, after.as_ref());
        let most = STEP.min(*left).max(1);
        let (ids, goes_on) = self
            .deliveries
            .failed_since(tenant, *webhook, *shard, place, most)
            .await?;
        let mut begun = 0;
        for id in &ids {
            let found = self.deliveries.get(tenant, *webhook, id).await?;
            let is_wanted = |delivery: &Delivery| match delivery.status {
                DeliveryStatus::Held => true,
                DeliveryStatus::Failed => !held_only,
                DeliveryStatus::Pending | DeliveryStatus::Succeeded => false,
            };
            if let Some(delivery) = found.filter(is_wanted) {
                begun += u64::from(self.again(tenant, &delivery).await?);
            }
        }
        let left = left.saturating_sub(u32::try_from(begun).unwrap_or(u32::MAX));
        let (shard, after) = if goes_on {
            (*shard, ids.last().cloned())
        } else {
            (shard + 1, None)
        };
        if shard < SHARDS && left > 0 {
            let next = WebhookTask::Redeliver {
                webhook: *webhook,
                since: *since,
                held_only: *held_only,
                shard,
                after,
                left,
            };
            self.send(tenant, &next, Duration::ZERO).await?;
        }
        Ok(begun)
    }

    /// Sends a task: by the queue's own delay if the wait is short, else by a timer.
    async fn send(
        &self,
        tenant: TenantKey,
        task: &WebhookTask,
        wait: Duration,
    ) -> Result<(), Error> {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let short = u16::try_from(seconds).ok();
        if let Some(delay_seconds) =
            short.filter(|seconds| *seconds <= cloud::queue::MAX_DELAY_SECONDS)
        {
            let options = SendOptions {
                delay_seconds,
                ..SendOptions::default()
            };
            return self.queue.send(tenant, task, options).await;
        }
        let WebhookTask::Deliver {
            webhook,
            delivery,
            turn,
        } = task
        else {
            return Err(Error::Shape("only attempts wait for long".into()));
        };
        let name = format!("{webhook}#{delivery}#{turn}");
        let due = self.timers.clock().now() + wait;
        self.timers.schedule(tenant, &name, due, task).await
    }

    /// A turn to call the endpoint; `None`: others have taken all for too long.
    async fn turn(&self, webhook: WebhookId) -> Option<OwnedSemaphorePermit> {
        let turns = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= TURNS {
                turns.retain(|_, turns| Arc::strong_count(turns) > 1);
            }
            let new = || Arc::new(Semaphore::new(IN_FLIGHT));
            turns.entry(webhook).or_insert_with(new).clone()
        };
        let permit = tokio::time::timeout(TURN, turns.acquire_owned()).await;
        permit.ok()?.ok()
    }
}

fn succeeded(attempt: &Attempt) -> bool {
    attempt
        .status
        .is_some_and(|status| (200..300).contains(&status))
}

fn deliver(delivery: &Delivery, turn: u32) -> WebhookTask {
    WebhookTask::Deliver {
        webhook: delivery.webhook,
        delivery: delivery.id.clone(),
        turn,
    }
}

fn begin_again(webhook: WebhookId, since: Timestamp, held_only: bool) -> WebhookTask {
    WebhookTask::Redeliver {
        webhook,
        since,
        held_only,
        shard: 0,
        after: None,
        left: REDELIVERED,
    }
}
