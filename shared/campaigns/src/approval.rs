//! The approval of a campaign: who asked, who decides, and for which content. Pure but for its two writes.
//!
//! The snapshot is a hash of everything that a reader of the request saw. An approval names it, so nobody approves
//! content that was changed meanwhile.

use cloud::{Error, Update};
use jiff::Timestamp;
use kernel::{TenantKey, UserId};
use serde::{Deserialize, Serialize};

use crate::life::as_read;
use crate::model::{Campaign, State};
use crate::store::Campaigns;

/// The state of a request for an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CampaignApprovalDecision)]
pub enum Decision {
    /// Nobody has decided.
    Pending,
    /// The campaign goes out, or is scheduled.
    Approved,
    /// Back to the author, with a reason.
    Rejected,
    /// The author took the request back.
    Withdrawn,
    /// Its time to send passed before anybody approved it.
    Expired,
}

/// A request for an approval, the last one of its campaign. The audit log has all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CampaignApproval)]
pub struct Approval {
    /// The person or key that asks: `usr_…` or `key_…`.
    pub requested_by: String,
    /// When.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub requested_at: Timestamp,
    /// A note to the approvers.
    pub note: Option<String>,
    /// The people who may decide; empty: everybody who may send campaigns.
    pub approver_ids: Vec<UserId>,
    /// The decision.
    pub decision: Decision,
    /// The person who decided.
    pub decided_by: Option<String>,
    /// When.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub decided_at: Option<Timestamp>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Names the name, audience, content and time that were asked for.
    pub snapshot: String,
}

impl Approval {
    /// The request with a decision.
    #[must_use]
    pub fn decided(&self, decision: Decision, by: &str, at: Timestamp) -> Self {
        Self {
            decision,
            decided_by: Some(by.to_owned()),
            decided_at: Some(at),
            ..self.clone()
        }
    }
}

/// Names everything that an approver must see, and the time of the send.
pub fn snapshot(campaign: &Campaign, at: Option<Timestamp>) -> Result<String, Error> {
    let seen = (
        &campaign.name,
        &campaign.audience,
        &campaign.content,
        &campaign.ab,
        campaign.revision,
        at,
    );
    let text = serde_json::to_string(&seen).map_err(|error| Error::Shape(error.to_string()))?;
    Ok(kernel::hash::name(&["approval", &text]))
}

impl Campaigns {
    /// Locks a draft until its request is decided. `None`: the campaign changed meanwhile.
    pub async fn request_approval(
        &self,
        tenant: TenantKey,
        known: &Campaign,
        approval: &Approval,
        at: Option<Timestamp>,
    ) -> Result<Option<Campaign>, Error> {
        let update = as_read(Update::new(), known)
            .set("state", State::PendingApproval)
            .set("approval", approval)
            .remove("problem");
        let update = match at {
            Some(at) => update.set("scheduled_at", at),
            None => update.remove("scheduled_at"),
        };
        self.apply(tenant, known.id, update).await
    }

    /// Ends a request without a send: the campaign is `state` then. `None`: the campaign changed meanwhile.
    pub async fn end_approval(
        &self,
        tenant: TenantKey,
        known: &Campaign,
        decided: &Approval,
        state: State,
    ) -> Result<Option<Campaign>, Error> {
        let update = as_read(Update::new(), known)
            .set("state", state)
            .set("approval", decided)
            .remove("scheduled_at");
        self.apply(tenant, known.id, update).await
    }
}
