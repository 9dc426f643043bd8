//! The audit log: actor, operation, object and address of each change. Rows are only ever added; only the count of an
//! hour's refused attempts increases.
//!
//! An entry is written before its change, so no change goes unlogged. A change that failed afterwards also leaves an
//! entry. Entries hold ids and names of operations, never secrets and never the written data. The entry of an export or
//! of a bulk job also names the contacts, by ids or by conditions. Entries are kept for 25 months.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloud::{Error, Key, Query, Resources, Table, Update};
use jiff::Timestamp;
use kernel::clock::sortable;
use kernel::page::Page;
use kernel::{AccountId, Cursor, Grant, Limit, Permission, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::keys;

/// The law requires two years. A month more ensures that no entry is deleted early.
pub const KEPT_DAYS: i64 = 2 * 366 + 31;
const KEEP_SECONDS: i64 = KEPT_DAYS * 24 * 3600;

/// The actor of an attempt whose caller is not signed in.
pub(crate) const STRANGER: &str = "anybody";
/// Hourly entries that a process remembers; beyond that it forgets all of them and writes them again.
const REMEMBERED: usize = 10_000;

/// The place of the hour's entry about the same thing.
fn hourly(account: AccountId, entry: &AuditEntry, object: &str) -> Key {
    let seconds = entry.created_at.as_second();
    let hour = Timestamp::from_second(seconds - seconds.rem_euclid(3600));
    let hour = sortable(hour.unwrap_or(entry.created_at));
    let sort = format!("{hour}#{}#{}#{object}", entry.actor_id, entry.action);
    Key::new(keys::audit(account), sort)
}

/// An entry as it is stored.
#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    entry: AuditEntry,
    ttl: i64,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// When the entry was written, just before the operation ran.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// The person or key: `usr_…` or `key_…`; `inv_…` for the holder of an invitation's link, `setup` for the
    /// holder of the set-up token, `anybody` for a person who was not signed in.
    pub actor_id: String,
    /// Id of the operation, as in the API's reference.
    pub action: String,
    /// Id of the object of the operation.
    pub object_id: String,
    /// For an export or a bulk job: the change and the contacts, such as `segment seg_…` or conditions as JSON.
    #[serde(default)]
    pub detail: Option<String>,
    /// The workspace; null where the operation concerns the account.
    #[serde(default)]
    pub workspace_id: Option<WorkspaceId>,
    /// The client's address; empty where none is known.
    pub ip: String,
    /// Whether the attempt was refused.
    #[serde(default)]
    pub refused: bool,
    /// Times that it happened, at least. An entry about something that anybody can cause, or that a program does all
    /// the time, stands for its hour.
    #[serde(default = "once")]
    pub count: u64,
}

fn once() -> u64 {
    1
}

/// The audit logs of all accounts.
#[derive(Clone, Debug)]
pub struct Audit {
    directory: Table,
    /// Entries of [`Audit::once_an_hour`] that this process has written.
    written: Arc<Mutex<HashSet<String>>>,
}

impl Audit {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            written: Arc::default(),
        }
    }

    /// Adds an entry about what a grant's holder does to many objects of a kind, once an hour: the objects are too many
    /// for entries of their own. `objects` names the kind.
    pub async fn note_hourly(
        &self,
        grant: &Grant,
        operation: impl Into<Permission>,
        objects: &str,
        ip: &str,
    ) -> Result<(), Error> {
        let entry = AuditEntry {
            workspace_id: grant.workspace,
            ..self.entry(&grant.actor, operation.into().id, objects, ip)
        };
        self.once_an_hour(grant.account, &entry).await
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

    /// Like [`Audit::note`], with the contacts of a job.
    pub async fn note_detail(
        &self,
        grant: &Grant,
        operation: impl Into<Permission>,
        object: impl Display,
        detail: &str,
        ip: &str,
    ) -> Result<(), Error> {
        let entry = self.entry(&grant.actor, operation.into().id, &object.to_string(), ip);
        let entry = AuditEntry {
            workspace_id: grant.workspace,
            detail: Some(detail.to_owned()),
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
            detail: None,
            workspace_id: None,
            ip: ip.to_owned(),
            refused: false,
            count: once(),
        }
    }

    /// Adds an entry.
    pub async fn add(&self, account: AccountId, entry: &AuditEntry) -> Result<(), Error> {
        let sort = format!(
            "{}#{}",
            sortable(entry.created_at),
            self.directory.entropy().nonce()
        );
        let key = Key::new(keys::audit(account), sort);
        let ttl = entry.created_at.as_second() + KEEP_SECONDS;
        let entry = entry.clone();
        self.directory.put(&key, &Row { entry, ttl }).await
    }

    /// Adds an entry about what a grant's holder may not do, once an hour. A failure of the log does not change the
    /// answer, which is a refusal anyway.
    pub async fn note_forbidden(&self, grant: &Grant, operation: impl Into<Permission>, ip: &str) {
        let entry = AuditEntry {
            workspace_id: grant.workspace,
            refused: true,
            ..self.entry(&grant.actor, operation.into().id, "", ip)
        };
        if let Err(error) = self.once_an_hour(grant.account, &entry).await {
            tracing::warn!(%error, "a refusal is not in the audit log");
        }
    }

    /// Counts a refused attempt of a stranger in the hour's entry about it. So no stranger can fill a log. An attempt at
    /// nobody costs the same write, so that its time tells nothing. One write unit.
    pub async fn refused(
        &self,
        named: Option<(AccountId, UserId)>,
        action: &str,
        ip: &str,
    ) -> Result<(), Error> {
        let entry = self.entry(STRANGER, action, "", ip);
        let key = match named {
            Some((account, user)) => hourly(account, &entry, &user.to_string()),
            None => keys::refused_nobody(),
        };
        let object = named.map_or_else(String::new, |(_, user)| user.to_string());
        let update = Update::new()
            .set_if_absent("created_at", entry.created_at)
            .set_if_absent("actor_id", STRANGER)
            .set_if_absent("action", action)
            .set_if_absent("object_id", object)
            .set("ip", ip)
            .set("refused", true)
            .add("count", 1)
            .set("ttl", entry.created_at.as_second() + KEEP_SECONDS);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Adds the entry unless the hour has one with its actor, action and object. A process writes an entry once.
    pub async fn once_an_hour(&self, account: AccountId, entry: &AuditEntry) -> Result<(), Error> {
        let key = hourly(account, entry, &entry.object_id);
        let name = format!("{} {}", key.pk, key.sk);
        if self.written().contains(&name) {
            return Ok(());
        }
        let ttl = entry.created_at.as_second() + KEEP_SECONDS;
        let entry = entry.clone();
        // The first entry of the hour stays.
        self.directory.create(&key, &Row { entry, ttl }).await?;
        let mut written = self.written();
        if written.len() >= REMEMBERED {
            written.clear();
        }
        written.insert(name);
        Ok(())
    }

    fn written(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set of names is valid at any moment, also after a panic in another thread.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
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
