//! Public ids that open a workspace: the source in a webhook's URL and the inbox in a widget's.
//!
//! Every request reads one, so an answer may be ten seconds old ([`cloud::recent`]). The removal or change of a
//! source takes effect within that time. So does the archiving or restoring of a workspace.

use std::collections::BTreeMap;

use cloud::{Created, Error, Key, Recent, Resources, Table};
use jiff::Timestamp;
use kernel::{Channel, ConsentField, InboxId, ListId, Origin, SourceId, TenantKey, WorkspaceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{RecentWorkspaces, keys, secret};

/// Prefix of sources' secrets; secret scanners look for it.
pub(crate) const PREFIX: &str = "tngs";

/// The tenant and the settings behind a public id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door<T> {
    /// The workspace of the public id. For a source it is proven only after its token was accepted.
    pub tenant: TenantKey,
    /// Its settings.
    pub settings: T,
}

/// A source that posts to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDoor {
    /// Id; public, part of the URL.
    pub id: SourceId,
    /// Name that the workspace's people see.
    pub name: String,
    /// The provider whose format it sends, such as `ladipage`.
    pub provider: String,
    /// Header that carries the token, lower case.
    pub header: String,
    /// Tags that its contacts get.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lists that its contacts join.
    #[serde(default)]
    pub lists: Vec<ListId>,
    /// The source's field names, with our names.
    #[serde(default)]
    pub mapping: BTreeMap<String, String>,
    /// The field of its forms that asks for consent, by channel. Without one nothing is booked.
    #[serde(default)]
    pub consent: BTreeMap<Channel, ConsentField>,
    /// When it was made.
    pub created_at: Timestamp,
    pub(crate) secret_hash: String,
}

impl SourceDoor {
    /// Whether this is the source's token. Hashes are compared in constant time.
    pub fn accepts(&self, token: &str) -> bool {
        let hash = secret::hash(token);
        hash.as_bytes().ct_eq(self.secret_hash.as_bytes()).into()
    }
}

/// A new source.
#[derive(Debug, Clone, Default)]
pub struct NewSource {
    /// Name that the workspace's people see.
    pub name: String,
    /// The provider whose format it sends, such as `ladipage`.
    pub provider: String,
    /// Header that will carry the token.
    pub header: String,
    /// Tags that its contacts get.
    pub tags: Vec<String>,
    /// Lists that its contacts join.
    pub lists: Vec<ListId>,
    /// The source's field names, with our names.
    pub mapping: BTreeMap<String, String>,
    /// The field of its forms that asks for consent, by channel.
    pub consent: BTreeMap<Channel, ConsentField>,
}

/// A widget's inbox.
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

/// The stored form of a door.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row<T> {
    pub workspace: WorkspaceId,
    #[serde(flatten)]
    pub settings: T,
}

impl<T> Row<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the stored row names its workspace"
    )]
    fn open(self) -> Door<T> {
        Door {
            tenant: TenantKey::authenticated(self.workspace),
            settings: self.settings,
        }
    }
}

/// Sources that a process keeps in memory, and as many inboxes: about 10 MB each.
const MOST: usize = 20_000;

/// The doors of all workspaces; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct Doors {
    pub(crate) directory: Table,
    workspaces: RecentWorkspaces,
    sources: Recent<SourceId, Option<Door<SourceDoor>>>,
    inboxes: Recent<InboxId, Option<Door<InboxDoor>>>,
}

impl Doors {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            workspaces: RecentWorkspaces::over(resources),
            sources: Recent::new(resources.clock(), MOST),
            inboxes: Recent::new(resources.clock(), MOST),
            directory: resources.table("Directory"),
        }
    }

    /// Makes a source, with no person as its maker. Returns its id and its token, which is never returned again.
    pub async fn create_source(
        &self,
        tenant: TenantKey,
        new: NewSource,
    ) -> Result<(SourceId, String), Error> {
        let origin = Origin::fresh(self.directory.clock(), self.directory.entropy());
        for id in origin.draws(SourceId::of) {
            if let Some((_, token)) = self.add_source(tenant, id, origin.at, &new).await? {
                return Ok((id, token));
            }
        }
        Err(Error::Conflict)
    }

    /// The door of a source. Before the caller does anything for the tenant, it must check the token and then
    /// [`Doors::is_open`].
    pub async fn source(&self, source: SourceId) -> Result<Option<Door<SourceDoor>>, Error> {
        let read = || open(self.directory.clone(), keys::source(source));
        self.sources.get(source, read).await
    }

    /// Makes an inbox for pages of these origins; an empty list admits all. False: another inbox has the id. A
    /// repetition finds the inbox of the first run.
    pub async fn create_inbox(
        &self,
        tenant: TenantKey,
        inbox: InboxId,
        name: &str,
        origins: &[String],
    ) -> Result<bool, Error> {
        let row = Row {
            workspace: tenant.workspace(),
            settings: InboxDoor {
                id: inbox,
                name: name.to_owned(),
                origins: origins.to_vec(),
            },
        };
        Ok(
            match self.directory.create(&keys::inbox(inbox), &row).await? {
                Created::New => true,
                Created::Existing(found) => {
                    found.workspace == row.workspace && found.settings == row.settings
                }
            },
        )
    }

    /// Whether the tenant is open. An archived workspace accepts no requests.
    pub async fn is_open(&self, tenant: TenantKey) -> Result<bool, Error> {
        self.workspaces.is_open(tenant).await
    }

    /// The door of an inbox, if its workspace is open.
    pub async fn inbox(&self, inbox: InboxId) -> Result<Option<Door<InboxDoor>>, Error> {
        let read = || open(self.directory.clone(), keys::inbox(inbox));
        let Some(door) = self.inboxes.get(inbox, read).await? else {
            return Ok(None);
        };
        Ok(self.is_open(door.tenant).await?.then_some(door))
    }
}

async fn open<T: DeserializeOwned>(directory: Table, key: Key) -> Result<Option<Door<T>>, Error> {
    let row: Option<Row<T>> = directory.look_up(&key).await?;
    Ok(row.map(Row::open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_token_opens_a_source() {
        let source = SourceDoor {
            id: "src_0123456789a".parse().unwrap(),
            name: "Landing Tết".into(),
            provider: "ladipage".into(),
            header: "x-token".into(),
            tags: vec![],
            lists: vec![],
            mapping: BTreeMap::new(),
            consent: BTreeMap::new(),
            created_at: "2026-03-02T08:00:00Z".parse().unwrap(),
            secret_hash: secret::hash("tngs_1"),
        };
        assert!(source.accepts("tngs_1"));
        assert!(!source.accepts("tngs_2") && !source.accepts(""));
    }

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
}
