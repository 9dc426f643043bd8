//! Campaigns themselves in the table Campaigns, each change one conditional write. Their audience is
//! in [`crate::chunks`].

use std::collections::{BTreeMap, BTreeSet};

use cloud::{Created, Error, Pending, Query, Resources, Table, Update, UpdateOutcome};
use jiff::{SignedDuration, Timestamp};
use kernel::{CampaignId, Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::ab::Ab;
use crate::model::{Campaign, Command, Draft, Kind, State, Step, step};
use crate::review::Review;
use crate::{effects, keys};

/// How long after its start a campaign may be resumed. The rows of the ledger live 120 days, and a recipient without
/// a row would get the mail a second time.
pub const RESUMABLE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Pages of ids that one page of a filtered list reads at most.
const PAGES: u32 = 10;

/// The campaigns of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Campaigns {
    pub(crate) table: Table,
}

/// The outcome of a command.
#[derive(Debug, Clone)]
pub enum Changed {
    /// The campaign has the state of the command, from now or from before.
    Yes(Box<Campaign>),
    /// The command is not allowed in this state.
    Refused(State),
    /// Sending began too long ago: the ledger forgets who got the mail.
    TooOld,
    /// Its figures were bad: [`Campaigns::confirm`] resumes it, or only an operator.
    InReview(Box<Campaign>),
    /// There is no such campaign.
    Absent,
}

/// The campaigns that a list shows; empty: all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
}

impl Filter {
    fn has(self, campaign: &Campaign) -> bool {
        self.state.is_none_or(|state| campaign.status() == state)
            && self.kind.is_none_or(|kind| campaign.kind() == kind)
            && campaign.state != State::Deleted
    }
}

#[derive(Serialize, Deserialize)]
struct Listed {
    campaign: CampaignId,
}

impl Campaigns {
    /// Over the table Campaigns.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Campaigns"),
        }
    }

    /// The time of the tables.
    pub fn now(&self) -> Timestamp {
        self.table.clock().now()
    }

    pub(crate) fn clock(&self) -> &kernel::Clock {
        self.table.clock()
    }

    /// Makes a campaign in state draft; `None` if another campaign has the id. A repetition finds the campaign of the
    /// first run, in its present state. Its place in the list is written first, so every
    /// existing campaign is listed.
    pub async fn create(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        at: Timestamp,
        draft: &Draft,
    ) -> Result<Option<Campaign>, Error> {
        let campaign = Campaign {
            id,
            name: draft.name.clone(),
            audience: draft.audience.clone(),
            segments: BTreeMap::new(),
            permission_reminder: None,
            content: draft.content.clone(),
            summary: draft.summary.clone(),
            revision: 0,
            scheduled_at: None,
            approval: None,
            dropped: BTreeSet::new(),
            state: State::Draft,
            problem: None,
            created_at: at,
            started_at: None,
            sent_at: None,
            recipients: None,
            planned: BTreeSet::new(),
            finished: BTreeSet::new(),
            ab: draft.ab.clone(),
            phase: None,
            tested: BTreeSet::new(),
            decide_at: None,
            winner: None,
            review: None,
            pending: Pending::default(),
        };
        let listed = Listed { campaign: id };
        self.table.put(&keys::listed(tenant, id), &listed).await?;
        let created = self
            .table
            .create(&keys::meta(tenant, id), &campaign)
            .await?;
        Ok(match created {
            Created::New => Some(campaign),
            Created::Existing(found) => Some(found).filter(|found| found.is_draft_of(&campaign)),
        })
    }

    /// One campaign.
    pub async fn get(&self, tenant: TenantKey, id: CampaignId) -> Result<Option<Campaign>, Error> {
        let found: Option<Campaign> = self.table.get(&keys::meta(tenant, id)).await?;
        Ok(found.filter(|campaign| campaign.state != State::Deleted))
    }

    /// A page of campaigns that match, newest first. A page may hold fewer than `limit` and still have a `next`, if few match.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
        filter: Filter,
    ) -> Result<Page<Campaign>, Error> {
        let most = limit.get();
        let mut all = Page {
            data: Vec::new(),
            next: cursor,
        };
        for _ in 0..PAGES {
            let room = most - all.data.len() as u32;
            let page = self.some(tenant, room, all.next).await?;
            all.data
                .extend(page.data.into_iter().filter(|one| filter.has(one)));
            all.next = page.next;
            if all.next.is_none() || all.data.len() as u32 >= most {
                break;
            }
        }
        Ok(all)
    }

    /// A page of all campaigns, newest first.
    async fn some(
        &self,
        tenant: TenantKey,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<Campaign>, Error> {
        let query = Query::partition(keys::list(tenant)).descending();
        let page = self
            .table
            .query::<Listed>(query.limit(limit).cursor(cursor))
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

    /// Carries out a command. The state and the messages that must follow it are one write.
    pub async fn command(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        command: Command,
    ) -> Result<Changed, Error> {
        let key = keys::meta(tenant, id);
        // A command races with others and with the end of the campaign.
        for _ in 0..8 {
            let Some(campaign) = self.table.get::<Campaign>(&key).await? else {
                return Ok(Changed::Absent);
            };
            let next = match step(campaign.state, command) {
                Step::Done => return Ok(Changed::Yes(Box::new(campaign))),
                Step::Refused => return Ok(Changed::Refused(campaign.state)),
                Step::To(next) => next,
            };
            if command == Command::Resume {
                if self.is_too_old(&campaign) {
                    return Ok(Changed::TooOld);
                }
                if campaign.is_in_review() {
                    return Ok(Changed::InReview(Box::new(campaign)));
                }
            }
            let update = self.follows(command, &campaign).set("state", next);
            let update = unchanged(update, &campaign).remove("problem");
            if let UpdateOutcome::Applied(item) = self.table.update(&key, update).await? {
                let campaign = UpdateOutcome::Applied(item).item()?;
                let campaign = campaign.ok_or(Error::Conflict)?;
                return Ok(Changed::Yes(Box::new(campaign)));
            }
        }
        Err(Error::Conflict)
    }

    /// Resumes a campaign whose figures a person has reviewed. After its second pause for review the campaign stays
    /// paused: mails of an audience that is bad twice cost the installation its account at SES.
    pub async fn confirm(&self, tenant: TenantKey, id: CampaignId) -> Result<Changed, Error> {
        let key = keys::meta(tenant, id);
        let Some(campaign) = self.table.get::<Campaign>(&key).await? else {
            return Ok(Changed::Absent);
        };
        match campaign.state {
            State::Sending | State::Sent => return Ok(Changed::Yes(Box::new(campaign))),
            State::Paused if !campaign.is_in_review() => {
                return Ok(Changed::Refused(State::Paused));
            }
            State::Paused => {}
            state => return Ok(Changed::Refused(state)),
        }
        if self.is_too_old(&campaign) {
            return Ok(Changed::TooOld);
        }
        if campaign
            .review
            .as_ref()
            .is_some_and(|review| review.times > 1)
        {
            return Ok(Changed::InReview(Box::new(campaign)));
        }
        let update = self.follows(Command::Resume, &campaign);
        let update = update.set("state", State::Sending);
        let update = unchanged(update, &campaign).remove("problem");
        let resumed: Option<Campaign> = self.table.update(&key, update).await?.item()?;
        let resumed = resumed.ok_or(Error::Conflict)?;
        Ok(Changed::Yes(Box::new(resumed)))
    }

    pub(crate) fn is_too_old(&self, campaign: &Campaign) -> bool {
        let now = self.table.clock().now();
        let age = |started| now.duration_since(started);
        campaign
            .started_at
            .is_some_and(|started| age(started) > RESUMABLE)
    }

    /// The attributes and the effects that a command's write sets beside the state.
    pub(crate) fn follows(&self, command: Command, campaign: &Campaign) -> Update {
        let update = Update::new();
        match command {
            Command::Send => update
                .set("started_at", self.table.clock().now())
                .set_some("phase", campaign.ab.as_ref().map(Ab::first_phase))
                .set("pending", Pending::of(&[effects::PLAN])),
            Command::Resume => update.set("pending", Pending::of(&[effects::DISPATCH])),
            // The effects of the last write were made from its own image.
            Command::Pause | Command::Cancel => update.remove("pending"),
            // The audience may have another size at its next time, so an approval is void.
            Command::Unschedule => update.remove("scheduled_at").remove("approval"),
        }
    }

    /// Pauses a running campaign for a reason that a person must check.
    pub(crate) async fn stop(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        state: State,
        problem: &str,
    ) -> Result<(), Error> {
        let update = stopped(state, problem);
        self.table.update(&keys::meta(tenant, id), update).await?;
        Ok(())
    }

    /// Pauses a running campaign whose figures are bad.
    pub(crate) async fn stop_for_review(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        problem: &str,
        review: &Review,
    ) -> Result<(), Error> {
        let update = stopped(State::Paused, problem).set("review", review);
        // Workers that judge concurrently count one pause.
        let update = update.when_as_read("review", campaign.review.as_ref());
        let key = keys::meta(tenant, campaign.id);
        self.table.update(&key, update).await?;
        Ok(())
    }

    /// Adds to a campaign's record. The relay itself removes the effects of the last write once all are sent.
    pub(crate) async fn note(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        update: Update,
    ) -> Result<Option<Campaign>, Error> {
        let update = update.when_exists();
        self.table
            .update(&keys::meta(tenant, id), update)
            .await?
            .item()
    }
}

fn stopped(state: State, problem: &str) -> Update {
    Update::new()
        .set("state", state)
        .set("problem", problem)
        .remove("pending")
        .when_equals("state", State::Sending)
}

/// On the condition that state and problem are still those of `campaign`.
fn unchanged(update: Update, campaign: &Campaign) -> Update {
    let update = update.when_equals("state", campaign.state);
    match &campaign.problem {
        Some(problem) => update.when_equals("problem", problem),
        None => update,
    }
}
