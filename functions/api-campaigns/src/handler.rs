//! Maps requests to use cases. Another tenant's campaign is not found, since keys begin with the caller's
//! tenant.

use access::op;
use accounts::workspaces::DefaultSender;
use accounts::{Audit, Senders, WorkspaceSettings, Workspaces};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use campaigns::{Audience, Campaign, Campaigns, Draft, Receivers};
use channels::push::Sites;
use channels::sms::Brandnames;
use channels::{Ledger, Links, MailStore};
use cloud::Counters;
use contacts::{List, Lists, Profiles};
use kernel::CampaignId;
use kernel::page::Page;
use lambda::http::{
    Caller, ClientIp, Code, Creation, DRAWS, Flaws, Json, May, Path, Problem, Query,
};
use segments::{NotPinned, Pins};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::Runs;

use crate::content::{self, Checked, CheckedAb, ContentView, stored_b};
use crate::shape::{CampaignView, ListQuery, NewCampaign};
use crate::{commands, messages, report, winner};

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub campaigns: Campaigns,
    pub mails: MailStore,
    pub brandnames: Brandnames,
    pub zns: channels::zns::Drafts,
    pub lists: Lists,
    pub pins: Pins,
    pub counters: Counters,
    pub receivers: Receivers,
    pub ledger: Ledger,
    pub links: Links,
    pub profiles: Profiles,
    pub runs: Runs,
    pub audit: Audit,
    pub workspaces: Workspaces,
    pub senders: Senders,
    pub sites: Sites,
    /// Domain or address that mails are sent from.
    pub identity: String,
}

impl Api {
    /// The mail settings of the caller's workspace.
    pub async fn settings(&self, caller: &Caller) -> Result<WorkspaceSettings, Problem> {
        let workspace = self.workspaces.get(caller.tenant).await?;
        let settings = workspace.map(|workspace| workspace.settings);
        settings.ok_or_else(|| Problem::not_found("workspace"))
    }

    /// The sender of the audience's only list, or else of the workspace.
    pub async fn default_sender(
        &self,
        caller: &Caller,
        audience: &Audience,
    ) -> Result<Option<DefaultSender>, Problem> {
        let list = self.only_list(caller, audience).await?;
        if let Some(sender) = list.and_then(|list| list.default_sender) {
            return Ok(Some(DefaultSender {
                name: sender.from_name,
                email: sender.from_email,
            }));
        }
        Ok(self.settings(caller).await?.default_sender)
    }

    /// Refuses lists and segments that the workspace does not have, all at once.
    async fn know_audience(&self, caller: &Caller, audience: &Audience) -> Result<(), Problem> {
        let mut flaws = Flaws::default();
        let both = [
            ("include", &audience.include),
            ("exclude", &audience.exclude),
        ];
        for (name, selection) in both {
            for (n, &list) in selection.list_ids.iter().enumerate() {
                let found = self.lists.get(caller.tenant, list).await?;
                let pointer = format!("/audience/{name}/list_ids/{n}");
                flaws.check(found.is_none(), pointer, "no such list");
            }
            for (n, of) in selection.receivers.iter().enumerate() {
                let found = self.campaigns.get(caller.tenant, of.campaign_id).await?;
                let pointer = format!("/audience/{name}/receivers/{n}/campaign_id");
                flaws.check(found.is_none(), pointer, "no such campaign");
            }
            for (n, &segment) in selection.segment_ids.iter().enumerate() {
                let is_known = self.pins.knows(caller.tenant, segment).await?;
                let pointer = format!("/audience/{name}/segment_ids/{n}");
                flaws.check(!is_known, pointer, "no such segment");
            }
        }
        flaws.refuse()
    }

    /// Notes that the campaign uses its segments. A crash before leaves a draft whose segment may be deleted; then the
    /// draft is refused when it is sent.
    async fn use_segments(&self, caller: &Caller, campaign: &Campaign) -> Result<(), Problem> {
        let user = campaign.id.to_string();
        for segment in campaign.audience.segments() {
            let uses = self.pins.uses();
            uses.use_by(caller.tenant, segment, &user).await?;
        }
        Ok(())
    }

    pub async fn release_segments(
        &self,
        caller: &Caller,
        campaign: &Campaign,
    ) -> Result<(), Problem> {
        let user = campaign.id.to_string();
        for segment in campaign.audience.segments() {
            let uses = self.pins.uses();
            uses.unuse(caller.tenant, segment, &user).await?;
        }
        Ok(())
    }

    /// The list whose settings count for this audience.
    async fn only_list(
        &self,
        caller: &Caller,
        audience: &Audience,
    ) -> Result<Option<List>, Problem> {
        match audience.only_list() {
            Some(list) => Ok(self.lists.get(caller.tenant, list).await?),
            None => Ok(None),
        }
    }

    /// Fixes the permission reminder of the draft's only list.
    pub async fn pin_reminder(&self, caller: &Caller, campaign: &Campaign) -> Result<(), Problem> {
        let list = self.only_list(caller, &campaign.audience).await?;
        let reminder = list.and_then(|list| list.permission_reminder);
        if campaign.state != campaigns::State::Draft || reminder == campaign.permission_reminder {
            return Ok(());
        }
        let (tenant, id) = (caller.tenant, campaign.id);
        let pinned = self.campaigns.pin_reminder(tenant, id, reminder.as_deref());
        Ok(pinned.await?)
    }

    /// Fixes the versions whose members a draft will be sent to.
    pub async fn pin_segments(&self, caller: &Caller, campaign: &Campaign) -> Result<(), Problem> {
        let (tenant, id) = (caller.tenant, campaign.id);
        let segments = campaign.audience.segments();
        if campaign.state != campaigns::State::Draft || segments.is_empty() {
            return Ok(());
        }
        let pinned = self.pins.pin(tenant, &id.to_string(), &segments).await?;
        let versions = pinned.map_err(not_pinned)?;
        Ok(self.campaigns.pin(tenant, id, &versions).await?)
    }
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one))
        .merge(report::routes())
        .merge(messages::routes())
        .merge(commands::routes())
        .merge(winner::routes())
}

fn not_pinned(why: NotPinned) -> Problem {
    match why {
        NotPinned::Absent(id) => {
            Problem::new(Code::Conflict, format!("the segment {id} was deleted"))
        }
        NotPinned::Building(id) => {
            let detail = format!("the members of the segment {id} are still being found");
            Problem::new(Code::Conflict, detail).retry_after(30)
        }
        NotPinned::Busy => {
            let detail = "a change of the workspace's segments is running";
            Problem::new(Code::Unavailable, detail).retry_after(2)
        }
    }
}

pub fn no_campaign() -> Problem {
    Problem::not_found("campaign")
}

/// Write a campaign to lists, segments and tags.
///
/// A contact of several of them gets the message once, and so does an address that several contacts share. A segment that a
/// campaign names is not deleted before the campaign is planned or cancelled.
///
/// The body has exactly one content object. Its name is the channel: `mail` makes an email campaign, `push` one of push notifications.
///
/// Subject and bodies of a mail are Liquid templates over `contact`; at least one of `html` and `text` is needed.
/// Without `sender` the mail comes from the default sender of the only list, or else of the workspace. The workspace must have proven the sender's
/// address (`createSender`). Nothing is sent before `sendCampaign`.
///
/// With `ab` beside `mail` two versions of the mail are tested on a part of the audience, and the better one goes to all others.
#[utoipa::path(
    post,
    path = "/v1/campaigns",
    operation_id = "createCampaign",
    tag = "campaigns",
    request_body = NewCampaign,
    responses((status = 201, description = "Made", body = CampaignView)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateCampaign>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(mut new): Json<NewCampaign>,
) -> Result<Response, Problem> {
    let test = new.ab.take();
    let (name, audience, content, mut flaws) = new.parts()?;
    let mut checked = None;
    if let Some(content) = content {
        checked = flaws.take(content.check(&api, &caller, &audience).await)?;
    }
    let mut test_checked = None;
    if let (Some(test), Some(content)) = (test, &checked) {
        test_checked = flaws.take(content.check_test(&api, test).await)?;
    }
    flaws.refuse()?;
    let content = checked.ok_or_else(|| Problem::new(Code::Internal, "no content"))?;
    content.allow(&api, &caller).await?;
    api.know_audience(&caller, &audience).await?;
    let ab = match &test_checked {
        Some(test) => Some(test.store(&api, &caller).await?),
        None => None,
    };
    // Content without a campaign is never shown, so it may be written before the entry in the audit log.
    let draft = Draft {
        name,
        audience,
        content: content.store(&api, &caller).await?,
        summary: content.summary().to_owned(),
        ab,
    };
    let b = test_checked.map(CheckedAb::mail);
    for draw in 0..DRAWS {
        let id = CampaignId::of(&origin, draw);
        let grant = caller.grant();
        api.audit
            .note(grant, caller.permission(), id, &ip.0)
            .await?;
        let created = api.campaigns.create(caller.tenant, id, origin.at, &draft);
        if let Some(campaign) = created.await? {
            if campaign.state == campaigns::State::Draft {
                api.use_segments(&caller, &campaign).await?;
            }
            lambda::metrics::count("CampaignsCreated", 1);
            let location = format!("/v1/campaigns/{id}");
            let view = ContentView {
                b: b.clone(),
                ..content.clone().view()
            };
            let view = Json(CampaignView::new(campaign, view));
            return Ok((StatusCode::CREATED, [(header::LOCATION, location)], view).into_response());
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// List campaigns, newest first, without their content.
#[utoipa::path(
    get,
    path = "/v1/campaigns",
    operation_id = "listCampaigns",
    tag = "campaigns",
    params(ListQuery),
    responses((status = 200, description = "A page of campaigns", body = Page<CampaignView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListCampaigns>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<CampaignView>>, Problem> {
    let limit = query.limit.unwrap_or_default();
    let page = api
        .campaigns
        .page(caller.tenant, limit, query.cursor)
        .await?;
    Ok(Json(page.map(|campaign| {
        CampaignView::new(campaign, ContentView::default())
    })))
}

/// Show a campaign with its content.
#[utoipa::path(
    get,
    path = "/v1/campaigns/{id}",
    operation_id = "showCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowCampaign>,
    Path(id): Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    let campaign = api.campaigns.get(caller.tenant, id).await?;
    let campaign = campaign.ok_or_else(no_campaign)?;
    let content = content::stored(&api, &caller, &campaign).await?;
    let view = ContentView {
        b: stored_b(&api, &caller, &campaign).await?,
        ..content.map(Checked::view).unwrap_or_default()
    };
    Ok(Json(CampaignView::new(campaign, view)))
}
