//! The public row of an inbox, by which a widget finds its workspace.
//!
//! Every request of a widget reads the row, so an answer may be ten seconds old ([`cloud::recent`]).

use cloud::{Created, Error, Key, Recent, Resources, Table};
use kernel::{InboxId, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

/// Inboxes that a process keeps in memory: about 10 MB.
const MOST: usize = 20_000;

/// The public part of an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxDoor {
    /// Id; public, part of the widget's address.
    pub id: InboxId,
    /// Name that visitors see.
    pub name: String,
    /// Origins of the pages that may show the widget, as browsers send them; an empty list admits all.
    #[serde(default)]
    pub origins: Vec<String>,
}

impl InboxDoor {
    /// Whether a page of this origin may use the inbox. A request without an origin does not come from a page of
    /// another site.
    pub fn admits(&self, origin: Option<&str>) -> bool {
        let listed = |origin: &str| {
            self.origins
                .iter()
                .any(|one| one.eq_ignore_ascii_case(origin))
        };
        self.origins.is_empty() || origin.is_none_or(listed)
    }
}

/// The tenant and the settings behind the public id of an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The workspace of the inbox.
    pub tenant: TenantKey,
    /// Its settings.
    pub inbox: InboxDoor,
}

/// The stored form of a door.
#[derive(Serialize, Deserialize)]
struct Row {
    workspace: WorkspaceId,
    #[serde(flatten)]
    inbox: InboxDoor,
}

impl Row {
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the stored row names its workspace"
    )]
    fn open(self) -> Door {
        Door {
            tenant: TenantKey::authenticated(self.workspace),
            inbox: self.inbox,
        }
    }
}

fn key(inbox: InboxId) -> Key {
    Key::new(format!("INBOX#{inbox}"), "INBOX")
}

/// The public rows of all workspaces' inboxes; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct InboxDoors {
    directory: Table,
    recent: Recent<InboxId, Option<Door>>,
}

impl InboxDoors {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            directory: resources.table("Directory"),
        }
    }

    /// Makes the public row for pages of these origins; an empty list admits all. False: another inbox has the id. A
    /// repetition finds the row of the first run.
    pub async fn create(
        &self,
        tenant: TenantKey,
        inbox: InboxId,
        name: &str,
        origins: &[String],
    ) -> Result<bool, Error> {
        let row = Row {
            workspace: tenant.workspace(),
            inbox: InboxDoor {
                id: inbox,
                name: name.to_owned(),
                origins: origins.to_vec(),
            },
        };
        Ok(match self.directory.create(&key(inbox), &row).await? {
            Created::New => true,
            Created::Existing(found) => {
                found.workspace == row.workspace && found.inbox == row.inbox
            }
        })
    }

    /// The door of an inbox. The caller checks that its workspace is open.
    pub async fn find(&self, inbox: InboxId) -> Result<Option<Door>, Error> {
        let directory = self.directory.clone();
        let read = || async move {
            let row: Option<Row> = directory.look_up(&key(inbox)).await?;
            Ok(row.map(Row::open))
        };
        self.recent.get(inbox, read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_origins_are_admitted() {
        let id = "inb_0123456789a".parse().unwrap();
        let mut inbox = InboxDoor {
            id,
            name: "Website".into(),
            origins: vec![],
        };
        assert!(inbox.admits(Some("https://any.example.com")));
        inbox.origins.push("https://shop.example.vn".into());
        assert!(inbox.admits(Some("https://SHOP.example.vn")) && inbox.admits(None));
        assert!(!inbox.admits(Some("https://other.example.vn")));
        assert!(!inbox.admits(Some("null")));
    }

    #[test]
    fn the_key_has_this_exact_text() {
        let key = key("inb_0123456789a".parse().unwrap());
        assert_eq!(
            (key.pk.as_str(), key.sk.as_str()),
            ("INBOX#inb_0123456789a", "INBOX")
        );
    }
}
