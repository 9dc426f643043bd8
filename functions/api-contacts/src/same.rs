//! Contacts that are perhaps one person, the confirmation of an address, and the merge of two contacts.

use access::op;
use axum::extract::State;
use contacts::duplicates::Duplicate;
use contacts::merge::Merged;
use contacts::patch::{Edit, Edited};
use contacts::{Contact, Identity};
use kernel::page::Page;
use kernel::{ContactId, EmailAddress, Phone};
use lambda::http::{ClientIp, Code, Json, May, Path, Problem, Query};
use serde::Deserialize;

use crate::api::{Api, note_hourly};
use crate::handler::{find, missing};
use crate::shape::Paging;

/// List pairs of contacts that are perhaps one person.
///
/// One contact shows an address that the other one owns: a shared email, a shared phone, or an address that a public form gave and
/// nobody has confirmed. They are in no order that means something. A page may hold fewer than `limit` and still have a `next`.
#[utoipa::path(
    get,
    path = "/v1/contacts/duplicates",
    operation_id = "listDuplicates",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of pairs", body = Page<Duplicate>)),
)]
pub async fn duplicates(
    State(api): State<Api>,
    caller: May<op::ListDuplicates>,
    ip: ClientIp,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Duplicate>>, Problem> {
    note_hourly(&api, &caller, &ip).await?;
    let profiles = api.contacts.profiles();
    let page = profiles.duplicates(caller.tenant, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}

/// The address to confirm: exactly one.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = IdentityConfirmation)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    email: Option<EmailAddress>,
    phone: Option<Phone>,
}

fn conflict(detail: impl Into<String>) -> Problem {
    Problem::new(Code::Conflict, detail.into())
}

/// Confirm an address that a public form gave.
///
/// The unconfirmed address becomes the contact's own. 409 if it belongs to another contact, which the answer names, or if the
/// contact shows another address of the kind: change that one first. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/identities/confirm",
    operation_id = "confirmIdentity",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = Confirmation,
    responses((status = 200, description = "Confirmed", body = Contact)),
)]
pub async fn confirm(
    State(api): State<Api>,
    caller: May<op::ConfirmIdentity>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
    Json(body): Json<Confirmation>,
) -> Result<Json<Contact>, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    let (pointer, shown, is_unconfirmed, identity) = match (body.email, body.phone) {
        (Some(email), None) => (
            "/email",
            contact.email.clone().map(Identity::Email),
            contact.unconfirmed_emails.contains(&email),
            Identity::Email(email),
        ),
        (None, Some(phone)) => (
            "/phone",
            contact.phone.clone().map(Identity::Phone),
            contact.unconfirmed_phones.contains(&phone),
            Identity::Phone(phone),
        ),
        _ => return Err(Problem::invalid("", "give exactly one of email and phone")),
    };
    if shown.as_ref() == Some(&identity) {
        return Ok(Json(contact));
    }
    if !is_unconfirmed {
        return Err(Problem::invalid(
            pointer,
            "is no unconfirmed address of the contact",
        ));
    }
    if shown.is_some() {
        return Err(conflict("the contact shows another address").at(pointer, "change it by PATCH"));
    }
    note_hourly(&api, &caller, &ip).await?;
    let edit = Edit {
        identities: vec![identity],
        ..Edit::default()
    };
    match api.contacts.edit(caller.tenant, contact.id, &edit).await? {
        Edited::Yes(not_taken) => match not_taken.first().and_then(|one| one.owner_id) {
            Some(owner) => {
                let problem = conflict("the address belongs to another contact");
                Err(problem.at(pointer, format!("belongs to {owner}")))
            }
            None => Ok(Json(find(&api, caller.tenant, contact.id).await?)),
        },
        Edited::Full(_) | Edited::NoContact => Err(Problem::not_found("contact")),
    }
}

/// The contact to merge away.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ContactMerge)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The contact that ends: its data go to the contact of the path.
    contact_id: ContactId,
}

/// Merge another contact into a contact.
///
/// The contact keeps its values and takes those that it lacks: names together, the parts of an address together. It gets all
/// identities, tags, lists, notes, consent records, points and events of the other. An identity of a kind that it already shows is
/// kept in `other_emails`, `other_phones` or `other_external_ids`, and finds the contact. A stop of messages of either stays in force.
/// The other contact is gone at once, and cannot be brought back: each operation that names it answers 410 `merged` with the new id.
/// 409 if the contact is archived, or the other was merged into a third one. 422 names what the two have too much of together. May be
/// repeated.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/merge",
    operation_id = "mergeContacts",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact that stays")),
    request_body = Merge,
    responses((status = 200, description = "The contact with the data of both", body = Contact)),
)]
pub async fn merge(
    State(api): State<Api>,
    caller: May<op::MergeContacts>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
    Json(body): Json<Merge>,
) -> Result<Json<Contact>, Problem> {
    let gone = body.contact_id;
    if gone == id {
        return Err(Problem::invalid("/contact_id", "names the contact itself"));
    }
    find(&api, caller.tenant, id).await?;
    let (grant, operation) = (caller.grant(), caller.permission());
    let object = format!("{id} <- {gone}");
    api.audit.note(grant, operation, object, &ip.0).await?;
    let merged = api.contacts.merge(caller.tenant, id, gone, &caller.actor);
    let merged = merged.await?;
    match merged {
        Merged::Yes => Ok(Json(find(&api, caller.tenant, id).await?)),
        Merged::Full(excess) => {
            let problem = Problem::new(Code::Unprocessable, "the two have too much together");
            let add = |problem: Problem, (pointer, message)| problem.at(pointer, message);
            Err(excess.into_iter().fold(problem, add))
        }
        Merged::NoContact(one) if one == id => Err(missing(&api, caller.tenant, id).await?),
        Merged::NoContact(_) => Err(Problem::invalid("/contact_id", "no such contact")),
        Merged::Archived => Err(conflict(
            "an archived contact takes no other: restore it first",
        )),
        Merged::Elsewhere(now) => {
            let problem = conflict("the other contact was merged before");
            Err(problem.at("/contact_id", format!("is {now} now")))
        }
    }
}
