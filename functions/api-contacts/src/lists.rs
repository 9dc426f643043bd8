//! Lists of contacts.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::List;
use kernel::ListId;
use kernel::page::Page;
use lambda::http::{ClientIp, Creation, DRAWS, Json, May, Problem, Query};

use crate::api::Api;
use crate::shape::{ListIn, Paging};

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
