//! The message that an event sends to the workflows that listen to it.

use cloud::{Message, QueueName};
use jiff::Timestamp;
use kernel::ContactId;
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
