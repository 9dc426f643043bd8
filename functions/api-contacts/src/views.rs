//! Saved views of the list of contacts.

use access::{Operation, op};
use axum::extract::State;
use axum::http::StatusCode;
use contacts::View;
use contacts::views::{MAX_VIEWS, Settings, ViewRefusal};
use jiff::Timestamp;
use kernel::ViewId;
use kernel::page::Page;
use lambda::http::{Caller, ClientIp, Code, Creation, Flaws, Json, May, Path, Problem};
use serde::Serialize;

use crate::api::Api;

/// A saved view.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = View)]
pub struct ViewView {
    id: ViewId,
    #[serde(flatten)]
    settings: Settings,
    /// The user or the key that made it.
    owner_id: String,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    updated_at: Timestamp,
}

impl From<View> for ViewView {
    fn from(view: View) -> Self {
        Self {
            id: view.id,
            settings: view.settings,
            owner_id: view.owner,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

fn check(settings: &Settings) -> Result<(), Problem> {
    settings.flaws().into_iter().collect::<Flaws>().refuse()
}

fn refused(refusal: ViewRefusal) -> Problem {
    match refusal {
        ViewRefusal::Full => Problem::new(
            Code::Unprocessable,
            format!("at most {MAX_VIEWS} views, together 128 KB"),
        ),
        ViewRefusal::Missing => Problem::not_found("view"),
    }
}

/// The view, if the caller sees it.
async fn find(api: &Api, caller: &Caller, id: ViewId) -> Result<View, Problem> {
    let all = api.views.of(caller.tenant, &caller.actor).await?;
    let found = all.into_iter().find(|view| view.id == id);
    found.ok_or_else(|| Problem::not_found("view"))
}

/// A shared view is changed by its maker, and by everybody who may change contacts.
fn may_change(caller: &Caller, view: &View) -> Result<(), Problem> {
    if view.owner == caller.actor || caller.member().grant.may(Operation::SaveContact) {
        return Ok(());
    }
    let detail = "another user made this view";
    Err(Problem::new(Code::Forbidden, detail))
}

/// List the saved views that the caller sees.
///
/// The shared views come first, then the caller's own. All of them are on one page.
#[utoipa::path(
    get,
    path = "/v1/views",
    operation_id = "listViews",
    tag = "contacts",
    responses((status = 200, description = "All views", body = Page<ViewView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListViews>,
) -> Result<Json<Page<ViewView>>, Problem> {
    let all = api.views.of(caller.tenant, &caller.actor).await?;
    let data = all.into_iter().map(ViewView::from).collect();
    Ok(Json(Page { data, next: None }))
}

/// Save a view of the list of contacts.
///
/// A workspace has at most 50 shared views, and a user at most 50 private ones in it.
#[utoipa::path(
    post,
    path = "/v1/views",
    operation_id = "createView",
    tag = "contacts",
    request_body = Settings,
    responses((status = 201, description = "Made", body = ViewView)),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateView>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(settings): Json<Settings>,
) -> Result<(StatusCode, Json<ViewView>), Problem> {
    check(&settings)?;
    let view = View {
        id: ViewId::of(&origin, 0),
        owner: caller.actor.clone(),
        settings,
        created_at: origin.at,
        updated_at: origin.at,
    };
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, view.id, &ip.0).await?;
    let added = api.views.add(caller.tenant, &view).await?;
    added.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(view.into())))
}

/// Show a saved view.
#[utoipa::path(
    get,
    path = "/v1/views/{id}",
    operation_id = "showView",
    tag = "contacts",
    params(("id" = ViewId, Path, description = "The view")),
    responses((status = 200, description = "The view", body = ViewView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowView>,
    Path(id): Path<ViewId>,
) -> Result<Json<ViewView>, Problem> {
    Ok(Json(find(&api, &caller, id).await?.into()))
}

/// Replace the settings of a saved view.
#[utoipa::path(
    put,
    path = "/v1/views/{id}",
    operation_id = "updateView",
    tag = "contacts",
    params(("id" = ViewId, Path, description = "The view")),
    request_body = Settings,
    responses((status = 200, description = "Changed", body = ViewView)),
)]
pub async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateView>,
    ip: ClientIp,
    Path(id): Path<ViewId>,
    Json(settings): Json<Settings>,
) -> Result<Json<ViewView>, Problem> {
    let before = find(&api, &caller, id).await?;
    check(&settings)?;
    if before.settings.shared != settings.shared {
        return Err(Problem::invalid("/shared", "cannot change"));
    }
    may_change(&caller, &before)?;
    let view = View {
        settings,
        updated_at: api.views.now(),
        ..before
    };
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, id, &ip.0).await?;
    let changed = api.views.change(caller.tenant, &view).await?;
    changed.map_err(refused)?;
    Ok(Json(view.into()))
}

/// Remove a saved view.
#[utoipa::path(
    delete,
    path = "/v1/views/{id}",
    operation_id = "removeView",
    tag = "contacts",
    params(("id" = ViewId, Path, description = "The view")),
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveView>,
    ip: ClientIp,
    Path(id): Path<ViewId>,
) -> Result<StatusCode, Problem> {
    let view = find(&api, &caller, id).await?;
    may_change(&caller, &view)?;
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, id, &ip.0).await?;
    api.views.remove(caller.tenant, &view).await?;
    Ok(StatusCode::NO_CONTENT)
}
