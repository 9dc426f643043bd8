//! The audit log: actor, operation, object and address of each change. Rows are only ever added.
//!
//! An entry is written before its change, so no change goes unlogged. A change that failed afterwards also leaves an
//! entry. Entries hold ids and names of operations, never secrets and never the written data. They are kept for 25
//! months.

use std::fmt::Display;

use cloud::{Error, Query, Resources, Table};
use jiff::Timestamp;
use kernel::clock::sortable;
use kernel::page::Page;
use kernel::{AccountId, Cursor, Grant, Limit, Permission, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::keys;

/// The law requires two years. A month more ensures that no entry is deleted early.
const KEEP_SECONDS: i64 = (2 * 366 + 31) * 24 * 3600;

/// An entry as it is stored.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    entry: &'a AuditEntry,
    ttl: i64,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// When the entry was written, just before the operation ran.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// The person or key: `usr_…` or `key_…`; `inv_…` for the holder of an invitation's link, `setup` for the
    /// holder of the set-up token.
    pub actor_id: String,
    /// Id of the operation, as in the API's reference.
    pub action: String,
    /// Id of the object of the operation.
    pub object_id: String,
    /// The workspace; null where the operation concerns the account.
    #[serde(default)]
    pub workspace_id: Option<WorkspaceId>,
    /// The client's address.
    pub ip: String,
}

/// The audit logs of all accounts.
#[derive(Clone, Debug)]
pub struct Audit {
    directory: Table,
}

impl Audit {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// Adds an entry about the next action of a grant's holder.
    pub async fn note(
        &self,
        grant: &Grant,
        operation: impl Into<Permission>,
        object: impl Display,
        ip: &str,
    ) -> Result<(), Error> {
        let entry = self.entry(&grant.actor, operation.into().id, &object.to_string(), ip);
        let workspace_id = grant.workspace;
        let entry = AuditEntry {
            workspace_id,
            ..entry
        };
        self.add(grant.account, &entry).await
    }

    /// An entry with the current time and without a workspace. `action` is an `operationId`.
    pub fn entry(&self, actor: &str, action: &str, object: &str, ip: &str) -> AuditEntry {
        AuditEntry {
            created_at: self.directory.clock().now(),
            actor_id: actor.to_owned(),
            action: action.to_owned(),
            object_id: object.to_owned(),
            workspace_id: None,
            ip: ip.to_owned(),
        }
    }

    /// Adds an entry.
    pub async fn add(&self, account: AccountId, entry: &AuditEntry) -> Result<(), Error> {
        let sort = format!(
            "{}#{}",
            sortable(entry.created_at),
            self.directory.entropy().nonce()
        );
        let key = cloud::Key::new(keys::audit(account), sort);
        let ttl = entry.created_at.as_second() + KEEP_SECONDS;
        self.directory.put(&key, &Row { entry, ttl }).await
    }

    /// One page of an account's log, newest first.
    pub async fn page(
        &self,
        account: AccountId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<AuditEntry>, Error> {
        let query = Query::partition(keys::audit(account))
            .descending()
            .limit(limit.get())
            .cursor(cursor);
        self.directory.query(query).await
    }
}
