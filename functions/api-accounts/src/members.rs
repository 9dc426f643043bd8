//! The people who work in the workspace, for everybody who chooses one of them.

use access::op;
use accounts::Member;
use axum::extract::State;
use kernel::UserId;
use kernel::page::Page;
use lambda::http::{Json, May, Problem, Query};
use serde::Serialize;

use crate::api::Api;
use crate::shape::Paging;

/// A person who works in the workspace.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WorkspaceMember)]
pub struct MemberView {
    id: UserId,
    /// Name shown to colleagues.
    name: String,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: member.id,
            name: member.name,
        }
    }
}

/// List the people who work in the workspace.
///
/// One of them can be the owner of a contact. A page may hold fewer than `limit` and still have a `next`.
#[utoipa::path(
    get,
    path = "/v1/members",
    operation_id = "listWorkspaceMembers",
    tag = "users",
    params(Paging),
    responses((status = 200, description = "A page of people", body = Page<MemberView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListWorkspaceMembers>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<MemberView>>, Problem> {
    let (account, workspace) = (caller.grant().account, caller.tenant.workspace());
    let page = api
        .members
        .page(account, workspace, paging.limit, paging.cursor);
    Ok(Json(page.await?.map(MemberView::from)))
}
