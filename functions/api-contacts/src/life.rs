//! The erasure and the archive, and the tags and lists of one contact.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::bounds::MAX_TAGS;
use contacts::{Contact, Surplus};
use kernel::text::alike;
use kernel::{ContactId, ListId};
use lambda::http::{ClientIp, Flaws, Json, May, Path, Problem};
use serde::Deserialize;

use crate::api::{Api, note_hourly};
use crate::handler::{find, missing};
use crate::shape;

/// Tags to add to a contact.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewContactTags)]
#[serde(deny_unknown_fields)]
pub struct TagsIn {
    #[schema(min_items = 1, max_items = 50)]
    tags: Vec<String>,
}

/// Add tags to a contact.
///
/// All or none: a contact has at most 200 tags. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/tags",
    operation_id = "addContactTags",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = TagsIn,
    responses((status = 200, description = "The contact", body = Contact)),
)]
pub async fn add_tags(
    State(api): State<Api>,
    caller: May<op::AddContactTags>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
    Json(body): Json<TagsIn>,
) -> Result<Json<Contact>, Problem> {
    let mut flaws = Flaws::default();
    let tags = shape::some_tags("/tags", &body.tags, &mut flaws)?;
    let before = find(&api, caller.tenant, id).await?;
    flaws.refuse()?;
    let missing = |contact: &Contact| {
        let has = |tag: &&String| contact.tags.iter().any(|own| alike(own) == alike(tag));
        tags.iter().filter(|tag| !has(tag)).count()
    };
    let full = |count| {
        shape::full(&Surplus {
            tags: count,
            ..Surplus::default()
        })
    };
    let surplus = (before.tags.len() + missing(&before)).saturating_sub(MAX_TAGS);
    if surplus > 0 {
        return Err(full(surplus));
    }
    note_hourly(&api, &caller, &ip).await?;
    api.contacts
        .add_tags(caller.tenant, before.id, &tags)
        .await?;
    let after = find(&api, caller.tenant, before.id).await?;
    match missing(&after) {
        0 => Ok(Json(after)),
        // Others filled the contact meanwhile.
        count => Err(full(count)),
    }
}

/// Remove a tag from a contact.
///
/// The tag is removed in any spelling. May be repeated.
#[utoipa::path(
    delete,
    path = "/v1/contacts/{id}/tags/{tag}",
    operation_id = "removeContactTag",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("tag" = String, Path, description = "The tag", max_length = 255),
    ),
    responses((status = 204, description = "The contact has no such tag")),
)]
pub async fn remove_tag(
    State(api): State<Api>,
    caller: May<op::RemoveContactTag>,
    ip: ClientIp,
    Path((id, tag)): Path<(ContactId, String)>,
) -> Result<StatusCode, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    note_hourly(&api, &caller, &ip).await?;
    api.contacts
        .remove_tags(caller.tenant, contact.id, &[tag])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a contact off a list.
///
/// May be repeated.
#[utoipa::path(
    delete,
    path = "/v1/contacts/{id}/lists/{list_id}",
    operation_id = "removeContactFromList",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("list_id" = ListId, Path, description = "The list"),
    ),
    responses((status = 204, description = "The contact is not on the list")),
)]
pub async fn leave(
    State(api): State<Api>,
    caller: May<op::RemoveContactFromList>,
    ip: ClientIp,
    Path((id, list)): Path<(ContactId, ListId)>,
) -> Result<StatusCode, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    note_hourly(&api, &caller, &ip).await?;
    api.contacts
        .leave_list(caller.tenant, contact.id, list)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erase a contact.
///
/// The contact is gone at once, and cannot be brought back. Its notes, lists, timeline and recorded consents are deleted within
/// moments. A refusal of messages is kept under a hash of the address: the next contact with the address gets it. Conversations stay.
/// May be repeated.
#[utoipa::path(
    delete,
    path = "/v1/contacts/{id}",
    operation_id = "eraseContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 204, description = "Erased")),
)]
pub async fn erase(
    State(api): State<Api>,
    caller: May<op::EraseContact>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
) -> Result<StatusCode, Problem> {
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, id, &ip.0).await?;
    if api.contacts.erase(caller.tenant, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing(&api, caller.tenant, id).await?)
    }
}

/// Archive a contact.
///
/// The contact is kept with its history. It leaves the members of lists, segments, exports and the search, and is sent
/// nothing. A form or an import that names it adds to it. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/archive",
    operation_id = "archiveContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 200, description = "The contact", body = Contact)),
)]
pub async fn archive(
    State(api): State<Api>,
    caller: May<op::ArchiveContact>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
) -> Result<Json<Contact>, Problem> {
    let id = find(&api, caller.tenant, id).await?.id;
    note_hourly(&api, &caller, &ip).await?;
    api.contacts.archive(caller.tenant, id).await?;
    Ok(Json(find(&api, caller.tenant, id).await?))
}

/// Take a contact out of the archive.
///
/// The contact is on its lists again, but for lists that were removed, and enters the segments whose conditions it fits. May be
/// repeated.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/restore",
    operation_id = "restoreContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 200, description = "The contact", body = Contact)),
)]
pub async fn restore(
    State(api): State<Api>,
    caller: May<op::RestoreContact>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
) -> Result<Json<Contact>, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    let (tenant, id) = (caller.tenant, contact.id);
    note_hourly(&api, &caller, &ip).await?;
    api.contacts.restore_listed(tenant, id, &api.lists).await?;
    Ok(Json(find(&api, tenant, id).await?))
}
