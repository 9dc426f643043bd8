//! A campaign before its send: edit, copy, delete, schedule.

use access::op;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campaigns::{
    Audience, Campaign, Changed, Draft, FARTHEST, NO_RECEIVERS, Refusal, State as Status,
};
use jiff::Timestamp;
use kernel::CampaignId;
use lambda::http::{Caller, ClientIp, Code, Creation, Flaws, Json, May, Path, Problem, Raw};
use segments::NotPinned;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::commands::{answer, note, obey};
use crate::content::{
    self, ContentView, Contents, NewAb, NewMail, NewPush, NewText, Zns, stored_b,
};
use crate::handler::{Api, no_campaign};
use crate::shape::{CampaignView, MAX_NAME, audience_flaws, name_flaw};

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(edit, delete))
        .routes(routes!(copy))
        .routes(routes!(send))
        .routes(routes!(unschedule))
}

/// `PATCH /v1/campaigns/{id}`: what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignChanges {
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    audience: Option<Audience>,
    /// The whole mail, in place of the content and its test.
    mail: Option<NewMail>,
    /// The whole text message, in place of the content.
    sms: Option<NewText>,
    /// The whole Zalo message, in place of the content.
    zns: Option<Zns>,
    /// The whole notification, in place of the content.
    push: Option<NewPush>,
    /// The test of two versions of this mail; needs `mail`.
    ab: Option<NewAb>,
}

/// `POST /v1/campaigns/{id}/send`; an empty body sends now.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendCampaign {
    /// When the sending begins, at most 90 days from now; absent: now.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    at: Option<Timestamp>,
}

/// The time of a scheduled start, if it is one that can be kept.
pub fn check_time(api: &Api, at: Option<Timestamp>) -> Result<(), Problem> {
    let Some(at) = at else {
        return Ok(());
    };
    let now = api.campaigns.now();
    let mut flaws = Flaws::default();
    flaws.check(at <= now, "/at", "must be in the future");
    let message = "may be 90 days from now at most";
    flaws.check(at > now + FARTHEST, "/at", message);
    flaws.refuse()
}

/// Why a campaign cannot start, as an answer.
pub fn refused(why: &Refusal) -> Problem {
    let conflict = |detail: String| Problem::new(Code::Conflict, detail);
    match why {
        Refusal::Archived => conflict("the workspace is archived".into()),
        Refusal::SettingsMissing(missing) => match Problem::settings_missing(missing) {
            Err(problem) => problem,
            Ok(()) => conflict("settings are missing".into()),
        },
        Refusal::ContentMissing => conflict("the content of the campaign is missing".into()),
        Refusal::UnprovenSender => Problem::unproven_sender(["/mail/sender/from_email"]),
        Refusal::ChannelMissing => conflict(
            "the channel of the campaign is not set up, or its brandname is not approved".into(),
        ),
        Refusal::ListDeleted(id) => conflict(format!("the list {id} was deleted")),
        Refusal::Receivers(id) => conflict(format!("receivers of {id}: {NO_RECEIVERS}")),
        Refusal::Segment(NotPinned::Absent(id)) => {
            conflict(format!("the segment {id} was deleted"))
        }
        Refusal::Segment(NotPinned::Building(id)) => {
            let detail = format!("the members of the segment {id} are still being found");
            conflict(detail).retry_after(30)
        }
        Refusal::Segment(NotPinned::Busy) => {
            let detail = "a change of the workspace's segments is running";
            Problem::new(Code::Unavailable, detail).retry_after(2)
        }
    }
}

impl Api {
    /// The campaign of the request.
    pub async fn known(&self, caller: &Caller, id: CampaignId) -> Result<Campaign, Problem> {
        let known = self.campaigns.get(caller.tenant, id).await?;
        known.ok_or_else(no_campaign)
    }

    /// The content objects of an answer with its content.
    pub async fn content_view(
        &self,
        caller: &Caller,
        campaign: &Campaign,
    ) -> Result<ContentView, Problem> {
        let content = content::stored(self, caller, campaign).await?;
        Ok(ContentView {
            b: stored_b(self, caller, campaign).await?,
            ..content.map(content::Checked::view).unwrap_or_default()
        })
    }

    /// Sends or schedules a campaign whose checks this makes. `approval` is the decision that the same write records.
    pub async fn launch(
        &self,
        caller: &Caller,
        known: &Campaign,
        at: Option<Timestamp>,
        approval: Option<&campaigns::Approval>,
    ) -> Result<Changed, Problem> {
        let tenant = caller.tenant;
        if let Some(content) = content::stored(self, caller, known).await? {
            content.allow(self, caller).await?;
        }
        let Some(at) = at else {
            let ready = self.starter.ready(tenant, known).await?;
            let start = ready.map_err(|why| refused(&why))?;
            let begun = self.campaigns.begin(tenant, known, &start, approval);
            return Ok(begun.await?);
        };
        let refusals = self.starter.refusals(tenant, known).await?;
        if let Some(first) = refusals.first() {
            return Err(refused(first));
        }
        let scheduled = self
            .campaigns
            .schedule(&self.timers, tenant, known, at, approval);
        Ok(scheduled.await?)
    }
}

/// A campaign in this state cannot be changed so.
pub fn wrong_state(campaign: &Campaign) -> Problem {
    let detail = format!("the campaign is {}", campaign.status().name());
    Problem::new(Code::Conflict, detail)
}

/// A write lost a race with another change.
pub fn changed_meanwhile() -> Problem {
    cloud::Error::Conflict.into()
}

/// Send a campaign to its audience, once to each contact and address, now or at a later time.
///
/// With `at` the campaign is `scheduled`. It starts at that time by the same checks; a campaign that then cannot start
/// is `failed` and shows the `problem`. The same request with another `at` moves the time. The members of a segment are
/// those of the start. A segment whose first members are still being found answers 409.
///
/// The workspace must have a postal address and a permission reminder. Each part of the mail gets a footer with
/// those of them that it does not show itself (docs/templates.md). The reminder of the only list comes before that of the
/// workspace. Its sender must still be proven. A workspace can ask for an approval first (`requestCampaignApproval`).
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/send",
    operation_id = "sendCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body(content = Option<SendCampaign>),
    responses((status = 202, description = "It goes out, or will", body = CampaignView)),
)]
async fn send(
    api: State<Api>,
    caller: May<op::SendCampaign>,
    ip: ClientIp,
    id: Path<CampaignId>,
    raw: Raw,
) -> Result<(StatusCode, Json<CampaignView>), Problem> {
    let SendCampaign { at } = if raw.body.is_empty() {
        SendCampaign::default()
    } else {
        raw.json()?
    };
    check_time(&api, at)?;
    let known = api.known(&caller, id.0).await?;
    note(&api, &caller, &ip, id.0).await?;
    if !matches!(known.state, Status::Draft | Status::Scheduled) {
        let is_done =
            campaigns::step(known.state, campaigns::Command::Send) == campaigns::Step::Done;
        if is_done && at.is_none() {
            let view = CampaignView::new(known, ContentView::default());
            return Ok((StatusCode::ACCEPTED, Json(view)));
        }
        return Err(wrong_state(&known));
    }
    api.need_no_approval(&caller, &known).await?;
    let changed = api.launch(&caller, &known, at, None).await?;
    Ok((StatusCode::ACCEPTED, answer(changed)?))
}

/// Take the schedule of a campaign back. The campaign is a draft then, and an approval of it is void.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/unschedule",
    operation_id = "unscheduleCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn unschedule(
    api: State<Api>,
    caller: May<op::UnscheduleCampaign>,
    ip: ClientIp,
    id: Path<CampaignId>,
) -> Result<Json<CampaignView>, Problem> {
    obey(&api, &caller, &ip, id.0, campaigns::Command::Unschedule).await
}

/// Change a draft, or a campaign whose approval was rejected.
///
/// Fields that are absent stay. `mail` replaces the whole content. The campaign is a draft afterwards.
#[utoipa::path(
    patch,
    path = "/v1/campaigns/{id}",
    operation_id = "updateCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body = CampaignChanges,
    responses((status = 200, description = "The campaign", body = CampaignView)),
)]
async fn edit(
    State(api): State<Api>,
    caller: May<op::UpdateCampaign>,
    ip: ClientIp,
    Path(id): Path<CampaignId>,
    Json(changes): Json<CampaignChanges>,
) -> Result<Json<CampaignView>, Problem> {
    let known = api.known(&caller, id).await?;
    if !matches!(known.state, Status::Draft | Status::Rejected) {
        return Err(wrong_state(&known));
    }
    let mut flaws = Flaws::default();
    flaws.extend(changes.name.as_deref().and_then(name_flaw));
    let audience = changes.audience.as_ref().unwrap_or(&known.audience);
    flaws.extend(audience_flaws(audience));
    let (mut checked, mut tested) = (None, None);
    let is_alone = changes.ab.is_some() && changes.mail.is_none();
    flaws.check(is_alone, "/mail", "needed beside ab");
    let contents = Contents {
        mail: changes.mail,
        sms: changes.sms,
        zns: changes.zns,
        push: changes.push,
    };
    if !contents.is_empty()
        && let Some(new) = flaws.take(contents.one())?
    {
        checked = flaws.take(new.check(&api, &caller, audience).await)?;
    }
    if let (Some(test), Some(content)) = (changes.ab, &checked) {
        tested = flaws.take(content.check_test(&api, test).await)?;
    }
    flaws.refuse()?;
    if let Some(content) = &checked {
        content.allow(&api, &caller).await?;
    }
    if changes.audience.is_some() {
        api.know_audience(&caller, audience).await?;
    }
    let (stored, summary) = match &checked {
        Some(new) => (new.store(&api, &caller).await?, new.summary().to_owned()),
        None => (known.content.clone(), known.summary.clone()),
    };
    let ab = match (&tested, &checked) {
        (Some(test), _) => Some(test.store(&api, &caller).await?),
        (None, Some(_)) => None,
        (None, None) => known.ab.clone(),
    };
    let draft = Draft {
        name: changes.name.unwrap_or_else(|| known.name.clone()),
        audience: audience.clone(),
        content: stored,
        summary,
        ab,
    };
    note(&api, &caller, &ip, id).await?;
    let edited = save(&api, &caller, &known, &draft).await?;
    let view = api.content_view(&caller, &edited).await?;
    Ok(Json(CampaignView::new(edited, view)))
}

/// Writes the edit. The new segments are noted as used before, and the former ones are released afterwards. A crash in between leaves
/// a note, which the campaign remembers until its next change.
async fn save(
    api: &Api,
    caller: &Caller,
    known: &Campaign,
    draft: &Draft,
) -> Result<Campaign, Problem> {
    let (tenant, user) = (caller.tenant, known.id.to_string());
    let uses = api.pins.uses();
    for segment in draft.audience.segments() {
        uses.use_by(tenant, segment, &user).await?;
    }
    let edited = api.campaigns.edit(tenant, known, draft).await?;
    let edited = edited.ok_or_else(changed_meanwhile)?;
    for segment in &edited.dropped {
        uses.unuse(tenant, *segment, &user).await?;
    }
    Ok(edited)
}

/// Delete a campaign that is not going out: a draft, or one that was rejected, sent, cancelled or has failed.
///
/// Its report goes too. Its rows are removed within minutes.
#[utoipa::path(
    delete,
    path = "/v1/campaigns/{id}",
    operation_id = "deleteCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 204, description = "Deleted")),
)]
async fn delete(
    State(api): State<Api>,
    caller: May<op::DeleteCampaign>,
    ip: ClientIp,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Problem> {
    let known = api.known(&caller, id).await?;
    if !known.state.may_be_deleted() {
        return Err(wrong_state(&known));
    }
    note(&api, &caller, &ip, id).await?;
    if api.campaigns.delete(caller.tenant, &known).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(changed_meanwhile())
}

/// The name of a copy, in the reader's language.
fn copied_name(name: &str, headers: &HeaderMap) -> String {
    let language = headers.get(header::ACCEPT_LANGUAGE);
    let language = language.and_then(|value| value.to_str().ok());
    let is_vietnamese = language.is_some_and(|wanted| wanted.trim_start().starts_with("vi"));
    let mark = if is_vietnamese {
        " (bản sao)"
    } else {
        " Copy"
    };
    let kept = MAX_NAME - mark.chars().count();
    let start: String = name.chars().take(kept).collect();
    format!("{}{mark}", start.trim_end())
}

/// Copy a campaign of any state into a new draft.
///
/// The name ends with `Copy`; with `Accept-Language: vi` it ends with `(bản sao)`.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/copy",
    operation_id = "copyCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 201, description = "The copy", body = CampaignView)),
)]
async fn copy(
    State(api): State<Api>,
    caller: May<op::CopyCampaign>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(id): Path<CampaignId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = api.known(&caller, id).await?;
    let view = api.content_view(&caller, &known).await?;
    let draft = Draft {
        name: copied_name(&known.name, &headers),
        audience: known.audience.clone(),
        content: known.content.clone(),
        summary: known.summary.clone(),
        ab: known.ab.clone(),
    };
    let made = api.make(&caller, &ip, &origin, &draft).await?;
    let location = format!("/v1/campaigns/{}", made.id);
    let body = Json(CampaignView::new(made, view));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_named_after_its_original_within_the_bound() {
        let mut headers = HeaderMap::new();
        assert_eq!(copied_name("Tết", &headers), "Tết Copy");
        headers.insert(header::ACCEPT_LANGUAGE, "vi-VN,vi;q=0.9".parse().unwrap());
        assert_eq!(copied_name("Tết", &headers), "Tết (bản sao)");
        let long = copied_name(&"x".repeat(MAX_NAME), &headers);
        assert_eq!(long.chars().count(), MAX_NAME);
    }
}
