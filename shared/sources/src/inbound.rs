//! The message that a webhook puts on the ingest queue.

use std::collections::BTreeMap;

use cloud::{Message, QueueName};
use jiff::Timestamp;
use kernel::{Channel, ConsentField, ListId, SourceId};
use serde::{Deserialize, Serialize};

/// An accepted request of a source, with its raw body. So a repaired parser can read the body again from the
/// dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Inbound {
    /// First version.
    #[serde(rename = "inbound.v1")]
    V1 {
        /// The source.
        source: SourceId,
        /// The provider whose format the body has.
        provider: Provider,
        /// When it was accepted.
        received_at: Timestamp,
        /// `Content-Type` of the request.
        content_type: String,
        /// The body's text.
        body: String,
        /// Tags that the source gives to its contacts.
        #[serde(default)]
        tags: Vec<String>,
        /// Lists that its contacts join.
        #[serde(default)]
        lists: Vec<ListId>,
        /// The source's field names, with our names.
        #[serde(default)]
        mapping: BTreeMap<String, String>,
        /// The field that asks for consent, by channel.
        #[serde(default)]
        consent: BTreeMap<Channel, ConsentField>,
    },
}

impl Message for Inbound {
    const QUEUE: QueueName = QueueName::new("ingest");
}

/// A provider whose format this build reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// LadiPage lead forms.
    Ladipage,
}
