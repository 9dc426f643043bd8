//! How many contacts an audience has, within a bound of reads.
//!
//! A list and a segment have counts of their own. Any other audience is walked through as its plan would be.

use cloud::{Error, Resources};
use contacts::{Lists, SHARDS};
use kernel::{Clock, TenantKey};
use segments::Pins;
use serde::Serialize;

use crate::audience::Audiences;
use crate::model::Campaign;

/// Steps of one walk. A step reads at most 8 pages of 500 ids, so a walk reads about 2,000 units at most.
const STEPS: u32 = 24;
/// Contacts that one step returns at most.
const PER_STEP: usize = 4_000;

/// How exact an estimate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AudienceAccuracy)]
pub enum Accuracy {
    /// Counted now.
    Exact,
    /// The count of the only list or segment, from when it was counted last.
    Counted,
    /// The walk ended at its bound: there are this many, or more.
    AtLeast,
}

/// Contacts of an audience. The send skips those without an address or a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AudienceEstimate)]
pub struct Estimate {
    /// Contacts, each once.
    pub contacts: u64,
    /// How exact that is.
    pub accuracy: Accuracy,
}

/// Estimates audiences; cheap to clone.
#[derive(Clone, Debug)]
pub struct Estimator {
    audiences: Audiences,
    lists: Lists,
    pins: Pins,
    clock: Clock,
}

impl Estimator {
    /// Over the tables Contacts, Directory, Limits and Segments.
    pub fn over(resources: &Resources) -> Self {
        Self {
            audiences: Audiences::over(resources),
            lists: Lists::over(resources),
            pins: Pins::over(resources),
            clock: resources.clock().clone(),
        }
    }

    /// The contacts that the campaign's audience has now.
    pub async fn estimate(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
    ) -> Result<Estimate, Error> {
        if let Some(contacts) = self.counted(tenant, campaign).await? {
            let accuracy = Accuracy::Counted;
            return Ok(Estimate { contacts, accuracy });
        }
        let mut now = campaign.clone();
        for segment in campaign.audience.segments() {
            if let Some((version, _)) = self.pins.live(tenant, segment).await? {
                now.segments.insert(segment, version);
            }
        }
        now.started_at = Some(self.clock.now());
        self.walk(tenant, &now).await
    }

    /// The count that the only list or the only segment has already.
    async fn counted(&self, tenant: TenantKey, campaign: &Campaign) -> Result<Option<u64>, Error> {
        let (include, exclude) = (&campaign.audience.include, &campaign.audience.exclude);
        if !exclude.is_empty() {
            return Ok(None);
        }
        if let Some(list) = campaign.audience.only_list() {
            let list = self.lists.get(tenant, list).await?;
            return Ok(list.and_then(|list| list.contacts_count));
        }
        match include.segment_ids.as_slice() {
            [only]
                if include.list_ids.is_empty()
                    && include.tags.is_empty()
                    && include.receivers.is_empty() =>
            {
                let live = self.pins.live(tenant, *only).await?;
                let count = live.and_then(|(_, count)| count);
                Ok(count.and_then(|count| u64::try_from(count).ok()))
            }
            _ => Ok(None),
        }
    }

    async fn walk(&self, tenant: TenantKey, campaign: &Campaign) -> Result<Estimate, Error> {
        let (mut contacts, mut steps) = (0, 0);
        for shard in 0..SHARDS {
            let mut recipients = self.audiences.of(tenant, campaign, shard, None);
            loop {
                if steps == STEPS {
                    let accuracy = Accuracy::AtLeast;
                    return Ok(Estimate { contacts, accuracy });
                }
                steps += 1;
                let step = recipients.step(PER_STEP).await?;
                contacts += step.ids.len() as u64;
                if step.next.is_none() {
                    break;
                }
            }
        }
        let accuracy = Accuracy::Exact;
        Ok(Estimate { contacts, accuracy })
    }
}
