//! The wait for the winner of a test, and its end.

use cloud::{Counters, Error, Resources, Timers};
use jiff::Timestamp;
use kernel::{CampaignId, TenantKey};

use super::{Phase, Winner};
use crate::messages::PlanMessage;
use crate::store::Campaigns;

/// Writers that race for one record: each loser reads again.
const TRIES: u32 = 8;

/// Ends tests; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tests {
    campaigns: Campaigns,
    counters: Counters,
    timers: Timers,
}

impl Tests {
    /// Over the tables Campaigns, Reports and Timers.
    pub fn over(resources: &Resources) -> Self {
        Self {
            campaigns: Campaigns::over(resources),
            counters: Counters::over(resources),
            timers: Timers::over(resources),
        }
    }

    /// The test is sent: begins the wait, or the rest if a person has chosen already. The timer is written before the phase.
    /// A timer whose phase was lost names another time than the phase that a later run stores.
    pub async fn wait(&self, tenant: TenantKey, id: CampaignId) -> Result<(), Error> {
        for _ in 0..TRIES {
            let Some(campaign) = self.campaigns.get(tenant, id).await? else {
                return Ok(());
            };
            let is_over = campaign.phase != Some(Phase::Testing) || !campaign.is_under_way();
            let Some(ab) = campaign.ab.as_ref().filter(|_| !is_over) else {
                return Ok(());
            };
            let (mut phase, mut decide_at) = (Phase::Rest, None);
            if campaign.winner.is_none() {
                phase = Phase::AwaitingWinner;
                decide_at = ab.wait().map(|wait| self.timers.clock().now() + wait);
            }
            if let Some(at) = decide_at {
                let message = PlanMessage::Decide { campaign: id, at };
                let name = format!("{id}#winner");
                self.timers.schedule(tenant, &name, at, &message).await?;
            }
            let entered = self.campaigns.enter(tenant, &campaign, phase, decide_at);
            if entered.await? {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }

    /// The wait that ends at this time is over: the figures name the winner. A pause does not stop that.
    pub async fn decide(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        at: Timestamp,
    ) -> Result<(), Error> {
        for _ in 0..TRIES {
            let Some(campaign) = self.campaigns.get(tenant, id).await? else {
                return Ok(());
            };
            let is_due = campaign.phase == Some(Phase::AwaitingWinner)
                && campaign.decide_at == Some(at)
                && campaign.is_under_way();
            let Some(ab) = campaign.ab.as_ref().filter(|_| is_due) else {
                return Ok(());
            };
            let scores = self.campaigns.scores(&self.counters, tenant, id).await?;
            let Some((variant, reason)) = scores.winner(ab.winner_rule) else {
                return Ok(());
            };
            let winner = Winner {
                variant,
                reason,
                decided_at: self.timers.clock().now(),
                decided_by: None,
                scores,
            };
            if self
                .campaigns
                .crown(tenant, &campaign, &winner)
                .await?
                .is_some()
            {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }
}
