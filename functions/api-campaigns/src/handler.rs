//! Requests to use cases. Another tenant's campaign is not found, since keys begin with the caller's
//! tenant.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use campaigns::{Campaigns, Changed, Command, Draft, Report};
use channels::MailStore;
use cloud::Counters;
use contacts::Lists;
use kernel::CampaignId;
use kernel::page::Page;
use lambda::http::{Caller, Code, Json, Operation, Path, Problem, Query};

use crate::shape::{CampaignView, ListQuery, NewCampaign};

/// What the operations work with.
#[derive(Clone)]
pub struct Api {
    pub campaigns: Campaigns,
    pub mails: MailStore,
    pub lists: Lists,
    pub counters: Counters,
}

pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/campaigns", get(list).post(create))
        .route("/v1/campaigns/{id}", get(one))
        .route("/v1/campaigns/{id}/send", post(send))
        .route("/v1/campaigns/{id}/pause", post(pause))
        .route("/v1/campaigns/{id}/resume", post(resume))
        .route("/v1/campaigns/{id}/cancel", post(cancel))
        .route("/v1/campaigns/{id}/report", get(report))
        .with_state(api)
}

fn no_campaign() -> Problem {
    Problem::not_found("campaign")
}

async fn create(
    State(api): State<Api>,
    caller: Caller,
    Json(new): Json<NewCampaign>,
) -> Result<Response, Problem> {
    caller.may(Operation::CreateCampaign)?;
    let (name, audience, mail) = new.check()?;
    if api
        .lists
        .get(caller.tenant, audience.list_id)
        .await?
        .is_none()
    {
        return Err(Problem::invalid("/audience/list_id", "no such list"));
    }
    let draft = Draft {
        name,
        audience,
        mail: api.mails.put(caller.tenant, &mail).await?,
        subject: mail.subject.clone(),
    };
    let campaign = api.campaigns.create(caller.tenant, draft).await?;
    lambda::metrics::count("CampaignsCreated", 1);
    let location = format!("/v1/campaigns/{}", campaign.id);
    let view = CampaignView::new(campaign, Some(mail));
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(view),
    )
        .into_response())
}

async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<CampaignView>>, Problem> {
    caller.may(Operation::ListCampaigns)?;
    let limit = query.limit.unwrap_or_default();
    let page = api
        .campaigns
        .page(caller.tenant, limit, query.cursor)
        .await?;
    Ok(Json(page.map(|campaign| CampaignView::new(campaign, None))))
}

async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    caller.may(Operation::ShowCampaign)?;
    let campaign = api.campaigns.get(caller.tenant, id).await?;
    let campaign = campaign.ok_or_else(no_campaign)?;
    let mail = api.mails.get(caller.tenant, &campaign.mail).await?;
    Ok(Json(CampaignView::new(campaign, mail)))
}

async fn report(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<Json<Report>, Problem> {
    caller.may(Operation::ShowCampaignReport)?;
    let report = api
        .campaigns
        .report(&api.counters, caller.tenant, id)
        .await?;
    report.map(Json).ok_or_else(no_campaign)
}

async fn send(
    api: State<Api>,
    caller: Caller,
    id: Path<CampaignId>,
) -> Result<(StatusCode, Json<CampaignView>), Problem> {
    let campaign = obey(&api, &caller, id.0, Operation::SendCampaign, Command::Send).await?;
    Ok((StatusCode::ACCEPTED, campaign))
}

async fn pause(
    api: State<Api>,
    caller: Caller,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    obey(
        &api,
        &caller,
        id.0,
        Operation::PauseCampaign,
        Command::Pause,
    )
    .await
}

async fn resume(
    api: State<Api>,
    caller: Caller,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    obey(
        &api,
        &caller,
        id.0,
        Operation::ResumeCampaign,
        Command::Resume,
    )
    .await
}

async fn cancel(
    api: State<Api>,
    caller: Caller,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    obey(
        &api,
        &caller,
        id.0,
        Operation::CancelCampaign,
        Command::Cancel,
    )
    .await
}

async fn obey(
    api: &Api,
    caller: &Caller,
    id: CampaignId,
    operation: Operation,
    command: Command,
) -> Result<Json<CampaignView>, Problem> {
    caller.may(operation)?;
    match api.campaigns.command(caller.tenant, id, command).await? {
        Changed::Yes(campaign) => Ok(Json(CampaignView::new(*campaign, None))),
        Changed::Absent => Err(no_campaign()),
        Changed::Refused(state) => {
            let detail = format!("the campaign is {}", state.name());
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}
