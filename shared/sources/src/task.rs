//! The messages of the queue source-sync.

use cloud::{Message, QueueName};
use jiff::Timestamp;
use kernel::SourceId;
use serde::{Deserialize, Serialize};

use crate::api::Object;

/// Work at a provider's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SyncTask {
    /// Fetch one object that a thin request named.
    #[serde(rename = "sync.fetch.v1")]
    Fetch {
        /// The source.
        source: SourceId,
        /// The kind.
        object: Object,
        /// The id in calls.
        id: String,
        /// When the thin request arrived.
        asked_at: Timestamp,
        /// The reserved time of the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<Timestamp>,
    },
    /// Fetch the next page of a back-fill.
    #[serde(rename = "sync.page.v1")]
    Page {
        /// The source.
        source: SourceId,
        /// The back-fill.
        run: String,
        /// The number of pages before this one.
        seq: u64,
        /// The reserved time of the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<Timestamp>,
    },
    /// Disconnect a source: end its subscriptions, then erase its credentials.
    #[serde(rename = "sync.disconnect.v1")]
    Disconnect {
        /// The source.
        source: SourceId,
        /// The time of the request. Credentials that were entered later stay.
        at: Timestamp,
    },
    /// Check the credentials and the subscription, and look for lost pushes.
    #[serde(rename = "sync.check.v1")]
    Check {
        /// The source.
        source: SourceId,
    },
}

impl Message for SyncTask {
    const QUEUE: QueueName = QueueName::new("source-sync");
}
