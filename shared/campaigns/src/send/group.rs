//! Groups of recipients for one call, of channels that take many messages in a call.
//!
//! The end of a chunk that is less than a usual group waits for the next chunk. The ends of all shards wait for the last one
//! (docs/adr/0064). The send machine claims, calls and settles a group.

use channels::{Delivery, Gate, Group, Grouped, LedgerKey, Member, SendChannel, SkipReason};
use cloud::{Error, Message};
use kernel::ContactId;

use super::{AFTER_LEASE, BACK_OFF, Batch, NOT_ANSWERING, Sender, Work};
use crate::chunks::{Progress, REST};
use crate::messages::ChunkOf;
use crate::outcomes::Outcomes;

impl<C: SendChannel> Sender<C>
where
    ChunkOf<C>: Message,
{
    /// Whether so few recipients at the end of a chunk wait for the next chunk, or for the last one, without a claim.
    pub(super) fn is_rest(work: Work, recipients: usize) -> bool {
        C::GROUP.is_some_and(|group| work.shard != REST && recipients < group.usual)
    }

    /// How many of the remaining recipients of a chunk are taken at once. A rest that is too small for a group goes along.
    pub(super) fn take(&self, remaining: usize) -> usize {
        let Some(group) = C::GROUP else {
            return self.rate.batch().min(remaining);
        };
        if remaining < group.usual + group.least {
            remaining
        } else {
            group.usual
        }
    }

    /// The recipients before the cursor that wait for a group: those of the chunk before at the beginning of a chunk.
    pub(super) async fn waiting(
        &self,
        work: Work,
        progress: &Progress,
    ) -> Result<Vec<ContactId>, Error> {
        let (tenant, id) = (work.tenant, work.campaign);
        let Some(before) = work.chunk.checked_sub(1).filter(|_| progress.cursor == 0) else {
            return progress.waiting();
        };
        if C::GROUP.is_none() {
            return Ok(Vec::new());
        }
        let before = self.campaigns.progress(tenant, id, work.shard, before);
        before.await?.unwrap_or_default().waiting()
    }

    /// Sends to a group by one call. At the end of the last shard those that are too few for a call get nothing.
    pub(super) async fn group(
        &self,
        work: Work,
        ready: &C::Prepared,
        ids: &[ContactId],
        gate: &Gate,
        (group, is_end): (Group, bool),
    ) -> Result<Batch, Error> {
        let (tenant, campaign) = (work.tenant, work.campaign);
        let contacts = self.contacts.get_many(tenant, ids).await?;
        let member = |id: &ContactId| Member {
            key: LedgerKey::campaign(campaign, *id, C::CHANNEL),
            contact: contacts.get(id),
        };
        let members: Vec<_> = ids.iter().map(member).collect();
        let machine = &self.machine;
        let sent = machine
            .deliver_group(tenant, &members, ready, gate, group.least)
            .await?;
        let mut outcomes = Outcomes::default();
        let (mut rest, mut later, mut silent) = (Vec::new(), None, 0);
        for (member, outcome) in members.iter().zip(sent) {
            let Grouped::Settled(delivery) = outcome else {
                rest.push(member.key.contact);
                continue;
            };
            silent += u64::from(delivery == Delivery::NoAnswer);
            if outcomes.count(&delivery, None) {
                continue;
            }
            match delivery {
                Delivery::Stopped(code) => return Ok(Batch::Stopped(code)),
                Delivery::Throttled => later = later.max(Some(BACK_OFF)),
                Delivery::Later(delay) => later = later.max(Some(delay)),
                _ => later = later.max(Some(AFTER_LEASE)),
            }
        }
        match later {
            Some(_) if silent > 0 => return Ok(Batch::Stopped(NOT_ANSWERING.to_owned())),
            Some(delay) => return Ok(Batch::Later(delay)),
            None if silent > 0 => return Ok(Batch::Silent(outcomes)),
            None => {}
        }
        if is_end && !rest.is_empty() {
            for member in members.iter().filter(|one| rest.contains(&one.key.contact)) {
                machine
                    .uncount(tenant, &member.key, member.contact, gate)
                    .await?;
            }
            outcomes.skip_many(SkipReason::TooFew, rest.len() as u64);
            rest.clear();
        }
        Ok(Batch::Counted(outcomes, rest))
    }
}
