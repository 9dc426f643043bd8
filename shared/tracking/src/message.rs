//! The message of the queue `track`.

use std::collections::BTreeMap;

use cloud::{Message, QueueName};
use contacts::Trust;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message for `track-writer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Tracked {
    /// Calls of one request.
    #[serde(rename = "track.calls.v1")]
    Calls(Box<Batch>),
}

impl Message for Tracked {
    const QUEUE: QueueName = QueueName::new("track");
}

/// Calls of one request, as they were given, without the parts that nobody reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The key that sent them: `key_…`.
    pub key: String,
    /// Anybody's, if the key is public.
    pub trust: Trust,
    /// When the request was received.
    pub received_at: Timestamp,
    /// When it was sent, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// The calls. Each has a `messageId`.
    pub calls: Vec<Value>,
    /// How many calls of the request were refused, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u32>,
}
