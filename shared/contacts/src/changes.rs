//! Changes of a contact on its timeline: the entry is written in one transaction with the change.
//!
//! Every door changes known contacts through here, but for imports that start no workflow: the entry of such a row is written before
//! the profile, at one unit. Tags and lists of an entry can start workflows ([`crate::moves`]).

use cloud::{Error, Update};
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde_json::{Map, Value, json};

use crate::change::{Change, value};
use crate::keys;
use crate::model::{Contact, Event};
use crate::moves::Moves;
use crate::rows::{CUSTOM, Profile};
use crate::store::Contacts;
use crate::unique::Claims;

/// The event of a change.
pub const UPDATED: &str = "contact.updated";
/// Characters of a value that an entry keeps.
const MOST_TEXT: usize = 100;
/// Tags, and names of custom fields, that an entry keeps of one change.
const MOST_NAMES: usize = 20;
/// Entries of one instant that say the same.
const ROUNDS: u32 = 100;

impl Contacts {
    /// Changes a contact, and says on its timeline what changed and by which door, if the profile is the one that was read.
    /// False: it is not. Four write units, and two more if a workflow listens.
    pub(crate) async fn change_noted(
        &self,
        tenant: TenantKey,
        id: ContactId,
        read: &Profile,
        update: Update,
        (what, moves): (&Value, &Moves),
        door: &str,
    ) -> Result<bool, Error> {
        let none = Claims::default();
        self.change_claiming(tenant, id, read, (update, &none), (what, moves), door)
            .await
    }

    /// Like [`Contacts::change_noted`], with the rows of unique values.
    pub(crate) async fn change_claiming(
        &self,
        tenant: TenantKey,
        id: ContactId,
        read: &Profile,
        (update, claims): (Update, &Claims),
        (what, moves): (&Value, &Moves),
        door: &str,
    ) -> Result<bool, Error> {
        let update = update
            .when_exists()
            .when_as_read("update_id", read.update_id.as_deref());
        let at = self.contacts.clock().now();
        // A change that is made, undone and made again in one instant is three entries.
        for round in 0..ROUNDS {
            let event = entry(id, at, (what, door), round);
            let row = self.entry_of(tenant, &event, moves).await?;
            let rows = [(keys::event(tenant, id, &event), row)];
            let mut updates = vec![(keys::profile(tenant, id), update.clone())];
            updates.extend(claims.rows.iter().cloned());
            let written = self
                .contacts
                .update_all_and_create(updates, &self.timeline, &rows);
            if written.await? {
                return Ok(true);
            }
            if !self.has(tenant, id, &event).await? {
                return Ok(false);
            }
        }
        Err(Error::Conflict)
    }
}

/// The event of a change.
pub(crate) fn entry(
    id: ContactId,
    at: Timestamp,
    (what, door): (&Value, &str),
    round: u32,
) -> Event {
    let (contact, text, round) = (id.to_string(), what.to_string(), round.to_string());
    Event {
        id: kernel::hash::name(&[UPDATED, &contact, &text, &round]),
        name: UPDATED.to_owned(),
        at,
        source: door.to_owned(),
        data: what.clone(),
    }
}

impl Change {
    /// The part of the change that workflows can listen to.
    pub(crate) fn moves(&self) -> Moves {
        Moves {
            tags_added: self.tags.clone(),
            lists_joined: self.lists.clone(),
            ..Moves::default()
        }
    }

    /// The change in words: each plain field with its old and its new value, the names of custom fields, new tags and new
    /// lists. Null if none of these changes.
    pub(crate) fn noted(&self, before: &Contact) -> Value {
        let mut fields = Map::new();
        let mut custom = Vec::new();
        let cleared = self.removed.iter().map(|name| (name, Value::Null));
        let set = self.fields.iter().map(|(name, new)| (name, new.clone()));
        for (name, new) in set.chain(cleared) {
            if let Some(name) = name.strip_prefix(CUSTOM) {
                custom.push(name.to_owned());
            } else {
                let old = short(value(before, name));
                fields.insert(name.clone(), json!({ "old": old, "new": short(new) }));
            }
        }
        let mut what = Map::new();
        if !fields.is_empty() || !custom.is_empty() {
            what.insert("fields".to_owned(), fields.into());
            custom.truncate(MOST_NAMES);
            what.insert("custom_fields".to_owned(), custom.into());
        }
        if !self.tags.is_empty() {
            let tags = self.tags.iter().take(MOST_NAMES);
            let tags: Vec<Value> = tags.map(|tag| short(tag.as_str().into())).collect();
            what.insert("tags_added".to_owned(), tags.into());
        }
        if !self.lists.is_empty() {
            what.insert("lists_joined".to_owned(), json!(self.lists));
        }
        if what.is_empty() {
            return Value::Null;
        }
        what.into()
    }
}

fn short(value: Value) -> Value {
    match value {
        Value::String(text) => text.chars().take(MOST_TEXT).collect::<String>().into(),
        other => other,
    }
}
