//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use contacts::import::{Imports, Job, Request};
use contacts::{Contact, Contacts, Event, List, Lists};
use kernel::page::Page;
use kernel::{ContactId, Cursor, ImportId, Limit, ListId, TenantKey};
use lambda::http::{Caller, Code, Json, Operation, Path, Problem, Query, Raw};
use serde::{Deserialize, Serialize};

use crate::shape::{self, ContactIn, ListIn};

pub(crate) struct Api {
    pub contacts: Contacts,
    pub lists: Lists,
    pub imports: Imports,
}

type App = State<Arc<Api>>;

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/contacts", get(search).post(upsert))
        .route("/v1/contacts/{id}", get(show))
        .route("/v1/contacts/{id}/timeline", get(timeline))
        .route("/v1/contacts/{id}/lists", post(join))
        .route("/v1/lists", get(lists).post(create_list))
        .route("/v1/imports", post(start_import))
        .route("/v1/imports/{id}", get(show_import))
        .with_state(Arc::new(api))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    #[serde(default)]
    query: String,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

async fn search(
    State(api): App,
    caller: Caller,
    Query(search): Query<Search>,
) -> Result<Json<Page<Contact>>, Problem> {
    caller.may(Operation::SearchContacts)?;
    let page = api
        .contacts
        .search(caller.tenant, &search.query, search.limit, search.cursor);
    Ok(Json(page.await?))
}

/// A contact and whether other contacts own some of the identities that were given.
#[derive(Serialize)]
struct Upserted {
    #[serde(flatten)]
    contact: Contact,
    created: bool,
}

async fn upsert(
    State(api): App,
    caller: Caller,
    Json(body): Json<ContactIn>,
) -> Result<(StatusCode, Json<Upserted>), Problem> {
    caller.may(Operation::SaveContact)?;
    for (n, list) in body.lists().iter().enumerate() {
        known_list(&api, caller.tenant, *list, &format!("/lists/{n}")).await?;
    }
    let done = api
        .contacts
        .upsert(caller.tenant, &body.incoming()?)
        .await?;
    let contact = find(&api, caller.tenant, done.contact).await?;
    let status = if done.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((
        status,
        Json(Upserted {
            contact,
            created: done.created,
        }),
    ))
}

async fn show(
    State(api): App,
    caller: Caller,
    Path(id): Path<ContactId>,
) -> Result<Json<Contact>, Problem> {
    caller.may(Operation::ShowContact)?;
    Ok(Json(find(&api, caller.tenant, id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Paging {
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

async fn timeline(
    State(api): App,
    caller: Caller,
    Path(id): Path<ContactId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Event>>, Problem> {
    caller.may(Operation::ListTimeline)?;
    find(&api, caller.tenant, id).await?;
    let page = api
        .contacts
        .timeline(caller.tenant, id, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    list_id: ListId,
}

async fn join(
    State(api): App,
    caller: Caller,
    Path(id): Path<ContactId>,
    Json(body): Json<Join>,
) -> Result<Json<Contact>, Problem> {
    caller.may(Operation::AddContactToList)?;
    find(&api, caller.tenant, id).await?;
    known_list(&api, caller.tenant, body.list_id, "/list_id").await?;
    if !api
        .contacts
        .join_list(caller.tenant, id, body.list_id)
        .await?
    {
        return Err(Problem::not_found("contact"));
    }
    Ok(Json(find(&api, caller.tenant, id).await?))
}

async fn lists(
    State(api): App,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<List>>, Problem> {
    caller.may(Operation::ListLists)?;
    let page = api.lists.page(caller.tenant, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}

async fn create_list(
    State(api): App,
    caller: Caller,
    Json(body): Json<ListIn>,
) -> Result<(StatusCode, Json<List>), Problem> {
    caller.may(Operation::CreateList)?;
    body.check()?;
    let list = api
        .lists
        .create(caller.tenant, body.name.trim(), body.description.as_deref());
    Ok((StatusCode::CREATED, Json(list.await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    list: Option<ListId>,
    /// Tags for every row, separated by commas.
    #[serde(default)]
    tags: String,
}

/// An import as clients see it.
#[derive(Serialize)]
struct ImportView {
    #[serde(flatten)]
    job: Job,
    processed: u64,
}

impl From<Job> for ImportView {
    fn from(job: Job) -> Self {
        Self {
            processed: job.processed(),
            job,
        }
    }
}

async fn start_import(
    State(api): App,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    Raw { body, .. }: Raw,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    caller.may(Operation::StartImport)?;
    if body.is_empty() {
        return Err(Problem::new(
            Code::Malformed,
            "send the file's text as the body",
        ));
    }
    if let Some(list) = query.list {
        known_list(&api, caller.tenant, list, "?list").await?;
    }
    let tags: Vec<String> = query
        .tags
        .split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect();
    shape::tags(&tags)?;
    let request = Request {
        list: query.list,
        tags,
    };
    let job = api.imports.start(caller.tenant, &request, body).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

async fn show_import(
    State(api): App,
    caller: Caller,
    Path(id): Path<ImportId>,
) -> Result<Json<ImportView>, Problem> {
    caller.may(Operation::ShowImport)?;
    let job = api.imports.get(caller.tenant, id).await?;
    Ok(Json(
        job.ok_or_else(|| Problem::not_found("import"))?.into(),
    ))
}

async fn find(api: &Api, tenant: TenantKey, id: ContactId) -> Result<Contact, Problem> {
    let contact = api.contacts.get(tenant, id).await?;
    contact.ok_or_else(|| Problem::not_found("contact"))
}

async fn known_list(
    api: &Api,
    tenant: TenantKey,
    list: ListId,
    pointer: &str,
) -> Result<(), Problem> {
    match api.lists.get(tenant, list).await? {
        Some(_) => Ok(()),
        None => Err(Problem::invalid(pointer, "no such list")),
    }
}
