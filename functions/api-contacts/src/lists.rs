//! Lists of contacts.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::bulk::{Action, Selection};
use contacts::{Contact, List, ListChange, ListSender};
use kernel::page::Page;
use kernel::{ListId, Patch, TenantKey};
use lambda::http::{ClientIp, Creation, DRAWS, Flaws, Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::bulk::{JobView, begin};
use crate::shape::{ListIn, Paging};

/// A contact list and the number of its members.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactListDetails)]
pub struct ListView {
    #[serde(flatten)]
    list: List,
    /// The contacts on it; null above about 4,000.
    contacts_count: Option<u64>,
}

/// The parts of a list to change; absent ones stay.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ContactListChange)]
#[serde(deny_unknown_fields)]
pub struct ListPatch {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    description: Patch<String>,
    /// A proven sender of the workspace. `null`: that of the workspace.
    #[serde(default)]
    #[schema(value_type = Option<ListSender>)]
    default_sender: Patch<ListSender>,
    /// Needs `default_sender`.
    double_opt_in: Option<bool>,
    /// `null`: that of the workspace.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 20, max_length = 500)]
    permission_reminder: Patch<String>,
}

impl ListPatch {
    /// The change, or all flaws of the list that it would leave.
    async fn check(self, api: &Api, tenant: TenantKey, list: List) -> Result<ListChange, Problem> {
        let mut flaws = Flaws::default();
        let change = ListChange {
            name: self.name.map(|name| name.trim().to_owned()),
            description: self.description,
            default_sender: self.default_sender,
            double_opt_in: self.double_opt_in,
            permission_reminder: self.permission_reminder,
        };
        let next = change.clone().onto(list);
        let length = next.name.chars().count();
        let is_wrong = !(1..=255).contains(&length);
        flaws.check(is_wrong, "/name", "must have 1 to 255 characters");
        let is_long = |text: &String| text.chars().count() > 1000;
        let is_long = next.description.as_ref().is_some_and(is_long);
        flaws.check(is_long, "/description", "has at most 1,000 characters");
        if let Some(sender) = change.default_sender.value() {
            let length = sender.from_name.trim().chars().count();
            let is_wrong = !(1..=100).contains(&length);
            let message = "must have 1 to 100 characters";
            flaws.check(is_wrong, "/default_sender/from_name", message);
            let is_proven = api.senders.may_send(tenant, &sender.from_email).await?;
            let message = "is no proven sender of the workspace";
            flaws.check(!is_proven, "/default_sender/from_email", message);
        }
        let is_mute = next.double_opt_in && next.default_sender.is_none();
        let message = "needs default_sender, which sends the confirmation mail";
        flaws.check(is_mute, "/double_opt_in", message);
        let reminder = change.permission_reminder.value();
        let length = reminder.map(|text| text.trim().chars().count());
        let is_wrong = length.is_some_and(|length| !(20..=500).contains(&length));
        let message = "must have 20 to 500 characters";
        flaws.check(is_wrong, "/permission_reminder", message);
        flaws.refuse()?;
        Ok(change)
    }
}

fn no_list() -> Problem {
    Problem::not_found("list")
}

async fn find(api: &Api, tenant: TenantKey, id: ListId) -> Result<List, Problem> {
    api.lists.get(tenant, id).await?.ok_or_else(no_list)
}

async fn counted(api: &Api, tenant: TenantKey, list: List) -> Result<Json<ListView>, Problem> {
    let profiles = api.contacts.profiles();
    let contacts_count = profiles.count_members(tenant, list.id).await?;
    Ok(Json(ListView {
        list,
        contacts_count,
    }))
}

/// Show a contact list.
///
/// The number of its contacts is up to a second old.
#[utoipa::path(
    get,
    path = "/v1/lists/{id}",
    operation_id = "showList",
    tag = "contacts",
    params(("id" = ListId, Path, description = "The list")),
    responses((status = 200, description = "The list", body = ListView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowList>,
    Path(id): Path<ListId>,
) -> Result<Json<ListView>, Problem> {
    let list = find(&api, caller.tenant, id).await?;
    counted(&api, caller.tenant, list).await
}

/// Change a contact list.
///
/// `default_sender` and `permission_reminder` are for campaigns whose audience is this list alone, and `double_opt_in` for
/// signup forms that put contacts on the list. A campaign keeps the reminder with which it was sent.
#[utoipa::path(
    patch,
    path = "/v1/lists/{id}",
    operation_id = "updateList",
    tag = "contacts",
    params(("id" = ListId, Path, description = "The list")),
    request_body = ListPatch,
    responses((status = 200, description = "Changed", body = ListView)),
)]
pub async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateList>,
    ip: ClientIp,
    Path(id): Path<ListId>,
    Json(body): Json<ListPatch>,
) -> Result<Json<ListView>, Problem> {
    let list = find(&api, caller.tenant, id).await?;
    let change = body.check(&api, caller.tenant, list).await?;
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, id, &ip.0).await?;
    let changed = api.lists.change(caller.tenant, id, change).await?;
    counted(&api, caller.tenant, changed.ok_or_else(no_list)?).await
}

/// Remove a contact list.
///
/// The list is gone at once. A bulk job takes its contacts off it; they stay contacts.
#[utoipa::path(
    delete,
    path = "/v1/lists/{id}",
    operation_id = "removeList",
    tag = "contacts",
    params(("id" = ListId, Path, description = "The list")),
    responses((status = 202, description = "The job that empties it", body = JobView)),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveList>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(id): Path<ListId>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    find(&api, caller.tenant, id).await?;
    let (action, selection) = (
        Action::RemoveFromList { list_id: id },
        Selection::List { list_id: id },
    );
    let job = begin(&api, &caller, &ip, &origin, action, selection).await?;
    api.lists.remove(caller.tenant, id).await?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

/// List the contacts on a list.
///
/// They are in no order that means something. A page may hold fewer than `limit` and still have a `next`.
#[utoipa::path(
    get,
    path = "/v1/lists/{id}/contacts",
    operation_id = "listMembers",
    tag = "contacts",
    params(("id" = ListId, Path, description = "The list"), Paging),
    responses((status = 200, description = "A page of contacts", body = Page<Contact>)),
)]
pub async fn members(
    State(api): State<Api>,
    caller: May<op::ListMembers>,
    Path(id): Path<ListId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Contact>>, Problem> {
    find(&api, caller.tenant, id).await?;
    let profiles = api.contacts.profiles();
    let page = profiles.members_page(caller.tenant, id, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}

/// List the contact lists, oldest first.
#[utoipa::path(
    get,
    path = "/v1/lists",
    operation_id = "listLists",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of lists", body = Page<List>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListLists>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<List>>, Problem> {
    let page = api.lists.page(caller.tenant, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}

/// Make a contact list.
#[utoipa::path(
    post,
    path = "/v1/lists",
    operation_id = "createList",
    tag = "contacts",
    request_body = ListIn,
    responses((status = 201, description = "Made", body = List)),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateList>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(body): Json<ListIn>,
) -> Result<(StatusCode, Json<List>), Problem> {
    body.check()?;
    let grant = caller.grant();
    let (name, description) = (body.name.trim(), body.description.as_deref());
    for draw in 0..DRAWS {
        let id = ListId::of(&origin, draw);
        api.audit
            .note(grant, caller.permission(), id, &ip.0)
            .await?;
        let list = api
            .lists
            .create(caller.tenant, id, origin.at, name, description);
        if let Some(list) = list.await? {
            return Ok((StatusCode::CREATED, Json(list)));
        }
    }
    Err(cloud::Error::Conflict.into())
}
