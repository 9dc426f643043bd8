//! The messages between the steps of a campaign.

use std::marker::PhantomData;

use channels::EmailChannel;
use channels::push::PushChannel;
use channels::sms::SmsChannel;
use channels::zns::ZnsChannel;
use cloud::{Message, QueueName};
use jiff::Timestamp;
use kernel::{CampaignId, Cursor};
use serde::{Deserialize, Serialize};

use crate::ab::Part;

/// To `campaign-planner`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum PlanMessage {
    /// Cut this shard of the audience into chunks, from this place.
    #[serde(rename = "campaign.plan.v1")]
    Plan {
        /// The campaign.
        campaign: CampaignId,
        /// Contact shard.
        shard: u32,
        /// Number of the next chunk.
        #[serde(default)]
        chunk: u32,
        /// Contacts in the chunks before it.
        #[serde(default)]
        counted: u64,
        /// Where the list continues.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
    /// After a pause: dispatch again the current chunk of this shard, or plan the shard if it has no row.
    #[serde(rename = "campaign.dispatch.v1")]
    Dispatch {
        /// The campaign.
        campaign: CampaignId,
        /// Contact shard.
        shard: u32,
    },
    /// From a timer: start the campaign if it is still scheduled for this time.
    #[serde(rename = "campaign.start.v1")]
    Start {
        /// The campaign.
        campaign: CampaignId,
        /// The time of its schedule.
        at: Timestamp,
        /// Earlier tries, which found a segment without members yet.
        #[serde(default)]
        tries: u32,
    },
    /// Remove rows of a deleted campaign.
    #[serde(rename = "campaign.erase.v1")]
    Erase {
        /// The campaign.
        campaign: CampaignId,
    },
    /// Every shard has sent its part of the test.
    #[serde(rename = "campaign.tested.v1")]
    Tested {
        /// The campaign.
        campaign: CampaignId,
    },
    /// The wait for the winner of the test is over.
    #[serde(rename = "campaign.decide.v1")]
    Decide {
        /// The campaign.
        campaign: CampaignId,
        /// The end of the wait, which the campaign names too.
        at: Timestamp,
    },
}

impl Message for PlanMessage {
    const QUEUE: QueueName = QueueName::new("campaign-plan");
}

/// To the sending function of the campaign's channel, as a [`ChunkOf`] that channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ChunkMessage {
    /// Send the rest of this chunk.
    #[serde(rename = "campaign.chunk.v1")]
    V1 {
        /// The campaign.
        campaign: CampaignId,
        /// Contact shard.
        shard: u32,
        /// Number of the chunk in its shard.
        chunk: u32,
        /// The recipients of the chunk that this pass sends to.
        #[serde(default, skip_serializing_if = "Part::is_all")]
        part: Part,
        /// A slot that was reserved for the next sub-batch when this message was returned to the queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<Timestamp>,
    },
}

/// A chunk's message on the queue of a channel. The wire shape is that of the message alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct ChunkOf<C> {
    /// The message.
    pub message: ChunkMessage,
    #[serde(skip)]
    channel: PhantomData<fn(C)>,
}

impl<C> ChunkOf<C> {
    /// The message on the queue of `C`.
    pub fn new(message: ChunkMessage) -> Self {
        let channel = PhantomData;
        Self { message, channel }
    }
}

impl Message for ChunkOf<EmailChannel> {
    const QUEUE: QueueName = QueueName::new("campaign-email");
}

impl Message for ChunkOf<SmsChannel> {
    const QUEUE: QueueName = QueueName::new("campaign-sms");
}

impl Message for ChunkOf<ZnsChannel> {
    const QUEUE: QueueName = QueueName::new("campaign-zns");
}

impl Message for ChunkOf<PushChannel> {
    const QUEUE: QueueName = QueueName::new("campaign-push");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_shapes_are_fixed() {
        for text in [
            r#"{"type":"campaign.plan.v1","campaign":"cmp_0123456789a","shard":3,"chunk":0,"counted":0}"#,
            r#"{"type":"campaign.dispatch.v1","campaign":"cmp_0123456789a","shard":3}"#,
            r#"{"type":"campaign.start.v1","campaign":"cmp_0123456789a","at":"2026-03-02T08:00:00Z","tries":0}"#,
            r#"{"type":"campaign.erase.v1","campaign":"cmp_0123456789a"}"#,
            r#"{"type":"campaign.tested.v1","campaign":"cmp_0123456789a"}"#,
            r#"{"type":"campaign.decide.v1","campaign":"cmp_0123456789a","at":"2026-03-02T08:00:00Z"}"#,
        ] {
            let message: PlanMessage = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
        }
        let text =
            r#"{"type":"campaign.chunk.v1","campaign":"cmp_0123456789a","shard":3,"chunk":7}"#;
        let message: ChunkMessage = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
        assert!(serde_json::from_str::<ChunkMessage>(&text.replace("v1", "v2")).is_err());
    }
}
