//! The commands to a campaign. A command may be repeated.

use access::op;
use axum::extract::State;
use campaigns::{Changed, Command};
use kernel::{CampaignId, Needs};
use lambda::http::{ClientIp, Code, Json, May, Path, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::content::ContentView;
use crate::handler::{Api, no_campaign};
use crate::shape::CampaignView;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(confirm))
        .routes(routes!(cancel))
}

/// Pause the sending.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/pause",
    operation_id = "pauseCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn pause(
    api: State<Api>,
    caller: May<op::PauseCampaign>,
    ip: ClientIp,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    obey(&api, &caller, &ip, id.0, Command::Pause).await
}

/// Resume the sending to recipients without an outcome.
///
/// A campaign that was paused for review (`problem` begins with `review_`) is resumed by `confirmCampaign` only.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/resume",
    operation_id = "resumeCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn resume(
    api: State<Api>,
    caller: May<op::ResumeCampaign>,
    ip: ClientIp,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    obey(&api, &caller, &ip, id.0, Command::Resume).await
}

/// Confirm that the audience was reviewed, and resume the sending.
///
/// A campaign pauses for review once 500 of its mails have ended with bad figures. Bad is more than 5 % bounces, 0.1 %
/// complaints or 2 % unsubscriptions. An account admin confirms after the first pause. After the second
/// pause an operator of the installation must resume the campaign.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/confirm",
    operation_id = "confirmCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn confirm(
    api: State<Api>,
    caller: May<op::ConfirmCampaign>,
    ip: ClientIp,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    note(&api, &caller, &ip, id.0).await?;
    answer(api.campaigns.confirm(caller.tenant, id.0).await?)
}

/// Stop sending for good.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/cancel",
    operation_id = "cancelCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn cancel(
    api: State<Api>,
    caller: May<op::CancelCampaign>,
    ip: ClientIp,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    let known = api.campaigns.get(caller.tenant, id.0).await?;
    let cancelled = obey(&api, &caller, &ip, id.0, Command::Cancel).await?;
    if let Some(known) = known {
        api.release_segments(&caller, &known).await?;
    }
    Ok(cancelled)
}

pub async fn obey<P: Needs>(
    api: &Api,
    caller: &May<P>,
    ip: &ClientIp,
    id: CampaignId,
    command: Command,
) -> Result<Json<CampaignView>, Problem> {
    note(api, caller, ip, id).await?;
    answer(api.campaigns.command(caller.tenant, id, command).await?)
}

pub async fn note<P: Needs>(
    api: &Api,
    caller: &May<P>,
    ip: &ClientIp,
    id: CampaignId,
) -> Result<(), Problem> {
    let known = api.campaigns.get(caller.tenant, id).await?;
    known.ok_or_else(no_campaign)?;
    let noted = api
        .audit
        .note(caller.grant(), caller.permission(), id, &ip.0);
    Ok(noted.await?)
}

pub fn answer(changed: Changed) -> Result<Json<CampaignView>, Problem> {
    match changed {
        Changed::Yes(campaign) => Ok(Json(CampaignView::new(*campaign, ContentView::default()))),
        Changed::Absent => Err(no_campaign()),
        Changed::TooOld => {
            let detail = "sending began more than 90 days ago; cancel it and make a new campaign";
            Err(Problem::new(Code::Conflict, detail))
        }
        Changed::InReview(campaign) => {
            let detail = match campaign.review {
                Some(review) if review.times > 1 => {
                    "its figures were bad twice; an operator of the installation must resume it"
                }
                _ => "its figures are bad; an account admin must confirm the campaign",
            };
            Err(Problem::new(Code::Conflict, detail))
        }
        Changed::Refused(state) => {
            let detail = format!("the campaign is {}", state.name());
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}
