//! Contact lists and their names. The members are in [`crate::Contacts`].

use cloud::{Error, Query, Resources, Table};
use jiff::Timestamp;
use kernel::{Cursor, Limit, ListId, TenantKey, page::Page};
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
        };
        let created = self
            .directory
            .create(&keys::list(tenant, id), &list)
            .await?;
        Ok(created.is_ours(&list).then_some(list))
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
        let query = Query::partition(tenant.to_string()).begins_with("LIST#");
        let query = query.limit(limit.get()).cursor(cursor);
        self.directory.query(query).await
    }
}
