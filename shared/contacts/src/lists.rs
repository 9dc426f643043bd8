//! Contact lists and their names. The members are in [`crate::Contacts`].

use cloud::{Created, Error, Query, Recent, Resources, Table};
use jiff::Timestamp;
use kernel::{Cursor, EmailAddress, Limit, ListId, Patch, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::keys;

/// Lists that a process keeps in memory: about 2 MB.
const MOST: usize = 5_000;

/// The sender of mails to a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListSender {
    /// Name shown in the inbox.
    #[schema(min_length = 1, max_length = 100, example = "Áo dài Mai")]
    pub from_name: String,
    /// A proven sender of the workspace.
    pub from_email: EmailAddress,
}

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
    /// The sender of campaigns to this list alone that name none, and of its confirmation mails; null: that of the
    /// workspace.
    #[serde(default)]
    pub default_sender: Option<ListSender>,
    /// Whether a signup form that puts contacts on the list asks by mail to confirm the consent.
    #[serde(default)]
    pub double_opt_in: bool,
    /// Why readers get mails of campaigns to this list alone; null: that of the workspace.
    #[serde(default)]
    pub permission_reminder: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
}

/// The parts of a list to change; the others stay.
#[derive(Debug, Clone, Default)]
pub struct ListChange {
    /// The name.
    pub name: Option<String>,
    /// The description.
    pub description: Patch<String>,
    /// The sender.
    pub default_sender: Patch<ListSender>,
    /// Whether forms ask to confirm.
    pub double_opt_in: Option<bool>,
    /// The permission reminder.
    pub permission_reminder: Patch<String>,
}

impl ListChange {
    /// The list after the change.
    pub fn onto(self, mut list: List) -> List {
        list.name = self.name.unwrap_or(list.name);
        list.description = self.description.onto(list.description);
        list.default_sender = self.default_sender.onto(list.default_sender);
        list.double_opt_in = self.double_opt_in.unwrap_or(list.double_opt_in);
        list.permission_reminder = self.permission_reminder.onto(list.permission_reminder);
        list
    }
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
            default_sender: None,
            double_opt_in: false,
            permission_reminder: None,
            created_at: at,
        };
        let row = Row { list, version: 0 };
        let created = self.directory.create(&keys::list(tenant, id), &row).await?;
        Ok(match created {
            Created::New => Some(row.list),
            // The list may have another name since.
            Created::Existing(found) => Some(found.list).filter(|list| list.created_at == at),
        })
    }

    /// Changes a list; `None`: there is no such list. One write unit.
    pub async fn change(
        &self,
        tenant: TenantKey,
        id: ListId,
        change: ListChange,
    ) -> Result<Option<List>, Error> {
        let key = keys::list(tenant, id);
        let Some(mut row) = self.directory.get::<Row>(&key).await? else {
            return Ok(None);
        };
        row.list = change.onto(row.list);
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
        let query = Query::partition(tenant.to_string()).begins_with("LIST#");
        let query = query.limit(limit.get()).cursor(cursor);
        self.directory.query(query).await
    }
}

/// Lists for the public door of forms; an answer may be ten seconds old.
#[derive(Clone, Debug)]
pub struct RecentLists {
    lists: Lists,
    recent: Recent<(TenantKey, ListId), Option<List>>,
}

impl RecentLists {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            lists: Lists::over(resources),
        }
    }

    /// One list. No read, once the list is known.
    pub async fn get(&self, tenant: TenantKey, list: ListId) -> Result<Option<List>, Error> {
        let lists = self.lists.clone();
        let read = move || async move { lists.get(tenant, list).await };
        self.recent.get((tenant, list), read).await
    }
}
