//! Saved views of the list of contacts: columns, order and filter, of one user or shared in the workspace. The views
//! of one owner are one row of Directory.

use cloud::{Error, Resources, Table};
use jiff::Timestamp;
use kernel::{TenantKey, ViewId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::{self, Full};
use crate::keys;

/// Most shared views of a workspace, and most private views of one user in it.
pub const MAX_VIEWS: usize = 50;
/// Most columns of a view.
pub const MAX_COLUMNS: usize = 100;
/// Longest filter, in bytes of JSON.
pub const MAX_FILTER: usize = 16 * 1024;

/// A column of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ViewColumn)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// A field of contacts; a custom field as `custom.hang`.
    #[schema(min_length = 1, max_length = 100, example = "full_name")]
    pub field: String,
    /// Its width in pixels.
    #[serde(default)]
    #[schema(minimum = 20, maximum = 2000)]
    pub width: Option<u16>,
}

/// The field that orders a view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ViewSort)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the product's own words")]
pub enum Sort {
    #[default]
    LastActivity,
    CreatedAt,
}

/// The settings of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewView)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name.
    #[schema(min_length = 1, max_length = 100, example = "Khách VIP")]
    pub name: String,
    /// The columns, from the left.
    #[schema(min_items = 1, max_items = 100)]
    pub columns: Vec<Column>,
    /// The field that orders it, newest first.
    #[serde(default)]
    pub sort: Sort,
    /// Conditions as a segment has them. They are stored as they are and checked when they are used.
    #[serde(default)]
    pub filter: Option<Value>,
    /// Contacts of a page.
    #[serde(default = "page_size")]
    #[schema(minimum = 1, maximum = 100, default = 25)]
    pub page_size: u8,
    /// Everybody in the workspace sees a shared view. It cannot change between shared and private.
    #[serde(default)]
    pub shared: bool,
    /// Whether the list opens with it. Of one owner's views at most one does.
    #[serde(default)]
    pub default: bool,
    /// Whether it is shown as a tab.
    #[serde(default)]
    pub pinned: bool,
}

fn page_size() -> u8 {
    25
}

impl Settings {
    /// Everything that is wrong with them: JSON pointers and rules.
    pub fn flaws(&self) -> Vec<(String, String)> {
        let mut flaws: Vec<(String, String)> = Vec::new();
        let mut check = |is_flawed: bool, pointer: &str, message: &str| {
            if is_flawed {
                flaws.push((pointer.to_owned(), message.to_owned()));
            }
        };
        let is_text = |text: &str| !text.trim().is_empty() && text.chars().count() <= 100;
        let message = "must have 1 to 100 characters";
        check(!is_text(&self.name), "/name", message);
        let is_wrong = !(1..=MAX_COLUMNS).contains(&self.columns.len());
        check(is_wrong, "/columns", "holds 1 to 100 columns");
        let is_wrong = !(1..=100).contains(&self.page_size);
        check(is_wrong, "/page_size", "must be 1 to 100");
        let filter = self.filter.as_ref();
        let is_other = filter.is_some_and(|filter| !filter.is_object());
        check(is_other, "/filter", "must be an object");
        let is_long = filter.is_some_and(|filter| filter.to_string().len() > MAX_FILTER);
        check(is_long, "/filter", "has at most 16,384 bytes");
        for (n, column) in self.columns.iter().enumerate().take(MAX_COLUMNS) {
            let pointer = format!("/columns/{n}/field");
            check(!is_text(&column.field), &pointer, message);
            let width = column.width;
            let is_wrong = width.is_some_and(|width| !(20..=2000).contains(&width));
            let pointer = format!("/columns/{n}/width");
            check(is_wrong, &pointer, "must be 20 to 2,000");
        }
        flaws
    }
}

/// A view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Its id.
    pub id: ViewId,
    /// The user who made it.
    pub owner: String,
    /// Its settings.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Why a view is not saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewRefusal {
    /// The owner has as many views as there may be, or they are too long.
    Full,
    /// There is no such view.
    Missing,
}

impl From<Full> for ViewRefusal {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// The views of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Views {
    directory: Table,
}

impl Views {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        let directory = resources.table("Directory");
        Self { directory }
    }

    /// The time of a change.
    pub fn now(&self) -> Timestamp {
        self.directory.clock().now()
    }

    /// The shared views and then those of this user. Two reads.
    pub async fn of(&self, tenant: TenantKey, user: &str) -> Result<Vec<View>, Error> {
        let mut all = bundle::read(&self.directory, &keys::views(tenant, None)).await?;
        let own: Vec<View> =
            bundle::read(&self.directory, &keys::views(tenant, Some(user))).await?;
        all.extend(own);
        Ok(all)
    }

    /// Adds a view; safe to repeat.
    pub async fn add(
        &self,
        tenant: TenantKey,
        view: &View,
    ) -> Result<Result<(), ViewRefusal>, Error> {
        let add = |all: &mut Vec<View>| {
            if all.iter().any(|one| one.id == view.id) {
                return Ok(());
            }
            if all.len() >= MAX_VIEWS {
                return Err(ViewRefusal::Full);
            }
            all.push(view.clone());
            only_default(all, view);
            Ok(())
        };
        let key = keys::views(tenant, view.owner_of_row());
        bundle::edit(&self.directory, &key, add).await
    }

    /// Replaces the settings of a view.
    pub async fn change(
        &self,
        tenant: TenantKey,
        view: &View,
    ) -> Result<Result<(), ViewRefusal>, Error> {
        let change = |all: &mut Vec<View>| {
            let found = all.iter_mut().find(|one| one.id == view.id);
            *found.ok_or(ViewRefusal::Missing)? = view.clone();
            only_default(all, view);
            Ok(())
        };
        let key = keys::views(tenant, view.owner_of_row());
        bundle::edit(&self.directory, &key, change).await
    }

    /// Removes a view; safe to repeat.
    pub async fn remove(&self, tenant: TenantKey, view: &View) -> Result<(), Error> {
        let remove = |all: &mut Vec<View>| {
            all.retain(|one| one.id != view.id);
            Ok::<_, ViewRefusal>(())
        };
        let key = keys::views(tenant, view.owner_of_row());
        let removed = bundle::edit(&self.directory, &key, remove).await?;
        removed.map_err(|_| Error::Conflict)
    }
}

impl View {
    /// The user whose row holds it; `None`: it is shared.
    fn owner_of_row(&self) -> Option<&str> {
        (!self.settings.shared).then_some(self.owner.as_str())
    }
}

/// Of the views in one row only the last saved default stays one.
fn only_default(all: &mut [View], saved: &View) {
    if saved.settings.default {
        let others = all.iter_mut().filter(|one| one.id != saved.id);
        others.for_each(|one| one.settings.default = false);
    }
}
