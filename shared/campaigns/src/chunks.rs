//! The audience of a campaign in the table Campaigns: its shards, their chunks, and the progress of each.
//!
//! The chunks of a shard are sent one after another: the write that ends a chunk dispatches the next. So a
//! campaign of any size has at most one message in flight for each shard. No message waits in the queue for
//! a slot that is far away.

use std::collections::BTreeMap;

use cloud::table::Created;
use cloud::{Error, Key, Pending, Query, Update};
use contacts::{Channel, SHARDS};
use kernel::{CampaignId, ContactId, Cursor, TenantKey};
use serde::{Deserialize, Serialize};

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

/// Contacts of a chunk. Written once and never changed. The cursor and the tallies are in another item, so a write
/// of them does not pay for the ids again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Ids without their prefix, one after another.
    ids: String,
    /// The last contact that was looked at; `None` on the last chunk.
    #[serde(default)]
    pub next: Option<Cursor>,
}

/// Progress of a chunk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Position of the next recipient in the chunk.
    pub cursor: u32,
    /// The cursor has reached the end.
    #[serde(default)]
    pub done: bool,
    /// The outcomes of the recipients before the cursor, and of earlier passes.
    #[serde(default)]
    pub outcomes: Outcomes,
    /// Recipients before the cursor that wait for a group of the provider's least size, as the ids of a [`Chunk`]. They have
    /// no outcome yet, and go with the next chunk of the shard.
    #[serde(default)]
    pub rest: String,
    /// The recipients of this pass; the cursor counts them only.
    #[serde(default, skip_serializing_if = "Part::is_all")]
    pub part: Part,
    /// The outcomes of earlier passes.
    #[serde(default, skip_serializing_if = "Outcomes::is_empty")]
    pub before: Outcomes,
}

impl Progress {
    /// The progress of a pass. A pass that comes after this one begins; an earlier one is done.
    pub fn of(&self, part: Part) -> Self {
        let mut progress = self.clone();
        match part.cmp(&self.part) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => progress.done = true,
            std::cmp::Ordering::Greater => {
                progress = Self {
                    cursor: 0,
                    done: false,
                    before: progress.outcomes.clone(),
                    outcomes: progress.outcomes,
                    part,
                    rest: String::new(),
                }
            }
        }
        progress
    }

    /// The recipients that wait for a group.
    pub fn waiting(&self) -> Result<Vec<ContactId>, Error> {
        ids_of(&self.rest)
    }

    /// The outcomes of this pass.
    pub fn of_pass(&self) -> Outcomes {
        self.outcomes.without(&self.before)
    }
}

/// The shard after the contact shards. Its one chunk holds the recipients that wait in the last chunks of all others.
pub(crate) const REST: u32 = SHARDS;

/// Contacts of an audience up to which a report also counts the chunks that are being sent.
const EXACT: u64 = 100_000;
const PREFIX_LEN: usize = CampaignId::PREFIX.len() + 1;
const ID_LEN: usize = 11;

impl Chunk {
    fn new(ids: &[ContactId], next: Option<Cursor>) -> Self {
        Self {
            ids: text_of(ids),
            next,
        }
    }

    /// A chunk without contacts: it only marks the end of the shard when it was planned.
    pub fn is_end(&self) -> bool {
        self.ids.is_empty()
    }

    /// The contacts, in order.
    pub fn contacts(&self) -> Result<Vec<ContactId>, Error> {
        ids_of(&self.ids)
    }
}

/// Ids without their prefix, one after another.
pub(crate) fn text_of(ids: &[ContactId]) -> String {
    let ids = ids.iter().map(|id| id.to_string()[PREFIX_LEN..].to_owned());
    ids.collect()
}

fn ids_of(text: &str) -> Result<Vec<ContactId>, Error> {
    let wrong = || Error::Shape("the chunk's ids are damaged".into());
    let parts = text.as_bytes().chunks(ID_LEN);
    let id = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        format!("{}_{digits}", ContactId::PREFIX).parse().ok()
    };
    parts.map(|digits| id(digits).ok_or_else(wrong)).collect()
}

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
    /// The write that moves the shard also adds the outcomes to it, so each chunk is added once, and a report reads no
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

    /// Makes the chunk of the recipients that wait in the last chunks of the shards, and dispatches it once. Returns whether
    /// there are any. Safe to repeat: the chunks before it are done.
    async fn begin_rest(
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

    /// Dispatches again the chunk of those that waited, if it is not sent.
    async fn redispatch_rest(&self, tenant: TenantKey, id: CampaignId) -> Result<(), Error> {
        let key = keys::shard(tenant, id, REST);
        let row: Option<ShardRow> = self.table.get(&key).await?;
        if row.is_some_and(|row| row.next == 0) {
            let update = Update::new().when_equals("next", 0);
            self.table.update(&key, dispatch_next(update, 0, 1)).await?;
        }
        Ok(())
    }

    /// The outcomes of the recipients so far. One query of 16 small rows, and for an audience of up to [`EXACT`] contacts
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_gives_back_its_contacts() {
        let clock = kernel::Clock::from_fn(|| jiff::Timestamp::from_second(1_772_438_400).unwrap());
        let ids: Vec<ContactId> = (0..500)
            .map(|seed| ContactId::new(&clock, &kernel::Entropy::seeded(seed)))
            .collect();
        let chunk = Chunk::new(&ids, None);
        assert_eq!(chunk.contacts().unwrap(), ids);
        assert_eq!(chunk.ids.len(), 5_500);
        let damaged = Chunk {
            ids: chunk.ids[1..].to_owned(),
            ..chunk
        };
        assert!(damaged.contacts().is_err());
    }
}
