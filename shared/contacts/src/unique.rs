//! Values of custom fields that only one contact of a workspace may have.
//!
//! A contact holds such a value by a row that names the contact, and by a mark in its profile. The mark is a hash of the value.
//! One transaction changes both together with the value. So a row is in force only while its contact shows the mark. A row of an
//! erased or merged contact is left over, and the next contact with the value takes the row.
//!
//! Only the fields whose definitions say `unique` are compared. A contact without such a field costs no read and no write.

use std::collections::BTreeMap;

use cloud::{Error, Key, Update};
use kernel::text::alike;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::keys;
use crate::rows::Profile;
use crate::store::Contacts;

/// Prefix of the profile's marks, one for each unique field that has a value.
pub(crate) const UNIQUE: &str = "unique.";

/// How long the row of a value that nobody has is kept, in seconds.
const FREE_SECONDS: i64 = 24 * 3600;

/// A value that another contact has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenValue {
    /// The field's name, as the input spells it.
    pub field: String,
    /// The contact that has the value.
    pub owner_id: ContactId,
}

/// The row of a value.
#[derive(Default, Deserialize)]
struct Holder {
    contact: Option<ContactId>,
    update_id: Option<String>,
}

/// The rows and marks that are written in one transaction with the values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    /// Rows of values that the contact gets and loses.
    pub rows: Vec<(Key, Update)>,
    marks: Vec<(String, Option<String>)>,
}

impl Claims {
    /// The update of the profile with its new marks.
    pub fn onto(&self, update: Update) -> Update {
        self.marks.iter().fold(update, |update, (field, hash)| {
            let name = format!("{UNIQUE}{field}");
            match hash {
                Some(hash) => update.set(&name, hash),
                None => update.remove(&name),
            }
        })
    }
}

/// The form in which values are compared: texts in any case of their letters, `7` and `7.0` as one number.
fn comparable(value: &Value) -> String {
    match value {
        Value::String(text) => alike(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(size)) => size.to_string(),
            (None, None) => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// The name of a value in keys and marks.
fn hash(tenant: TenantKey, field: &str, value: &Value) -> String {
    kernel::hash::name(&[&tenant.to_string(), field, &comparable(value)])
}

impl Profile {
    /// The hashes of the unique values that the contact holds, by field.
    pub(crate) fn unique(&self) -> BTreeMap<String, String> {
        let marks = self.rest().iter().filter_map(|(name, value)| {
            let field = name.strip_prefix(UNIQUE)?;
            Some((field.to_owned(), value.as_str()?.to_owned()))
        });
        marks.collect()
    }
}

impl Contacts {
    /// Compares the new values of custom fields, null for a field that goes, with those of other contacts. Returns what is to be
    /// written with them, and those that other contacts have. The caller leaves the latter out.
    ///
    /// One read for each unique value, and one more for a value that has a row. `id` is absent for a contact that does not exist yet.
    pub(crate) async fn compare(
        &self,
        tenant: TenantKey,
        id: Option<ContactId>,
        profile: Option<&Profile>,
        values: &[(String, Value)],
    ) -> Result<(Claims, Vec<TakenValue>), Error> {
        let (mut claims, mut taken) = (Claims::default(), Vec::new());
        if values.is_empty() {
            return Ok((claims, taken));
        }
        let definitions = self.fields.recent(tenant).await?;
        let marks = profile.map(Profile::unique).unwrap_or_default();
        for (name, value) in values {
            let field = alike(name);
            let held = marks.get(&field);
            let is_unique = definitions.get(name).is_some_and(|one| one.unique);
            let wanted = (is_unique && !value.is_null()).then(|| hash(tenant, &field, value));
            if wanted.as_ref() == held {
                continue;
            }
            if let Some(hash) = &wanted {
                let row: Option<Holder> = self
                    .contacts
                    .get(&keys::unique(tenant, &field, hash))
                    .await?;
                let row = row.unwrap_or_default();
                if let Some(owner_id) = self.holder(tenant, id, &row, &field, hash).await? {
                    let field = name.clone();
                    taken.push(TakenValue { field, owner_id });
                    continue;
                }
                let update = Update::new().set_some("contact", id).remove("ttl");
                let update = update.when_as_read("update_id", row.update_id);
                claims
                    .rows
                    .push((keys::unique(tenant, &field, hash), update));
            }
            if let (Some(hash), Some(id)) = (held, id) {
                claims.rows.push(self.freed(tenant, id, &field, hash));
            }
            claims.marks.push((field, wanted));
        }
        Ok((claims, taken))
    }

    /// The other contact that has the value of this row.
    async fn holder(
        &self,
        tenant: TenantKey,
        id: Option<ContactId>,
        row: &Holder,
        field: &str,
        hash: &str,
    ) -> Result<Option<ContactId>, Error> {
        let Some(owner) = row.contact.filter(|owner| Some(*owner) != id) else {
            return Ok(None);
        };
        let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, owner)).await?;
        let shows = profile.is_some_and(|profile| {
            let mark = profile.unique().remove(field);
            profile.exists() && profile.erased_at.is_none() && mark.as_deref() == Some(hash)
        });
        Ok(shows.then_some(owner))
    }

    /// The row of a value that the contact loses. The row expires.
    pub(crate) fn freed(
        &self,
        tenant: TenantKey,
        id: ContactId,
        field: &str,
        hash: &str,
    ) -> (Key, Update) {
        let expires = self.contacts.clock().now().as_second() + FREE_SECONDS;
        let update = Update::new()
            .remove("contact")
            .set("ttl", expires)
            .when_equals("contact", id);
        (keys::unique(tenant, field, hash), update)
    }

    /// The row of a value that goes to another contact.
    pub(crate) fn handed(
        tenant: TenantKey,
        (from, to): (ContactId, ContactId),
        field: &str,
        hash: &str,
    ) -> (Key, Update) {
        let update = Update::new()
            .set("contact", to)
            .when_equals("contact", from);
        (keys::unique(tenant, field, hash), update)
    }

    /// Deletes the rows of values that a contact had which is no more. Safe to repeat.
    pub(crate) async fn drop_values(
        &self,
        tenant: TenantKey,
        id: ContactId,
        marks: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        for (field, hash) in marks {
            let only = Update::new().when_equals("contact", id);
            let key = keys::unique(tenant, field, hash);
            self.contacts.delete_when(&key, only).await?;
        }
        Ok(())
    }

    /// Writes a profile with the rows of its values, all or none. False: a condition did not hold.
    pub(crate) async fn write_with(
        &self,
        key: &Key,
        update: Update,
        claims: &Claims,
    ) -> Result<bool, Error> {
        if claims.rows.is_empty() {
            return Ok(self.contacts.update(key, update).await?.applied());
        }
        let mut all = vec![(key.clone(), update)];
        all.extend(claims.rows.iter().cloned());
        self.contacts.update_all(all).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_as_people_read_them() {
        assert_eq!(comparable(&json!("KH  001")), comparable(&json!("kh 001")));
        assert_eq!(comparable(&json!(7)), comparable(&json!(7.0)));
        assert_ne!(comparable(&json!("An")), comparable(&json!("Ân")));
    }
}
