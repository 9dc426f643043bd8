//! Brandnames: the names that text messages come from.

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use channels::sms::Brandname;
use channels::sms::brandname::Settings;
use jiff::Timestamp;
use kernel::BrandnameId;
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

/// A brandname.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SmsBrandname)]
pub struct BrandnameView {
    id: BrandnameId,
    #[serde(flatten)]
    settings: Settings,
    /// Whether a carrier takes its messages now.
    may_send: bool,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    updated_at: Timestamp,
}

impl BrandnameView {
    fn new(brandname: Brandname, now: Timestamp) -> Self {
        let may_send = brandname.may_send(now);
        let mut settings = brandname.settings;
        let carriers = settings.carriers.into_iter().map(|state| state.at(now));
        settings.carriers = carriers.collect();
        Self {
            id: brandname.id,
            settings,
            may_send,
            created_at: brandname.created_at,
            updated_at: brandname.updated_at,
        }
    }
}

fn check(settings: &Settings) -> Result<(), Problem> {
    settings.flaws().into_iter().collect::<Flaws>().refuse()
}

fn no_brandname() -> Problem {
    Problem::not_found("brandname")
}

/// List the brandnames of the workspace, oldest first. All of them are on one page.
#[utoipa::path(
    get,
    path = "/v1/channels/sms/brandnames",
    operation_id = "listSmsBrandnames",
    tag = "channels",
    responses((status = 200, description = "All brandnames", body = Page<BrandnameView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListSmsBrandnames>,
) -> Result<Json<Page<BrandnameView>>, Problem> {
    let all = api.settings.brandnames(caller.tenant).await?;
    let now = api.settings.clock().now();
    let views = all.into_iter().map(|one| BrandnameView::new(one, now));
    Ok(Json(Page {
        data: views.collect(),
        next: None,
    }))
}

/// Enter a brandname and its registrations.
///
/// The shop registers the name with the carriers through the provider. A brandname sends once a carrier is `approved`.
#[utoipa::path(
    post,
    path = "/v1/channels/sms/brandnames",
    operation_id = "createSmsBrandname",
    tag = "channels",
    request_body = Settings,
    responses((status = 201, description = "Made", body = BrandnameView)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateSmsBrandname>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(settings): Json<Settings>,
) -> Result<Response, Problem> {
    check(&settings)?;
    for draw in 0..DRAWS {
        let id = BrandnameId::of(&origin, draw);
        let new = Brandname {
            id,
            version: 1,
            settings: settings.clone(),
            created_at: origin.at,
            updated_at: origin.at,
        };
        api.note(&caller, id, &ip).await?;
        let made = api.settings.create_brandname(caller.tenant, &new).await?;
        if let Some(made) = made.map_err(refused)? {
            let location = format!("/v1/channels/sms/brandnames/{id}");
            let view = Json(BrandnameView::new(made, api.settings.clock().now()));
            return Ok((StatusCode::CREATED, [(header::LOCATION, location)], view).into_response());
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// Show a brandname.
#[utoipa::path(
    get,
    path = "/v1/channels/sms/brandnames/{id}",
    operation_id = "showSmsBrandname",
    tag = "channels",
    params(("id" = BrandnameId, Path, description = "The brandname")),
    responses((status = 200, description = "The brandname", body = BrandnameView)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowSmsBrandname>,
    Path(id): Path<BrandnameId>,
) -> Result<Json<BrandnameView>, Problem> {
    let found = api.settings.brandname(caller.tenant, id).await?;
    let found = found.ok_or_else(no_brandname)?;
    Ok(Json(BrandnameView::new(found, api.settings.clock().now())))
}

/// Replace the settings of a brandname. Its kind stays. Messages follow within ten seconds.
#[utoipa::path(
    put,
    path = "/v1/channels/sms/brandnames/{id}",
    operation_id = "updateSmsBrandname",
    tag = "channels",
    params(("id" = BrandnameId, Path, description = "The brandname")),
    request_body = Settings,
    responses((status = 200, description = "Changed", body = BrandnameView)),
)]
async fn replace(
    State(api): State<Api>,
    caller: May<op::UpdateSmsBrandname>,
    ip: ClientIp,
    Path(id): Path<BrandnameId>,
    Json(settings): Json<Settings>,
) -> Result<Json<BrandnameView>, Problem> {
    let before = api.settings.brandname(caller.tenant, id).await?;
    before.ok_or_else(no_brandname)?;
    check(&settings)?;
    api.note(&caller, id, &ip).await?;
    let changed = api
        .settings
        .change_brandname(caller.tenant, id, &settings)
        .await?;
    let changed = changed.map_err(refused)?;
    Ok(Json(BrandnameView::new(
        changed,
        api.settings.clock().now(),
    )))
}

/// Remove a brandname that no template names. Messages with its name stop within ten seconds.
#[utoipa::path(
    delete,
    path = "/v1/channels/sms/brandnames/{id}",
    operation_id = "removeSmsBrandname",
    tag = "channels",
    params(("id" = BrandnameId, Path, description = "The brandname")),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "Templates name it"),
    ),
)]
async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveSmsBrandname>,
    ip: ClientIp,
    Path(id): Path<BrandnameId>,
) -> Result<StatusCode, Problem> {
    let found = api.settings.brandname(caller.tenant, id).await?;
    found.ok_or_else(no_brandname)?;
    api.note(&caller, id, &ip).await?;
    let removed = api.settings.remove_brandname(caller.tenant, id).await?;
    removed.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
