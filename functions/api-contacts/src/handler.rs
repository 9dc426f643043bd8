//! The routes, and contacts themselves.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::{Contact, ContactStatus, Joined, NotTaken, Surplus};
use kernel::page::Page;
use kernel::{ContactId, Cursor, Limit, ListId, TenantKey, UserId};
use lambda::http::{ClientIp, Code, Flaws, Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{Api, known_list, known_member, note_hourly};
use crate::shape::{self, ContactIn, EventView, Paging};
use crate::{
    bulk, consent, devices, edit, exports, fields, files, imports, life, lists, notes, page, same,
    scores, tags, views,
};

/// Longest text to look for; no name, address or number is longer.
const MAX_QUERY: usize = 255;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(search, upsert))
        .routes(routes!(page::show, edit::update, life::erase))
        .routes(routes!(page::segments))
        .routes(routes!(page::enrollments))
        .routes(routes!(timeline))
        .routes(routes!(consent::show, consent::record))
        .routes(routes!(consent::suppress))
        .routes(routes!(consent::unsuppress))
        .routes(routes!(join))
        .routes(routes!(same::duplicates))
        .routes(routes!(same::confirm))
        .routes(routes!(same::merge))
        .routes(routes!(life::leave))
        .routes(routes!(life::add_tags))
        .routes(routes!(life::remove_tag))
        .routes(routes!(life::archive))
        .routes(routes!(life::restore))
        .routes(routes!(lists::list, lists::create))
        .routes(routes!(lists::show, lists::update, lists::remove))
        .routes(routes!(lists::members))
        .routes(routes!(devices::list, devices::save))
        .routes(routes!(devices::remove))
        .routes(routes!(notes::list, notes::create))
        .routes(routes!(notes::update, notes::remove))
        .routes(routes!(files::create))
        .routes(routes!(files::show, files::save, files::remove))
        .routes(routes!(fields::list, fields::create))
        .routes(routes!(fields::show, fields::update, fields::remove))
        .routes(routes!(tags::list, tags::create))
        .routes(routes!(tags::show, tags::update, tags::remove))
        .routes(routes!(tags::rename))
        .routes(routes!(bulk::list, bulk::start))
        .routes(routes!(bulk::show))
        .routes(routes!(bulk::cancel))
        .routes(routes!(scores::show, scores::change))
        .routes(routes!(scores::of_contact))
        .routes(routes!(views::list, views::create))
        .routes(routes!(views::show, views::update, views::remove))
        .routes(routes!(imports::list, imports::start))
        .routes(routes!(imports::sample))
        .routes(routes!(imports::show, imports::change))
        .routes(routes!(imports::preview))
        .routes(routes!(imports::begin))
        .routes(routes!(imports::undo))
        .routes(routes!(exports::list, exports::start))
        .routes(routes!(exports::show))
}

/// The order of all contacts.
#[derive(Deserialize, Clone, Copy, PartialEq, utoipa::ToSchema)]
#[schema(as = ContactOrder)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// By creation, newest first.
    Created,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The text to look for.
    #[serde(default)]
    #[param(max_length = 255)]
    query: String,
    /// Contacts in use, or archived ones.
    #[serde(default)]
    status: ContactStatus,
    /// Contacts that this user looks after.
    owner_id: Option<UserId>,
    /// `created`: newest first. It goes without `query` and `owner_id`.
    #[param(inline, value_type = Option<Order>)]
    order: Option<Order>,
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Search contacts.
///
/// Contacts in use, unless `status` is `archived`. By the beginning of a word of the name, of the address or of the number (however it is typed), or by the whole
/// `external_id`; without `query`, all of them. `owner_id` leaves the contacts of one owner. Names are found from two characters on, addresses from three: of
/// a number, three digits. Found contacts are in the order of what was found, and all of them are in no
/// order that means something, unless `order` is given. A page may hold fewer than `limit` and still have a `next`.
#[utoipa::path(
    get,
    path = "/v1/contacts",
    operation_id = "searchContacts",
    tag = "contacts",
    params(Search),
    responses((status = 200, description = "A page of contacts", body = Page<Contact>)),
)]
async fn search(
    State(api): State<Api>,
    caller: May<op::SearchContacts>,
    ip: ClientIp,
    Query(search): Query<Search>,
) -> Result<Json<Page<Contact>>, Problem> {
    if search.query.chars().count() > MAX_QUERY {
        return Err(Problem::invalid("?query", "has at most 255 characters"));
    }
    let is_all = search.query.trim().is_empty();
    if search.order.is_some() && (!is_all || search.owner_id.is_some()) {
        let message = "goes without query and owner_id";
        return Err(Problem::invalid("?order", message));
    }
    // Reading many contacts is in the audit log, once an hour for each reader.
    note_hourly(&api, &caller, &ip).await?;
    let profiles = api.contacts.profiles();
    let (tenant, limit, cursor) = (caller.tenant, search.limit, search.cursor);
    let mut page = if search.order == Some(Order::Created) {
        let page = profiles.newest(tenant, search.status, limit, cursor);
        page.await?
    } else if let (true, Some(owner)) = (is_all, search.owner_id) {
        let page = profiles.owned(tenant, owner, search.status, limit, cursor);
        page.await?
    } else if is_all && search.status == ContactStatus::Archived {
        profiles.archived(tenant, limit, cursor).await?
    } else {
        let page = profiles.search(tenant, &search.query, limit, cursor);
        page.await?
    };
    let is_asked = |contact: &Contact| {
        let owner = search.owner_id;
        contact.status == search.status && owner.is_none_or(|owner| contact.owner == Some(owner))
    };
    page.data.retain(is_asked);
    Ok(Json(page))
}

/// A contact, and whether it is new.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SavedContact)]
struct Upserted {
    #[serde(flatten)]
    contact: Contact,
    created: bool,
    /// Identities of the request that are not this contact's.
    not_taken: Vec<NotTaken>,
}

/// Make a contact, or add to the one that has one of the identities.
///
/// `external_id` decides, then `email`, then `phone`. A contact that shows another external id, or is found by phone
/// and shows another email, is another person: the request then makes a contact of its own. An address that belongs
/// to another contact stays there; this contact keeps it in `shared_emails` or `shared_phones`. `not_taken` names each
/// identity that is not this contact's.
#[utoipa::path(
    post,
    path = "/v1/contacts",
    operation_id = "saveContact",
    tag = "contacts",
    request_body = ContactIn,
    responses(
        (status = 201, description = "Made", body = Upserted),
        (status = 200, description = "It was there", body = Upserted),
        (status = 409, description = "Another contact has the value of a unique field"),
    ),
)]
async fn upsert(
    State(api): State<Api>,
    caller: May<op::SaveContact>,
    ip: ClientIp,
    Json(mut body): Json<ContactIn>,
) -> Result<(StatusCode, Json<Upserted>), Problem> {
    let mut flaws = Flaws::default();
    fields::typed(&api, caller.tenant, &mut body.custom, &mut flaws).await?;
    for (n, list) in body.lists().iter().enumerate() {
        let known = known_list(&api, caller.tenant, *list, &format!("/list_ids/{n}")).await;
        flaws.take(known)?;
    }
    if let Some(owner) = body.owner_id {
        flaws.take(known_member(&api, &caller, owner, "/owner_id").await)?;
    }
    let incoming = body.incoming(flaws)?;
    note_hourly(&api, &caller, &ip).await?;
    let done = api.contacts.upsert_whole(caller.tenant, &incoming).await?;
    let done = done.map_err(|surplus| shape::full(&surplus))?;
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
            not_taken: done.not_taken,
        }),
    ))
}

/// List what a contact did, newest first.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/timeline",
    operation_id = "listTimeline",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact"), Paging),
    responses((status = 200, description = "A page of events", body = Page<EventView>)),
)]
async fn timeline(
    State(api): State<Api>,
    caller: May<op::ListTimeline>,
    Path(id): Path<ContactId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<EventView>>, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    let page = api
        .contacts
        .history(caller.tenant, &contact, paging.limit, paging.cursor);
    Ok(Json(page.await?.map(EventView::from)))
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
    State(api): State<Api>,
    caller: May<op::AddContactToList>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
    Json(body): Json<Join>,
) -> Result<Json<Contact>, Problem> {
    find(&api, caller.tenant, id).await?;
    known_list(&api, caller.tenant, body.list_id, "/list_id").await?;
    note_hourly(&api, &caller, &ip).await?;
    let joined = api.contacts.join_list(caller.tenant, id, body.list_id);
    match joined.await? {
        Joined::Yes => Ok(Json(find(&api, caller.tenant, id).await?)),
        Joined::Full => Err(shape::full(&Surplus {
            lists: 1,
            ..Surplus::default()
        })),
        Joined::NoContact => Err(Problem::not_found("contact")),
    }
}

/// The contact; a problem that names the survivor if the contact was merged.
pub async fn find(api: &Api, tenant: TenantKey, id: ContactId) -> Result<Contact, Problem> {
    match api.contacts.get(tenant, id).await? {
        Some(contact) => Ok(contact),
        None => Err(missing(api, tenant, id).await?),
    }
}

/// There is no such contact, or it was merged into another one.
pub async fn missing(api: &Api, tenant: TenantKey, id: ContactId) -> Result<Problem, Problem> {
    Ok(match api.contacts.forward(tenant, id).await? {
        Some(now) => Problem::new(Code::Merged, format!("the contact was merged into {now}"))
            .at("/id", now.to_string()),
        None => Problem::not_found("contact"),
    })
}
