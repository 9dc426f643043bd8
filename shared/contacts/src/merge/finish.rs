//! The rows of a merged contact move to the survivor. A row is copied before it is deleted, and a copy has the name of
//! its row. So a repetition does the rest.

use std::collections::{BTreeSet, HashMap};

use cloud::{Error, Key, Query, Update};
use kernel::page::Page;
use kernel::{ContactId, Cursor, TenantKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MERGING, Merging};
use crate::keys;
use crate::model::{Contact, Event};
use crate::rows::MERGED_INTO;
use crate::store::Contacts;

/// Rows that are read at a time.
const PAGE: u32 = 200;
/// A contact was merged into the one whose timeline has the event.
pub const MERGED: &str = "contact.merged";

#[derive(Deserialize)]
struct Tombstone {
    merged_into: Option<ContactId>,
    merging: Option<Merging>,
}

impl Contacts {
    /// Moves what is left of a merged contact. A repetition does the rest. Two write units for each row that moves.
    pub async fn finish_merge(&self, tenant: TenantKey, gone: ContactId) -> Result<(), Error> {
        let key = keys::profile(tenant, gone);
        let Some(row) = self.contacts.get::<Tombstone>(&key).await? else {
            return Ok(());
        };
        let (Some(into), Some(merging)) = (row.merged_into, row.merging) else {
            return Ok(());
        };
        let now = self.forward(tenant, gone).await?.unwrap_or(into);
        let survivor = self.get(tenant, now).await?;
        if let Some(survivor) = &survivor {
            self.take_places(tenant, survivor).await?;
        }
        self.take_rows(tenant, gone, survivor.as_ref()).await?;
        let rows = stale(tenant, gone, survivor.as_ref(), &merging);
        self.contacts.delete_many(&rows).await?;
        if let Some(survivor) = &survivor {
            let event = Event {
                id: format!("{MERGED}#{gone}"),
                name: MERGED.to_owned(),
                at: merging.at,
                source: "merge".to_owned(),
                data: json!({ "contact_id": gone, "actor_id": merging.actor }),
            };
            self.record(tenant, survivor.id, &event).await?;
        }
        let done = Update::new().remove(MERGING).when_equals(MERGED_INTO, into);
        self.contacts.update(&key, done).await.map(drop)
    }

    /// The survivor's places on its lists. A list that the survivor left meanwhile has no row.
    async fn take_places(&self, tenant: TenantKey, survivor: &Contact) -> Result<(), Error> {
        if survivor.is_archived() {
            return Ok(());
        }
        self.place(tenant, survivor).await?;
        let now = self.get(tenant, survivor.id).await?;
        let stays = |list: &&kernel::ListId| {
            let now = now.as_ref().filter(|now| !now.is_archived());
            now.is_some_and(|now| now.lists.contains(list))
        };
        let left = survivor.lists.iter().filter(|list| !stays(list));
        let left = left.map(|&list| keys::membership(tenant, survivor.id, list));
        self.contacts.delete_many(&left.collect::<Vec<_>>()).await
    }

    /// Moves the notes, the decisions about consent, the history of the score and the requests of forms. Without a
    /// survivor they are deleted, as are the places on lists.
    async fn take_rows(
        &self,
        tenant: TenantKey,
        gone: ContactId,
        survivor: Option<&Contact>,
    ) -> Result<(), Error> {
        let mut cursor: Option<Cursor> = None;
        loop {
            let query = Query::partition(keys::contact(tenant, gone)).limit(PAGE);
            let page: Page<HashMap<String, Value>> =
                self.contacts.query(query.cursor(cursor)).await?;
            let mut going = Vec::new();
            let mut moving: Vec<(Key, HashMap<String, Value>)> = Vec::new();
            for mut row in page.data {
                let (Some(Value::String(pk)), Some(Value::String(sk))) =
                    (row.remove("pk"), row.remove("sk"))
                else {
                    continue;
                };
                if [keys::PROFILE, keys::STATE, keys::NOTES].contains(&sk.as_str()) {
                    continue;
                }
                if let Some(survivor) = survivor.filter(|_| keys::moves(&sk)) {
                    let to = Key::new(keys::contact(tenant, survivor.id), sk.as_str());
                    moving.push((to, row));
                }
                going.push(Key::new(pk, sk));
            }
            self.contacts.put_many(&moving).await?;
            self.contacts.delete_many(&going).await?;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

/// The rows of the search that name the former contact, and those by which the survivor is found under an address that
/// it now owns.
fn stale(
    tenant: TenantKey,
    gone: ContactId,
    survivor: Option<&Contact>,
    merging: &Merging,
) -> Vec<Key> {
    let names = merging.names.iter();
    let names = names.map(|name| keys::name(tenant, name, gone));
    let of = |id| {
        move |one: &crate::Identity| [keys::beside(tenant, one, id), keys::pair(tenant, one, id)]
    };
    let beside = merging.beside.iter().flat_map(of(gone));
    let owned = survivor.into_iter().flat_map(|survivor| {
        let owned = survivor.owned();
        owned.iter().flat_map(of(survivor.id)).collect::<Vec<_>>()
    });
    let all: BTreeSet<Key> = names.chain(beside).chain(owned).collect();
    all.into_iter().collect()
}
