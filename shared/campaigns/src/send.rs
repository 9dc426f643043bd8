//! Sends the rest of one chunk.
//!
//! Each sub-batch reserves its share of the rate, reads the campaign's state, loads the contacts and sends. Then
//! one write moves the cursor and the tallies. The tallies follow from the ledger's rows. So a sub-batch that is
//! repeated after a crash counts the same and sends to no recipient twice.

mod group;

use std::sync::Arc;

use channels::rate::{SendRate, Turn};
use channels::{
    Class, Content, Delivery, Gate, LedgerKey, Letterhead, NotReady, SendChannel, SendMachine,
    Variant,
};
use cloud::{Error, Message, QueueOf, Resources, SendOptions, Timers};
use contacts::{Contact, Profiles};
use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kernel::{CampaignId, ContactId, TenantKey};
use serde_json::Value;

use crate::ab::{Part, in_test};
use crate::chunks::{Progress, REST, text_of};
use crate::messages::{ChunkMessage, ChunkOf};
use crate::model::{Campaign, State};
use crate::outcomes::Outcomes;
use crate::review::Reviewer;
use crate::store::Campaigns;

/// Concurrent calls to the provider.
const AT_ONCE: usize = 25;
/// After this time an invocation returns the rest to the queue; its time-out is twice as long.
const RUN: SignedDuration = SignedDuration::from_secs(25);
/// Delay for a row that another worker claimed: the ledger's lease is 90 s, and then the claim has an outcome.
const AFTER_LEASE: u16 = 95;
/// Delay after a throttle.
const BACK_OFF: u16 = 5;
/// A contact that was read longer ago is read again before its message is claimed: it may have unsubscribed since. So an
/// unsubscription is in force for every message whose claim begins two seconds later.
const FRESH: SignedDuration = SignedDuration::from_secs(2);
/// Fewer calls without an answer pause no campaign.
const SILENT: u64 = 3;
/// Reason of the pause when half of the calls or more had no answer.
const NOT_ANSWERING: &str = "provider_not_answering";

/// The settings of the workspace that its messages follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// For the content of messages.
    pub letterhead: Letterhead,
    /// For marketing of every channel.
    pub gate: Gate,
}

/// The outcome of a chunk message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// The outcomes of the recipients that this run has counted.
    pub outcomes: Outcomes,
    /// The rest was returned to the queue with this delay, in seconds.
    pub again_in: Option<u16>,
    /// The rest waits as a timer for this time, since no marketing may go out before it.
    pub waits_until: Option<Timestamp>,
}

/// Sends chunks of the campaigns of one channel; cheap to clone.
#[derive(Clone)]
pub struct Sender<C> {
    campaigns: Campaigns,
    contacts: Profiles,
    machine: SendMachine<C>,
    reviewer: Reviewer,
    rate: SendRate,
    queue: QueueOf<ChunkOf<C>>,
    timers: Timers,
}

/// The chunk that this run sends.
#[derive(Clone, Copy)]
struct Work {
    tenant: TenantKey,
    campaign: CampaignId,
    shard: u32,
    chunk: u32,
    part: Part,
}

/// The versions of a campaign's content, ready to be filled in.
struct Ready<P> {
    a: Arc<P>,
    /// The other version of a test.
    b: Option<Arc<P>>,
}

impl<P> Ready<P> {
    fn of(&self, variant: Option<Variant>) -> &P {
        match (variant, &self.b) {
            (Some(Variant::B), Some(b)) => b,
            _ => &self.a,
        }
    }
}

/// The outcome of a sub-batch.
enum Batch {
    /// Counted, without those that wait for a group.
    Counted(Outcomes, Vec<ContactId>),
    /// Counted, but too few calls to the provider had an answer: pause.
    Silent(Outcomes),
    /// Return the rest to the queue for this many seconds.
    Later(u16),
    /// The account or the sender may not send.
    Stopped(String),
}

/// Why content is not sent now.
enum Unready {
    /// It can never be sent.
    Never,
    /// Return the rest to the queue for this many seconds.
    Later(u16),
}

impl<C: SendChannel> Sender<C>
where
    ChunkOf<C>: Message,
{
    /// Over the tables of campaigns, contacts and the send ledger, and the channel. `rate` is the provider account's
    /// granted number of messages a second.
    pub fn over(resources: &Resources, channel: C, rate: f64) -> Self {
        Self {
            campaigns: Campaigns::over(resources),
            contacts: Profiles::over(resources),
            machine: SendMachine::over(resources, channel),
            reviewer: Reviewer::over(resources),
            rate: SendRate::of::<C>(resources, rate),
            queue: resources.queue_of(),
            timers: Timers::over(resources),
        }
    }

    /// Sends the rest of the chunk, or as much of it as this run has time for.
    pub async fn handle(
        &self,
        tenant: TenantKey,
        message: ChunkMessage,
        rules: &Rules,
    ) -> Result<Ended, Error> {
        let ChunkMessage::V1 {
            campaign,
            shard,
            chunk,
            part,
            slot,
        } = message;
        let work = Work {
            tenant,
            campaign,
            shard,
            chunk,
            part,
        };
        let stored = self.campaigns.chunk(tenant, campaign, shard, chunk).await?;
        let progress = self
            .campaigns
            .progress(tenant, campaign, shard, chunk)
            .await?;
        let (Some(stored), Some(progress)) = (stored, progress) else {
            return Ok(Ended::default());
        };
        if stored.is_end() {
            return Ok(Ended::default());
        }
        let ids = self.of_part(work, stored.contacts()?).await?;
        // The compiler bounds the depth of futures that hold one another: these are of no known type.
        let run = self.run(work, rules, &ids, progress, slot);
        run.boxed().await
    }

    /// Pauses the chunk's campaign for a reason that a person must check.
    pub async fn pause(
        &self,
        tenant: TenantKey,
        message: &ChunkMessage,
        problem: &str,
    ) -> Result<(), Error> {
        let ChunkMessage::V1 { campaign, .. } = message;
        self.campaigns
            .stop(tenant, *campaign, State::Paused, problem)
            .await
    }

    /// The contacts of a chunk to whom this pass sends.
    async fn of_part(&self, work: Work, mut ids: Vec<ContactId>) -> Result<Vec<ContactId>, Error> {
        if work.part.is_all() {
            return Ok(ids);
        }
        let campaign = self.campaigns.get(work.tenant, work.campaign).await?;
        let percent = campaign.and_then(|campaign| campaign.ab);
        let percent = percent.map_or(0, |ab| ab.test_percent);
        let is_test = work.part == Part::Test;
        ids.retain(|id| in_test(work.campaign, *id, percent) == is_test);
        Ok(ids)
    }

    async fn run(
        &self,
        work: Work,
        rules: &Rules,
        ids: &[ContactId],
        mut stored: Progress,
        mut slot: Option<Timestamp>,
    ) -> Result<Ended, Error> {
        let begun = self.now();
        let mut ended = Ended::default();
        // A small chunk may have nobody for a pass.
        while !ids.is_empty() {
            let progress = stored.of(work.part);
            if progress.done {
                break;
            }
            if let Some(until) = rules.gate.closed_until(C::LAW, self.now()) {
                return self.wait(work, ended, until).await;
            }
            let waiting = self.waiting(work, &progress).await?;
            let start = (progress.cursor as usize).min(ids.len());
            let end = start + self.take(ids.len() - start);
            let batch = [&waiting, &ids[start..end]].concat();
            if Self::is_rest(work, batch.len()) {
                let counted = Outcomes::default();
                let reached = (end, end == ids.len());
                stored = self
                    .advance(work, &stored, reached, (&counted, &batch))
                    .await?;
                continue;
            }
            if self.now().duration_since(begun) > RUN {
                return self.put_back(work, ended, 0, slot).await;
            }
            if let Some(delay) = self.held(work).await? {
                return self.put_back(work, ended, delay, None).await;
            }
            let carried = slot.take();
            let turn = self
                .rate
                .turn(work.tenant, Class::Marketing, batch.len(), carried);
            if let Turn::Later { delay, slot } = turn.await? {
                return self.put_back(work, ended, delay, slot).await;
            }
            let Some(campaign) = self.healthy(work).await? else {
                return Ok(ended);
            };
            let ready = match self.ready(work, &campaign, &rules.letterhead).await? {
                Ok(ready) => ready,
                Err(Unready::Never) => return Ok(ended),
                Err(Unready::Later(delay)) => {
                    return self.put_back(work, ended, delay, None).await;
                }
            };
            let sent = if let Some(group) = C::GROUP {
                let is_end = work.shard == REST && end == ids.len();
                let ready = ready.of(None);
                let sent = self.group(work, ready, &batch, &rules.gate, (group, is_end));
                sent.boxed().await?
            } else {
                let sent = self.sub_batch(work, &campaign, &ready, &batch, &rules.gate);
                sent.boxed().await?
            };
            let (counted, rest, is_silent) = match sent {
                Batch::Counted(outcomes, rest) => (outcomes, rest, false),
                Batch::Silent(outcomes) => (outcomes, Vec::new(), true),
                Batch::Later(delay) => return self.put_back(work, ended, delay, None).await,
                Batch::Stopped(code) => {
                    self.pause_of(work, &code).await?;
                    return Ok(ended);
                }
            };
            if is_silent {
                // The pause is written before the cursor: after a crash in between the campaign is paused.
                self.pause_of(work, NOT_ANSWERING).await?;
            }
            ended.outcomes.merge(&counted);
            let reached = (end, end == ids.len());
            stored = self
                .advance(work, &stored, reached, (&counted, &rest))
                .await?;
            if is_silent {
                return Ok(ended);
            }
        }
        let (tenant, id) = (work.tenant, work.campaign);
        self.campaigns
            .chunk_done(
                tenant,
                id,
                (work.shard, work.chunk),
                (work.part, &stored.of(work.part).of_pass()),
            )
            .await?;
        Ok(ended)
    }

    /// Writes how far the chunk is, the outcomes, and the recipients that wait for the next group.
    async fn advance(
        &self,
        work: Work,
        stored: &Progress,
        (cursor, done): (usize, bool),
        (counted, rest): (&Outcomes, &[ContactId]),
    ) -> Result<Progress, Error> {
        let mut next = stored.of(work.part);
        next.cursor = cursor as u32;
        next.done = done;
        next.rest = text_of(rest);
        next.outcomes.merge(counted);
        let (tenant, id, chunk) = (work.tenant, work.campaign, (work.shard, work.chunk));
        let advanced = self.campaigns.advance(tenant, id, chunk, stored, &next);
        advanced.await
    }

    /// Seconds until the provider takes the campaign's content. A reserved slot would be lost for all workspaces meanwhile.
    async fn held(&self, work: Work) -> Result<Option<u16>, Error> {
        if !C::HOLDS {
            return Ok(None);
        }
        let Some(campaign) = self.running(work).await? else {
            return Ok(None);
        };
        let channel = self.machine.channel();
        channel.hold(work.tenant, &campaign.content).await
    }

    /// Leaves the rest of the chunk to a timer: no marketing may go out before `until`.
    async fn wait(&self, work: Work, mut ended: Ended, until: Timestamp) -> Result<Ended, Error> {
        if self.running(work).await?.is_none() {
            return Ok(ended);
        }
        let Work {
            tenant,
            campaign,
            shard,
            chunk,
            part,
        } = work;
        let message = ChunkOf::<C>::new(ChunkMessage::V1 {
            campaign,
            shard,
            chunk,
            part,
            slot: None,
        });
        let id = format!("{campaign}#{shard}#{chunk}#{part:?}");
        self.timers.schedule(tenant, &id, until, &message).await?;
        ended.waits_until = Some(until);
        Ok(ended)
    }

    async fn pause_of(&self, work: Work, problem: &str) -> Result<(), Error> {
        self.campaigns
            .stop(work.tenant, work.campaign, State::Paused, problem)
            .await
    }

    fn now(&self) -> Timestamp {
        self.campaigns.clock().now()
    }

    /// The campaign if it is being sent. A pause and a cancellation take effect here.
    async fn running(&self, work: Work) -> Result<Option<Campaign>, Error> {
        let campaign = self.campaigns.get(work.tenant, work.campaign).await?;
        Ok(campaign.filter(|campaign| campaign.state == State::Sending))
    }

    /// The campaign if it is being sent and its figures are good. Bad figures pause it.
    async fn healthy(&self, work: Work) -> Result<Option<Campaign>, Error> {
        let Some(campaign) = self.running(work).await? else {
            return Ok(None);
        };
        let Some((problem, review)) = self.reviewer.judge(work.tenant, &campaign).await? else {
            return Ok(Some(campaign));
        };
        self.campaigns
            .stop_for_review(work.tenant, &campaign, problem, &review)
            .await?;
        Ok(None)
    }

    /// The content in its versions, ready to be filled in. Content that can never be sent ends the campaign.
    async fn ready(
        &self,
        work: Work,
        campaign: &Campaign,
        letterhead: &Letterhead,
    ) -> Result<Result<Ready<C::Prepared>, Unready>, Error> {
        let a = match self
            .version(work, campaign, &campaign.content, letterhead)
            .await?
        {
            Ok(a) => a,
            Err(unready) => return Ok(Err(unready)),
        };
        let Some(ab) = &campaign.ab else {
            return Ok(Ok(Ready { a, b: None }));
        };
        let b = self
            .version(work, campaign, &ab.content, letterhead)
            .await?;
        Ok(b.map(|b| Ready { a, b: Some(b) }))
    }

    async fn version(
        &self,
        work: Work,
        campaign: &Campaign,
        content: &Content,
        letterhead: &Letterhead,
    ) -> Result<Result<Arc<C::Prepared>, Unready>, Error> {
        let (tenant, class) = (work.tenant, Class::Marketing);
        let mut letterhead = letterhead.clone();
        if let Some(reminder) = &campaign.permission_reminder {
            letterhead.permission_reminder.clone_from(reminder);
        }
        let channel = self.machine.channel();
        let found = channel.prepare(tenant, content, class, &letterhead);
        let problem = match found.await {
            Ok(ready) => return Ok(Ok(ready)),
            Err(NotReady::Later(delay)) => return Ok(Err(Unready::Later(delay))),
            Err(NotReady::Missing(problem) | NotReady::Invalid(problem, _)) => {
                (State::Failed, problem)
            }
            Err(NotReady::Blocked(problem, _)) => (State::Paused, problem),
            Err(NotReady::Store(error)) => return Err(error),
        };
        let (state, problem) = problem;
        let (tenant, id) = (work.tenant, work.campaign);
        self.campaigns.stop(tenant, id, state, problem).await?;
        Ok(Err(Unready::Never))
    }

    async fn sub_batch(
        &self,
        work: Work,
        campaign: &Campaign,
        ready: &Ready<C::Prepared>,
        ids: &[ContactId],
        gate: &Gate,
    ) -> Result<Batch, Error> {
        let read_at = self.now();
        let contacts = self.contacts.get_many(work.tenant, ids).await?;
        // Collected first: a stream over the borrowing closure could not be sent between threads.
        let sends: Vec<_> = ids
            .iter()
            .map(|id| {
                let variant = campaign.variant_for(*id);
                let version = (ready.of(variant), variant);
                self.one(work, version, *id, (contacts.get(id), read_at), gate)
                    .boxed()
            })
            .collect();
        // Every send runs to its end, also if another has failed. A future that is dropped between the provider's
        // answer and its record would leave an unknown outcome.
        let results: Vec<_> = stream::iter(sends)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut outcomes = Outcomes::default();
        let (mut later, mut silent) = (None, 0);
        for result in results {
            let (delivery, variant) = result?;
            // Count only calls of this run. Rows of an earlier outage would pause the campaign again.
            silent += u64::from(delivery == Delivery::NoAnswer);
            if outcomes.count(&delivery, variant) {
                continue;
            }
            match delivery {
                Delivery::Stopped(code) => return Ok(Batch::Stopped(code)),
                Delivery::Throttled => later = later.max(Some(BACK_OFF)),
                Delivery::Later(delay) => later = later.max(Some(delay)),
                _ => later = later.max(Some(AFTER_LEASE)),
            }
        }
        let is_silent = silent >= SILENT && silent * 2 >= outcomes.asked();
        Ok(match later {
            Some(_) if is_silent => Batch::Stopped(NOT_ANSWERING.to_owned()),
            Some(delay) => Batch::Later(delay),
            None if is_silent => Batch::Silent(outcomes),
            None => Batch::Counted(outcomes, Vec::new()),
        })
    }

    /// Sends to one contact. Returns the outcome and the version that it is of.
    async fn one(
        &self,
        work: Work,
        (ready, variant): (&C::Prepared, Option<Variant>),
        id: ContactId,
        (contact, read_at): (Option<&Contact>, Timestamp),
        gate: &Gate,
    ) -> Result<(Delivery, Option<Variant>), Error> {
        let read_again;
        let contact = if self.now().duration_since(read_at) <= FRESH {
            contact
        } else {
            read_again = self.contacts.get(work.tenant, id).await?;
            read_again.as_ref()
        };
        let key = LedgerKey::campaign(work.campaign, id, C::CHANNEL);
        let (tenant, of) = (work.tenant, (ready, variant));
        let delivery = self
            .machine
            .deliver_version(tenant, &key, of, contact, &Value::Null, gate)
            .await?;
        // An earlier run may have sent the other version, before a person chose the winner.
        let is_new = matches!(delivery, Delivery::Sent | Delivery::Skipped(_));
        if variant.is_none() || is_new {
            return Ok((delivery, variant));
        }
        let sent = self.machine.version(tenant, &key).await?;
        Ok((delivery, sent.or(variant)))
    }

    async fn put_back(
        &self,
        work: Work,
        mut ended: Ended,
        delay: u16,
        slot: Option<Timestamp>,
    ) -> Result<Ended, Error> {
        let message = ChunkMessage::V1 {
            campaign: work.campaign,
            shard: work.shard,
            chunk: work.chunk,
            part: work.part,
            slot,
        };
        let options = SendOptions {
            delay_seconds: delay,
            ..SendOptions::default()
        };
        let message = ChunkOf::new(message);
        self.queue.send(work.tenant, &message, options).await?;
        ended.again_in = Some(delay);
        Ok(ended)
    }
}
