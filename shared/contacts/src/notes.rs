//! Notes of the staff on a contact: rows in the contact's partition, newest first.
//!
//! A contact has a limited number of notes. The row `NOTES` counts them, and a note and its count are written in one
//! transaction. A removed note keeps its row without its text for a day, so that a repetition changes nothing.

use cloud::{Error, Query, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{ContactId, Cursor, Limit, NoteId, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::keys;

/// Most notes of one contact.
pub const MAX_NOTES: i64 = 500;
/// Longest note, in characters.
pub const MAX_NOTE: usize = 5_000;
/// How long the row of a removed note is kept, in seconds.
const KEEP_REMOVED: i64 = 24 * 3600;

/// A note on a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// The text, without any markup.
    pub text: String,
    /// The user or the key that wrote it.
    pub author_id: String,
    /// When it was written.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// When its text last changed.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub updated_at: Timestamp,
}

/// The row of a note. A removed one has no text.
#[derive(Deserialize)]
struct Row {
    id: NoteId,
    text: Option<String>,
    author_id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    fn shown(self) -> Option<Note> {
        Some(Note {
            text: self.text?,
            id: self.id,
            author_id: self.author_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The outcome of adding a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// It is stored, by this run or by an earlier one.
    Yes,
    /// The contact has as many notes as it may have.
    Full,
    /// Another note has the id.
    Taken,
}

/// The notes of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Notes {
    contacts: Table,
}

impl Notes {
    /// Over the table Contacts.
    pub fn over(resources: &Resources) -> Self {
        let contacts = resources.table("Contacts");
        Self { contacts }
    }

    /// Adds a note to a contact that exists. A transaction of two rows: four write units, more for a long text.
    pub async fn add(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        note: &Note,
    ) -> Result<Noted, Error> {
        let key = keys::note(tenant, contact, note.id);
        let one = Update::new()
            .set("id", note.id)
            .set("text", &note.text)
            .set("author_id", &note.author_id)
            .set("created_at", note.created_at)
            .set("updated_at", note.updated_at)
            .when_absent("created_at");
        let count = Update::new()
            .add("count", 1)
            .when_absent_or_less("count", MAX_NOTES);
        let header = keys::notes(tenant, contact);
        let rows = vec![(header, count), (key.clone(), one)];
        if self.contacts.update_all(rows).await? {
            return Ok(Noted::Yes);
        }
        Ok(match self.contacts.get::<Row>(&key).await? {
            None => Noted::Full,
            // The author may have edited or removed the note since.
            Some(row) => {
                let found = (&row.author_id, row.created_at);
                if found == (&note.author_id, note.created_at) {
                    Noted::Yes
                } else {
                    Noted::Taken
                }
            }
        })
    }

    /// One note.
    pub async fn get(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        note: NoteId,
    ) -> Result<Option<Note>, Error> {
        let key = keys::note(tenant, contact, note);
        let row: Option<Row> = self.contacts.get(&key).await?;
        Ok(row.and_then(Row::shown))
    }

    /// Changes the text; `None`: there is no such note. One write unit for a short text.
    pub async fn edit(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        note: NoteId,
        text: &str,
    ) -> Result<Option<Note>, Error> {
        let update = Update::new()
            .set("text", text)
            .set("updated_at", self.contacts.clock().now())
            .when_exists()
            .when_absent("ttl");
        let key = keys::note(tenant, contact, note);
        let outcome = self.contacts.update(&key, update).await?;
        if !outcome.applied() {
            return Ok(None);
        }
        let row: Option<Row> = outcome.item()?;
        Ok(row.and_then(Row::shown))
    }

    /// Removes a note; safe to repeat. A transaction of two rows: four write units.
    pub async fn remove(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        note: NoteId,
    ) -> Result<(), Error> {
        let now = self.contacts.clock().now();
        let one = Update::new()
            .remove("text")
            .set("ttl", now.as_second() + KEEP_REMOVED)
            .when_exists()
            .when_absent("ttl");
        let count = Update::new().add("count", -1).when_exists();
        let rows = vec![
            (keys::notes(tenant, contact), count),
            (keys::note(tenant, contact, note), one),
        ];
        // Refused: the note is gone.
        self.contacts.update_all(rows).await.map(drop)
    }

    /// A page of a contact's notes, newest first. A page may hold fewer than `limit` and still have a `next`.
    pub async fn page(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Note>, Error> {
        let query = Query::partition(keys::contact(tenant, contact))
            .begins_with("NOTE#")
            .descending()
            .limit(limit.get())
            .cursor(cursor);
        let page: Page<Row> = self.contacts.query(query).await?;
        let data = page.data.into_iter().filter_map(Row::shown).collect();
        Ok(Page {
            data,
            next: page.next,
        })
    }
}
