//! Cuts the audience into chunks: one run per contact shard, which continues itself by a message.
//!
//! A chunk's number names it, and the first write of it wins. After a crash the next run finds the stored chunks and
//! continues from the end of the last one. So members who joined or left in between change no stored chunk.

use cloud::{Error, Resources};
use contacts::Profiles;
use kernel::{CampaignId, Cursor, TenantKey};

use crate::CHUNK;
use crate::messages::PlanMessage;
use crate::model::{Campaign, State};
use crate::store::Campaigns;

/// Chunks in one run. The rest is left to a message, well before the function's time-out.
const RUN: u32 = 20;

/// Plans audiences; cheap to clone.
#[derive(Clone, Debug)]
pub struct Planner {
    campaigns: Campaigns,
    contacts: Profiles,
}

impl Planner {
    /// Over the tables Campaigns and Contacts.
    pub fn over(resources: &Resources) -> Self {
        Self {
            campaigns: Campaigns::over(resources),
            contacts: Profiles::over(resources),
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
                if self.campaigns.redispatch(tenant, campaign, shard).await? {
                    return Ok(0);
                }
                // If another run plans the same shard, both continue from the stored chunks.
                self.plan(tenant, campaign, shard, Place::default()).await
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
        // A pause stops sending, not planning: the audience is the list at the time of `send`.
        if !matches!(campaign.state, State::Sending | State::Paused) {
            return Ok(0);
        }
        let begun = start.counted;
        let mut place = start;
        let end = place.chunk + RUN;
        while place.chunk < end {
            let is_last = self.one(tenant, &campaign, shard, &mut place).await?;
            if is_last {
                let sizes = (place.chunk, place.counted);
                self.campaigns
                    .shard_planned(tenant, id, shard, sizes)
                    .await?;
                return Ok(place.counted - begun);
            }
        }
        let planned = place.counted - begun;
        self.campaigns.go_on(tenant, id, shard, &place).await?;
        Ok(planned)
    }

    /// Writes the next chunk, or the mark that none is left; returns whether the shard ends.
    async fn one(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        shard: u32,
        place: &mut Place,
    ) -> Result<bool, Error> {
        let (id, name) = (campaign.id, (shard, place.chunk));
        let there = self.campaigns.chunk(tenant, id, shard, place.chunk).await?;
        let chunk = if let Some(chunk) = there {
            // An earlier run wrote this chunk. The chunk stays, even if contacts have left the list since.
            chunk
        } else {
            let (list, cursor) = (campaign.audience.list_id, place.cursor.take());
            let page = self
                .contacts
                .members(tenant, list, shard, CHUNK, cursor)
                .await?;
            if page.data.is_empty() && page.next.is_some() {
                place.cursor = page.next;
                return Ok(false);
            }
            self.campaigns
                .add_chunk(tenant, id, name, &page.data, page.next)
                .await?
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
    /// Where the list continues.
    pub cursor: Option<Cursor>,
}
