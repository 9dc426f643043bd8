//! The sources of a workspace, for its users. [`doors`](crate::doors) holds the part that external requests may
//! read.

use std::collections::BTreeMap;

use cloud::{Created, Error, Query, Update};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Channel, ConsentField, Cursor, Limit, ListId, SourceId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::doors::{PREFIX, Row};
use crate::{Doors, NewSource, SourceDoor, keys, secret};

/// A change of a source; a field that is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct SourceChange {
    /// Name that people see.
    pub name: Option<String>,
    /// Tags that its contacts get.
    pub tags: Option<Vec<String>>,
    /// Lists that its contacts join.
    pub lists: Option<Vec<ListId>>,
    /// The source's field names, with our names.
    pub mapping: Option<BTreeMap<String, String>>,
    /// The field that asks for consent, by channel.
    pub consent: Option<BTreeMap<Channel, ConsentField>>,
}

/// A source's place in its workspace's list.
#[derive(Serialize, Deserialize)]
struct Listed {
    source: SourceId,
}

impl Doors {
    /// Makes a source; returns it with its token, which is never returned again. `None` if another source has the id. Its
    /// place in the list is written first, so every source that accepts posts can be seen and removed. A repetition finds
    /// the source of its first run and gives it a new token; nobody has seen the earlier one.
    pub async fn add_source(
        &self,
        tenant: TenantKey,
        id: SourceId,
        at: Timestamp,
        new: &NewSource,
    ) -> Result<Option<(SourceDoor, String)>, Error> {
        let token = secret::generate(PREFIX, self.directory.entropy());
        let row = Row {
            workspace: tenant.workspace(),
            settings: SourceDoor {
                id,
                name: new.name.clone(),
                provider: new.provider.clone(),
                header: new.header.to_ascii_lowercase(),
                tags: new.tags.clone(),
                lists: new.lists.clone(),
                mapping: new.mapping.clone(),
                consent: new.consent.clone(),
                created_at: at,
                secret_hash: secret::hash(&token),
            },
        };
        let listed = Listed { source: id };
        self.directory
            .put(&keys::source_of(tenant, id), &listed)
            .await?;
        let key = keys::source(id);
        let held = match self.directory.create(&key, &row).await? {
            Created::New => return Ok(Some((row.settings, token))),
            Created::Existing(held) => held,
        };
        let before = held.settings.secret_hash.clone();
        let same = SourceDoor {
            secret_hash: row.settings.secret_hash.clone(),
            ..held.settings
        };
        if held.workspace != row.workspace || same != row.settings {
            return Ok(None);
        }
        let update = Update::new()
            .set("secret_hash", &row.settings.secret_hash)
            .when_equals("secret_hash", before);
        if !self.directory.update(&key, update).await?.applied() {
            return Err(Error::Conflict);
        }
        Ok(Some((row.settings, token)))
    }

    /// A page of the workspace's sources, oldest first.
    pub async fn sources(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<SourceDoor>, Error> {
        let query = Query::partition(tenant.to_string())
            .begins_with(keys::SOURCES)
            .limit(limit.get())
            .cursor(cursor);
        let page: Page<Listed> = self.directory.query(query).await?;
        let wanted = page.data.iter().map(|row| keys::source(row.source));
        let found = self.directory.get_many::<Row<SourceDoor>>(wanted.collect());
        let found = found.await?.into_iter().map(|(_, row)| row);
        let own = found.filter(|row| row.workspace == tenant.workspace());
        let mut data: Vec<SourceDoor> = own.map(|row| row.settings).collect();
        data.sort_unstable_by_key(|source| source.id);
        Ok(Page {
            data,
            next: page.next,
        })
    }

    /// A source of the workspace.
    pub async fn source_of(
        &self,
        tenant: TenantKey,
        id: SourceId,
    ) -> Result<Option<SourceDoor>, Error> {
        let row: Option<Row<SourceDoor>> = self.directory.get(&keys::source(id)).await?;
        let own = row.filter(|row| row.workspace == tenant.workspace());
        Ok(own.map(|row| row.settings))
    }

    /// Changes a source of the workspace; `None` if there is none.
    pub async fn update_source(
        &self,
        tenant: TenantKey,
        id: SourceId,
        change: SourceChange,
    ) -> Result<Option<SourceDoor>, Error> {
        let update = Update::new()
            .set_some("name", change.name)
            .set_some("tags", change.tags)
            .set_some("lists", change.lists)
            .set_some("mapping", change.mapping)
            .set_some("consent", change.consent)
            .when_equals("workspace", tenant.workspace());
        let outcome = self.directory.update(&keys::source(id), update).await?;
        if !outcome.applied() {
            return Ok(None);
        }
        let row: Option<Row<SourceDoor>> = outcome.item()?;
        Ok(row.map(|row| row.settings))
    }

    /// Removes a source of the workspace: first its door, then its place in the list. A source of another workspace
    /// stays.
    pub async fn remove_source(&self, tenant: TenantKey, id: SourceId) -> Result<(), Error> {
        if self.source_of(tenant, id).await?.is_some() {
            self.directory.delete(&keys::source(id)).await?;
        }
        self.directory.delete(&keys::source_of(tenant, id)).await
    }
}
