//! The messages of the ingest queue.

use std::collections::BTreeMap;

use cloud::{Message, QueueName};
use jiff::Timestamp;
use kernel::{Channel, ConsentField, ListId, SourceId};
use serde::{Deserialize, Serialize};

use crate::form::{FormConfirmation, FormSubmission};

/// An accepted request of a source, or an accepted signup form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Inbound {
    /// A request of a source.
    #[serde(rename = "inbound.v1")]
    V1(Box<Posted>),
    /// A submission of a signup form.
    #[serde(rename = "form.submission.v1")]
    Form(Box<FormSubmission>),
    /// The confirmation of such a submission.
    #[serde(rename = "form.confirmation.v1")]
    Confirmation(Box<FormConfirmation>),
}

/// A request of a source, with its raw body. So a repaired parser can read the body again from the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The source.
    pub source: SourceId,
    /// The provider whose format the body has.
    pub provider: Provider,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// `Content-Type` of the request.
    pub content_type: String,
    /// The body's text.
    pub body: String,
    /// Tags that the source gives to its contacts.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lists that its contacts join.
    #[serde(default)]
    pub lists: Vec<ListId>,
    /// The source's field names, with our names.
    #[serde(default)]
    pub mapping: BTreeMap<String, String>,
    /// The field that asks for consent, by channel.
    #[serde(default)]
    pub consent: BTreeMap<Channel, ConsentField>,
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
