//! The life of a campaign before and after its send: edit, schedule, start, delete. Each change is one conditional write on
//! the campaign as it was read.

use cloud::{Error, Pending, Query, Timers, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::{CampaignId, TenantKey};
use segments::Uses;

use crate::approval::Approval;
use crate::messages::PlanMessage;
use crate::model::{Campaign, Command, Draft, State, Step, step};
use crate::start::{Refusal, Start, Starter};
use crate::store::{Campaigns, Changed};
use crate::{effects, keys};

/// The longest time from now to a scheduled start. Timers live 90 days after they are due.
pub const FARTHEST: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A start that waits for a segment is tried again after this time.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// Tries of a start that waits for a segment: an hour.
const MOST_TRIES: u32 = 60;
/// Rows of a deleted campaign that one message removes.
const ROWS: u32 = 500;

/// On the condition that nobody has changed the campaign since it was read.
pub(crate) fn as_read(update: Update, known: &Campaign) -> Update {
    update
        .when_equals("state", known.state)
        .when_equals("revision", known.revision)
        .when_as_read("scheduled_at", known.scheduled_at)
        .when_as_read("approval", known.approval.as_ref())
}

/// The outcome of a timer of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It goes out now, or went out before.
    Started,
    /// The campaign is not scheduled for this time any more.
    NotWanted,
    /// A segment is being built: tried again in a minute.
    Later,
    /// It cannot be sent, and shows the problem.
    Failed,
}

impl Campaigns {
    pub(crate) async fn apply(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        update: Update,
    ) -> Result<Option<Campaign>, Error> {
        let key = keys::meta(tenant, id);
        self.table.update(&key, update).await?.item()
    }

    /// Replaces name, audience and content of a draft or of a rejected campaign, which then is a draft. Voids its approval.
    /// `None`: the campaign changed meanwhile.
    pub async fn edit(
        &self,
        tenant: TenantKey,
        known: &Campaign,
        draft: &Draft,
    ) -> Result<Option<Campaign>, Error> {
        let now = draft.audience.segments();
        let mut dropped = known.used_segments();
        dropped.retain(|segment| !now.contains(segment));
        let update = as_read(Update::new(), known)
            .set("name", &draft.name)
            .set("audience", &draft.audience)
            .set("content", &draft.content)
            .set("summary", &draft.summary)
            .set_some("ab", draft.ab.as_ref())
            .set("state", State::Draft)
            .set("revision", known.revision + 1)
            .set("dropped", &dropped)
            .remove("problem")
            .remove("approval")
            .remove("scheduled_at");
        let update = match &draft.ab {
            Some(_) => update,
            None => update.remove("ab"),
        };
        self.apply(tenant, known.id, update).await
    }

    /// Starts the sending of a campaign that is ready. With an approval, the same write records the decision.
    pub async fn begin(
        &self,
        tenant: TenantKey,
        known: &Campaign,
        start: &Start,
        approval: Option<&Approval>,
    ) -> Result<Changed, Error> {
        let update = as_read(self.follows(Command::Send, known), known)
            .set("state", State::Sending)
            .set("segments", &start.segments)
            .set_some("approval", approval)
            .remove("problem");
        let update = match &start.permission_reminder {
            Some(reminder) => update.set("permission_reminder", reminder),
            None => update.remove("permission_reminder"),
        };
        let begun = self.apply(tenant, known.id, update).await?;
        self.changed(tenant, known.id, begun, Command::Send).await
    }

    /// Sets the time of the start. The timer is written first, so each scheduled campaign has its timer. A campaign is
    /// started by a timer of its present time only, so another time needs no deletion of the first timer.
    pub async fn schedule(
        &self,
        timers: &Timers,
        tenant: TenantKey,
        known: &Campaign,
        at: Timestamp,
        approval: Option<&Approval>,
    ) -> Result<Changed, Error> {
        if known.state == State::Scheduled && known.scheduled_at == Some(at) {
            return Ok(Changed::Yes(Box::new(known.clone())));
        }
        set_timer(timers, tenant, known.id, (at, at, 0)).await?;
        let update = as_read(Update::new(), known)
            .set("state", State::Scheduled)
            .set("scheduled_at", at)
            .set_some("approval", approval)
            .remove("problem");
        let scheduled = self.apply(tenant, known.id, update).await?;
        match scheduled {
            Some(campaign) => Ok(Changed::Yes(Box::new(campaign))),
            None => self.lost(tenant, known.id).await,
        }
    }

    /// The answer to a command whose write was applied, or lost a race.
    async fn changed(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        written: Option<Campaign>,
        command: Command,
    ) -> Result<Changed, Error> {
        if let Some(campaign) = written {
            return Ok(Changed::Yes(Box::new(campaign)));
        }
        match self.get(tenant, id).await? {
            Some(now) if step(now.state, command) == Step::Done => Ok(Changed::Yes(Box::new(now))),
            _ => self.lost(tenant, id).await,
        }
    }

    async fn lost(&self, tenant: TenantKey, id: CampaignId) -> Result<Changed, Error> {
        match self.get(tenant, id).await? {
            None => Ok(Changed::Absent),
            Some(_) => Err(Error::Conflict),
        }
    }

    /// Marks a campaign as deleted. Its rows go by messages, since there may be thousands.
    pub async fn delete(&self, tenant: TenantKey, known: &Campaign) -> Result<bool, Error> {
        let update = Update::new()
            .set("state", State::Deleted)
            .set("pending", Pending::of(&[effects::ERASE]))
            .when_equals("state", known.state);
        Ok(self.apply(tenant, known.id, update).await?.is_some())
    }
}

async fn set_timer(
    timers: &Timers,
    tenant: TenantKey,
    campaign: CampaignId,
    (at, due, tries): (Timestamp, Timestamp, u32),
) -> Result<(), Error> {
    let message = PlanMessage::Start {
        campaign,
        at,
        tries,
    };
    let id = format!("{campaign}#start");
    timers.schedule(tenant, &id, due, &message).await
}

/// Starts scheduled campaigns and removes deleted ones; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper {
    campaigns: Campaigns,
    starter: Starter,
    timers: Timers,
    uses: Uses,
}

impl Keeper {
    /// Over the tables Campaigns, Directory, Limits and Timers.
    pub fn over(resources: &cloud::Resources) -> Self {
        Self {
            campaigns: Campaigns::over(resources),
            starter: Starter::over(resources),
            timers: Timers::over(resources),
            uses: Uses::over(resources),
        }
    }

    /// Starts the campaign if it is scheduled for this time. A redelivered message finds another state.
    pub async fn start(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        at: Timestamp,
        tries: u32,
    ) -> Result<Due, Error> {
        let Some(known) = self.campaigns.get(tenant, id).await? else {
            return Ok(Due::NotWanted);
        };
        if known.state != State::Scheduled || known.scheduled_at != Some(at) {
            return Ok(Due::NotWanted);
        }
        match self.starter.ready(tenant, &known).await? {
            Ok(start) => {
                let begun = self.campaigns.begin(tenant, &known, &start, None).await;
                match begun {
                    Ok(Changed::Yes(_)) => Ok(Due::Started),
                    // A person was faster: unscheduled, cancelled or sent.
                    Ok(_) | Err(Error::Conflict) => Ok(Due::NotWanted),
                    Err(error) => Err(error),
                }
            }
            Err(refusal) if refusal.may_pass() && tries < MOST_TRIES => {
                let due = self.campaigns.clock().now() + AGAIN;
                set_timer(&self.timers, tenant, id, (at, due, tries + 1)).await?;
                Ok(Due::Later)
            }
            Err(refusal) => self.fail(tenant, &known, &refusal).await,
        }
    }

    async fn fail(
        &self,
        tenant: TenantKey,
        known: &Campaign,
        refusal: &Refusal,
    ) -> Result<Due, Error> {
        let update = as_read(Update::new(), known)
            .set("state", State::Failed)
            .set("problem", refusal.problem());
        let failed = self.campaigns.apply(tenant, known.id, update).await?;
        Ok(failed.map_or(Due::NotWanted, |_| Due::Failed))
    }

    /// Removes rows of a deleted campaign; the campaign's own row goes last. Returns whether all are gone.
    pub async fn erase(&self, tenant: TenantKey, id: CampaignId) -> Result<bool, Error> {
        let table = &self.campaigns.table;
        let meta = keys::meta(tenant, id);
        let Some(known) = table.get::<Campaign>(&meta).await? else {
            return Ok(true);
        };
        if known.state != State::Deleted {
            return Ok(true);
        }
        let query = Query::partition(keys::partition(tenant, id)).limit(ROWS);
        let rows = table.keys(query).await?;
        let others: Vec<_> = rows.into_iter().filter(|key| *key != meta).collect();
        if !others.is_empty() {
            table.delete_many(&others).await?;
            let again = Update::new()
                .set("pending", Pending::of(&[effects::ERASE]))
                .when_equals("state", State::Deleted);
            self.campaigns.apply(tenant, id, again).await?;
            return Ok(false);
        }
        for segment in known.used_segments() {
            self.uses.unuse(tenant, segment, &id.to_string()).await?;
        }
        table.delete(&keys::listed(tenant, id)).await?;
        table.delete(&meta).await?;
        Ok(true)
    }
}
