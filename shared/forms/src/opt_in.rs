//! Requests that wait for a confirmation by mail.
//!
//! A row lies beside the contact, so that erasing the contact erases it. It expires 30 days after the request; its link
//! ends after seven.

use cloud::{Created, Error, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{ContactId, EmailAddress, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;

const KEPT_SECONDS: i64 = 30 * 24 * 3_600;

/// A consent to mails that the person has not confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptIn {
    /// The id of the submission: letters and digits.
    pub id: String,
    /// The address that was typed.
    pub email: EmailAddress,
    /// The text beside the box.
    pub text: String,
    /// The form and the version of its settings, for the proof.
    pub form: String,
    /// When the person asked.
    pub asked_at: Timestamp,
    /// When the person confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    request: OptIn,
    ttl: i64,
}

/// The requests of all contacts; every call names the tenant.
#[derive(Clone, Debug)]
pub struct OptIns {
    contacts: Table,
}

impl OptIns {
    /// Over the table Contacts.
    pub fn over(resources: &Resources) -> Self {
        let contacts = resources.table("Contacts");
        Self { contacts }
    }

    /// Writes a request unless it exists; returns the stored one. One write unit.
    pub async fn create(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        request: OptIn,
    ) -> Result<OptIn, Error> {
        let key = keys::opt_in(tenant, contact, &request.id);
        let ttl = request.asked_at.as_second() + KEPT_SECONDS;
        let row = Row { request, ttl };
        Ok(match self.contacts.create(&key, &row).await? {
            Created::New => row.request,
            Created::Existing(row) => row.request,
        })
    }

    /// A request of the contact. One read unit.
    pub async fn get(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        id: &str,
    ) -> Result<Option<OptIn>, Error> {
        let row: Option<Row> = self
            .contacts
            .get(&keys::opt_in(tenant, contact, id))
            .await?;
        Ok(row.map(|row| row.request))
    }

    /// Notes that the person confirmed, so that no reminder follows. One write unit.
    pub async fn note_confirmed(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        id: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let update = Update::new()
            .set_if_absent("confirmed_at", at)
            .when_exists();
        let key = keys::opt_in(tenant, contact, id);
        self.contacts.update(&key, update).await?;
        Ok(())
    }
}
