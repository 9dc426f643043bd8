//! Inboxes: the entry points of a workspace's conversations.
//!
//! An inbox consists of two rows. The public row, by which a widget finds its workspace ([`crate::door`]), is written
//! first.

use cloud::{Error, Key, Query, Resources, Table};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Cursor, InboxId, Limit, TenantKey};
use serde::{Deserialize, Serialize};

use crate::model::Channel;

const MAX_NAME: usize = 100;
/// Most websites that may show one widget.
const MAX_ORIGINS: usize = 20;

/// The settings of an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboxSettings {
    /// Name.
    #[schema(min_length = 1, max_length = 100, example = "Website")]
    pub name: String,
    /// Websites that may show the widget, as origins (`https://shop.example.vn`); none allows any.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["https://shop.example.vn"]))]
    pub allowed_origins: Vec<String>,
}

impl InboxSettings {
    /// The first wrong field, with a message.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let length = self.name.trim().chars().count();
        if length == 0 || length > MAX_NAME {
            return Err(("/name", "must have 1 to 100 characters"));
        }
        if self.allowed_origins.len() > MAX_ORIGINS {
            return Err(("/allowed_origins", "holds at most 20 origins"));
        }
        if !self.allowed_origins.iter().all(|text| is_origin(text)) {
            return Err((
                "/allowed_origins",
                "each must be an origin such as https://shop.example.vn, without a path",
            ));
        }
        Ok(())
    }
}

/// `scheme://host[:port]` in lower case, as browsers send it. So it can be compared as text and used in a header.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b':');
    host.is_some_and(|host| !host.is_empty() && host.len() <= 255 && host.bytes().all(letter))
}

/// An inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Id; public, part of the widget's address.
    pub id: InboxId,
    /// Channel.
    pub channel: Channel,
    /// Name.
    pub name: String,
    /// Websites that may show the widget.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The inboxes in the directory.
#[derive(Clone, Debug)]
pub struct Inboxes {
    directory: Table,
}

fn key(tenant: TenantKey, id: InboxId) -> Key {
    Key::new(tenant.to_string(), format!("INBOX#{id}"))
}

impl Inboxes {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// Makes a website inbox. `None`: another inbox has the id. A repetition finds the inbox of the first run.
    pub async fn create(
        &self,
        tenant: TenantKey,
        id: InboxId,
        at: Timestamp,
        settings: &InboxSettings,
    ) -> Result<Option<Inbox>, Error> {
        let inbox = Inbox {
            id,
            channel: Channel::Website,
            name: settings.name.trim().to_owned(),
            allowed_origins: settings.allowed_origins.clone(),
            created_at: at,
        };
        let created = self.directory.create(&key(tenant, id), &inbox).await?;
        Ok(created.is_ours(&inbox).then_some(inbox))
    }

    /// An inbox of the workspace.
    pub async fn get(&self, tenant: TenantKey, id: InboxId) -> Result<Option<Inbox>, Error> {
        self.directory.get(&key(tenant, id)).await
    }

    /// One page of the workspace's inboxes, oldest first.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Inbox>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with("INBOX#");
        let query = query.limit(limit.get()).cursor(cursor);
        self.directory.query(query).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(origin: &str) -> InboxSettings {
        InboxSettings {
            name: "Website".into(),
            allowed_origins: vec![origin.into()],
        }
    }

    #[test]
    fn origins_are_what_browsers_send() {
        for good in ["https://shop.example.vn", "http://localhost:3000"] {
            assert!(settings(good).check().is_ok(), "{good}");
        }
        for bad in [
            "*",
            "https://",
            "https://shop.example.vn/",
            "https://Shop.example.vn",
            "https://a b",
            "https://a;script-src *",
            "ftp://a",
        ] {
            let error = settings(bad).check().unwrap_err();
            assert_eq!(error.0, "/allowed_origins", "{bad}");
        }
    }

    #[test]
    fn a_name_is_bounded() {
        let mut settings = settings("https://a.example");
        for bad in [" ".to_owned(), "x".repeat(101)] {
            settings.name = bad;
            assert_eq!(settings.check().unwrap_err().0, "/name");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a tenant for tests")]
    fn keys_read_exactly_so() {
        let tenant = TenantKey::authenticated("ws_00000000001".parse().unwrap());
        let id = "inb_0000000000b".parse().unwrap();
        assert_eq!(
            key(tenant, id),
            Key::new("ws_00000000001", "INBOX#inb_0000000000b")
        );
    }
}
