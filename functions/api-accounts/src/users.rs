//! The account's users, for its admins.

use access::op;
use accounts::{OwnedKey, User, UserChange, UserChanged, UserStatus};
use axum::extract::State;
use kernel::page::Page;
use kernel::{AccountId, ChatRole, Patch, Role, UserId, WorkspaceId};
use lambda::http::{ClientIp, Code, Json, May, Member, Path, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::shape::{Paging, UserView};

/// List the account's users, oldest first.
#[utoipa::path(
    get,
    path = "/v1/users",
    operation_id = "listUsers",
    tag = "users",
    params(Paging),
    responses((status = 200, description = "A page of users", body = Page<UserView>)),
)]
pub async fn list(
    State(api): State<Api>,
    member: May<op::ListUsers, Member>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<UserView>>, Problem> {
    let page = api
        .users
        .page(member.grant.account, paging.limit, paging.cursor);
    Ok(Json(page.await?.map(UserView::from)))
}

/// A user with the API keys that the user answers for.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UserWithKeys)]
pub struct WithKeys {
    #[serde(flatten)]
    user: UserView,
    /// Live keys of all workspaces. They stop while the user is disabled; `takeOverApiKey` gives a key another owner.
    api_keys: Vec<OwnedKey>,
}

impl WithKeys {
    async fn of(api: &Api, user: User) -> Result<Json<Self>, Problem> {
        let api_keys = api.keys.owned(user.account, user.id).await?;
        let user = user.into();
        Ok(Json(Self { user, api_keys }))
    }
}

/// Show a user and the API keys that stop if the user is disabled.
#[utoipa::path(
    get,
    path = "/v1/users/{id}",
    operation_id = "showUser",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    responses((status = 200, description = "The user", body = WithKeys)),
)]
pub async fn show(
    State(api): State<Api>,
    member: May<op::ShowUser, Member>,
    Path(id): Path<UserId>,
) -> Result<Json<WithKeys>, Problem> {
    let user = api.users.get(member.grant.account, id).await?;
    WithKeys::of(&api, user.ok_or_else(no_user)?).await
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = UserChange)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    role: Option<Role>,
    #[serde(default)]
    #[schema(value_type = Option<ChatRole>)]
    chat_role: Patch<ChatRole>,
    #[schema(max_items = 100)]
    workspace_ids: Option<Vec<WorkspaceId>>,
    status: Option<UserStatus>,
}

/// Change a user's roles, workspaces or status; their sessions end.
///
/// The last active admin of an account stays an admin. The API keys that a disabled user answers for stop at once;
/// the answer names them.
#[utoipa::path(
    patch,
    path = "/v1/users/{id}",
    operation_id = "updateUser",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    request_body = UserPatch,
    responses((status = 200, description = "The user", body = WithKeys)),
)]
pub async fn update(
    State(api): State<Api>,
    member: May<op::UpdateUser, Member>,
    ip: ClientIp,
    Path(id): Path<UserId>,
    Json(change): Json<UserPatch>,
) -> Result<Json<WithKeys>, Problem> {
    let account = member.grant.account;
    let before = api.users.get(account, id).await?.ok_or_else(no_user)?;
    if let Some(workspaces) = &change.workspace_ids {
        of_account(&api, account, workspaces).await?;
    }
    let workspaces = change.workspace_ids.as_ref().unwrap_or(&before.workspaces);
    let role = change.role.unwrap_or(before.role);
    if workspaces.is_empty() && role != Role::AccountAdmin {
        let message = "give at least one workspace";
        return Err(Problem::invalid("/workspace_ids", message));
    }
    api.note(&member, &id.to_string(), &ip).await?;
    let change = UserChange {
        role: change.role,
        chat_role: change.chat_role,
        workspaces: change.workspace_ids,
        status: change.status,
    };
    match api.users.change(account, id, &change).await? {
        UserChanged::Yes(user) => WithKeys::of(&api, *user).await,
        UserChanged::Unknown => Err(no_user()),
        UserChanged::LastAdmin => Err(Problem::new(
            Code::Conflict,
            "the account needs an active admin; make another one first",
        )),
    }
}

/// Remove a user's lost second factor; all of the user's sessions end.
///
/// To remove your own use `disableSecondFactor`, which needs password and code.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/second-factor/reset",
    operation_id = "resetSecondFactor",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    responses((status = 200, description = "The user", body = UserView)),
)]
pub async fn reset_second_factor(
    State(api): State<Api>,
    member: May<op::ResetSecondFactor, Member>,
    ip: ClientIp,
    Path(id): Path<UserId>,
) -> Result<Json<UserView>, Problem> {
    let user = api.users.get(member.grant.account, id).await?;
    let user = user.ok_or_else(no_user)?;
    let object = id.to_string();
    if object == member.grant.actor {
        let detail = "disable your own with password and code, or ask another admin";
        return Err(Problem::new(Code::Conflict, detail));
    }
    api.note(&member, &object, &ip).await?;
    Ok(Json(api.factors.reset(user).await?.into()))
}

fn no_user() -> Problem {
    Problem::not_found("user")
}

/// At most this many workspaces are given at once.
const MAX_WORKSPACES: usize = 100;

pub async fn of_account(
    api: &Api,
    account: AccountId,
    workspaces: &[WorkspaceId],
) -> Result<(), Problem> {
    if workspaces.len() > MAX_WORKSPACES {
        return Err(Problem::invalid("/workspace_ids", "holds at most 100 ids"));
    }
    for (n, &id) in workspaces.iter().enumerate() {
        if api.workspaces.of_account(account, id).await?.is_none() {
            return Err(Problem::invalid(
                format!("/workspace_ids/{n}"),
                "no such workspace",
            ));
        }
    }
    Ok(())
}
