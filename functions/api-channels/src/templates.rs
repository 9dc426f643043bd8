//! Templates: the texts that are registered for a brandname.

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use channels::sms::Template;
use channels::sms::template::Settings;
use jiff::Timestamp;
use kernel::SmsTemplateId;
use kernel::page::Page;
use lambda::http::{ClientIp, Creation, DRAWS, Flaws, Json, May, Path, Problem};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::{Api, refused};

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, replace, remove))
}

/// A template.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SmsTemplate)]
pub struct TemplateView {
    id: SmsTemplateId,
    #[serde(flatten)]
    settings: Settings,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    updated_at: Timestamp,
}

impl From<Template> for TemplateView {
    fn from(template: Template) -> Self {
        Self {
            id: template.id,
            settings: template.settings,
            created_at: template.created_at,
            updated_at: template.updated_at,
        }
    }
}

fn check(settings: &Settings) -> Result<(), Problem> {
    settings.flaws().into_iter().collect::<Flaws>().refuse()
}

fn no_template() -> Problem {
    Problem::not_found("template")
}

/// List the templates of the workspace, oldest first. All of them are on one page.
#[utoipa::path(
    get,
    path = "/v1/channels/sms/templates",
    operation_id = "listSmsTemplates",
    tag = "channels",
    responses((status = 200, description = "All templates", body = Page<TemplateView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListSmsTemplates>,
) -> Result<Json<Page<TemplateView>>, Problem> {
    let all = api.settings.templates(caller.tenant).await?;
    let views = all.into_iter().map(TemplateView::from);
    Ok(Json(Page {
        data: views.collect(),
        next: None,
    }))
}

/// Enter a template of text messages.
///
/// The text of customer care must match a text that is registered with the carriers.
#[utoipa::path(
    post,
    path = "/v1/channels/sms/templates",
    operation_id = "createSmsTemplate",
    tag = "channels",
    request_body = Settings,
    responses((status = 201, description = "Made", body = TemplateView)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateSmsTemplate>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(settings): Json<Settings>,
) -> Result<Response, Problem> {
    check(&settings)?;
    for draw in 0..DRAWS {
        let id = SmsTemplateId::of(&origin, draw);
        let new = Template {
            id,
            version: 1,
            settings: settings.clone(),
            created_at: origin.at,
            updated_at: origin.at,
        };
        api.note(&caller, id, &ip).await?;
        let made = api.settings.create_template(caller.tenant, &new).await?;
        if let Some(made) = made.map_err(refused)? {
            let location = format!("/v1/channels/sms/templates/{id}");
            let view = Json(TemplateView::from(made));
            return Ok((StatusCode::CREATED, [(header::LOCATION, location)], view).into_response());
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// Show a template.
#[utoipa::path(
    get,
    path = "/v1/channels/sms/templates/{id}",
    operation_id = "showSmsTemplate",
    tag = "channels",
    params(("id" = SmsTemplateId, Path, description = "The template")),
    responses((status = 200, description = "The template", body = TemplateView)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowSmsTemplate>,
    Path(id): Path<SmsTemplateId>,
) -> Result<Json<TemplateView>, Problem> {
    let found = api.settings.template(caller.tenant, id).await?;
    let found = found.ok_or_else(no_template)?;
    Ok(Json(TemplateView::from(found)))
}

/// Replace the settings of a template. Its brandname stays.
#[utoipa::path(
    put,
    path = "/v1/channels/sms/templates/{id}",
    operation_id = "updateSmsTemplate",
    tag = "channels",
    params(("id" = SmsTemplateId, Path, description = "The template")),
    request_body = Settings,
    responses((status = 200, description = "Changed", body = TemplateView)),
)]
async fn replace(
    State(api): State<Api>,
    caller: May<op::UpdateSmsTemplate>,
    ip: ClientIp,
    Path(id): Path<SmsTemplateId>,
    Json(settings): Json<Settings>,
) -> Result<Json<TemplateView>, Problem> {
    let before = api.settings.template(caller.tenant, id).await?;
    before.ok_or_else(no_template)?;
    check(&settings)?;
    api.note(&caller, id, &ip).await?;
    let changed = api
        .settings
        .change_template(caller.tenant, id, &settings)
        .await?;
    let changed = changed.map_err(refused)?;
    Ok(Json(TemplateView::from(changed)))
}

/// Remove a template.
#[utoipa::path(
    delete,
    path = "/v1/channels/sms/templates/{id}",
    operation_id = "removeSmsTemplate",
    tag = "channels",
    params(("id" = SmsTemplateId, Path, description = "The template")),
    responses((status = 204, description = "Removed")),
)]
async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveSmsTemplate>,
    ip: ClientIp,
    Path(id): Path<SmsTemplateId>,
) -> Result<StatusCode, Problem> {
    let found = api.settings.template(caller.tenant, id).await?;
    found.ok_or_else(no_template)?;
    api.note(&caller, id, &ip).await?;
    api.settings.remove_template(caller.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
