//! The recipients of a campaign in one contact shard, in order of id.
//!
//! Each list, segment and tag is a stream of ids in order; the streams are merged, so a contact of several of them
//! is one recipient. A stream reads pages of 500 ids. The plan continues after the last contact that was looked at.
//!
//! Receivers of another campaign are its chunks, which are in order of id too, with their rows of the ledger.
//!
//! Units: a list costs a read unit for about 50 contacts, a segment for about 80. A tag has no index: the contacts of
//! the whole shop are read, at half a read unit each. A receiver of another campaign costs half a read unit.

use std::collections::{BTreeSet, VecDeque};

use cloud::{Error, Resources};
use contacts::{Contact, Profiles};
use jiff::Timestamp;
use kernel::{ContactId, ListId, TenantKey};
use segments::{Members, Of};

use crate::model::{Campaign, Selection};
use crate::receivers::{Receivers, ReceiversOf};

/// Ids of one page of a stream.
const PAGE: u32 = 500;
/// After so many pages a step ends with the recipients that it has found.
const PAGES: u32 = 8;

/// Reads audiences; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Audiences {
    profiles: Profiles,
    members: Members,
    receivers: Receivers,
}

impl Audiences {
    /// Over the tables Campaigns, Contacts, Segments and `SendLedger`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            profiles: Profiles::over(resources),
            members: Members::over(resources),
            receivers: Receivers::over(resources),
        }
    }

    /// The recipients of one shard after this contact.
    pub fn of(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
        shard: u32,
        after: Option<ContactId>,
    ) -> Recipients {
        let streams = |selection: &Selection, has_tags: bool| {
            let lists = selection.list_ids.iter().map(|list| From::List(*list));
            // A segment without a pinned version has no members: it was deleted.
            let segments = selection.segment_ids.iter().filter_map(|&segment| {
                let version = *campaign.segments.get(&segment)?;
                Some(From::Segment(Of { segment, version }))
            });
            let tags = keys(&selection.tags);
            let tags = (has_tags && !tags.is_empty()).then_some(From::Tags(tags));
            let receivers = selection.receivers.iter();
            let receivers = receivers.map(|of| From::Receivers(of.clone(), None));
            let all = lists.chain(segments).chain(tags).chain(receivers);
            all.map(|from| Stream {
                from,
                rows: VecDeque::new(),
                after,
                is_read: false,
            })
            .collect()
        };
        let place = Place {
            audiences: self.clone(),
            tenant,
            shard,
            as_of: campaign.started_at.unwrap_or(campaign.created_at),
            pages: 0,
        };
        Recipients {
            place,
            include: streams(&campaign.audience.include, true),
            exclude: streams(&campaign.audience.exclude, false),
            excluded_tags: keys(&campaign.audience.exclude.tags),
        }
    }
}

/// The form in which tags are compared.
fn keys(tags: &[String]) -> BTreeSet<String> {
    let tags = tags
        .iter()
        .filter_map(|tag| contacts::Tags::parse(tag).ok());
    tags.map(|tag| tag.key()).collect()
}

fn has(contact: &Contact, keys: &BTreeSet<String>) -> bool {
    let mut tags = contact.tags.iter();
    tags.any(|tag| contacts::Tags::parse(tag).is_ok_and(|tag| keys.contains(&tag.key())))
}

/// The source of a stream.
#[derive(Debug, Clone)]
enum From {
    List(ListId),
    Segment(Of),
    /// Every contact of the shop; those with one of the tags match.
    Tags(BTreeSet<String>),
    /// Receivers of another campaign, and the number of the chunk that is read next.
    Receivers(ReceiversOf, Option<u32>),
}

/// Contacts of one source, in order of id.
#[derive(Debug)]
struct Stream {
    from: From,
    /// Contacts that were read and not taken, each with whether the source has it.
    rows: VecDeque<(ContactId, bool)>,
    /// The last contact that was read.
    after: Option<ContactId>,
    is_read: bool,
}

/// The place that streams read.
#[derive(Debug)]
struct Place {
    audiences: Audiences,
    tenant: TenantKey,
    shard: u32,
    as_of: Timestamp,
    /// Pages that this step has read.
    pages: u32,
}

/// The recipients of a shard that are not planned yet.
#[derive(Debug)]
pub(crate) struct Recipients {
    place: Place,
    include: Vec<Stream>,
    exclude: Vec<Stream>,
    excluded_tags: BTreeSet<String>,
}

/// One step of a plan.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Recipients, in order.
    pub ids: Vec<ContactId>,
    /// The last contact that was looked at; `None` at the end of the shard.
    pub next: Option<ContactId>,
}

impl Recipients {
    /// The next recipients: at most `most`; also fewer, or none, if many contacts were looked at.
    pub async fn step(&mut self, most: usize) -> Result<Step, Error> {
        self.place.pages = 0;
        let mut step = Step::default();
        while step.ids.len() < most && self.place.pages < PAGES {
            let Some((id, is_included)) = self.least().await? else {
                step.next = None;
                break;
            };
            step.next = Some(id);
            if is_included && !self.is_excluded(id).await? {
                step.ids.push(id);
            }
        }
        if !self.excluded_tags.is_empty() {
            let profiles = &self.place.audiences.profiles;
            let found = profiles.glance(self.place.tenant, &step.ids).await?;
            let is_out = |id: &ContactId| {
                found
                    .get(id)
                    .is_some_and(|one| has(one, &self.excluded_tags))
            };
            step.ids.retain(|id| !is_out(id));
        }
        Ok(step)
    }

    /// The least contact of the included streams, taken from all of them, and whether one of them has it.
    async fn least(&mut self) -> Result<Option<(ContactId, bool)>, Error> {
        let mut least = None;
        for stream in &mut self.include {
            let head = stream.head(&mut self.place).await?.map(|(id, _)| id);
            least = match (least, head) {
                (Some(least), Some(head)) => Some(std::cmp::min(least, head)),
                (least, head) => least.or(head),
            };
        }
        let Some(least) = least else {
            return Ok(None);
        };
        let mut is_included = false;
        for stream in &mut self.include {
            if let Some((_, has)) = stream.rows.pop_front_if(|(id, _)| *id == least) {
                is_included |= has;
            }
        }
        Ok(Some((least, is_included)))
    }

    async fn is_excluded(&mut self, id: ContactId) -> Result<bool, Error> {
        for stream in &mut self.exclude {
            while let Some((head, has)) = stream.head(&mut self.place).await? {
                if head > id {
                    break;
                }
                stream.rows.pop_front();
                if head == id && has {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Stream {
    /// The next contact of the stream. It stays in the stream.
    async fn head(&mut self, place: &mut Place) -> Result<Option<(ContactId, bool)>, Error> {
        // The rest of a chunk may be before the place.
        while self.rows.is_empty() && !self.is_read {
            place.pages += 1;
            self.read(place).await?;
        }
        Ok(self.rows.front().copied())
    }

    async fn read(&mut self, place: &Place) -> Result<(), Error> {
        let Audiences {
            profiles,
            members,
            receivers,
        } = &place.audiences;
        let (tenant, from) = (place.tenant, (place.shard, self.after));
        if let From::Receivers(of, next) = &mut self.from {
            let chunk = match *next {
                Some(chunk) => chunk,
                None => receivers.chunk_after(tenant, of, from).await?,
            };
            let rows = receivers.of_chunk(tenant, of, (place.shard, chunk)).await?;
            *next = Some(chunk + 1);
            self.is_read = rows.is_none();
            let after = self.after;
            let rows = rows.into_iter().flatten();
            self.rows
                .extend(rows.filter(|(id, _)| after.is_none_or(|after| *id > after)));
            return Ok(());
        }
        let rows: Vec<(ContactId, bool)> = match &self.from {
            From::List(list) => {
                let ids = profiles.members_after(tenant, *list, from, PAGE).await?;
                ids.into_iter().map(|id| (id, true)).collect()
            }
            From::Segment(of) => {
                let rows = members.after(tenant, *of, from, place.as_of, PAGE);
                rows.await?
            }
            From::Tags(tags) => {
                let ids = profiles.of_shard_after(tenant, from, PAGE).await?;
                let found = profiles.glance(tenant, &ids).await?;
                let is_in = |id| found.get(id).is_some_and(|one| has(one, tags));
                ids.iter().map(|id| (*id, is_in(id))).collect()
            }
            From::Receivers(..) => Vec::new(),
        };
        self.is_read = rows.len() < PAGE as usize;
        self.after = rows.last().map(|(id, _)| *id).or(self.after);
        self.rows.extend(rows);
        Ok(())
    }
}
