//! The fields of webhooks and deliveries that the API reads and shows.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kernel::{Patch, WebhookId};
use lambda::http::{Flaws, Problem};
use serde::{Deserialize, Serialize};
use webhooks::{
    Attempt, Change, Delivery, DeliveryId, DeliveryStatus, DisabledReason, EventType,
    FailureReason, NewWebhook, Webhook, WebhookStatus,
};

const MAX_DESCRIPTION: usize = 255;

/// A webhook to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewWebhook)]
#[serde(deny_unknown_fields)]
pub struct NewWebhookBody {
    /// Where events are posted to.
    #[schema(
        min_length = 1,
        max_length = 2000,
        example = "https://shop.example/hooks"
    )]
    url: String,
    /// The shop's own note.
    #[schema(min_length = 1, max_length = 255)]
    description: Option<String>,
    /// The events that it wants.
    #[schema(min_items = 1, max_items = 30)]
    events: BTreeSet<EventType>,
}

impl NewWebhookBody {
    /// The stored form. This does not look up the host.
    pub fn check(self) -> Result<NewWebhook, Problem> {
        let mut flaws = Flaws::default();
        check_description(self.description.as_deref(), &mut flaws);
        check_events(Some(&self.events), &mut flaws);
        flaws.refuse()?;
        Ok(NewWebhook {
            url: self.url,
            description: self.description,
            events: self.events,
        })
    }
}

fn check_description(text: Option<&str>, flaws: &mut Flaws) {
    let is_flawed =
        text.is_some_and(|text| text.trim().is_empty() || text.chars().count() > MAX_DESCRIPTION);
    flaws.check(is_flawed, "/description", "must have 1 to 255 characters");
}

fn check_events(events: Option<&BTreeSet<EventType>>, flaws: &mut Flaws) {
    let is_flawed = events.is_some_and(BTreeSet::is_empty);
    flaws.check(is_flawed, "/events", "names one event or more");
}

/// The fields of a webhook that may be changed; absent fields stay.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookUpdate {
    #[schema(min_length = 1, max_length = 2000)]
    url: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    description: Patch<String>,
    #[schema(min_items = 1, max_items = 30)]
    events: Option<BTreeSet<EventType>>,
    /// `active` resumes a webhook that is paused or disabled.
    status: Option<WebhookStatus>,
}

impl WebhookUpdate {
    /// The stored form. This does not look up the host.
    pub fn check(self) -> Result<Change, Problem> {
        let mut flaws = Flaws::default();
        check_description(self.description.value().map(String::as_str), &mut flaws);
        check_events(self.events.as_ref(), &mut flaws);
        flaws.refuse()?;
        Ok(Change {
            url: self.url,
            description: match self.description {
                Patch::Keep => None,
                Patch::Clear => Some(None),
                Patch::Set(text) => Some(Some(text)),
            },
            events: self.events,
            status: self.status,
        })
    }
}

/// A webhook.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    id: WebhookId,
    url: String,
    description: Option<String>,
    events: BTreeSet<EventType>,
    status: WebhookStatus,
    /// When it got this status.
    #[serde(serialize_with = "kernel::clock::millis")]
    status_at: Timestamp,
    /// Why it was disabled.
    disabled_reason: Option<DisabledReason>,
    /// Until then requests are signed with an older secret too.
    #[serde(serialize_with = "kernel::clock::millis")]
    previous_secret_until: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            previous_secret_until: webhook.previous_secret_until(),
            id: webhook.id,
            url: webhook.url,
            description: webhook.description,
            events: webhook.events,
            status: webhook.status,
            status_at: webhook.status_at,
            disabled_reason: webhook.reason,
            created_at: webhook.created_at,
        }
    }
}

/// The only answer that holds the first secret.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedWebhook {
    #[serde(flatten)]
    webhook: WebhookView,
    /// The secret that signs its requests.
    secret: String,
}

impl CreatedWebhook {
    pub fn new(webhook: Webhook, secret: String) -> Self {
        Self {
            webhook: webhook.into(),
            secret,
        }
    }
}

/// The only answer that holds a new secret.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RotatedWebhookSecret)]
pub struct RotatedSecret {
    /// The secret.
    pub secret: String,
    /// Until then requests are signed with the older secret too.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub previous_until: Option<Timestamp>,
}

/// A delivery, as lists show it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct DeliveryView {
    /// Id, and the `webhook-id` of its requests.
    id: DeliveryId,
    /// The name of the event.
    #[serde(rename = "type")]
    kind: String,
    status: DeliveryStatus,
    /// Why it failed.
    failure_reason: Option<FailureReason>,
    /// Attempts so far, up to 20.
    attempts_count: usize,
    /// The status of the last answer.
    last_status: Option<u16>,
    /// When the next attempt is planned.
    #[serde(serialize_with = "kernel::clock::millis")]
    next_attempt_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            attempts_count: delivery.attempts.len(),
            last_status: delivery.attempts.last().and_then(|last| last.status),
            id: delivery.id,
            kind: delivery.kind,
            status: delivery.status,
            failure_reason: delivery.reason,
            next_attempt_at: delivery.next_at,
            created_at: delivery.created_at,
        }
    }
}

/// A delivery with its body and its attempts.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WebhookDeliveryDetail)]
pub struct DeliveryDetail {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The body that is sent, as text.
    body: String,
    /// The attempts, oldest first.
    attempts: Vec<Attempt>,
}

impl From<Delivery> for DeliveryDetail {
    fn from(delivery: Delivery) -> Self {
        Self {
            body: delivery.body.clone(),
            attempts: delivery.attempts.clone(),
            delivery: delivery.into(),
        }
    }
}

/// The deliveries that are delivered again.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookRedelivery)]
#[serde(deny_unknown_fields)]
pub struct RedeliveryBody {
    /// Events that were recorded since then; at most 30 days ago.
    pub since: Timestamp,
}

/// A redelivery that has begun.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StartedWebhookRedelivery)]
pub struct Redelivery {
    /// Events that were recorded since then.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub since: Timestamp,
    /// How many deliveries begin again at most.
    pub limit: u32,
}
