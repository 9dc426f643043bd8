//! Items of the table Campaigns, each change one conditional write.

use std::collections::BTreeSet;

use cloud::table::Created;
use cloud::{Effect, Error, Pending, Query, QueueName, Table, Update, UpdateOutcome};
use contacts::SHARDS;
use kernel::{CampaignId, ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::messages::{ChunkMessage, PlanMessage};
use crate::model::{Campaign, Command, Draft, State, Step, step};
use crate::outcomes::Outcomes;
use crate::{keys, report};

/// The campaigns of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Campaigns {
    table: Table,
}

/// What a command did.
#[derive(Debug, Clone)]
pub enum Changed {
    /// The campaign stands where the command leads, now or since before.
    Yes(Box<Campaign>),
    /// The command makes no sense in this state.
    Refused(State),
    /// There is no such campaign.
    Absent,
}

/// A contact shard of the audience.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ShardRow {
    /// Number of chunks; known when the shard is planned.
    pub chunks: Option<u32>,
    /// Contacts in them.
    pub recipients: Option<u64>,
    /// Chunks that are sent.
    #[serde(default)]
    pub done: BTreeSet<String>,
}

/// Contacts of a chunk. Written once and never changed: the cursor and the tallies are elsewhere, so
/// that moving them does not pay for the ids again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Ids without their prefix, one after another.
    ids: String,
    /// Where the list goes on after it; `None` on the last.
    #[serde(default)]
    pub next: Option<Cursor>,
    #[serde(default)]
    pending: Pending,
}

/// How far a chunk is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Position of the next recipient in the chunk.
    pub cursor: u32,
    /// Which chunk, for handing it out again.
    pub chunk: u32,
    /// The cursor has reached the end.
    #[serde(default)]
    pub done: bool,
    /// What became of those before the cursor.
    #[serde(default)]
    pub outcomes: Outcomes,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    campaign: CampaignId,
}

const PREFIX_LEN: usize = CampaignId::PREFIX.len() + 1;
const ID_LEN: usize = 11;

impl Chunk {
    fn new(ids: &[ContactId], next: Option<Cursor>, pending: Pending) -> Self {
        let ids = ids.iter().map(|id| id.to_string()[PREFIX_LEN..].to_owned());
        Self {
            ids: ids.collect(),
            next,
            pending,
        }
    }

    /// No contacts: it only says that the shard ended here when it was planned.
    pub fn is_end(&self) -> bool {
        self.ids.is_empty()
    }

    /// The contacts, in order.
    pub fn contacts(&self) -> Result<Vec<ContactId>, Error> {
        let wrong = || Error::Shape("the chunk's ids are damaged".into());
        let parts = self.ids.as_bytes().chunks(ID_LEN);
        let id = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok()?;
            format!("{}_{digits}", ContactId::PREFIX).parse().ok()
        };
        parts.map(|digits| id(digits).ok_or_else(wrong)).collect()
    }
}

impl Campaigns {
    /// Over the table Campaigns.
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    pub(crate) fn clock(&self) -> &kernel::Clock {
        self.table.clock()
    }

    /// Makes a campaign in state draft. Its place in the list is written first: a campaign that
    /// exists is always listed.
    pub async fn create(&self, tenant: TenantKey, draft: Draft) -> Result<Campaign, Error> {
        loop {
            let campaign = Campaign {
                id: CampaignId::new(self.table.clock(), self.table.entropy()),
                name: draft.name.clone(),
                audience: draft.audience,
                mail: draft.mail.clone(),
                subject: draft.subject.clone(),
                state: State::Draft,
                problem: None,
                created_at: self.table.clock().now(),
                started_at: None,
                sent_at: None,
                recipients: None,
                planned: BTreeSet::new(),
                finished: BTreeSet::new(),
                pending: Pending::default(),
            };
            let listed = Listed {
                campaign: campaign.id,
            };
            self.table
                .put(&keys::listed(tenant, campaign.id), &listed)
                .await?;
            let key = keys::meta(tenant, campaign.id);
            if let Created::New = self.table.create(&key, &campaign).await? {
                return Ok(campaign);
            }
        }
    }

    /// One campaign.
    pub async fn get(&self, tenant: TenantKey, id: CampaignId) -> Result<Option<Campaign>, Error> {
        self.table.get(&keys::meta(tenant, id)).await
    }

    /// A page of campaigns, newest first.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Campaign>, Error> {
        let query = Query::partition(keys::list(tenant)).descending();
        let page = self
            .table
            .query::<Listed>(query.limit(limit.get()).cursor(cursor))
            .await?;
        let wanted = page
            .data
            .iter()
            .map(|row| keys::meta(tenant, row.campaign))
            .collect();
        let found: Vec<(_, Campaign)> = self.table.get_many(wanted).await?;
        let mut data: Vec<Campaign> = found.into_iter().map(|(_, campaign)| campaign).collect();
        data.sort_unstable_by_key(|campaign| std::cmp::Reverse(campaign.id));
        Ok(Page {
            data,
            next: page.next,
        })
    }

    /// Obeys a command. The state and the messages that must follow it are one write.
    pub async fn command(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        command: Command,
    ) -> Result<Changed, Error> {
        let key = keys::meta(tenant, id);
        // A command races with others and with the end of the campaign, each of which moves the state
        // on; the machine has no circle that keeps this going.
        for _ in 0..8 {
            let Some(campaign) = self.table.get::<Campaign>(&key).await? else {
                return Ok(Changed::Absent);
            };
            let next = match step(campaign.state, command) {
                Step::Done => return Ok(Changed::Yes(Box::new(campaign))),
                Step::Refused => return Ok(Changed::Refused(campaign.state)),
                Step::To(next) => next,
            };
            let update = self.effects(tenant, id, command, campaign.state)?;
            let update = update
                .set("state", next)
                .when_equals("state", campaign.state);
            let update = update.remove("problem");
            if let UpdateOutcome::Applied(item) = self.table.update(&key, update).await? {
                let campaign = UpdateOutcome::Applied(item).item()?;
                let campaign = campaign.ok_or(Error::Conflict)?;
                return Ok(Changed::Yes(Box::new(campaign)));
            }
        }
        Err(Error::Conflict)
    }

    fn effects(
        &self,
        tenant: TenantKey,
        campaign: CampaignId,
        command: Command,
        from: State,
    ) -> Result<Update, Error> {
        let message = |shard| match command {
            Command::Send => Some(PlanMessage::Plan {
                campaign,
                shard,
                chunk: 0,
                counted: 0,
                cursor: None,
            }),
            Command::Resume => Some(PlanMessage::Dispatch { campaign, shard }),
            Command::Pause | Command::Cancel => None,
        };
        let effects = (0..SHARDS).filter_map(|shard| {
            let name = format!("{campaign}#{}#{shard}", from.name());
            let message = message(shard)?;
            Some(Effect::new(tenant, QueueName::CampaignPlan, name, &message))
        });
        let effects = effects.collect::<Result<Vec<_>, _>>()?;
        let update = if command == Command::Send {
            Update::new().set("started_at", self.table.clock().now())
        } else {
            Update::new()
        };
        Ok(if effects.is_empty() {
            // What the last write asked for was relayed from its own image.
            update.remove("pending")
        } else {
            update.set("pending", Pending(effects))
        })
    }

    /// Stops a running campaign for a reason that a person must look at.
    pub(crate) async fn stop(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        state: State,
        problem: &str,
    ) -> Result<(), Error> {
        let update = Update::new()
            .set("state", state)
            .set("problem", problem)
            .remove("pending")
            .when_equals("state", State::Sending);
        self.table.update(&keys::meta(tenant, id), update).await?;
        Ok(())
    }

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

    /// Writes a chunk and its message, unless it is there; gives what is there. Its progress comes
    /// first, so that whoever reads the message finds it, and so that a chunk can always be handed
    /// out again. Without contacts it is the mark of the shard's end, which nobody is told of.
    pub(crate) async fn add_chunk(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        (shard, chunk): (u32, u32),
        ids: &[ContactId],
        next: Option<Cursor>,
    ) -> Result<Chunk, Error> {
        let mut pending = Pending::default();
        if !ids.is_empty() {
            let progress = Progress {
                chunk,
                ..Progress::default()
            };
            let key = keys::progress(tenant, id, shard, chunk);
            self.table.create(&key, &progress).await?;
            pending.0.push(chunk_effect(tenant, id, shard, chunk)?);
        }
        let row = Chunk::new(ids, next, pending);
        let key = keys::chunk(tenant, id, shard, chunk);
        match self.table.create(&key, &row).await? {
            Created::New => Ok(row),
            Created::Existing(row) => Ok(row),
        }
    }

    /// Hands out the rest of a shard's plan; false where that was done before.
    pub(crate) async fn go_on(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        next: &PlanMessage,
        chunk: u32,
    ) -> Result<bool, Error> {
        let name = format!("{id}#plan#{shard}#{chunk}");
        let effect = Effect::new(tenant, QueueName::CampaignPlan, name, next)?;
        let update = Update::new()
            .set("pending", Pending(vec![effect]))
            .set("planned_to", chunk)
            .when_absent_or_less("planned_to", chunk);
        let key = keys::shard(tenant, id, shard);
        Ok(self.table.update(&key, update).await?.applied())
    }

    /// Records that a shard is cut into so many chunks.
    pub(crate) async fn shard_planned(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        (chunks, recipients): (u32, u64),
    ) -> Result<(), Error> {
        let update = Update::new()
            .set_if_absent("chunks", chunks)
            .set_if_absent("recipients", recipients)
            .remove("pending");
        let row = self
            .table
            .update(&keys::shard(tenant, id, shard), update)
            .await?;
        let row = row.item::<ShardRow>()?.unwrap_or_default();
        let update = Update::new().add_to_set("planned", [format!("{shard:02}")]);
        let campaign = self.note(tenant, id, update).await?;
        if let Some(campaign) = campaign
            && campaign.planned.len() == SHARDS as usize
            && campaign.recipients.is_none()
        {
            self.fix_audience(tenant, id).await?;
        }
        self.end_shard(tenant, id, shard, &row).await
    }

    async fn fix_audience(&self, tenant: TenantKey, id: CampaignId) -> Result<(), Error> {
        let query = Query::partition(keys::partition(tenant, id)).begins_with(keys::SHARDS);
        let shards: Vec<ShardRow> = self.table.query_all(query).await?;
        let total: u64 = shards.iter().filter_map(|row| row.recipients).sum();
        let update = Update::new().set_if_absent("recipients", total);
        self.note(tenant, id, update).await.map(drop)
    }

    /// Adds to a campaign's record. What its last write asked for was relayed from that write's own
    /// image, so it goes.
    async fn note(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        update: Update,
    ) -> Result<Option<Campaign>, Error> {
        let update = update.remove("pending").when_exists();
        self.table
            .update(&keys::meta(tenant, id), update)
            .await?
            .item()
    }

    /// Moves a chunk's cursor together with its outcomes, unless somebody else did. Gives the
    /// progress as it stands.
    pub(crate) async fn advance(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        read: &Progress,
        next: &Progress,
    ) -> Result<Progress, Error> {
        let update = Update::new()
            .set("cursor", next.cursor)
            .set("done", next.done)
            .set("outcomes", &next.outcomes)
            .remove("pending")
            .when_equals("cursor", read.cursor);
        let key = keys::progress(tenant, id, shard, read.chunk);
        let outcome = self.table.update(&key, update).await?;
        outcome.item()?.ok_or(Error::Conflict)
    }

    /// Records that a chunk is sent; the last one ends its shard, and the last shard the campaign.
    /// Safe to repeat, and repeated by every message of a chunk that is done.
    pub(crate) async fn chunk_done(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        chunk: u32,
    ) -> Result<(), Error> {
        let update = Update::new()
            .add_to_set("done", [chunk.to_string()])
            .remove("pending");
        let row = self
            .table
            .update(&keys::shard(tenant, id, shard), update)
            .await?;
        let row = row.item::<ShardRow>()?.unwrap_or_default();
        self.end_shard(tenant, id, shard, &row).await
    }

    /// The planner's last write and the senders' meet in one item, so one of them sees it complete.
    async fn end_shard(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
        row: &ShardRow,
    ) -> Result<(), Error> {
        if row.chunks != Some(row.done.len() as u32) {
            return Ok(());
        }
        let update = Update::new().add_to_set("finished", [format!("{shard:02}")]);
        let Some(campaign) = self.note(tenant, id, update).await? else {
            return Ok(());
        };
        let all = SHARDS as usize;
        let complete = campaign.finished.len() == all && campaign.planned.len() == all;
        if complete && campaign.recipients.is_some() && campaign.state == State::Sending {
            let update = Update::new()
                .set("state", State::Sent)
                .set("sent_at", self.table.clock().now())
                .when_equals("state", State::Sending);
            self.table.update(&keys::meta(tenant, id), update).await?;
        }
        Ok(())
    }

    /// Hands out again the chunks of a shard that are not done, and looks whether all are.
    pub(crate) async fn redispatch(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        shard: u32,
    ) -> Result<(), Error> {
        let query = Query::partition(keys::partition(tenant, id));
        let query = query.begins_with(keys::progress_of(shard));
        let rows: Vec<Progress> = self.table.query_all(query).await?;
        for row in rows.iter().filter(|row| !row.done) {
            let effect = chunk_effect(tenant, id, shard, row.chunk)?;
            let update = Update::new()
                .set("pending", Pending(vec![effect]))
                .when_equals("cursor", row.cursor);
            let key = keys::progress(tenant, id, shard, row.chunk);
            // Refused: a sender is at it and moves it on.
            self.table.update(&key, update).await?;
        }
        let row: Option<ShardRow> = self.table.get(&keys::shard(tenant, id, shard)).await?;
        self.end_shard(tenant, id, shard, &row.unwrap_or_default())
            .await
    }

    /// What became of the recipients so far.
    pub(crate) async fn outcomes(
        &self,
        tenant: TenantKey,
        id: CampaignId,
    ) -> Result<Outcomes, Error> {
        let query = Query::partition(keys::partition(tenant, id)).begins_with(keys::PROGRESS);
        let rows: Vec<Progress> = self.table.query_all(query).await?;
        Ok(report::sum(rows.iter().map(|row| &row.outcomes)))
    }
}

fn chunk_effect(
    tenant: TenantKey,
    campaign: CampaignId,
    shard: u32,
    chunk: u32,
) -> Result<Effect, Error> {
    let message = ChunkMessage::V1 {
        campaign,
        shard,
        chunk,
        slot: None,
    };
    let name = format!("{campaign}#chunk#{shard}#{chunk}");
    Effect::new(tenant, QueueName::CampaignEmail, name, &message)
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
        let chunk = Chunk::new(&ids, None, Pending::default());
        assert_eq!(chunk.contacts().unwrap(), ids);
        assert_eq!(chunk.ids.len(), 5_500);
        let damaged = Chunk {
            ids: chunk.ids[1..].to_owned(),
            ..chunk
        };
        assert!(damaged.contacts().is_err());
    }
}
