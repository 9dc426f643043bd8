//! The audience of a campaign in the table Campaigns: its shards, their chunks, and the progress of each.
//!
//! The chunks of a shard are sent one after another: the write that ends a chunk dispatches the next. So a
//! campaign of any size has at most one message in flight for each shard. No message waits in the queue for
//! a slot that is far away.

mod progress;
mod rest;

use std::collections::BTreeMap;

use cloud::table::Created;
use cloud::{Error, Key, Pending, Query, Update};
use contacts::SHARDS;
use kernel::{CampaignId, ContactId, Cursor, TenantKey};
use serde::Deserialize;

pub(crate) use progress::{Chunk, Progress, text_of};
pub(crate) use rest::REST;

use crate::ab::Part;
use crate::model::{Campaign, State};
use crate::outcomes::Outcomes;
use crate::plan::Place;
use crate::store::Campaigns;
use crate::{effects, keys, report};

/// A contact shard of the audience.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ShardRow {
    /// Number of chunks; known when the shard is planned.
    pub chunks: Option<u32>,
    /// Contacts in them.
    pub recipients: Option<u64>,
    /// The chunk that is being sent. The chunks before it are done.
    #[serde(default)]
    pub next: u32,
    /// The recipients that this pass over the chunks sends to.
    #[serde(default)]
    pub part: Part,
    /// The outcomes of the chunks before `next`, and those of earlier passes.
    #[serde(default)]
    pub outcomes: Outcomes,
}

impl ShardRow {
    /// Whether a chunk is left, as far as it is known.
    fn is_open(&self) -> bool {
        self.chunks.is_some_and(|chunks| self.next < chunks)
    }

    /// Whether everybody of a chunk had their turn.
    pub fn is_past(&self, chunk: u32) -> bool {
        self.part != Part::Test && chunk < self.next
    }
}

/// A shard with its place.
#[derive(Deserialize)]
struct Numbered {
    sk: String,
    #[serde(flatten)]
    row: ShardRow,
}

/// Contacts of an audience up to which a report also counts the chunks that are being sent.
const EXACT: u64 = 100_000;
impl Campaigns {
    pub(crate) async fn chunk(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        chunk: u32,
    ) -> Result<Option<Chunk>, Error> {
        self.table.get(&keys::chunk(tenant, id, shard, chunk)).await
    }

    pub(crate) async fn progress(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        chunk: u32,
    ) -> Result<Option<Progress>, Error> {
        self.table
            .get(&keys::progress(tenant, id, shard, chunk))
            .await
    }

    /// Writes a chunk unless it exists; returns the stored chunk. Its progress is written first, so every reader of
    /// the chunk finds it. A chunk without contacts marks the shard's end.
    pub(crate) async fn add_chunk(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        (shard, chunk): (u32, u32),
        ids: &[ContactId],
        next: Option<Cursor>,
    ) -> Result<Chunk, Error> {
        if !ids.is_empty() {
            let key = keys::progress(tenant, id, shard, chunk);
            self.table.create(&key, &Progress::default()).await?;
        }
        let row = Chunk::new(ids, next);
        let key = keys::chunk(tenant, id, shard, chunk);
        match self.table.create(&key, &row).await? {
            Created::New => Ok(row),
            Created::Existing(row) => Ok(row),
        }
    }

    /// Asks for the rest of a shard's plan, from this place. Changes nothing if that was done before.
    pub(crate) async fn go_on(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        place: &Place,
    ) -> Result<(), Error> {
        let update = Update::new()
            .set("pending", Pending::of(&[effects::PLAN_REST]))
            .set("planned_to", place.chunk)
            .set("counted", place.counted);
        // The cursor is a contact's id and only grows.
        let update = match &place.cursor {
            Some(cursor) => update
                .set("cursor", cursor)
                .when_absent_or_less("cursor", cursor),
            None => return Ok(()),
        };
        let key = keys::shard(tenant, id, shard);
        self.table.update(&key, update).await.map(drop)
    }

    /// Records the number of chunks of a shard and their channel; the same write dispatches the first chunk, unless the
    /// campaign is being counted. Returns whether all shards are planned.
    pub(crate) async fn shard_planned(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        shard: u32,
        (chunks, recipients): (u32, u64),
    ) -> Result<bool, Error> {
        let id = campaign.id;
        let update = Update::new()
            .set("channel", campaign.content.channel())
            .set("chunks", chunks)
            .set("recipients", recipients)
            .set("next", 0)
            .when_absent("chunks");
        let update = match campaign.part() {
            Some(_) => dispatch_next(update, 0, chunks),
            None => update.remove("pending"),
        };
        let key = keys::shard(tenant, id, shard);
        self.table.update(&key, update).await?;
        self.note_planned(tenant, id, shard).await
    }

    /// Counts a planned shard in the campaign's record; the last shard fixes the audience. Returns whether all are
    /// planned.
    async fn note_planned(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
    ) -> Result<bool, Error> {
        let update = Update::new().add_to_set("planned", [format!("{shard:02}")]);
        let campaign = self.note(tenant, id, update).await?;
        let Some(campaign) = campaign else {
            return Ok(false);
        };
        let all_planned = campaign.planned.len() == SHARDS as usize;
        if all_planned && campaign.recipients.is_none() {
            self.fix_audience(tenant, id).await?;
        }
        // Senders may have sent its chunks before the audience was fixed. The current row shows that; every later
        // sender sees a fixed audience.
        let key = keys::shard(tenant, id, shard);
        let row: ShardRow = self.table.get(&key).await?.unwrap_or_default();
        // A shard whose pass has not begun has sent nothing, also if it has no chunks.
        if campaign.part() == Some(row.part) {
            self.end_shard(tenant, id, shard, &row).await?;
        }
        Ok(all_planned)
    }

    async fn fix_audience(&self, tenant: TenantKey, id: CampaignId) -> Result<(), Error> {
        let shards = self.shards(tenant, id).await?;
        let total: u64 = shards.iter().filter_map(|(_, row)| row.recipients).sum();
        self.fix(tenant, id, total).await
    }

    /// Moves a chunk's cursor together with its outcomes, unless another run did. Returns the stored progress.
    pub(crate) async fn advance(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        (shard, chunk): (u32, u32),
        read: &Progress,
        next: &Progress,
    ) -> Result<Progress, Error> {
        let update = Update::new()
            .set("cursor", next.cursor)
            .set("done", next.done)
            .set("outcomes", &next.outcomes)
            .set_some("part", next.part.stored())
            .set_some("before", (!next.before.is_empty()).then_some(&next.before))
            .when_equals("cursor", read.cursor)
            .when_as_read("part", read.part.stored());
        let update = if next.rest.is_empty() {
            update.remove("rest")
        } else {
            update.set("rest", &next.rest)
        };
        let key = keys::progress(tenant, id, shard, chunk);
        let outcome = self.table.update(&key, update).await?;
        outcome.item()?.ok_or(Error::Conflict)
    }

    /// Records that a chunk is sent with these outcomes, and dispatches the next chunk. The last chunk ends its shard, and
    /// the last shard ends the campaign. Safe to repeat: every message of a finished chunk repeats it.
    ///
    /// The write that moves the shard also adds the outcomes to it. So each chunk is added once, and a report reads no
    /// chunk that is done.
    pub(crate) async fn chunk_done(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        (shard, chunk): (u32, u32),
        (part, outcomes): (Part, &Outcomes),
    ) -> Result<(), Error> {
        let key = keys::shard(tenant, id, shard);
        let row: Option<ShardRow> = self.table.get(&key).await?;
        let Some(row) = row else {
            return Ok(());
        };
        let Some(chunks) = row.chunks else {
            return Ok(());
        };
        let next = chunk + 1;
        if (row.next, row.part) != (chunk, part) {
            return self.end_shard(tenant, id, shard, &row).await;
        }
        // Outcomes change only together with `next`, so those that were read belong to the `next` that was read.
        let mut all = row.outcomes;
        all.merge(outcomes);
        let update = Update::new()
            .set("next", next)
            .set("outcomes", &all)
            .when_equals("next", chunk)
            .when_as_read("part", part.stored());
        let update = dispatch_next(update, next, chunks);
        let row = self.table.update(&key, update).await?;
        let row = row.item::<ShardRow>()?.unwrap_or_default();
        self.end_shard(tenant, id, shard, &row).await
    }

    /// The planner's last write and the senders' writes are in one item, so one of them sees it complete. The last shard
    /// of a test asks for the wait.
    async fn end_shard(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        row: &ShardRow,
    ) -> Result<(), Error> {
        if row.chunks != Some(row.next) {
            return Ok(());
        }
        let all = SHARDS as usize;
        let ended = [format!("{shard:02}")];
        if row.part == Part::Test {
            let update = Update::new().add_to_set("tested", ended);
            let campaign = self.note(tenant, id, update).await?;
            if campaign.is_some_and(|campaign| campaign.tested.len() == all) {
                self.test_is_sent(tenant, id).await?;
            }
            return Ok(());
        }
        let update = Update::new().add_to_set("finished", ended);
        let Some(campaign) = self.note(tenant, id, update).await? else {
            return Ok(());
        };
        let is_finished = |shard| campaign.finished.contains(&format!("{shard:02}"));
        let complete = (0..SHARDS).all(is_finished) && campaign.planned.len() == SHARDS as usize;
        if complete && campaign.recipients.is_some() && campaign.state == State::Sending {
            let channel = campaign.content.channel();
            if campaign.content.is_grouped()
                && !is_finished(REST)
                && self.begin_rest(tenant, id, channel).await?
            {
                return Ok(());
            }
            let update = Update::new()
                .set("state", State::Sent)
                .set("sent_at", self.table.clock().now())
                .when_equals("state", State::Sending);
            self.table.update(&keys::meta(tenant, id), update).await?;
        }
        Ok(())
    }

    /// Dispatches again the chunk where a shard stopped, or the first chunk of its next pass, and checks whether all chunks
    /// are done. False if the shard has no row: its planning has not started, or its message was lost.
    pub(crate) async fn redispatch(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        shard: u32,
    ) -> Result<bool, Error> {
        let id = campaign.id;
        let key = keys::shard(tenant, id, shard);
        let Some(row) = self.table.get::<ShardRow>(&key).await? else {
            return Ok(false);
        };
        if shard == 0 {
            self.redispatch_rest(tenant, id).await?;
        }
        let Some(chunks) = row.chunks else {
            // Half planned: `pending` still names the rest of the plan, and any write sends it again.
            let now = self.table.clock().now();
            let update = Update::new().set("sent_again", now).when_absent("chunks");
            self.table.update(&key, update).await?;
            return Ok(true);
        };
        let part = campaign.part();
        if let Some(part) = part.filter(|part| row.part < *part) {
            self.begin_part(tenant, id, shard, (&row, part)).await?;
        } else if row.next < chunks && part.is_some() {
            let update = Update::new()
                .when_equals("next", row.next)
                .when_as_read("part", row.part.stored());
            let update = dispatch_next(update, row.next, chunks);
            // Refused: a sender has finished the chunk and dispatched the next.
            self.table.update(&key, update).await?;
        }
        self.note_planned(tenant, id, shard).await?;
        Ok(true)
    }

    /// The outcomes of the recipients so far. One query of 16 small rows. For an audience of up to [`EXACT`] contacts also
    /// the chunks that are being sent, half a read unit each. Of a larger audience each chunk counts when it is done, so
    /// the figures are at most 8,000 recipients behind. They are exact once the campaign is sent.
    pub(crate) async fn outcomes(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
    ) -> Result<Outcomes, Error> {
        let id = campaign.id;
        let shards = self.shards(tenant, id).await?;
        let mut total = report::sum(shards.iter().map(|(_, row)| &row.outcomes));
        if campaign.recipients.is_some_and(|size| size > EXACT) {
            return Ok(total);
        }
        let open = shards.iter().filter(|(_, row)| row.is_open());
        let open =
            open.map(|(shard, row)| (keys::progress(tenant, id, *shard, row.next), row.part));
        let parts: BTreeMap<Key, Part> = open.collect();
        let keys = parts.keys().cloned().collect();
        let running: Vec<(Key, Progress)> = self.table.get_many(keys).await?;
        for (key, progress) in running {
            let part = parts.get(&key).copied().unwrap_or_default();
            total.merge(&progress.of(part).of_pass());
        }
        Ok(total)
    }

    /// Whether everybody of a chunk had their turn.
    pub(crate) async fn is_past(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        (shard, chunk): (u32, u32),
    ) -> Result<bool, Error> {
        let row: Option<ShardRow> = self.table.get(&keys::shard(tenant, id, shard)).await?;
        Ok(row.is_some_and(|row| row.is_past(chunk)))
    }

    /// The shards that have a row, strongly consistent.
    pub(crate) async fn shards(
        &self,
        tenant: TenantKey,
        id: CampaignId,
    ) -> Result<Vec<(u32, ShardRow)>, Error> {
        let query = Query::partition(keys::partition(tenant, id)).begins_with(keys::SHARDS);
        let rows: Vec<Numbered> = self.table.query_all(query).await?;
        let number = |sk: &str| sk.strip_prefix(keys::SHARDS)?.parse().ok();
        let rows = rows.into_iter();
        Ok(rows
            .filter_map(|one| Some((number(&one.sk)?, one.row)))
            .collect())
    }
}

/// Makes the write that moves a shard to this chunk send the chunk's message, if there is such a chunk.
pub(crate) fn dispatch_next(update: Update, chunk: u32, chunks: u32) -> Update {
    if chunk < chunks {
        update.set("pending", Pending::of(&[effects::CHUNK]))
    } else {
        update.remove("pending")
    }
}
