//! The caller: a user or a key.

use access::op;
use accounts::User;
use axum::extract::State;
use kernel::AccountId;
use lambda::http::{ClientIp, Code, Json, May, Member, Problem};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::auth::enterable;
use crate::shape::{self, UserView, WorkspaceName};

/// A person, or a key.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Me {
    User {
        account_id: AccountId,
        user: UserView,
        workspaces: Vec<WorkspaceName>,
    },
    ApiKey {
        account_id: AccountId,
        id: String,
        scopes: Vec<String>,
    },
}

/// Show who is calling.
#[utoipa::path(
    get,
    path = "/v1/me",
    operation_id = "showMe",
    tag = "auth",
    responses((status = 200, description = "A user or a key", body = Me)),
)]
pub async fn show(
    State(api): State<Api>,
    member: May<op::ShowMe, Member>,
) -> Result<Json<Me>, Problem> {
    let account_id = member.grant.account;
    if member.grant.role.is_none() {
        return Ok(Json(Me::ApiKey {
            account_id,
            id: member.grant.actor.clone(),
            scopes: member.grant.scopes.split(' ').map(str::to_owned).collect(),
        }));
    }
    let user = myself(&api, &member).await?;
    let workspaces = enterable(&api, &user).await?;
    Ok(Json(Me::User {
        account_id,
        user: user.into(),
        workspaces,
    }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NameChange)]
#[serde(deny_unknown_fields)]
pub struct MyChange {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
}

/// Change one's own name.
#[utoipa::path(
    patch,
    path = "/v1/me",
    operation_id = "updateMe",
    tag = "auth",
    request_body = MyChange,
    responses((status = 200, description = "The user", body = UserView)),
)]
pub async fn update(
    State(api): State<Api>,
    member: May<op::UpdateMe, Member>,
    ip: ClientIp,
    Json(change): Json<MyChange>,
) -> Result<Json<UserView>, Problem> {
    let name = shape::name("/name", &change.name)?;
    let actor = member.grant.actor.clone();
    api.note(&member, &actor, &ip).await?;
    let user = myself(&api, &member).await?;
    Ok(Json(api.users.rename(user, &name).await?.into()))
}

/// The user behind a session.
pub async fn myself(api: &Api, member: &Member) -> Result<User, Problem> {
    let gone = || Problem::new(Code::Unauthenticated, "sign in");
    let id = member.grant.actor.parse().map_err(|_| gone())?;
    let user = api.users.get(member.grant.account, id).await?;
    user.ok_or_else(gone)
}
