//! Files of contacts: the values of custom fields of the type `file`.
//!
//! A file is uploaded under a link into the bucket Imports, which deletes the upload after 29 days. Saving the file reads the
//! upload, judges its bytes, and writes it to the bucket Files, which keeps it. The contact's value names the file. So an
//! upload that nobody saves is gone by itself, and a link to upload cannot change a saved file.
//!
//! Each key begins with the tenant and the contact. The erasure of a contact deletes everything below them.

use std::time::Duration;

use bytes::Bytes;
use cloud::{Blobs, Error, Resources};
use jiff::Timestamp;
use kernel::{Clock, ContactId, FileId, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Contact;
use crate::patch::{Edit, Edited};
use crate::store::Contacts;

/// Largest file, in bytes: 10 MB.
pub const MAX_FILE: u64 = 10 * 1024 * 1024;
/// Longest name of a file, in characters.
pub const MAX_FILE_NAME: usize = 200;
/// How long a link to upload is valid.
pub const UPLOAD_VALID: Duration = Duration::from_hours(1);
/// How long a link to read is valid.
pub const READ_VALID: Duration = Duration::from_mins(10);

/// The allowed types: the ending of the name, the content type, and the first bytes.
const TYPES: &[(&str, &str, &[u8])] = &[
    ("pdf", "application/pdf", b"%PDF-"),
    ("png", "image/png", b"\x89PNG\r\n\x1a\n"),
    ("jpg", "image/jpeg", b"\xff\xd8\xff"),
    ("jpeg", "image/jpeg", b"\xff\xd8\xff"),
    ("gif", "image/gif", b"GIF8"),
    ("webp", "image/webp", b"RIFF"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"PK\x03\x04",
    ),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"PK\x03\x04",
    ),
];

/// The stored value of a field of the type `file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ContactFile)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The contact that it was uploaded for, and the file: `con_…/fil_…`.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its content type.
    #[serde(rename = "type")]
    pub kind: String,
}

impl File {
    /// The contact's value of a field as a file of this contact; `None` if it is none.
    pub fn of(contact: &Contact, value: &Value) -> Option<Self> {
        let file: Self = serde_json::from_value(value.clone()).ok()?;
        let (owner, id) = file.key.split_once('/')?;
        let owner: ContactId = owner.parse().ok()?;
        id.parse::<FileId>().ok()?;
        contact.all_ids().any(|own| own == owner).then_some(file)
    }
}

/// Why a file is not saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// Nothing was uploaded under this id for the contact.
    Missing,
    /// It has no bytes, or more than [`MAX_FILE`].
    Size,
    /// The ending of its name is none of the allowed types, or its bytes are of another type.
    Type,
}

/// The content type of a file with this name and these bytes, if it is allowed.
fn kind_of(name: &str, bytes: &[u8]) -> Option<&'static str> {
    let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let (_, kind, start) = TYPES.iter().find(|(own, ..)| *own == ending)?;
    let is_webp = *kind != "image/webp" || bytes.get(8..12) == Some(b"WEBP");
    (bytes.starts_with(start) && is_webp).then_some(*kind)
}

/// The files of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Files {
    kept: Blobs,
    clock: Clock,
}

/// Takes files and gives them; cheap to clone.
#[derive(Clone, Debug)]
pub struct FileDesk {
    files: Files,
    uploads: Blobs,
    contacts: Contacts,
}

impl Files {
    /// Over the bucket Files.
    pub fn over(resources: &Resources) -> Self {
        Self {
            kept: resources.bucket("Files"),
            clock: resources.clock().clone(),
        }
    }

    /// Deletes every file that was saved for the contact. One request for each 1,000 files, and one a file. May be repeated.
    pub(crate) async fn delete_all(
        &self,
        tenant: TenantKey,
        contact: ContactId,
    ) -> Result<(), Error> {
        let prefix = format!("{tenant}/{contact}/");
        loop {
            let keys = self.kept.list(&prefix).await?;
            if keys.is_empty() {
                return Ok(());
            }
            for key in keys {
                self.kept.delete(&key).await?;
            }
        }
    }
}

impl FileDesk {
    /// Over the table Contacts and those of events, and the buckets Files and Imports.
    pub fn over(resources: &Resources) -> Self {
        Self {
            files: Files::over(resources),
            uploads: resources.bucket("Imports"),
            contacts: Contacts::over(resources),
        }
    }

    /// A link to upload the file, and the time at which the link ends.
    pub async fn upload_link(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        file: FileId,
    ) -> Result<(String, Timestamp), Error> {
        let key = upload(tenant, contact, file);
        let link = self.uploads.upload_link(&key, UPLOAD_VALID).await?;
        Ok((link, self.files.clock.now() + UPLOAD_VALID))
    }

    /// Saves an upload as the contact's value of the field. A file that the field had is deleted. Two requests to S3 and the
    /// units of an edit; one request more if the field had a file. May be repeated.
    pub async fn save(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        (field, id, name): (&str, FileId, &str),
    ) -> Result<Result<Edited, FileFault>, Error> {
        let before = stored(contact, field);
        let key = format!("{}/{id}", contact.id);
        if before.as_ref().is_some_and(|file| file.key == key) {
            return Ok(Ok(Edited::Yes(Vec::new())));
        }
        let found = upload(tenant, contact.id, id);
        let Some(upload) = self.uploads.range(&found, 0, MAX_FILE + 1).await? else {
            return Ok(Err(FileFault::Missing));
        };
        if upload.total > MAX_FILE {
            return Ok(Err(FileFault::Size));
        }
        let Some(kind) = kind_of(name, &upload.bytes) else {
            return Ok(Err(FileFault::Type));
        };
        let file = File {
            key,
            name: name.to_owned(),
            size: upload.total,
            kind: kind.to_owned(),
        };
        self.keep(tenant, &file, upload.bytes).await?;
        let mut edit = Edit::default();
        edit.custom
            .insert(field.to_owned(), serde_json::to_value(&file)?);
        let edited = self.contacts.edit(tenant, contact.id, &edit).await?;
        let gone = match &edited {
            Edited::Yes(_) => before,
            Edited::Full(_) | Edited::NoContact => Some(file),
        };
        self.drop_file(tenant, gone).await?;
        Ok(Ok(edited))
    }

    async fn keep(&self, tenant: TenantKey, file: &File, bytes: Bytes) -> Result<(), Error> {
        let key = place(tenant, &file.key);
        self.files.kept.put(&key, &file.kind, bytes).await
    }

    async fn drop_file(&self, tenant: TenantKey, file: Option<File>) -> Result<(), Error> {
        match file {
            Some(file) => self.files.kept.delete(&place(tenant, &file.key)).await,
            None => Ok(()),
        }
    }

    /// The file of a field with a link to read it, and the time at which the link ends; `None` if the field has no file.
    pub async fn read_link(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        field: &str,
    ) -> Result<Option<(File, String, Timestamp)>, Error> {
        let Some(file) = stored(contact, field) else {
            return Ok(None);
        };
        let key = place(tenant, &file.key);
        let link = self.files.kept.link(&key, READ_VALID).await?;
        Ok(Some((file, link, self.files.clock.now() + READ_VALID)))
    }

    /// Clears the field and deletes its file. May be repeated.
    pub async fn remove(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        field: &str,
    ) -> Result<Edited, Error> {
        let before = stored(contact, field);
        let edit = Edit {
            cleared_custom: [kernel::text::alike(field)].into(),
            ..Edit::default()
        };
        let edited = self.contacts.edit(tenant, contact.id, &edit).await?;
        self.drop_file(tenant, before).await?;
        Ok(edited)
    }
}

/// The file that the contact has in the field.
fn stored(contact: &Contact, field: &str) -> Option<File> {
    let named = |name: &String| kernel::text::alike(name) == field;
    let (_, value) = contact.custom.iter().find(|(name, _)| named(name))?;
    File::of(contact, value)
}

fn upload(tenant: TenantKey, contact: ContactId, file: FileId) -> String {
    format!("uploads/{tenant}/{contact}/{file}")
}

fn place(tenant: TenantKey, key: &str) -> String {
    format!("{tenant}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_follows_from_the_name_and_the_bytes() {
        let kind = |name: &str, bytes: &[u8]| kind_of(name, bytes).unwrap_or("none");
        assert_eq!(kind("hop-dong.PDF", b"%PDF-1.7"), "application/pdf");
        assert_eq!(kind("a.png", b"%PDF-1.7"), "none");
        assert_eq!(kind("a.webp", b"RIFF\0\0\0\0WEBPVP8"), "image/webp");
        assert_eq!(kind("a.webp", b"RIFF\0\0\0\0AVI "), "none");
        assert_eq!(kind("a.svg", b"<svg onload=alert(1)>"), "none");
        assert_eq!(kind("a.html", b"<html>"), "none");
        assert_eq!(kind("pdf", b"%PDF-1.7"), "none");
        assert_eq!(kind("a.pdf", b""), "none");
    }

    #[test]
    fn a_value_names_a_file_of_the_contact_only() {
        let contact: Contact = serde_json::from_value(serde_json::json!({
            "id": "con_00000000001", "tags": [], "list_ids": [], "custom": {}, "email_status": "none",
            "sms_status": "none", "zalo_status": "none", "push_status": "none", "source": "import",
            "created_at": "2026-03-02T01:00:00Z", "updated_at": "2026-03-02T01:00:00Z",
        }))
        .unwrap();
        let is_file = |key: &str| {
            let value = serde_json::json!({ "key": key, "name": "a.pdf", "size": 1, "type": "application/pdf" });
            File::of(&contact, &value).is_some()
        };
        assert!(is_file("con_00000000001/fil_00000000001"));
        assert!(!is_file("con_00000000002/fil_00000000001"));
        assert!(!is_file("con_00000000001/../x"));
        assert!(!is_file("con_00000000001/fil_00000000001/.."));
    }
}
