//! Mails before their merge fields are filled in. A mail is stored under the hash of its content. So a campaign or a
//! workflow version keeps its text, and the same mail is stored once.

use cloud::{Error, Key, Resources, Table};
use kernel::{EmailAddress, TenantKey};
use serde::{Deserialize, Serialize};

/// The sender of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MailSender)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// Name shown in the inbox.
    #[schema(min_length = 1, max_length = 100)]
    pub from_name: String,
    /// A verified address.
    pub from_email: EmailAddress,
    /// Where answers go, if elsewhere.
    #[serde(default)]
    pub reply_to: Option<EmailAddress>,
}

/// A mail with its merge fields unfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMail {
    /// From.
    pub sender: Sender,
    /// Subject template.
    pub subject: String,
    /// Text that inboxes show beside the subject.
    #[serde(default)]
    pub preview_text: Option<String>,
    /// HTML template. Without it the mail is plain text.
    #[serde(default)]
    pub html: Option<String>,
    /// Text template; made from the HTML where absent.
    #[serde(default)]
    pub text: Option<String>,
    /// Whether to add an invisible image at the end of the HTML.
    #[serde(default)]
    pub track_opens: bool,
    /// Whether to replace links by tracked links.
    #[serde(default)]
    pub track_clicks: bool,
}

/// Names a stored mail of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct MailRef(String);

impl MailRef {
    /// The name that follows from the content.
    pub fn of(mail: &StoredMail) -> Result<Self, Error> {
        let json = serde_json::to_string(mail).map_err(|error| Error::Shape(error.to_string()))?;
        Ok(Self(kernel::hash::name(&["mail", &json])))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The mails of all tenants, in the directory table.
#[derive(Clone, Debug)]
pub struct MailStore {
    table: Table,
}

fn key(tenant: TenantKey, mail: &MailRef) -> Key {
    Key::new(format!("{tenant}#MAIL#{}", mail.0), "MAIL")
}

impl MailStore {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Directory"),
        }
    }

    /// Stores a mail and names it. The same mail gives the same name and the same record.
    pub async fn put(&self, tenant: TenantKey, mail: &StoredMail) -> Result<MailRef, Error> {
        let name = MailRef::of(mail)?;
        self.table.put(&key(tenant, &name), mail).await?;
        Ok(name)
    }

    /// The mail of this name, if the tenant has it.
    pub async fn get(
        &self,
        tenant: TenantKey,
        name: &MailRef,
    ) -> Result<Option<StoredMail>, Error> {
        self.table.look_up(&key(tenant, name)).await
    }
}
