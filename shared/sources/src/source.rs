//! The record of a source.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kernel::{Channel, ConsentField, ListId, SourceId, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::Provider;
use crate::auth::Auth;

/// A source: a sender that posts a shop's data to a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Id; public, part of the URL.
    pub id: SourceId,
    /// Name that the workspace's people see.
    pub name: String,
    /// The provider whose format it sends.
    pub provider: Provider,
    /// How its requests prove their origin.
    pub auth: Auth,
    /// When its owner paused it: its requests are refused until the owner resumes it.
    #[serde(default)]
    pub paused_at: Option<Timestamp>,
    /// When its owner disconnected it: its secrets are erased, and its requests are refused until it is connected again.
    #[serde(default)]
    pub disconnected_at: Option<Timestamp>,
    /// When its owner last resumed it or connected it again. A request to disconnect it that is not newer changes nothing.
    #[serde(default)]
    pub reconnected_at: Option<Timestamp>,
    /// How its data is processed.
    #[serde(flatten)]
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Source {
    /// The time of a request to disconnect it that comes now. A repeated request has the time of the first.
    pub fn disconnects_at(&self, now: Timestamp) -> Timestamp {
        let after = self
            .reconnected_at
            .map(|again| again + SignedDuration::from_millis(1));
        let fresh = after.map_or(now, |after| after.max(now));
        self.disconnected_at.unwrap_or(fresh)
    }
}

/// Minutes after its last change at which a cart counts as left behind, unless the source says otherwise.
pub const CART_MINUTES: u32 = 60;

/// The processing of a source's data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Tags that its contacts get.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lists that its contacts join.
    #[serde(default)]
    pub lists: Vec<ListId>,
    /// The source's field names, with our names.
    #[serde(default)]
    pub mapping: BTreeMap<String, String>,
    /// The field that asks for consent, by channel. Without one nothing is booked.
    #[serde(default)]
    pub consent: BTreeMap<Channel, ConsentField>,
    /// Whether the provider's API is connected, so that the objects of thin requests are fetched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fetches: bool,
    /// The shop's name in webhooks, once the provider's API has told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shop: Option<String>,
    /// Minutes after its last change at which a cart counts as left behind; absent: [`CART_MINUTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_minutes: Option<u32>,
}

/// A new source.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Name that the workspace's people see.
    pub name: String,
    /// The provider whose format it sends.
    pub provider: Provider,
    /// How its data is processed.
    pub settings: Settings,
}

impl NewSource {
    /// A source of this provider, with no other settings.
    pub fn of(provider: Provider) -> Self {
        Self {
            name: provider.name().to_owned(),
            provider,
            settings: Settings::default(),
        }
    }
}

/// A change of a source; a field that is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct SourceChange {
    /// Name that people see.
    pub name: Option<String>,
    /// Tags that its contacts get.
    pub tags: Option<Vec<String>>,
    /// Lists that its contacts join.
    pub lists: Option<Vec<ListId>>,
    /// The source's field names, with our names.
    pub mapping: Option<BTreeMap<String, String>>,
    /// The field that asks for consent, by channel.
    pub consent: Option<BTreeMap<Channel, ConsentField>>,
    /// Minutes after its last change at which a cart counts as left behind.
    pub cart_minutes: Option<u32>,
    /// True pauses it, false resumes it.
    pub paused: Option<bool>,
}

/// The tenant and the record behind a source's public id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The workspace of the source. The workspace is proven only after the check of the request.
    pub tenant: TenantKey,
    /// The record.
    pub source: Source,
}

/// The stored form of a source.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub workspace: WorkspaceId,
    #[serde(flatten)]
    pub source: Source,
}

impl Row {
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the stored row names its workspace"
    )]
    pub fn open(self) -> Door {
        Door {
            tenant: TenantKey::authenticated(self.workspace),
            source: self.source,
        }
    }
}
