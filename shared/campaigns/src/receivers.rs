//! The receivers of a campaign: its chunks, joined with the rows of the ledger. Nothing is written.
//!
//! The ledger has no index. So a walk reads the chunks in order, a read unit for each 500 contacts, and the rows of its
//! contacts, half a unit each. Every call looks at a bounded number of contacts and says where the next one continues.

use channels::{Ledger, LedgerKey, Row};
use cloud::{Error, Resources};
use contacts::{Asked, Channel, Choice, SHARDS};
use kernel::{CampaignId, ContactId, Cursor, TenantKey, page::Page};
use segments::Finder;
use serde::{Deserialize, Serialize};

use crate::chunks::ShardRow;
use crate::model::Campaign;
use crate::store::Campaigns;

/// Rows of the ledger that are read together.
const BATCH: usize = 100;

/// A set of receivers of a campaign.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(as = ReceiverSet)]
#[serde(rename_all = "snake_case")]
pub enum ReceiverSet {
    /// The campaign has not come to them yet.
    Queued,
    /// Nothing was sent to them.
    Skipped,
    /// The provider accepted their message.
    Sent,
    /// Their message arrived.
    Delivered,
    /// They opened their message.
    Opened,
    /// Their message was accepted and did not come back, and they have neither opened it nor left.
    NotOpened,
    /// They followed a link.
    Clicked,
    /// They opened their message and followed no link.
    NotClicked,
    /// Their address does not work.
    Bounced,
    /// Their message came back for a reason that may pass.
    SoftBounced,
    /// Their message was refused.
    Failed,
    /// The outcome of their message is unknown.
    Unknown,
    /// They reported the message as spam.
    Complained,
    /// They unsubscribed by the message.
    Unsubscribed,
}

/// The error of a set of receivers that is not known.
pub const NO_RECEIVERS: &str = "no such campaign, or its messages are not kept any more";

impl ReceiverSet {
    /// Whether the set has a receiver with this row. `is_done`: the campaign has come past the receiver.
    pub fn has(self, row: Option<&Row>, is_done: bool) -> bool {
        let Some(row) = row.filter(|row| !row.is_duplicate()) else {
            let is_passed = is_done || row.is_some();
            return match self {
                Self::Queued => !is_passed,
                Self::Skipped => is_passed,
                _ => false,
            };
        };
        let tally = row.tally();
        let is_accepted = row.is_accepted() && tally.rejected == 0;
        let is_back = tally.bounced > 0 || tally.soft_bounced > 0;
        match self {
            Self::Queued | Self::Skipped => false,
            Self::Sent => is_accepted,
            Self::Delivered => tally.delivered > 0,
            Self::Opened => row.is_opened(),
            Self::NotOpened => {
                let has_left = tally.unsubscribed > 0 || tally.complained > 0;
                is_accepted && !is_back && !has_left && !row.is_opened()
            }
            Self::Clicked => row.is_clicked(),
            Self::NotClicked => row.is_opened() && !row.is_clicked(),
            Self::Bounced => tally.bounced > 0,
            Self::SoftBounced => tally.soft_bounced > 0,
            Self::Failed => row.state() == channels::State::Failed,
            Self::Unknown => row.state() == channels::State::Unknown,
            Self::Complained => tally.complained > 0,
            Self::Unsubscribed => tally.unsubscribed > 0,
        }
    }
}

/// Receivers of another campaign, as they are when an audience is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiversOf {
    /// The other campaign.
    pub campaign_id: CampaignId,
    /// The set of its receivers.
    pub status: ReceiverSet,
}

/// A receiver of a campaign.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// The contact.
    pub contact: ContactId,
    /// The row of the message; `None` if nothing was sent.
    pub row: Option<Row>,
    /// The campaign has come past the receiver.
    pub is_done: bool,
}

/// The bounds of one look.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Receivers that are looked at.
    pub looked: usize,
    /// Receivers that are returned.
    pub found: usize,
}

/// A place in the walk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    shard: u32,
    chunk: u32,
    offset: usize,
}

impl Place {
    fn of(cursor: &Cursor) -> Result<Self, Error> {
        let damaged = || Error::Cursor("belongs to another list");
        let mut parts = cursor.0.split('.').map(str::parse::<u32>);
        let mut next = || parts.next().and_then(Result::ok).ok_or_else(damaged);
        let place = Self {
            shard: next()?,
            chunk: next()?,
            offset: next()? as usize,
        };
        let is_place = parts.next().is_none() && place.shard < SHARDS;
        is_place.then_some(place).ok_or_else(damaged)
    }

    fn cursor(self) -> Cursor {
        Cursor(format!("{}.{}.{}", self.shard, self.chunk, self.offset))
    }
}

impl Campaigns {
    /// Whether the workspace has the campaign and its messages are still kept. A set of its receivers would silently be wrong
    /// otherwise.
    pub async fn knows_receivers(&self, tenant: TenantKey, id: CampaignId) -> Result<bool, Error> {
        let now = self.table.clock().now();
        let campaign = self.get(tenant, id).await?;
        Ok(campaign.is_some_and(|campaign| campaign.knows_receivers(now)))
    }
}

/// Reads receivers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Receivers {
    campaigns: Campaigns,
    ledger: Ledger,
}

impl Receivers {
    /// Over the tables Campaigns and `SendLedger`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            campaigns: Campaigns::over(resources),
            ledger: Ledger::over(resources),
        }
    }

    /// The next receivers of a set, or of all. A page may hold fewer than asked for, also none.
    pub async fn page(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        set: Option<ReceiverSet>,
        bounds: Bounds,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Receiver>, Error> {
        let start = cursor.map(Place::of).transpose()?.unwrap_or_default();
        self.walk(tenant, campaign, set, bounds, (start, SHARDS))
            .await
    }

    /// The contacts that a job asks for: receivers of a campaign, or those that `finder` finds.
    pub async fn find(&self, finder: &Finder, asked: Asked) -> Result<Page<ContactId>, Error> {
        let Choice::Receivers {
            campaign_id,
            ref status,
        } = asked.choice
        else {
            return finder.page(asked).await;
        };
        let status = serde_json::from_value(status.as_str().into());
        let of = ReceiversOf {
            campaign_id,
            status: status.map_err(|error| Error::Shape(error.to_string()))?,
        };
        let (shard, looked) = (asked.shard, asked.limit);
        let cursor = asked.cursor.as_ref();
        self.of_shard(asked.tenant, &of, shard, looked, cursor)
            .await
    }

    /// The contacts of a set among the next `looked` receivers of one contact shard.
    pub async fn of_shard(
        &self,
        tenant: TenantKey,
        of: &ReceiversOf,
        shard: u32,
        looked: u32,
        cursor: Option<&Cursor>,
    ) -> Result<Page<ContactId>, Error> {
        let none = Page {
            data: Vec::new(),
            next: None,
        };
        let Some(campaign) = self.campaigns.get(tenant, of.campaign_id).await? else {
            return Ok(none);
        };
        if shard >= SHARDS {
            return Ok(none);
        }
        let start = cursor.map(Place::of).transpose()?.unwrap_or(Place {
            shard,
            ..Place::default()
        });
        let looked = looked as usize;
        let bounds = Bounds {
            looked,
            found: looked,
        };
        let range = (start, shard + 1);
        let page = self.walk(tenant, &campaign, Some(of.status), bounds, range);
        Ok(page.await?.map(|receiver| receiver.contact))
    }

    /// The chunk of a shard from which a reader continues after a contact: the last chunk that does not begin behind it. A
    /// read unit for each halving of the chunks.
    pub(crate) async fn chunk_after(
        &self,
        tenant: TenantKey,
        of: &ReceiversOf,
        (shard, after): (u32, Option<ContactId>),
    ) -> Result<u32, Error> {
        let Some(after) = after else {
            return Ok(0);
        };
        let id = of.campaign_id;
        let shards = self.campaigns.shards(tenant, id).await?;
        let row = shards.iter().find(|(number, _)| *number == shard);
        let (mut low, mut high) = (0, row.and_then(|(_, row)| row.chunks).unwrap_or(0));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let chunk = self.campaigns.chunk(tenant, id, shard, middle).await?;
            let first = chunk.map(|chunk| chunk.contacts()).transpose()?;
            let first = first.and_then(|contacts| contacts.first().copied());
            if first.is_some_and(|first| first <= after) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The receivers of a chunk of one shard, each with whether the set has it, in the order of ids. `None`: the shard has no such
    /// chunk. The first contact of the chunk may be before the place from which a caller reads.
    pub(crate) async fn of_chunk(
        &self,
        tenant: TenantKey,
        of: &ReceiversOf,
        (shard, chunk): (u32, u32),
    ) -> Result<Option<Vec<(ContactId, bool)>>, Error> {
        let id = of.campaign_id;
        let Some(campaign) = self.campaigns.get(tenant, id).await? else {
            return Ok(None);
        };
        let Some(stored) = self.campaigns.chunk(tenant, id, shard, chunk).await? else {
            return Ok(None);
        };
        if stored.is_end() {
            return Ok(None);
        }
        let contacts = stored.contacts()?;
        let is_past = self.campaigns.is_past(tenant, id, (shard, chunk)).await?;
        let is_done = is_past && !campaign.has_waiting();
        let channel = campaign.content.channel();
        let rows = self.rows(tenant, (id, channel), &contacts).await?;
        let has = |row: &Option<Row>| of.status.has(row.as_ref(), is_done);
        Ok(Some(
            contacts
                .iter()
                .zip(&rows)
                .map(|(id, row)| (*id, has(row)))
                .collect(),
        ))
    }

    /// Looks at receivers from a place on, up to the end of the shard before `end`.
    async fn walk(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        set: Option<ReceiverSet>,
        bounds: Bounds,
        (start, end): (Place, u32),
    ) -> Result<Page<Receiver>, Error> {
        let of = (campaign.id, campaign.content.channel());
        let shards = self.campaigns.shards(tenant, campaign.id).await?;
        let has_waiting = campaign.has_waiting();
        let (mut place, mut looked, mut data) = (start, 0, Vec::new());
        while place.shard < end {
            let row = shards.iter().find(|(shard, _)| *shard == place.shard);
            let Some(ids) = self.rest(tenant, campaign.id, row, place).await? else {
                place = Place {
                    shard: place.shard + 1,
                    ..Place::default()
                };
                continue;
            };
            let is_done = !has_waiting && row.is_some_and(|(_, row)| row.is_past(place.chunk));
            // Without a set each row that is read is returned.
            let size = match set {
                Some(_) => BATCH,
                None => bounds.found.saturating_sub(data.len()).clamp(1, BATCH),
            };
            for batch in ids.chunks(size) {
                let rows = self.rows(tenant, of, batch).await?;
                for (&contact, row) in batch.iter().zip(rows) {
                    if looked >= bounds.looked || data.len() >= bounds.found {
                        let next = Some(place.cursor());
                        return Ok(Page { data, next });
                    }
                    place.offset += 1;
                    looked += 1;
                    if set.is_none_or(|set| set.has(row.as_ref(), is_done)) {
                        data.push(Receiver {
                            contact,
                            row,
                            is_done,
                        });
                    }
                }
            }
            place.chunk += 1;
            place.offset = 0;
        }
        Ok(Page { data, next: None })
    }

    /// The contacts of a chunk from a place on; `None` if the shard has no such chunk.
    async fn rest(
        &self,
        tenant: TenantKey,
        id: CampaignId,
        row: Option<&(u32, ShardRow)>,
        place: Place,
    ) -> Result<Option<Vec<ContactId>>, Error> {
        let chunks = row.and_then(|(_, row)| row.chunks).unwrap_or(0);
        if place.chunk >= chunks {
            return Ok(None);
        }
        let stored = self
            .campaigns
            .chunk(tenant, id, place.shard, place.chunk)
            .await?;
        let Some(stored) = stored.filter(|stored| !stored.is_end()) else {
            return Ok(None);
        };
        let mut ids = stored.contacts()?;
        ids.drain(..place.offset.min(ids.len()));
        Ok(Some(ids))
    }

    async fn rows(
        &self,
        tenant: TenantKey,
        (id, channel): (CampaignId, Channel),
        contacts: &[ContactId],
    ) -> Result<Vec<Option<Row>>, Error> {
        let key = |&contact: &ContactId| LedgerKey::campaign(id, contact, channel);
        let keys: Vec<LedgerKey> = contacts.iter().map(key).collect();
        self.ledger.rows(tenant, &keys).await
    }
}
