//! The messages of the ingest queue.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloud::{Blobs, Error, Message, QueueName};
use http::HeaderMap;
use jiff::Timestamp;
use kernel::commerce::CartDue;
use kernel::{SourceId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::failed::FailedId;
use crate::form::{FormConfirmation, FormSubmission};
use crate::provider::Provider;
use crate::source::{Settings, Source};
use crate::submission::ParseError;

/// An accepted request of a source, an accepted signup form, or the end of a wait.
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
    /// The end of the wait of a source's cart.
    #[serde(rename = "cart.due.v1")]
    CartDue(Box<CartDue>),
}

impl Message for Inbound {
    const QUEUE: QueueName = QueueName::new("ingest");
}

/// Bytes of a body that a message holds. SQS counts a message for each 64 KiB.
pub const MAX_IN_MESSAGE: usize = 48 * 1024;
/// More bytes than an accepted body has.
const MAX_FILE: u64 = 8 * 1024 * 1024;

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
    /// The body's text; empty while [`RawRequest::file`] holds the body.
    pub body: String,
    /// The file that holds a large body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
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
            file: None,
            replay_of: None,
            settings: source.settings,
        })
    }

    /// Moves a body of over [`MAX_IN_MESSAGE`] bytes to a file, so that the message holds its key only. A repetition writes
    /// the same file. The bucket deletes the file after 29 days.
    pub async fn put_aside(&mut self, tenant: TenantKey, files: &Blobs) -> Result<(), Error> {
        if self.body.len() <= MAX_IN_MESSAGE {
            return Ok(());
        }
        let name = kernel::hash::sha256(&self.body);
        let key = format!("raw/{tenant}/{}/{name}", self.source);
        let body = Bytes::from(std::mem::take(&mut self.body));
        files.put(&key, "text/plain; charset=utf-8", body).await?;
        self.file = Some(key);
        Ok(())
    }

    /// Reads the body from its file, if there is one. False: the file was deleted.
    pub async fn fetch(&mut self, files: &Blobs) -> Result<bool, Error> {
        let Some(key) = &self.file else {
            return Ok(true);
        };
        let Some(range) = files.range(key, 0, MAX_FILE).await? else {
            return Ok(false);
        };
        self.body = String::from_utf8_lossy(&range.bytes).into_owned();
        Ok(true)
    }

    /// The name of a shop at its provider. A request that names none has that of the connected API, or of the source.
    pub fn shop(&self, named: &str) -> String {
        match &self.settings.shop {
            Some(shop) if named.is_empty() => shop.to_lowercase(),
            None if named.is_empty() => self.source.to_string(),
            _ => named.to_lowercase(),
        }
    }

    /// The scope of a shop's ids: provider and shop.
    pub fn scope(&self, named: &str) -> String {
        format!("{}:{}", self.provider.name(), self.shop(named))
    }

    /// A header that the provider's parser reads; empty if the request had none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
