//! Approvals of campaigns: ask, decide, withdraw.

use access::op;
use accounts::Members;
use axum::extract::State;
use campaigns::{Approval, Campaign, Decision, State as Status, snapshot};
use jiff::Timestamp;
use kernel::{CampaignId, Limit, Role, UserId};
use lambda::http::{Caller, ClientIp, Code, Flaws, Json, May, Path, Problem};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::commands::{answer, note};
use crate::content::ContentView;
use crate::handler::Api;
use crate::life::{changed_meanwhile, check_time, refused, wrong_state};
use crate::shape::CampaignView;

/// Longest note and reason, in characters.
const MAX_NOTE: usize = 1_000;
/// Most approvers that a request names.
const MAX_APPROVERS: usize = 20;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(request, withdraw))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// `POST /v1/campaigns/{id}/approval`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// A note to the approvers.
    #[schema(max_length = 1000)]
    note: Option<String>,
    /// The people who may decide; empty: everybody who may send campaigns.
    #[serde(default)]
    #[schema(max_items = 20)]
    approver_ids: Vec<UserId>,
    /// When the sending begins after the approval; absent: at the approval.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    at: Option<Timestamp>,
}

/// `POST /v1/campaigns/{id}/approve`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveCampaign {
    /// The `snapshot` of the request that was read.
    #[schema(max_length = 64)]
    snapshot: String,
}

/// `POST /v1/campaigns/{id}/reject`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectCampaign {
    /// Why, for the author.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// The people who may approve campaigns of the caller's workspace.
async fn approvers(members: &Members, caller: &Caller) -> Result<Vec<UserId>, Problem> {
    let account = caller.member().grant.account;
    let workspace = caller.tenant.workspace();
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = members
            .page(account, workspace, Limit::default(), cursor)
            .await?;
        let may = |member: &&accounts::Member| member.role >= Some(Role::AccountManager);
        all.extend(page.data.iter().filter(may).map(|member| member.id));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

impl Api {
    /// Refuses a send without an approval where the workspace asks for one.
    pub async fn need_no_approval(
        &self,
        caller: &Caller,
        campaign: &Campaign,
    ) -> Result<(), Problem> {
        let Some(rule) = self.settings(caller).await?.campaign_approval else {
            return Ok(());
        };
        if let Some(above) = rule.above {
            let estimate = self.estimator.estimate(caller.tenant, campaign).await?;
            // An audience of unknown size counts as a large one.
            let is_known = estimate.accuracy != campaigns::Accuracy::AtLeast;
            if is_known && estimate.contacts <= above {
                return Ok(());
            }
        }
        let detail =
            "the workspace asks for an approval of this campaign; see requestCampaignApproval";
        Err(Problem::new(Code::Conflict, detail))
    }
}

/// The open request of a campaign.
fn open(campaign: &Campaign) -> Result<&Approval, Problem> {
    let approval = campaign.approval.as_ref();
    let open = approval.filter(|one| {
        campaign.state == Status::PendingApproval && one.decision == Decision::Pending
    });
    open.ok_or_else(|| wrong_state(campaign))
}

/// Refuses a person who may not decide about this request.
async fn may_decide(api: &Api, caller: &Caller, asked: &Approval) -> Result<(), Problem> {
    let forbidden = |detail: &str| Err(Problem::new(Code::Forbidden, detail));
    let all = approvers(&api.members, caller).await?;
    let is_me = |id: &UserId| id.to_string() == caller.actor;
    if asked.requested_by == caller.actor {
        return if all.iter().all(is_me) {
            Ok(())
        } else {
            forbidden("nobody approves a request of their own while others may approve it")
        };
    }
    // Approvers who have left the workspace do not lock the campaign for ever.
    let named: Vec<_> = asked
        .approver_ids
        .iter()
        .filter(|id| all.contains(id))
        .collect();
    if named.is_empty() || named.into_iter().any(is_me) {
        return Ok(());
    }
    forbidden("the request names other approvers")
}

/// Ask for the approval of a draft, or of a campaign that was rejected.
///
/// The campaign is `pending_approval` and locked until somebody decides or the request is withdrawn. Without
/// `approver_ids` everybody who may send campaigns decides. Nobody decides about a request of their own, unless nobody else may.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/approval",
    operation_id = "requestCampaignApproval",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body = ApprovalRequest,
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn request(
    State(api): State<Api>,
    caller: May<op::RequestCampaignApproval>,
    ip: ClientIp,
    Path(id): Path<CampaignId>,
    Json(asked): Json<ApprovalRequest>,
) -> Result<Json<CampaignView>, Problem> {
    let known = api.known(&caller, id).await?;
    let mut flaws = Flaws::default();
    flaws.check(
        is_long(asked.note.as_deref()),
        "/note",
        "may have 1000 characters",
    );
    flaws.check(
        asked.approver_ids.len() > MAX_APPROVERS,
        "/approver_ids",
        "holds at most 20",
    );
    flaws.take(check_time(&api, asked.at))?;
    let may = approvers(&api.members, &caller).await?;
    for (n, approver) in asked.approver_ids.iter().enumerate() {
        let is_none = !may.contains(approver);
        let message = "is nobody who may send campaigns of this workspace";
        flaws.check(is_none, format!("/approver_ids/{n}"), message);
    }
    flaws.refuse()?;
    if !matches!(known.state, Status::Draft | Status::Rejected) {
        return Err(wrong_state(&known));
    }
    let refusals = api.starter.refusals(caller.tenant, &known).await?;
    if let Some(first) = refusals.first() {
        return Err(refused(first));
    }
    let approval = Approval {
        requested_by: caller.actor.clone(),
        requested_at: api.campaigns.now(),
        note: asked.note,
        approver_ids: asked.approver_ids,
        decision: Decision::Pending,
        decided_by: None,
        decided_at: None,
        reason: None,
        snapshot: snapshot(&known, asked.at)?,
    };
    note(&api, &caller, &ip, id).await?;
    let (tenant, at) = (caller.tenant, asked.at);
    let pending = api
        .campaigns
        .request_approval(tenant, &known, &approval, at);
    show(pending.await?)
}

fn is_long(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.chars().count() > MAX_NOTE)
}

fn show(campaign: Option<Campaign>) -> Result<Json<CampaignView>, Problem> {
    let campaign = campaign.ok_or_else(changed_meanwhile)?;
    Ok(Json(CampaignView::new(campaign, ContentView::default())))
}

/// Withdraw a request for an approval. The campaign is a draft then.
#[utoipa::path(
    delete,
    path = "/v1/campaigns/{id}/approval",
    operation_id = "withdrawCampaignApproval",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn withdraw(
    State(api): State<Api>,
    caller: May<op::WithdrawCampaignApproval>,
    ip: ClientIp,
    Path(id): Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    let known = api.known(&caller, id).await?;
    let was = known.approval.as_ref().map(|approval| approval.decision);
    if known.state == Status::Draft && was == Some(Decision::Withdrawn) {
        return show(Some(known));
    }
    let asked = open(&known)?;
    let grant = &caller.member().grant;
    let is_manager = grant.role.is_none_or(|role| role >= Role::AccountManager);
    if asked.requested_by != caller.actor && !is_manager {
        let detail = "only the person who asked, or a manager, withdraws a request";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let now = api.campaigns.now();
    let decided = asked.decided(Decision::Withdrawn, &caller.actor, now);
    note(&api, &caller, &ip, id).await?;
    let ended = api
        .campaigns
        .end_approval(caller.tenant, &known, &decided, Status::Draft);
    show(ended.await?)
}

/// Approve a campaign. It is sent at once, or at the time of the request.
///
/// `snapshot` is the one of the request that was read; another one answers 409. A request whose time has passed
/// expires: the campaign is a draft again.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/approve",
    operation_id = "approveCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body = ApproveCampaign,
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn approve(
    State(api): State<Api>,
    caller: May<op::ApproveCampaign>,
    ip: ClientIp,
    Path(id): Path<CampaignId>,
    Json(read): Json<ApproveCampaign>,
) -> Result<Json<CampaignView>, Problem> {
    let known = api.known(&caller, id).await?;
    if let Some(done) = approved_before(&known, &caller, &read.snapshot) {
        return show(Some(done));
    }
    let asked = open(&known)?;
    may_decide(&api, &caller, asked).await?;
    let now_is = snapshot(&known, known.scheduled_at)?;
    if read.snapshot != asked.snapshot || now_is != asked.snapshot {
        let detail = "the campaign is not the one that was read; read it again";
        return Err(Problem::new(Code::Conflict, detail));
    }
    note(&api, &caller, &ip, id).await?;
    let now = api.campaigns.now();
    if known.scheduled_at.is_some_and(|at| at <= now) {
        let decided = asked.decided(Decision::Expired, &caller.actor, now);
        let tenant = caller.tenant;
        let ended = api
            .campaigns
            .end_approval(tenant, &known, &decided, Status::Draft);
        ended.await?.ok_or_else(changed_meanwhile)?;
        let detail = "the time of the send has passed; the campaign is a draft; ask again";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let decided = asked.decided(Decision::Approved, &caller.actor, now);
    let at = known.scheduled_at;
    answer(api.launch(&caller, &known, at, Some(&decided)).await?)
}

/// The campaign, if the caller approved this request before.
fn approved_before(known: &Campaign, caller: &Caller, snapshot: &str) -> Option<Campaign> {
    let approval = known.approval.as_ref()?;
    let is_same = approval.decision == Decision::Approved
        && approval.snapshot == snapshot
        && approval.decided_by.as_deref() == Some(&caller.actor);
    is_same.then(|| known.clone())
}

/// Reject a campaign, with a reason. Its author may edit it and ask again.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/reject",
    operation_id = "rejectCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body = RejectCampaign,
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn reject(
    State(api): State<Api>,
    caller: May<op::RejectCampaign>,
    ip: ClientIp,
    Path(id): Path<CampaignId>,
    Json(RejectCampaign { reason }): Json<RejectCampaign>,
) -> Result<Json<CampaignView>, Problem> {
    let is_flawed = reason.trim().is_empty() || is_long(Some(&reason));
    if is_flawed {
        return Err(Problem::invalid("/reason", "expected 1 to 1000 characters"));
    }
    let known = api.known(&caller, id).await?;
    let before = known.approval.as_ref();
    if known.state == Status::Rejected
        && before.is_some_and(|one| one.reason.as_deref() == Some(reason.as_str()))
    {
        return show(Some(known));
    }
    let asked = open(&known)?;
    may_decide(&api, &caller, asked).await?;
    let now = api.campaigns.now();
    let mut decided = asked.decided(Decision::Rejected, &caller.actor, now);
    decided.reason = Some(reason);
    note(&api, &caller, &ip, id).await?;
    let ended = api
        .campaigns
        .end_approval(caller.tenant, &known, &decided, Status::Rejected);
    show(ended.await?)
}
