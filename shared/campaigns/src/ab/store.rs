//! The writes of a campaign's test. Each is conditional on what was read, and a phase never goes back.

use channels::Variant;
use cloud::{Counters, Error, Pending, Update};
use jiff::Timestamp;
use kernel::{CampaignId, TenantKey};

use super::{Part, Phase, Reason, Scores, Winner};
use crate::chunks::ShardRow;
use crate::model::{Campaign, State};
use crate::store::Campaigns;
use crate::{effects, keys};

/// Writers that race for one record: each loser reads again.
const TRIES: u32 = 8;

/// The outcome of a choice.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// The version is the winner, from now or from before.
    Yes(Box<Campaign>),
    /// The other version is the winner.
    Decided(Variant),
    /// The campaign has no test.
    NoTest,
    /// Nothing of it is to be sent in this state.
    Refused(State),
    /// Sending began too long ago: the ledger forgets who got the mail.
    TooOld,
    /// There is no such campaign.
    Absent,
}

impl Campaigns {
    /// The figures of both versions until now.
    pub async fn scores(
        &self,
        counters: &Counters,
        tenant: TenantKey,
        id: CampaignId,
    ) -> Result<Scores, Error> {
        let counts = counters.read(tenant, &id.to_string()).await?;
        Ok(Scores::of(&counts))
    }

    /// Makes a version the winner. Contacts without a mail get it from now on, those of the test too.
    pub async fn choose(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        variant: Variant,
        (by, scores): (&str, Scores),
    ) -> Result<Chosen, Error> {
        for _ in 0..TRIES {
            let Some(campaign) = self.get(tenant, id).await? else {
                return Ok(Chosen::Absent);
            };
            if campaign.ab.is_none() {
                return Ok(Chosen::NoTest);
            }
            if let Some(winner) = &campaign.winner {
                return Ok(if winner.variant == variant {
                    Chosen::Yes(Box::new(campaign))
                } else {
                    Chosen::Decided(winner.variant)
                });
            }
            if !campaign.is_under_way() {
                return Ok(Chosen::Refused(campaign.state));
            }
            if self.is_too_old(&campaign) {
                return Ok(Chosen::TooOld);
            }
            let winner = Winner {
                variant,
                reason: Reason::Manual,
                decided_at: self.clock().now(),
                decided_by: Some(by.to_owned()),
                scores,
            };
            if let Some(campaign) = self.crown(tenant, &campaign, &winner).await? {
                return Ok(Chosen::Yes(Box::new(campaign)));
            }
        }
        Err(Error::Conflict)
    }

    /// Stores the winner, unless there is one or the campaign has moved on; then `None`. Ends the wait for it.
    pub(crate) async fn crown(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        winner: &Winner,
    ) -> Result<Option<Campaign>, Error> {
        let update = Update::new().set("winner", winner).when_absent("winner");
        let update = match campaign.phase {
            Some(Phase::AwaitingWinner) => enter(update, campaign, Phase::Rest),
            _ => as_read(update, campaign),
        };
        let key = keys::meta(tenant, campaign.id);
        let outcome = self.table.update(&key, update).await?;
        if outcome.applied() {
            return outcome.item();
        }
        Ok(None)
    }

    /// Moves a campaign on to a phase; false if it is no longer as it was read.
    pub(crate) async fn enter(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        phase: Phase,
        decide_at: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let update = Update::new().set_some("decide_at", decide_at);
        let update = update.when_as_read("winner", campaign.winner.as_ref());
        let update = enter(update, campaign, phase);
        let key = keys::meta(tenant, campaign.id);
        Ok(self.table.update(&key, update).await?.applied())
    }

    /// Fixes the size of the audience. The same write ends the counting for a test and asks for the first pass.
    pub(crate) async fn fix(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        total: u64,
    ) -> Result<(), Error> {
        for _ in 0..TRIES {
            let Some(campaign) = self.get(tenant, id).await? else {
                return Ok(());
            };
            let update = Update::new().set_if_absent("recipients", total);
            let update = match (&campaign.ab, campaign.phase) {
                (Some(ab), Some(Phase::Counting)) => enter(update, &campaign, ab.phase_for(total)),
                _ => update.when_exists(),
            };
            let key = keys::meta(tenant, id);
            if self.table.update(&key, update).await?.applied() {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }

    /// Every shard has sent its part of the test: asks the planner for the wait. Safe to repeat.
    pub(crate) async fn test_is_sent(
        &self,
        tenant: TenantKey,
        id: CampaignId,
    ) -> Result<(), Error> {
        let update = Update::new()
            .set("pending", Pending::of(&[effects::TESTED]))
            .when_equals("phase", Phase::Testing)
            .when_in("state", [State::Sending, State::Paused]);
        self.table.update(&keys::meta(tenant, id), update).await?;
        Ok(())
    }

    /// Begins a pass of a shard, unless another run did.
    pub(crate) async fn begin_part(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        (row, part): (&ShardRow, Part),
    ) -> Result<(), Error> {
        let update = Update::new()
            .set("part", part)
            .set("next", 0)
            .when_equals("next", row.next)
            .when_as_read("part", row.part.stored());
        let update = crate::chunks::dispatch_next(update, 0, row.chunks.unwrap_or_default());
        let key = keys::shard(tenant, id, shard);
        self.table.update(&key, update).await.map(drop)
    }
}

/// Only if the state and the phase are those of `campaign`.
fn as_read(update: Update, campaign: &Campaign) -> Update {
    update
        .when_equals("state", campaign.state)
        .when_as_read("phase", campaign.phase)
}

/// The phase, and the message that asks each shard for its pass. A paused campaign asks when it is resumed.
fn enter(update: Update, campaign: &Campaign, phase: Phase) -> Update {
    let update = as_read(update.set("phase", phase), campaign);
    let has_pass = phase != Phase::AwaitingWinner;
    if has_pass && campaign.state == State::Sending {
        update.set("pending", Pending::of(&[effects::DISPATCH]))
    } else {
        update.remove("pending")
    }
}
