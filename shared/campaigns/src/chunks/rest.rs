//! The last chunk of a campaign in groups: the recipients that wait at the ends of all shards (docs/adr/0064).

use cloud::{Error, Update};
use contacts::{Channel, SHARDS};
use kernel::{CampaignId, TenantKey};

use super::{ShardRow, dispatch_next};
use crate::keys;
use crate::store::Campaigns;

/// The shard after the contact shards. Its one chunk holds the recipients that wait in the last chunks of all others.
pub(crate) const REST: u32 = SHARDS;

impl Campaigns {
    /// Makes the chunk of the recipients that wait in the last chunks of the shards, and dispatches it once. Returns whether
    /// there are any. Safe to repeat: the chunks before it are done.
    pub(super) async fn begin_rest(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        channel: Channel,
    ) -> Result<bool, Error> {
        let mut waiting = Vec::new();
        for shard in 0..SHARDS {
            let row: Option<ShardRow> = self.table.get(&keys::shard(tenant, id, shard)).await?;
            let last = row.and_then(|row| row.chunks?.checked_sub(1));
            if let Some(last) = last
                && let Some(progress) = self.progress(tenant, id, shard, last).await?
            {
                waiting.extend(progress.waiting()?);
            }
        }
        if waiting.is_empty() {
            return Ok(false);
        }
        self.add_chunk(tenant, id, (REST, 0), &waiting, None)
            .await?;
        let update = Update::new()
            .set("channel", channel)
            .set("chunks", 1)
            .set("next", 0)
            .when_absent("chunks");
        let update = dispatch_next(update, 0, 1);
        self.table
            .update(&keys::shard(tenant, id, REST), update)
            .await?;
        Ok(true)
    }

    /// Dispatches again the chunk of those that waited, if it is not sent.
    pub(super) async fn redispatch_rest(
        &self,
        tenant: TenantKey,
        id: CampaignId,
    ) -> Result<(), Error> {
        let key = keys::shard(tenant, id, REST);
        let row: Option<ShardRow> = self.table.get(&key).await?;
        if row.is_some_and(|row| row.next == 0) {
            let update = Update::new().when_equals("next", 0);
            self.table.update(&key, dispatch_next(update, 0, 1)).await?;
        }
        Ok(())
    }
}
