//! The definitions of a workspace, in one row of Directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud::{Error, Recent, Resources, Table};
use jiff::Timestamp;
use kernel::TenantKey;
use kernel::text::alike;
use serde_json::Value;

use super::check::{FieldFault, check};
use super::definition::{Definition, Kind, MAX_DEFINITIONS, MAX_UNIQUE, Target};
use crate::bundle::{self, Full};
use crate::keys;

/// Workspaces whose definitions a process keeps in memory.
const MOST: usize = 10_000;

/// The definitions of one workspace, for the doors that take values.
#[derive(Debug, Clone, Default)]
pub struct Definitions(BTreeMap<String, Definition>);

impl Definitions {
    /// These definitions.
    pub fn of(all: impl IntoIterator<Item = Definition>) -> Self {
        Self(all.into_iter().map(|one| (one.key.clone(), one)).collect())
    }

    /// The definition of a field, in any case of its letters.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.0.get(&alike(name))
    }

    /// The value as it is stored, or the reason why the field does not take it. A field without a definition takes
    /// any value.
    pub fn check(&self, name: &str, value: &Value) -> Result<Value, FieldFault> {
        let refused = |message: &str| {
            Err(FieldFault {
                field: name.to_owned(),
                message: message.to_owned(),
            })
        };
        match self.get(name) {
            Some(field) if value.is_null() && field.required => {
                refused("is required and cannot be cleared")
            }
            Some(field) if value.is_null() && field.kind == Kind::File => {
                refused("is cleared by DELETE /v1/contacts/{id}/files/{field}")
            }
            Some(field) if !value.is_null() => check(field, value),
            _ => Ok(value.clone()),
        }
    }

    /// Gives the defaults to a template's custom fields that have no value.
    pub fn fill(&self, custom: &mut serde_json::Map<String, Value>) {
        for field in self.0.values() {
            let Some(default) = &field.default else {
                continue;
            };
            let own = custom.iter().find(|(name, _)| alike(name) == field.key);
            if own.is_none_or(|(_, value)| value.is_null()) {
                custom.insert(field.key.clone(), default.clone());
            }
        }
    }

    /// Brings the values into the stored form. A value that its field does not take is removed and returned: an API
    /// refuses the request, an intake keeps the others and tells the number of these.
    pub fn apply(&self, values: &mut BTreeMap<String, Value>) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        values.retain(|name, value| match self.check(name, value) {
            Ok(stored) => {
                *value = stored;
                true
            }
            Err(fault) => {
                faults.push(fault);
                false
            }
        });
        faults
    }
}

/// Why a change of the definitions is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldRefusal {
    /// Another definition has the key.
    Taken,
    /// There are as many definitions as there may be, or they are too long.
    Full,
    /// There is no such definition.
    Missing,
    /// The type may not change to the new one.
    Kind,
    /// A field that exists does not become unique: contacts may share values already.
    NotUnique,
    /// There are as many unique fields as there may be.
    ManyUnique,
}

impl From<Full> for FieldRefusal {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// The definitions of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Fields {
    target: Target,
    directory: Table,
    recent: Recent<TenantKey, Arc<Definitions>>,
}

impl Fields {
    /// The fields of contacts. Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self::about(Target::Contact, resources)
    }

    /// The fields of one target. Over the table Directory.
    pub fn about(target: Target, resources: &Resources) -> Self {
        Self {
            target,
            recent: Recent::new(resources.clock(), MOST),
            directory: resources.table("Directory"),
        }
    }

    /// The time of a change.
    pub fn now(&self) -> Timestamp {
        self.directory.clock().now()
    }

    /// All definitions, in the order in which they were made. Up to 32 read units, for 128 KB.
    pub async fn all(&self, tenant: TenantKey) -> Result<Vec<Definition>, Error> {
        bundle::read(&self.directory, &keys::fields(tenant, self.target.name())).await
    }

    /// The definitions, up to ten seconds old. No read, once they are known.
    pub async fn recent(&self, tenant: TenantKey) -> Result<Arc<Definitions>, Error> {
        let directory = self.directory.clone();
        let key = keys::fields(tenant, self.target.name());
        let read = move || async move {
            let all = bundle::glance(&directory, &key).await?;
            Ok(Arc::new(Definitions::of(all)))
        };
        self.recent.get(tenant, read).await
    }

    /// Adds a definition that has no flaws. A repetition of the same request finds its own.
    pub async fn add(
        &self,
        tenant: TenantKey,
        new: &Definition,
    ) -> Result<Result<(), FieldRefusal>, Error> {
        let add = |all: &mut Vec<Definition>| {
            if let Some(found) = all.iter().find(|one| one.key == new.key) {
                let is_ours = found == new;
                return is_ours.then_some(()).ok_or(FieldRefusal::Taken);
            }
            if all.len() >= MAX_DEFINITIONS {
                return Err(FieldRefusal::Full);
            }
            let unique = all.iter().filter(|one| one.unique).count();
            if new.unique && unique >= MAX_UNIQUE {
                return Err(FieldRefusal::ManyUnique);
            }
            all.push(new.clone());
            Ok(())
        };
        bundle::edit(
            &self.directory,
            &keys::fields(tenant, self.target.name()),
            add,
        )
        .await
    }

    /// Changes a definition; `change` gives the new one, without flaws. An option that the new one leaves out is
    /// archived, since contacts may have it.
    pub async fn change(
        &self,
        tenant: TenantKey,
        new: &Definition,
    ) -> Result<Result<Definition, FieldRefusal>, Error> {
        let change = |all: &mut Vec<Definition>| {
            let found = all.iter_mut().find(|one| one.key == new.key);
            let found = found.ok_or(FieldRefusal::Missing)?;
            if !found.kind.may_become(new.kind) {
                return Err(FieldRefusal::Kind);
            }
            if new.unique && !found.unique {
                return Err(FieldRefusal::NotUnique);
            }
            *found = new.clone().keeping(found);
            Ok(found.clone())
        };
        bundle::edit(
            &self.directory,
            &keys::fields(tenant, self.target.name()),
            change,
        )
        .await
    }

    /// Removes a definition. Contacts keep the values, which then have no type. Safe to repeat.
    pub async fn remove(&self, tenant: TenantKey, key: &str) -> Result<(), Error> {
        let remove = |all: &mut Vec<Definition>| {
            all.retain(|one| one.key != key);
            Ok::<_, FieldRefusal>(())
        };
        let key = keys::fields(tenant, self.target.name());
        let removed = bundle::edit(&self.directory, &key, remove).await?;
        removed.map_err(|_| Error::Conflict)
    }
}

impl Definition {
    /// With the options of `before` that it leaves out, archived.
    #[must_use]
    pub fn keeping(mut self, before: &Self) -> Self {
        for option in &before.options {
            if self.options.iter().all(|one| one.key != option.key) {
                let mut kept = option.clone();
                kept.archived = true;
                self.options.push(kept);
            }
        }
        self
    }
}
