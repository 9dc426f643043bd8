//! Maps requests to use cases. Another tenant's campaign is not found, since keys begin with the caller's
//! tenant.

use access::op;
use accounts::workspaces::DefaultSender;
use accounts::{Audit, Members, Senders, WorkspaceSettings, Workspaces};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use campaigns::{
    Audience, Campaign, Campaigns, Draft, Estimator, Filter, NO_RECEIVERS, Receivers, Starter,
};
use channels::push::Sites;
use channels::sms::Brandnames;
use channels::{Ledger, Links, MailStore, SendMessage};
use cloud::{Counters, QueueOf, Timers};
use contacts::{Fields, List, Lists, Profiles};
use kernel::page::Page;
use kernel::{CampaignId, Needs, Origin};
use lambda::http::{
    Caller, ClientIp, Code, Creation, DRAWS, Flaws, Json, May, Path, Problem, Query,
};
use segments::Pins;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::Runs;

use crate::content::{self, Checked, CheckedAb, ContentView, stored_b};
use crate::shape::{CampaignView, ListQuery, NewCampaign};
use crate::{approval, commands, life, look, messages, report, winner};

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
    pub members: Members,
    pub starter: Starter,
    pub estimator: Estimator,
    pub timers: Timers,
    pub fields: Fields,
    pub messages: QueueOf<SendMessage>,
    pub sites: Sites,
    /// Domain or address that mails are sent from.
    pub identity: String,
    /// Where the links of mails lead.
    pub base_url: String,
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
    pub async fn know_audience(&self, caller: &Caller, audience: &Audience) -> Result<(), Problem> {
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
                let is_known = self
                    .campaigns
                    .knows_receivers(caller.tenant, of.campaign_id);
                let is_known = is_known.await?;
                let pointer = format!("/audience/{name}/receivers/{n}/campaign_id");
                flaws.check(!is_known, pointer, NO_RECEIVERS);
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
        for segment in campaign.used_segments() {
            let uses = self.pins.uses();
            uses.unuse(caller.tenant, segment, &user).await?;
        }
        Ok(())
    }

    /// The list whose settings count for this audience.
    pub async fn only_list(
        &self,
        caller: &Caller,
        audience: &Audience,
    ) -> Result<Option<List>, Problem> {
        match audience.only_list() {
            Some(list) => Ok(self.lists.get(caller.tenant, list).await?),
            None => Ok(None),
        }
    }

    /// Makes a draft with its entry in the audit log, and notes its segments. A repeated request finds the first one's.
    pub async fn make<P: Needs>(
        &self,
        caller: &May<P>,
        ip: &ClientIp,
        origin: &Origin,
        draft: &Draft,
    ) -> Result<Campaign, Problem> {
        for draw in 0..DRAWS {
            let id = CampaignId::of(origin, draw);
            let noted = self
                .audit
                .note(caller.grant(), caller.permission(), id, &ip.0);
            noted.await?;
            let created = self.campaigns.create(caller.tenant, id, origin.at, draft);
            if let Some(campaign) = created.await? {
                if campaign.state == campaigns::State::Draft {
                    self.use_segments(caller, &campaign).await?;
                }
                lambda::metrics::count("CampaignsCreated", 1);
                return Ok(campaign);
            }
        }
        Err(cloud::Error::Conflict.into())
    }
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one))
        .merge(approval::routes())
        .merge(report::routes())
        .merge(messages::routes())
        .merge(commands::routes())
        .merge(life::routes())
        .merge(look::routes())
        .merge(winner::routes())
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
    let campaign = api.make(&caller, &ip, &origin, &draft).await?;
    let location = format!("/v1/campaigns/{}", campaign.id);
    let view = ContentView {
        b: test_checked.map(CheckedAb::mail),
        ..content.view()
    };
    let view = Json(CampaignView::new(campaign, view));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], view).into_response())
}

/// List campaigns, newest first, without their content.
///
/// With `status` or `kind`, a page may hold fewer than `limit` campaigns and still have a `next`.
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
    let filter = Filter {
        state: query.status,
        kind: query.kind,
    };
    let page = api
        .campaigns
        .page(caller.tenant, limit, query.cursor, filter)
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
