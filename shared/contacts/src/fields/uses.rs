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

/// The fields of one user.
#[derive(Serialize, Deserialize)]
struct Declared {
    fields: BTreeSet<String>,
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

    /// Declares that `user` uses these fields, and no others any more. A write unit for each field that is new or
    /// gone, and one for the user; safe to repeat.
    pub async fn declare(
        &self,
        tenant: TenantKey,
        user: &FieldUser,
        fields: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let key = keys::field_user(tenant, &user.id);
        let stored: Option<Declared> = self.directory.get(&key).await?;
        let before = stored.map(|row| row.fields).unwrap_or_default();
        if before.is_empty() && fields.is_empty() {
            return Ok(());
        }
        // The row of the user names every field whose row exists, at each moment.
        let both = Declared {
            fields: before.union(fields).cloned().collect(),
        };
        self.directory.put(&key, &both).await?;
        for field in fields {
            let key = keys::field_use(tenant, field, &user.id);
            self.directory.put(&key, user).await?;
        }
        let gone: Vec<&String> = before.difference(fields).collect();
        for field in &gone {
            let key = keys::field_use(tenant, field, &user.id);
            self.directory.delete(&key).await?;
        }
        if !gone.is_empty() {
            let fields = fields.clone();
            self.directory.put(&key, &Declared { fields }).await?;
        }
        Ok(())
    }

    /// Declares that the user, which has ended, uses no field. One read for a user of none; safe to repeat.
    pub async fn forget(&self, tenant: TenantKey, user: &str) -> Result<(), Error> {
        let key = keys::field_user(tenant, user);
        let Some(stored) = self.directory.get::<Declared>(&key).await? else {
            return Ok(());
        };
        for field in &stored.fields {
            let key = keys::field_use(tenant, field, user);
            self.directory.delete(&key).await?;
        }
        self.directory.delete(&key).await
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
