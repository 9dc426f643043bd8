//! The stored forms of all workspaces, in the table Directory.
//!
//! A form is one row, found by its public id. A second row of the workspace holds the ids of its forms; the bound on
//! forms is a condition on that row. An id is listed before its form exists and unlisted after the form is gone. So
//! every form that takes submissions can be seen and removed.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloud::{Error, Recent, Resources, Table, Update};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Cursor, FormId, Limit, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::model::{Form, Guard, MAX_FORMS, Settings, Status};

/// Forms that a process keeps in memory: at most 32 KB each, and a few KB as a rule.
const MOST: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    workspace: WorkspaceId,
    /// Number of the row, raised by each write.
    version: u64,
    form: Form,
}

#[derive(Default, Serialize, Deserialize)]
struct Listed {
    #[serde(default)]
    ids: BTreeSet<FormId>,
}

/// The outcome of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The form, from this run or an earlier one of the same request.
    Form(Box<Form>),
    /// Another form has the id.
    Taken,
    /// The workspace has as many forms as it may have.
    Full,
}

/// The forms of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Forms {
    directory: Table,
}

impl Forms {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        let directory = resources.table("Directory");
        Self { directory }
    }

    /// Makes a draft. Three write units, and one more for each kilobyte of the settings. Safe to repeat.
    pub async fn create(
        &self,
        tenant: TenantKey,
        id: FormId,
        at: Timestamp,
        settings: &Settings,
        guard: Option<Guard>,
    ) -> Result<Created, Error> {
        let listed = Update::new()
            .add_to_set("ids", [id.to_string()])
            .when_has_or_fits("ids", &id.to_string(), MAX_FORMS);
        let key = keys::forms(tenant);
        if !self.directory.update(&key, listed).await?.applied() {
            return Ok(Created::Full);
        }
        let form = Form {
            id,
            status: Status::Draft,
            settings_version: 1,
            settings: settings.clone(),
            guard,
            created_at: at,
            updated_at: at,
        };
        let row = Row {
            workspace: tenant.workspace(),
            version: 1,
            form,
        };
        let created = self.directory.create(&keys::form(id), &row).await?;
        if created.is_ours(&row) {
            return Ok(Created::Form(Box::new(row.form)));
        }
        Ok(Created::Taken)
    }

    /// A form of the workspace.
    pub async fn get(&self, tenant: TenantKey, id: FormId) -> Result<Option<Form>, Error> {
        Ok(self.row(tenant, id).await?.map(|row| row.form))
    }

    async fn row(&self, tenant: TenantKey, id: FormId) -> Result<Option<Row>, Error> {
        let row: Option<Row> = self.directory.get(&keys::form(id)).await?;
        Ok(row.filter(|row| row.workspace == tenant.workspace()))
    }

    /// A page of the workspace's forms, oldest first. The cursor is the last form's id.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Form>, Error> {
        let after = match cursor {
            Some(cursor) => Some(cursor.0.parse::<FormId>()),
            None => None,
        };
        let after = after
            .transpose()
            .map_err(|_| Error::Cursor("belongs to another list"))?;
        let listed: Option<Listed> = self.directory.get(&keys::forms(tenant)).await?;
        let ids = listed.unwrap_or_default().ids.into_iter();
        let mut ids = ids.filter(|id| after.is_none_or(|after| *id > after));
        let wanted: Vec<FormId> = ids.by_ref().take(limit.get() as usize).collect();
        let next = match (ids.next(), wanted.last()) {
            (Some(_), Some(last)) => Some(Cursor(last.to_string())),
            _ => None,
        };
        let keys = wanted.iter().map(|id| keys::form(*id)).collect();
        let rows = self.directory.get_many_consistent::<Row>(keys).await?;
        let own = rows.into_iter().map(|(_, row)| row);
        let own = own.filter(|row| row.workspace == tenant.workspace());
        let mut data: Vec<Form> = own.map(|row| row.form).collect();
        data.sort_unstable_by_key(|form| form.id);
        Ok(Page { data, next })
    }

    /// Replaces the settings; `None` if there is no such form.
    pub async fn replace(
        &self,
        tenant: TenantKey,
        id: FormId,
        settings: &Settings,
    ) -> Result<Option<Form>, Error> {
        self.change(tenant, id, |form| {
            if form.settings != *settings {
                form.settings = settings.clone();
                form.settings_version += 1;
            }
        })
        .await
    }

    /// Sets the keys of Turnstile, or takes them away; `None` if there is no such form.
    pub async fn set_guard(
        &self,
        tenant: TenantKey,
        id: FormId,
        guard: Option<&Guard>,
    ) -> Result<Option<Form>, Error> {
        self.change(tenant, id, |form| form.guard = guard.cloned())
            .await
    }

    /// Publishes, pauses or archives a form; `None` if there is no such form.
    pub async fn set_status(
        &self,
        tenant: TenantKey,
        id: FormId,
        status: Status,
    ) -> Result<Option<Form>, Error> {
        self.change(tenant, id, |form| form.status = status).await
    }

    async fn change(
        &self,
        tenant: TenantKey,
        id: FormId,
        change: impl Fn(&mut Form),
    ) -> Result<Option<Form>, Error> {
        // Each conflict is the success of another run, so this loop ends.
        loop {
            let Some(mut row) = self.row(tenant, id).await? else {
                return Ok(None);
            };
            let before = row.clone();
            change(&mut row.form);
            if row == before {
                return Ok(Some(row.form));
            }
            row.version += 1;
            row.form.updated_at = self.directory.clock().now();
            let key = keys::form(id);
            match self.directory.replace(&key, &row, before.version).await {
                Ok(()) => return Ok(Some(row.form)),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes a form. Safe to repeat.
    pub async fn remove(&self, tenant: TenantKey, id: FormId) -> Result<(), Error> {
        if self.row(tenant, id).await?.is_some() {
            self.directory.delete(&keys::form(id)).await?;
        }
        let update = Update::new().remove_from_set("ids", [id.to_string()]);
        self.directory.update(&keys::forms(tenant), update).await?;
        Ok(())
    }
}

/// A form as the public door sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenForm {
    /// The workspace of the form.
    pub tenant: TenantKey,
    /// The form.
    pub form: Form,
}

/// The forms, for requests that name only the public id. An answer may be ten seconds old.
#[derive(Clone, Debug)]
pub struct OpenForms {
    directory: Table,
    recent: Recent<FormId, Option<Arc<OpenForm>>>,
}

impl OpenForms {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            directory: resources.table("Directory"),
        }
    }

    /// A form that is not a draft. No read, once the form is known.
    pub async fn get(&self, id: FormId) -> Result<Option<Arc<OpenForm>>, Error> {
        let directory = self.directory.clone();
        let read = move || async move {
            let row: Option<Row> = directory.look_up(&keys::form(id)).await?;
            Ok(row.map(|row| Arc::new(open(row))))
        };
        let found = self.recent.get(id, read).await?;
        Ok(found.filter(|open| open.form.status != Status::Draft))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: the stored row names its workspace"
)]
fn open(row: Row) -> OpenForm {
    OpenForm {
        tenant: TenantKey::authenticated(row.workspace),
        form: row.form,
    }
}
