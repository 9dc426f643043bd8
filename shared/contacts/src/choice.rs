//! Contacts that a segment or conditions choose, for jobs over many contacts. This crate stores the choice; the crate
//! `segments` finds the contacts of it, page by page, and the crate `campaigns` those of a campaign. Pure.

use jiff::Timestamp;
use kernel::{CampaignId, Cursor, SegmentId, TenantKey};
use serde::{Deserialize, Serialize};

/// A choice of contacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Choice {
    /// The members of a segment.
    Segment {
        /// The segment.
        segment_id: SegmentId,
        /// The version whose members are read; it is pinned while the job runs.
        version: u32,
    },
    /// The contacts that conditions hold.
    Conditions {
        /// The conditions as JSON, without a fault.
        conditions: String,
        /// The time zone of the workspace.
        zone: String,
        /// The present of the conditions.
        at: Timestamp,
    },
    /// Receivers of a campaign.
    Receivers {
        /// The campaign.
        campaign_id: CampaignId,
        /// The name of a set of its receivers.
        status: String,
    },
}

impl Choice {
    /// Whether one request made both: a repetition may pin a later version.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Segment { segment_id: a, .. }, Self::Segment { segment_id: b, .. }) => a == b,
            (Self::Conditions { conditions: a, .. }, Self::Conditions { conditions: b, .. }) => {
                a == b
            }
            (a @ Self::Receivers { .. }, b @ Self::Receivers { .. }) => a == b,
            _ => false,
        }
    }
}

/// A question for the next contacts of a choice.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The workspace.
    pub tenant: TenantKey,
    /// The choice.
    pub choice: Choice,
    /// The shard; archived contacts are in those from [`crate::SHARDS`] on.
    pub shard: u32,
    /// Contacts that are looked at.
    pub limit: u32,
    /// The place in the shard.
    pub cursor: Option<Cursor>,
}
