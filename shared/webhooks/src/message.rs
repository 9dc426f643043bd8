//! Messages on the queue of webhooks.

use cloud::{Message, QueueName};
use contacts::{Happened, WebhookHappened};
use jiff::Timestamp;
use kernel::WebhookId;
use serde::{Deserialize, Serialize};

use crate::model::DeliveryId;

/// A message on the queue of webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WebhookTask {
    /// Something happened: [`contacts::WebhookHappened`], which has the same form.
    #[serde(rename = "webhook.happened.v1")]
    Happened(Happened),
    /// An attempt of a delivery.
    #[serde(rename = "webhook.deliver.v1")]
    Deliver {
        /// The webhook.
        webhook: WebhookId,
        /// The delivery.
        delivery: DeliveryId,
        /// The attempt that the delivery waits for. A message with another number is ignored.
        turn: u32,
    },
    /// The next deliveries of a webhook that are delivered again.
    #[serde(rename = "webhook.redeliver.v1")]
    Redeliver {
        /// The webhook.
        webhook: WebhookId,
        /// Only deliveries of events since then.
        since: Timestamp,
        /// Only deliveries that a pause holds back.
        held_only: bool,
        /// The shard that is read now.
        shard: u32,
        /// The last delivery of the shard that was read.
        after: Option<DeliveryId>,
        /// How many deliveries may still be delivered again.
        left: u32,
    },
}

impl Message for WebhookTask {
    const QUEUE: QueueName = WebhookHappened::QUEUE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_event_is_read_as_it_is_sent() {
        let happened = Happened {
            contact: "con_0123456789a".parse().unwrap(),
            events: Vec::new(),
            recorded_at: Timestamp::UNIX_EPOCH,
        };
        let sent = serde_json::to_string(&WebhookHappened::V1(happened.clone())).unwrap();
        let read: WebhookTask = serde_json::from_str(&sent).unwrap();
        assert_eq!(read, WebhookTask::Happened(happened));
    }
}
