//! Contact lists and their names. The members are in [`crate::Contacts`].

use cloud::{Created, Error, Query, Resources, Table};
use jiff::Timestamp;
use kernel::{Cursor, Limit, ListId, Patch, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::keys;

/// A contact list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ContactList)]
pub struct List {
    /// Its id.
    pub id: ListId,
    /// The shop's name for it.
    pub name: String,
    /// Its purpose.
    #[serde(default)]
    pub description: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// Its contacts in use when they were last counted; null before the first count.
    #[serde(default)]
    pub contacts_count: Option<u64>,
    /// When they were counted. Reading the lists has them counted again, an hour later at the earliest.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub counted_at: Option<Timestamp>,
}

/// The row of a list.
#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    list: List,
    /// Increases with each change.
    #[serde(default)]
    version: u64,
}

/// The lists of a workspace.
#[derive(Clone, Debug)]
pub struct Lists {
    directory: Table,
}

impl Lists {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// Makes a list; `None` if another list has the id. A repetition finds the list of the first run.
    pub async fn create(
        &self,
        tenant: TenantKey,
        id: ListId,
        at: Timestamp,
        name: &str,
        description: Option<&str>,
    ) -> Result<Option<List>, Error> {
        let list = List {
            id,
            name: name.to_owned(),
            description: description.map(str::to_owned),
            created_at: at,
            contacts_count: None,
            counted_at: None,
        };
        let row = Row { list, version: 0 };
        let created = self.directory.create(&keys::list(tenant, id), &row).await?;
        Ok(match created {
            Created::New => Some(row.list),
            // The list may have another name since.
            Created::Existing(found) => Some(found.list).filter(|list| list.created_at == at),
        })
    }

    /// Changes the name and the description; `None`: there is no such list. One write unit.
    pub async fn change(
        &self,
        tenant: TenantKey,
        id: ListId,
        name: Option<String>,
        description: Patch<String>,
    ) -> Result<Option<List>, Error> {
        let key = keys::list(tenant, id);
        let Some(mut row) = self.directory.get::<Row>(&key).await? else {
            return Ok(None);
        };
        if let Some(name) = name {
            row.list.name = name;
        }
        row.list.description = description.onto(row.list.description);
        row.version += 1;
        let before = row.version - 1;
        self.directory.replace(&key, &row, before).await?;
        Ok(Some(row.list))
    }

    /// Removes a list; its members are removed by a bulk job. One write unit; safe to repeat.
    pub async fn remove(&self, tenant: TenantKey, id: ListId) -> Result<(), Error> {
        self.directory.delete(&keys::list(tenant, id)).await
    }

    /// One list.
    pub async fn get(&self, tenant: TenantKey, list: ListId) -> Result<Option<List>, Error> {
        self.directory.get(&keys::list(tenant, list)).await
    }

    /// A page of lists, oldest first.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<List>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::LIST);
        let query = query.limit(limit.get()).cursor(cursor);
        self.directory.query(query).await
    }
}
