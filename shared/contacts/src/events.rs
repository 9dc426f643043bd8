//! The messages that an event sends to the workflows that listen to it, and to the webhooks that want it.

use cloud::{Effect, Error, Message, QueueName};
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::model::Event;

/// Message on the queue of workflow triggers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum EventHappened {
    /// A timeline entry was written.
    #[serde(rename = "contact.event.v1")]
    V1 {
        /// The contact of the event.
        contact: ContactId,
        /// The event.
        event: Event,
        /// When the entry was written. A workflow uses only entries that were written since it became active.
        recorded_at: Timestamp,
    },
}

impl Message for EventHappened {
    const QUEUE: QueueName = QueueName::new("workflow-trigger");
}

/// The events of a write of a contact, for webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// The contact.
    pub contact: ContactId,
    /// The events of one write. Some of them may be wanted by no webhook.
    pub events: Vec<Event>,
    /// When they were recorded, the same at each delivery.
    pub recorded_at: Timestamp,
}

/// Message on the queue of webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WebhookHappened {
    /// Something happened that a webhook may want.
    #[serde(rename = "webhook.happened.v1")]
    V1(Happened),
}

impl Message for WebhookHappened {
    const QUEUE: QueueName = QueueName::new("webhooks");
}

/// The effect that tells webhooks of these events. [`Listeners::hooks_any`](crate::Listeners::hooks_any) tells whether one
/// wants them.
pub fn for_webhooks(
    tenant: TenantKey,
    contact: ContactId,
    events: Vec<Event>,
    recorded_at: Timestamp,
) -> Result<Effect, Error> {
    let first = events.first().map_or("", |event| event.id.as_str());
    let id = format!("{contact}#{first}#hooks");
    let happened = Happened {
        contact,
        events,
        recorded_at,
    };
    Effect::new(tenant, id, &WebhookHappened::V1(happened))
}
