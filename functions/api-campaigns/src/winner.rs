//! A person's choice of the winner of an A/B campaign. The choice may be repeated.

use access::op;
use axum::extract::State;
use campaigns::Chosen;
use kernel::CampaignId;
use lambda::http::{ClientIp, Code, Json, May, Path, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::commands::note;
use crate::content::{Choice, ContentView};
use crate::handler::{Api, no_campaign};
use crate::shape::CampaignView;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(choose))
}

/// Choose the winner of an A/B campaign.
///
/// Possible from `sendCampaign` on, until the rule has decided or the campaign has ended. From then on everybody without a
/// mail gets this version, also those of the test. A choice is final.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/winner",
    operation_id = "chooseCampaignWinner",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body = Choice,
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn choose(
    api: State<Api>,
    caller: May<op::ChooseCampaignWinner>,
    ip: ClientIp,
    id: Path<CampaignId>,
    Json(choice): Json<Choice>,
) -> Result<Json<CampaignView>, Problem> {
    note(&api, &caller, &ip, id.0).await?;
    let (tenant, by) = (caller.tenant, caller.grant().actor.clone());
    let scores = api.campaigns.scores(&api.counters, tenant, id.0).await?;
    let chosen = api
        .campaigns
        .choose(tenant, id.0, choice.variant, (&by, scores));
    let refused = |detail: String| Err(Problem::new(Code::Conflict, detail));
    match chosen.await? {
        Chosen::Yes(campaign) => Ok(Json(CampaignView::new(*campaign, ContentView::default()))),
        Chosen::Absent => Err(no_campaign()),
        Chosen::NoTest => refused("the campaign has no A/B test".to_owned()),
        Chosen::Decided(winner) => refused(format!("the winner is {}", winner.name())),
        Chosen::Refused(state) => refused(format!("the campaign is {}", state.name())),
        Chosen::TooOld => refused(
            "sending began more than 90 days ago; cancel it and make a new campaign".to_owned(),
        ),
    }
}
