//! The messages of the ingest queue.

use std::collections::BTreeMap;

use cloud::{Message, QueueName};
use http::HeaderMap;
use jiff::Timestamp;
use kernel::SourceId;
use serde::{Deserialize, Serialize};

use crate::failed::FailedId;
use crate::form::{FormConfirmation, FormSubmission};
use crate::provider::Provider;
use crate::source::{Settings, Source};
use crate::submission::ParseError;

/// An accepted request of a source, or an accepted signup form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Inbound {
    /// A request of a source.
    #[serde(rename = "inbound.v1")]
    Request(Box<RawRequest>),
    /// A submission of a signup form.
    #[serde(rename = "form.submission.v1")]
    Form(Box<FormSubmission>),
    /// The confirmation of such a submission.
    #[serde(rename = "form.confirmation.v1")]
    Confirmation(Box<FormConfirmation>),
}

impl Message for Inbound {
    const QUEUE: QueueName = QueueName::new("ingest");
}

/// A request of a source, with its raw body. So a repaired parser can read the body again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawRequest {
    /// The source.
    pub source: SourceId,
    /// The provider whose format the body has.
    pub provider: Provider,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The headers that the provider's parser reads, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body's text.
    pub body: String,
    /// The failed request that it replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<FailedId>,
    /// The source's settings when the request came, or was replayed.
    #[serde(flatten)]
    pub settings: Settings,
}

impl RawRequest {
    /// The request of a source. An error means that its body can never be read.
    pub async fn take(
        source: Source,
        headers: &HeaderMap,
        body: &[u8],
        received_at: Timestamp,
    ) -> Result<Self, ParseError> {
        let (headers, body) = source.provider.take(headers, body).await?;
        Ok(Self {
            source: source.id,
            provider: source.provider,
            received_at,
            headers,
            body,
            replay_of: None,
            settings: source.settings,
        })
    }

    /// A header that the provider's parser reads; empty if the request had none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
