//! The checks of a campaign that starts: for `send`, for the timer of a schedule and for an approval.
//!
//! This file checks and pins. The state is changed by `life`.

use std::collections::BTreeMap;

use accounts::{Senders, Workspaces};
use channels::push::Sites;
use channels::sms::Brandnames;
use channels::{Content, MailStore};
use cloud::{Error, Resources};
use contacts::Lists;
use kernel::{CampaignId, ListId, SegmentId, TenantKey};
use segments::{NotPinned, Pins};

use crate::model::{Campaign, Selection};
use crate::store::Campaigns;

/// The parts that the start of a campaign fixes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The versions of its segments whose members are read.
    pub segments: BTreeMap<SegmentId, u32>,
    /// The permission reminder of its only list.
    pub permission_reminder: Option<String>,
}

/// Why a campaign cannot start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The workspace is archived or does not exist.
    Archived,
    /// Pointers to the workspace's settings that mails need and that are missing.
    SettingsMissing(Vec<&'static str>),
    /// Its content is not stored.
    ContentMissing,
    /// The workspace has not proven the sender's address.
    UnprovenSender,
    /// The workspace has not set up the channel of its content: no push, or no approved brandname.
    ChannelMissing,
    /// It includes only lists that were deleted: nobody is left.
    ListDeleted(ListId),
    /// The receivers of this campaign are not known: it was deleted, or its messages are not kept any more.
    Receivers(CampaignId),
    /// A segment cannot be read.
    Segment(NotPinned),
}

impl Refusal {
    /// The problem that the campaign then shows.
    pub fn problem(&self) -> &'static str {
        match self {
            Self::Archived => "workspace_archived",
            Self::SettingsMissing(_) => "settings_missing",
            Self::ContentMissing => "mail_missing",
            Self::UnprovenSender => "sender_unproven",
            Self::ChannelMissing => "channel_missing",
            Self::ListDeleted(_) => "list_deleted",
            Self::Receivers(_) => "receivers_gone",
            Self::Segment(NotPinned::Absent(_)) => "segment_deleted",
            Self::Segment(NotPinned::Building(_) | NotPinned::Busy) => "segment_building",
        }
    }

    /// Whether it may pass by itself within minutes.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Segment(NotPinned::Building(_) | NotPinned::Busy)
        )
    }
}

/// Checks campaigns before they start; cheap to clone.
#[derive(Clone, Debug)]
pub struct Starter {
    brandnames: Brandnames,
    lists: Lists,
    mails: MailStore,
    campaigns: Campaigns,
    pins: Pins,
    senders: Senders,
    sites: Sites,
    workspaces: Workspaces,
}

impl Starter {
    /// Over the tables Directory and Limits.
    pub fn over(resources: &Resources) -> Self {
        Self {
            brandnames: Brandnames::over(resources),
            lists: Lists::over(resources),
            mails: MailStore::over(resources),
            campaigns: Campaigns::over(resources),
            pins: Pins::over(resources),
            senders: Senders::over(resources),
            sites: Sites::over(resources),
            workspaces: Workspaces::over(resources),
        }
    }

    /// Everything that keeps the campaign from a start now, but for segments that are being built. Reads only.
    pub async fn refusals(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
    ) -> Result<Vec<Refusal>, Error> {
        let mut all = Vec::new();
        let workspace = self.workspaces.get(tenant).await?;
        let open = workspace.filter(|workspace| !workspace.is_archived());
        match (&open, &campaign.content) {
            (None, _) => all.push(Refusal::Archived),
            (Some(workspace), Content::Email { .. }) => {
                let missing = workspace.settings.missing_for_marketing();
                if !missing.is_empty() {
                    all.push(Refusal::SettingsMissing(missing));
                }
            }
            (Some(_), _) => {}
        }
        all.extend(self.content_refusal(tenant, &campaign.content).await?);
        all.extend(self.audience_refusals(tenant, campaign).await?);
        Ok(all)
    }

    /// Each channel's own check of its content.
    async fn content_refusal(
        &self,
        tenant: TenantKey,
        content: &Content,
    ) -> Result<Option<Refusal>, Error> {
        let mail = match content {
            Content::Email { mail } => mail,
            // The campaign stops by itself at the first refusal of the account.
            Content::Zns { .. } => return Ok(None),
            Content::Push { .. } => {
                let may = self.sites.may_push(tenant).await?;
                return Ok((!may).then_some(Refusal::ChannelMissing));
            }
            Content::Sms { brandname_id, .. } => {
                let brandname = self.brandnames.get(tenant, *brandname_id).await?;
                let may = brandname.is_some_and(|one| one.may_send(self.brandnames.now()));
                return Ok((!may).then_some(Refusal::ChannelMissing));
            }
        };
        let Some(mail) = self.mails.get(tenant, mail).await? else {
            return Ok(Some(Refusal::ContentMissing));
        };
        let from = &mail.sender.from_email;
        let is_proven = self.senders.may_send(tenant, from).await?;
        Ok((!is_proven).then_some(Refusal::UnprovenSender))
    }

    async fn audience_refusals(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
    ) -> Result<Vec<Refusal>, Error> {
        let mut all = Vec::new();
        let Selection {
            list_ids,
            segment_ids,
            tags,
            receivers,
        } = &campaign.audience.include;
        let mut gone = Vec::new();
        for list in list_ids {
            if self.lists.get(tenant, *list).await?.is_none() {
                gone.push(*list);
            }
        }
        let is_alone = segment_ids.is_empty() && tags.is_empty() && receivers.is_empty();
        if is_alone && gone.len() == list_ids.len() {
            all.extend(gone.first().copied().map(Refusal::ListDeleted));
        }
        let excluded = &campaign.audience.exclude.receivers;
        for of in receivers.iter().chain(excluded) {
            if !self
                .campaigns
                .knows_receivers(tenant, of.campaign_id)
                .await?
            {
                all.push(Refusal::Receivers(of.campaign_id));
            }
        }
        for segment in campaign.audience.segments() {
            if !self.pins.knows(tenant, segment).await? {
                all.push(Refusal::Segment(NotPinned::Absent(segment)));
            }
        }
        Ok(all)
    }

    /// Pins what the campaign will read, or says why it cannot start. Safe to repeat.
    pub async fn ready(
        &self,
        tenant: TenantKey,
        campaign: &Campaign,
    ) -> Result<Result<Start, Refusal>, Error> {
        let refusals = self.refusals(tenant, campaign).await?;
        if let Some(first) = refusals.into_iter().next() {
            return Ok(Err(first));
        }
        let user = campaign.id.to_string();
        let segments = campaign.audience.segments();
        let segments = match self.pins.pin(tenant, &user, &segments).await? {
            Ok(versions) => versions,
            Err(why) => return Ok(Err(Refusal::Segment(why))),
        };
        let list = match campaign.audience.only_list() {
            Some(list) => self.lists.get(tenant, list).await?,
            None => None,
        };
        Ok(Ok(Start {
            segments,
            permission_reminder: list.and_then(|list| list.permission_reminder),
        }))
    }
}
