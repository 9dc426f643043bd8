//! Notes of the staff on a contact.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::Note;
use contacts::notes::{MAX_NOTE, MAX_NOTES, Noted};
use kernel::page::Page;
use kernel::{ContactId, NoteId};
use lambda::http::{ClientIp, Code, Creation, DRAWS, Json, May, Path, Problem, Query};
use serde::Deserialize;

use crate::api::{Api, note_hourly};
use crate::handler::find;
use crate::shape::Paging;

/// The text of a note.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewNote)]
#[serde(deny_unknown_fields)]
pub struct NoteIn {
    #[schema(
        min_length = 1,
        max_length = 5000,
        example = "Thích màu xanh, gọi sau 17h"
    )]
    text: String,
}

impl NoteIn {
    fn check(self) -> Result<String, Problem> {
        let length = self.text.trim().chars().count();
        if (1..=MAX_NOTE).contains(&length) {
            Ok(self.text.trim().to_owned())
        } else {
            Err(Problem::invalid("/text", "must have 1 to 5,000 characters"))
        }
    }
}

fn no_note() -> Problem {
    Problem::not_found("note")
}

/// List the notes on a contact, newest first.
///
/// A page may hold fewer than `limit` and still have a `next`.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/notes",
    operation_id = "listNotes",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact"), Paging),
    responses((status = 200, description = "A page of notes", body = Page<Note>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListNotes>,
    Path(id): Path<ContactId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Note>>, Problem> {
    find(&api, caller.tenant, id).await?;
    let page = api
        .notes
        .page(caller.tenant, id, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}

/// Write a note on a contact.
///
/// A contact has at most 500 notes.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/notes",
    operation_id = "createNote",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = NoteIn,
    responses((status = 201, description = "Written", body = Note)),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateNote>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(id): Path<ContactId>,
    Json(body): Json<NoteIn>,
) -> Result<(StatusCode, Json<Note>), Problem> {
    find(&api, caller.tenant, id).await?;
    let text = body.check()?;
    note_hourly(&api, &caller, &ip).await?;
    for draw in 0..DRAWS {
        let note = Note {
            id: NoteId::of(&origin, draw),
            text: text.clone(),
            author_id: caller.actor.clone(),
            created_at: origin.at,
            updated_at: origin.at,
        };
        match api.notes.add(caller.tenant, id, &note).await? {
            Noted::Yes => return Ok((StatusCode::CREATED, Json(note))),
            Noted::Full => {
                let detail = format!("a contact has at most {MAX_NOTES} notes");
                return Err(Problem::new(Code::Unprocessable, detail));
            }
            Noted::Taken => {}
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// Change the text of a note.
#[utoipa::path(
    patch,
    path = "/v1/contacts/{id}/notes/{note_id}",
    operation_id = "updateNote",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("note_id" = NoteId, Path, description = "The note"),
    ),
    request_body = NoteIn,
    responses((status = 200, description = "Changed", body = Note)),
)]
pub async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateNote>,
    ip: ClientIp,
    Path((id, note)): Path<(ContactId, NoteId)>,
    Json(body): Json<NoteIn>,
) -> Result<Json<Note>, Problem> {
    find(&api, caller.tenant, id).await?;
    let text = body.check()?;
    note_hourly(&api, &caller, &ip).await?;
    let edited = api.notes.edit(caller.tenant, id, note, &text).await?;
    Ok(Json(edited.ok_or_else(no_note)?))
}

/// Remove a note.
#[utoipa::path(
    delete,
    path = "/v1/contacts/{id}/notes/{note_id}",
    operation_id = "removeNote",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("note_id" = NoteId, Path, description = "The note"),
    ),
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveNote>,
    ip: ClientIp,
    Path((id, note)): Path<(ContactId, NoteId)>,
) -> Result<StatusCode, Problem> {
    find(&api, caller.tenant, id).await?;
    let found = api.notes.get(caller.tenant, id, note).await?;
    found.ok_or_else(no_note)?;
    note_hourly(&api, &caller, &ip).await?;
    api.notes.remove(caller.tenant, id, note).await?;
    Ok(StatusCode::NO_CONTENT)
}
