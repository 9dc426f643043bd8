//! The commit of an upsert with its entry on the timeline.
//!
//! Staff, forms and sources write both in one transaction, and so does everybody if a workflow or a webhook listens. The row of an import writes
//! its entry first, under a key that follows from the row: a repetition writes the same entry again.

use cloud::{Error, Update};
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde_json::Value;

use crate::change::Change;
use crate::changes::UPDATED;
use crate::keys;
use crate::model::{Contact, Event, Source};
use crate::moves::{CREATED, Moves};
use crate::rows::Profile;
use crate::store::Contacts;

/// The row of an import that changes a contact.
#[derive(Clone, Copy)]
pub(super) struct ImportRow<'a> {
    /// The import and the line.
    pub operation: &'a str,
    /// Whether the same import made the contact: its own rows are then told by the contact's creation.
    pub made_here: bool,
    /// When the values were given.
    pub at: Timestamp,
}

impl Contacts {
    /// Turns a reservation into a contact. False: another run was faster. An entry is written only if a workflow listens: three
    /// write units more, and two in the index of unsent effects.
    pub(super) async fn begin(
        &self,
        tenant: TenantKey,
        id: ContactId,
        source: Source,
        change: &Change,
        update: Update,
    ) -> Result<bool, Error> {
        let key = keys::profile(tenant, id);
        let moves = Moves {
            created: Some(source),
            ..change.moves()
        };
        let door = self.door_of(source);
        if !self.tells_change(tenant, &moves, door).await? {
            return self.write_with(&key, update, &change.claims).await;
        }
        let told = moves.told().into_iter().next();
        let event = Event {
            id: kernel::hash::name(&[CREATED, &id.to_string()]),
            name: CREATED.to_owned(),
            at: self.contacts.clock().now(),
            source: door.to_owned(),
            data: told.map(|(_, data)| data).unwrap_or_default(),
        };
        let row = self.entry_of(tenant, &event, &moves).await?;
        let rows = [(keys::event(tenant, id, &event), row)];
        let mut updates = vec![(key, update)];
        updates.extend(change.claims.rows.iter().cloned());
        self.contacts
            .update_all_and_create(updates, &self.timeline, &rows)
            .await
    }

    /// Changes a contact that was there. False: another run was faster.
    pub(super) async fn change_known(
        &self,
        tenant: TenantKey,
        id: ContactId,
        (read, before): (&Profile, &Contact),
        (change, update): (&Change, Update),
        (source, row): (Source, Option<ImportRow<'_>>),
    ) -> Result<bool, Error> {
        let key = keys::profile(tenant, id);
        let (mut what, moves) = (change.noted(before), change.moves());
        if what.is_null() {
            return self.write_with(&key, update, &change.claims).await;
        }
        let door = self.door_of(source);
        if let Some(row) = row {
            let (import, _) = row.operation.split_once('#').unwrap_or_default();
            if let Value::Object(fields) = &mut what {
                fields.insert("import_id".to_owned(), import.into());
            }
            if !self.tells_change(tenant, &moves, door).await? {
                if !row.made_here {
                    self.note_row(tenant, id, row, door, what).await?;
                }
                return self.write_with(&key, update, &change.claims).await;
            }
        }
        let written = (update, &change.claims);
        self.change_claiming(tenant, id, read, written, (&what, &moves), door)
            .await
    }

    /// Writes the entry of the row of an import. One write unit.
    async fn note_row(
        &self,
        tenant: TenantKey,
        id: ContactId,
        row: ImportRow<'_>,
        door: &str,
        what: Value,
    ) -> Result<(), Error> {
        let event = Event {
            id: kernel::hash::name(&[UPDATED, &id.to_string(), row.operation]),
            name: UPDATED.to_owned(),
            at: row.at,
            source: door.to_owned(),
            data: what,
        };
        let entry = self.entry(tenant, &event, false).await?;
        let key = keys::event(tenant, id, &event);
        self.timeline.put(&key, &entry).await
    }
}
