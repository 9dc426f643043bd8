//! The users of custom fields: a row for each pair. A field in use is not removed.
//!
//! The saver of a user (a workflow, a segment, a form) declares its uses before the user itself. So a user without a
//! row does not exist. A row whose user was never saved, after a crash, is removed with the next declaration.

use std::collections::BTreeSet;

use cloud::{Error, Query, Resources, Table};
use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::keys;

/// Users of one field that a refusal names.
const MOST_NAMED: u32 = 20;

/// A thing that uses a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldUser {
    /// `workflow`, `segment`, `form`, `campaign`…
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name, when it was saved.
    pub name: String,
}

/// The uses of custom fields; every call names the tenant.
#[derive(Clone, Debug)]
pub struct FieldUses {
    directory: Table,
}

impl FieldUses {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        let directory = resources.table("Directory");
        Self { directory }
    }

    /// Declares that `user` uses these fields. One write unit each; safe to repeat.
    pub async fn declare(
        &self,
        tenant: TenantKey,
        user: &FieldUser,
        fields: &BTreeSet<String>,
    ) -> Result<(), Error> {
        for field in fields {
            let key = keys::field_use(tenant, field, &user.id);
            self.directory.put(&key, user).await?;
        }
        Ok(())
    }

    /// Declares that `user` no longer uses these fields. One write unit each; safe to repeat.
    pub async fn forget(
        &self,
        tenant: TenantKey,
        user: &str,
        fields: &BTreeSet<String>,
    ) -> Result<(), Error> {
        for field in fields {
            let key = keys::field_use(tenant, field, user);
            self.directory.delete(&key).await?;
        }
        Ok(())
    }

    /// The first users of a field, at most 20. One query.
    pub async fn of(&self, tenant: TenantKey, field: &str) -> Result<Vec<FieldUser>, Error> {
        let query = Query::partition(keys::field_uses(tenant, field)).limit(MOST_NAMED);
        Ok(self.directory.query(query).await?.data)
    }
}

/// The custom fields that a text names as a template does: `contact.custom.hang` or `custom["hang"]`. Names that no
/// definition can have are left out.
pub fn mentioned(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in text.split("custom").skip(1) {
        let rest = part.trim_start_matches(['.', '[', '"', '\'', '\\']);
        if rest.len() == part.len() {
            continue;
        }
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if rest.starts_with(|c: char| c.is_ascii_lowercase()) && end <= 64 {
            found.insert(rest[..end].to_owned());
        }
    }
    found
}
