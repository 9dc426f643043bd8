//! The audit log, for admins.

use access::op;
use accounts::AuditEntry;
use axum::extract::State;
use kernel::page::Page;
use lambda::http::{Json, May, Member, Problem, Query};

use crate::api::Api;
use crate::shape::Paging;

/// List who did what in the account, newest first.
#[utoipa::path(
    get,
    path = "/v1/audit-log",
    operation_id = "listAuditLog",
    tag = "audit-log",
    params(Paging),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>)),
)]
pub async fn list(
    State(api): State<Api>,
    member: May<op::ListAuditLog, Member>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let page = api
        .audit
        .page(member.grant.account, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}
