//! Files of a contact: the values of its custom fields of the type `file`.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::Contact;
use contacts::fields::Kind;
use contacts::files::{File, FileFault, MAX_FILE_NAME};
use contacts::patch::Edited;
use jiff::Timestamp;
use kernel::{ContactId, FileId, TenantKey};
use lambda::http::{ClientIp, Code, Creation, Flaws, Json, May, Path, Problem};
use serde::{Deserialize, Serialize};

use crate::api::{Api, note_hourly};
use crate::handler::find;
use crate::shape;

/// A file to upload.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewContactFile)]
#[serde(deny_unknown_fields)]
pub struct FileIn {
    /// The key of a custom field of the type `file`.
    #[schema(min_length = 1, max_length = 64, example = "hop_dong")]
    field: String,
}

/// Where the file is to be uploaded.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactFileUpload)]
pub struct UploadView {
    file_id: FileId,
    /// The key of the field.
    field: String,
    /// Put the file here, by a request with the method PUT.
    upload_url: String,
    /// When the link ends.
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Timestamp,
}

/// An upload to save.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = SavedContactFile)]
#[serde(deny_unknown_fields)]
pub struct SaveIn {
    file_id: FileId,
    /// The file's name. Its ending names the type: `pdf`, `png`, `jpg`, `jpeg`, `gif`, `webp`, `docx` or `xlsx`.
    #[schema(min_length = 1, max_length = 200, example = "hop-dong.pdf")]
    name: String,
}

/// A file with a link to read it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactFileLink)]
pub struct FileView {
    #[serde(flatten)]
    file: File,
    /// The key of the field.
    field: String,
    /// The file. A later answer has another link.
    url: String,
    /// When the link ends: after ten minutes.
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Timestamp,
}

/// Refuses a field that holds no files; `pointer` is its place in the body.
async fn check_field(
    api: &Api,
    tenant: TenantKey,
    field: &str,
    pointer: &str,
) -> Result<(), Problem> {
    let definitions = api.fields.recent(tenant).await?;
    let found = definitions.get(field).filter(|found| found.key == field);
    match found {
        Some(found) if found.kind == Kind::File => Ok(()),
        _ if pointer.is_empty() => {
            let detail = "the workspace has no such field of the type file";
            Err(Problem::new(Code::Unprocessable, detail))
        }
        _ => Err(Problem::invalid(
            pointer,
            "expected the key of a field of the type file",
        )),
    }
}

/// Begin to give a file to a contact.
///
/// Put the file to `upload_url` within an hour, by a request with the method PUT. Then save it under its field. A file has at
/// most 10 MB. An upload that is not saved is deleted after 29 days.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/files",
    operation_id = "createContactFile",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = FileIn,
    responses((status = 201, description = "The link", body = UploadView)),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateContactFile>,
    Creation(origin): Creation,
    Path(id): Path<ContactId>,
    Json(body): Json<FileIn>,
) -> Result<(StatusCode, Json<UploadView>), Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    check_field(&api, caller.tenant, &body.field, "/field").await?;
    let file_id = FileId::of(&origin, 0);
    let link = api.files.upload_link(caller.tenant, contact.id, file_id);
    let (upload_url, expires_at) = link.await?;
    let view = UploadView {
        file_id,
        field: body.field,
        upload_url,
        expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Save an uploaded file as a contact's value of a field.
///
/// The bytes must be of the type that the ending of the name says. A file that the field had before is deleted. May be
/// repeated.
#[utoipa::path(
    put,
    path = "/v1/contacts/{id}/files/{field}",
    operation_id = "saveContactFile",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("field" = String, Path, description = "The field's key", max_length = 64),
    ),
    request_body = SaveIn,
    responses(
        (status = 200, description = "The contact", body = Contact),
        (status = 422, description = "The file is not uploaded, too large or of another type"),
    ),
)]
pub async fn save(
    State(api): State<Api>,
    caller: May<op::SaveContactFile>,
    ip: ClientIp,
    Path((id, field)): Path<(ContactId, String)>,
    Json(body): Json<SaveIn>,
) -> Result<Json<Contact>, Problem> {
    let name = body.name.trim();
    let mut flaws = Flaws::default();
    let is_bad = name.is_empty()
        || name.chars().count() > MAX_FILE_NAME
        || name.contains(['/', '\\'])
        || name.chars().any(char::is_control);
    let message = "must have 1 to 200 characters, without / and line breaks";
    flaws.check(is_bad, "/name", message);
    flaws.refuse()?;
    let contact = find(&api, caller.tenant, id).await?;
    check_field(&api, caller.tenant, &field, "").await?;
    note_hourly(&api, &caller, &ip).await?;
    let file = (field.as_str(), body.file_id, name);
    let saved = api.files.save(caller.tenant, &contact, file).await?;
    match saved.map_err(refused)? {
        Edited::Yes(_) => Ok(Json(find(&api, caller.tenant, contact.id).await?)),
        Edited::Full(surplus) => Err(shape::full(&surplus)),
        Edited::NoContact => Err(Problem::not_found("contact")),
    }
}

fn refused(fault: FileFault) -> Problem {
    let (pointer, message) = match fault {
        FileFault::Missing => ("/file_id", "is not uploaded"),
        FileFault::Size => ("/file_id", "has more than 10 MB"),
        FileFault::Type => (
            "/name",
            "must end with pdf, png, jpg, jpeg, gif, webp, docx or xlsx, and the file must be of this type",
        ),
    };
    Problem::new(Code::Unprocessable, "the file is not saved").at(pointer, message)
}

/// Show the file of a field, with a link to read it.
///
/// The link ends after ten minutes. The audit log names the reader, once an hour.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/files/{field}",
    operation_id = "showContactFile",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("field" = String, Path, description = "The field's key", max_length = 64),
    ),
    responses(
        (status = 200, description = "The file", body = FileView),
        (status = 422, description = "The field holds no files"),
    ),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowContactFile>,
    ip: ClientIp,
    Path((id, field)): Path<(ContactId, String)>,
) -> Result<Json<FileView>, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    check_field(&api, caller.tenant, &field, "").await?;
    let found = api.files.read_link(caller.tenant, &contact, &field).await?;
    let (file, url, expires_at) = found.ok_or_else(|| Problem::not_found("file"))?;
    note_hourly(&api, &caller, &ip).await?;
    Ok(Json(FileView {
        file,
        field,
        url,
        expires_at,
    }))
}

/// Clear a field of a contact, and delete its file.
///
/// May be repeated.
#[utoipa::path(
    delete,
    path = "/v1/contacts/{id}/files/{field}",
    operation_id = "removeContactFile",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("field" = String, Path, description = "The field's key", max_length = 64),
    ),
    responses(
        (status = 204, description = "The contact has no such file"),
        (status = 422, description = "The field holds no files"),
    ),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveContactFile>,
    ip: ClientIp,
    Path((id, field)): Path<(ContactId, String)>,
) -> Result<StatusCode, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    check_field(&api, caller.tenant, &field, "").await?;
    let definitions = api.fields.recent(caller.tenant).await?;
    if definitions.get(&field).is_some_and(|found| found.required) {
        let detail = "the field is required: save another file instead";
        return Err(Problem::new(Code::Conflict, detail));
    }
    note_hourly(&api, &caller, &ip).await?;
    match api.files.remove(caller.tenant, &contact, &field).await? {
        Edited::NoContact => Err(Problem::not_found("contact")),
        Edited::Yes(_) | Edited::Full(_) => Ok(StatusCode::NO_CONTENT),
    }
}
