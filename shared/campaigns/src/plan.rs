//! Cuts the audience into chunks: one run per contact shard, which continues itself by a message.
//!
//! A chunk's number names it, and the first write of it wins. After a crash the next run finds the stored chunks and
//! continues from the end of the last one. So members who joined or left in between change no stored chunk.

use cloud::{Error, Resources};
use kernel::{CampaignId, ContactId, Cursor, TenantKey};
use segments::Uses;

use crate::CHUNK;
use crate::ab::Tests;
use crate::audience::{Audiences, Recipients};
use crate::messages::PlanMessage;
use crate::model::{Campaign, State};
use crate::store::Campaigns;

/// Steps of one run, each a chunk or eight pages of ids. The rest is left to a message, well before the function's time-out.
const RUN: u32 = 20;

/// Plans audiences; cheap to clone.
#[derive(Clone, Debug)]
pub struct Planner {
    campaigns: Campaigns,
    audiences: Audiences,
    uses: Uses,
    tests: Tests,
}

impl Planner {
    /// Over the tables Campaigns, Contacts, Directory, Reports, Segments and Timers.
    pub fn over(resources: &Resources) -> Self {
        Self {
            campaigns: Campaigns::over(resources),
            audiences: Audiences::over(resources),
            uses: Uses::over(resources),
            tests: Tests::over(resources),
        }
    }

    /// Does the task of the message. Returns the number of contacts planned.
    pub async fn handle(&self, tenant: TenantKey, message: PlanMessage) -> Result<u64, Error> {
        match message {
            PlanMessage::Plan {
                campaign,
                shard,
                chunk,
                counted,
                cursor,
            } => {
                let place = Place {
                    chunk,
                    counted,
                    cursor,
                };
                self.plan(tenant, campaign, shard, place).await
            }
            PlanMessage::Dispatch { campaign, shard } => {
                let Some(known) = self.campaigns.get(tenant, campaign).await? else {
                    return Ok(0);
                };
                if self.campaigns.redispatch(tenant, &known, shard).await? {
                    return Ok(0);
                }
                // If another run plans the same shard, both continue from the stored chunks.
                self.plan(tenant, campaign, shard, Place::default()).await
            }
            // The tasks of [`crate::Keeper`].
            PlanMessage::Start { .. } | PlanMessage::Erase { .. } => Ok(0),
            PlanMessage::Tested { campaign } => {
                self.tests.wait(tenant, campaign).await?;
                Ok(0)
            }
            PlanMessage::Decide { campaign, at } => {
                self.tests.decide(tenant, campaign, at).await?;
                Ok(0)
            }
        }
    }

    async fn plan(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        start: Place,
    ) -> Result<u64, Error> {
        let Some(campaign) = self.campaigns.get(tenant, id).await? else {
            return Ok(0);
        };
        // A pause stops sending, not planning: the audience is that of the time of `send`.
        if !matches!(campaign.state, State::Sending | State::Paused) {
            return Ok(0);
        }
        let begun = start.counted;
        let mut place = start;
        let mut recipients = None;
        for _ in 0..RUN {
            let next = self.one(tenant, &campaign, shard, &mut place, &mut recipients);
            if next.await? {
                let sizes = (place.chunk, place.counted);
                let is_fixed = self
                    .campaigns
                    .shard_planned(tenant, &campaign, shard, sizes);
                if is_fixed.await? {
                    self.release(tenant, &campaign).await?;
                }
                return Ok(place.counted - begun);
            }
        }
        let planned = place.counted - begun;
        self.campaigns.go_on(tenant, id, shard, &place).await?;
        Ok(planned)
    }

    /// The audience is fixed: its segments may be deleted.
    async fn release(&self, tenant: TenantKey, campaign: &Campaign) -> Result<(), Error> {
        let user = campaign.id.to_string();
        for segment in campaign.used_segments() {
            self.uses.unuse(tenant, segment, &user).await?;
        }
        Ok(())
    }

    /// Writes the next chunk, or the mark that none is left; returns whether the shard ends.
    async fn one(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        shard: u32,
        place: &mut Place,
        recipients: &mut Option<Recipients>,
    ) -> Result<bool, Error> {
        let (id, name) = (campaign.id, (shard, place.chunk));
        let there = self.campaigns.chunk(tenant, id, shard, place.chunk).await?;
        let chunk = if let Some(chunk) = there {
            // An earlier run wrote this chunk. The chunk stays, even if its contacts have left the audience since.
            *recipients = None;
            chunk
        } else {
            let after = place.after()?;
            let rest =
                recipients.get_or_insert_with(|| self.audiences.of(tenant, campaign, shard, after));
            let step = rest.step(CHUNK as usize).await?;
            let next = step.next.map(|contact| Cursor(contact.to_string()));
            if step.ids.is_empty() && next.is_some() {
                place.cursor = next;
                return Ok(false);
            }
            let chunk = self.campaigns.add_chunk(tenant, id, name, &step.ids, next);
            let chunk = chunk.await?;
            if chunk.contacts()? != step.ids {
                // Another run was faster, and its chunk counts.
                *recipients = None;
            }
            chunk
        };
        if chunk.is_end() {
            return Ok(true);
        }
        place.chunk += 1;
        place.counted += chunk.contacts()?.len() as u64;
        place.cursor = chunk.next;
        Ok(place.cursor.is_none())
    }
}

/// Progress of the plan of a shard.
#[derive(Default)]
pub(crate) struct Place {
    /// Number of the next chunk.
    pub chunk: u32,
    /// Contacts in the chunks before it.
    pub counted: u64,
    /// The last contact that was looked at.
    pub cursor: Option<Cursor>,
}

impl Place {
    fn after(&self) -> Result<Option<ContactId>, Error> {
        let damaged = |_| Error::Cursor("is damaged");
        let cursor = self.cursor.as_ref();
        cursor
            .map(|Cursor(id)| id.parse().map_err(damaged))
            .transpose()
    }
}
