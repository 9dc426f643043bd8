//! The routes.

use std::sync::Arc;

use accounts::Audit;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::import::{Imports, Job, Request, RowError, Status};
use contacts::{Contact, Contacts, Event, List, Lists};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{ContactId, Cursor, ImportId, Limit, ListId, TenantKey};
use lambda::http::{Caller, ClientIp, Code, Json, Operation, Path, Problem, Query, Raw};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::shape::{self, ContactIn, ListIn};

pub(crate) struct Api {
    pub contacts: Contacts,
    pub lists: Lists,
    pub imports: Imports,
    pub audit: Audit,
}

type App = State<Arc<Api>>;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(search, upsert))
        .routes(routes!(show))
        .routes(routes!(timeline))
        .routes(routes!(join))
        .routes(routes!(lists, create_list))
        .routes(routes!(start_import))
        .routes(routes!(show_import))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Search {
    /// What to look for.
    #[serde(default)]
    #[param(max_length = 255)]
    query: String,
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Search contacts.
///
/// By the beginning of a word of the name, of the address, or of the number, however it is typed;
/// without `query`, all of them.
#[utoipa::path(
    get,
    path = "/v1/contacts",
    operation_id = "searchContacts",
    tag = "contacts",
    params(Search),
    responses((status = 200, description = "A page of contacts", body = Page<Contact>)),
)]
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

/// A contact, and whether it is new.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SavedContact)]
struct Upserted {
    #[serde(flatten)]
    contact: Contact,
    created: bool,
}

/// Make a contact, or add to the one that has one of the identities.
///
/// Identities that belong to another contact stay there.
#[utoipa::path(
    post,
    path = "/v1/contacts",
    operation_id = "saveContact",
    tag = "contacts",
    request_body = ContactIn,
    responses(
        (status = 201, description = "Made", body = Upserted),
        (status = 200, description = "It was there", body = Upserted),
    ),
)]
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

/// Show a contact.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}",
    operation_id = "showContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 200, description = "The contact", body = Contact)),
)]
async fn show(
    State(api): App,
    caller: Caller,
    Path(id): Path<ContactId>,
) -> Result<Json<Contact>, Problem> {
    caller.may(Operation::ShowContact)?;
    Ok(Json(find(&api, caller.tenant, id).await?))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Paging {
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// List what a contact did, newest first.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/timeline",
    operation_id = "listTimeline",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact"), Paging),
    responses((status = 200, description = "A page of events", body = Page<Event>)),
)]
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

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMembership)]
struct Join {
    list_id: ListId,
}

/// Put a contact on a list.
///
/// May be repeated.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/lists",
    operation_id = "addContactToList",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = Join,
    responses((status = 200, description = "The contact", body = Contact)),
)]
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

/// List the contact lists, oldest first.
#[utoipa::path(
    get,
    path = "/v1/lists",
    operation_id = "listLists",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of lists", body = Page<List>)),
)]
async fn lists(
    State(api): App,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<List>>, Problem> {
    caller.may(Operation::ListLists)?;
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
async fn create_list(
    State(api): App,
    caller: Caller,
    ip: ClientIp,
    Json(body): Json<ListIn>,
) -> Result<(StatusCode, Json<List>), Problem> {
    caller.may(Operation::CreateList)?;
    body.check()?;
    let grant = &caller.member().grant;
    api.audit
        .note(grant, Operation::CreateList, "list", &ip.0)
        .await?;
    let list = api
        .lists
        .create(caller.tenant, body.name.trim(), body.description.as_deref());
    Ok((StatusCode::CREATED, Json(list.await?)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    /// A list that every contact joins.
    list: Option<ListId>,
    /// Tags for every row, separated by commas.
    #[serde(default)]
    tags: String,
}

/// An import as clients see it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Import)]
struct ImportView {
    id: ImportId,
    request: Request,
    status: Status,
    /// Rows of the file.
    total: u64,
    /// Rows that are done: created, updated, skipped or failed.
    processed: u64,
    /// Contacts that are new.
    created: u64,
    /// Contacts that were there.
    updated: u64,
    /// Rows that a later row replaces.
    skipped: u64,
    /// Wrong rows.
    failed: u64,
    /// The first of the wrong rows.
    errors: Vec<RowError>,
    /// Why the file could not be read.
    problem: Option<String>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl From<Job> for ImportView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            status: job.status,
            total: job.total,
            processed: job.processed(),
            created: job.created,
            updated: job.updated,
            skipped: job.skipped,
            failed: job.failed,
            errors: job.errors,
            problem: job.problem,
            created_at: job.created_at,
            finished_at: job.finished_at,
            request: job.request,
        }
    }
}

/// Import contacts from a CSV file.
///
/// The first line names the columns. The answer comes before the rows are read: ask for the import
/// to see it go on.
#[utoipa::path(
    post,
    path = "/v1/imports",
    operation_id = "startImport",
    tag = "contacts",
    params(ImportQuery),
    request_body(content = String, content_type = "text/csv", description = "The file, in UTF-8"),
    responses((status = 202, description = "Accepted", body = ImportView)),
)]
async fn start_import(
    State(api): App,
    caller: Caller,
    ip: ClientIp,
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
    let grant = &caller.member().grant;
    api.audit
        .note(grant, Operation::StartImport, "import", &ip.0)
        .await?;
    let request = Request {
        list: query.list,
        tags,
    };
    let job = api.imports.start(caller.tenant, &request, body).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Show how far an import is.
#[utoipa::path(
    get,
    path = "/v1/imports/{id}",
    operation_id = "showImport",
    tag = "contacts",
    params(("id" = ImportId, Path, description = "The import")),
    responses((status = 200, description = "The import", body = ImportView)),
)]
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
