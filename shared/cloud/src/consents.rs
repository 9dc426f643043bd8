//! Waits for the consent of a person at a provider (OAuth): a state that names a subject of a workspace, once.
//!
//! The state is a secret; the table Directory has its hash. The state is in the provider's redirect, so its holder is the
//! person who asked.

use jiff::{SignedDuration, Timestamp};
use kernel::{TenantKey, WorkspaceId, secret};
use serde::{Deserialize, Serialize};

use crate::{Error, Key, Resources, Table, Update};

/// How long a person has to give consent.
const LENGTH: SignedDuration = SignedDuration::from_mins(15);

/// The waits of one kind of connection; cheap to clone.
#[derive(Clone, Debug)]
pub struct Consents {
    directory: Table,
    partition: &'static str,
    prefix: &'static str,
}

#[derive(Serialize, Deserialize)]
struct Row {
    workspace: WorkspaceId,
    subject: String,
    until: Timestamp,
    ttl: i64,
}

impl Consents {
    /// Over the table Directory. A row's partition is `<partition>#CONSENT#<hash>`; states begin with `prefix`.
    pub fn over(resources: &Resources, partition: &'static str, prefix: &'static str) -> Self {
        Self {
            directory: resources.table("Directory"),
            partition,
            prefix,
        }
    }

    fn key(&self, state: &str) -> Key {
        let hash = secret::hash(state);
        Key::new(format!("{}#CONSENT#{hash}", self.partition), "CONSENT")
    }

    /// A state that names the subject for 15 minutes, once.
    pub async fn ask(&self, tenant: TenantKey, subject: &str) -> Result<String, Error> {
        let state = secret::generate(self.prefix, self.directory.entropy());
        let until = self.directory.clock().now() + LENGTH;
        let row = Row {
            workspace: tenant.workspace(),
            subject: subject.to_owned(),
            until,
            ttl: until.as_second() + 3600,
        };
        self.directory.put(&self.key(&state), &row).await?;
        Ok(state)
    }

    /// Takes a state: the workspace and the subject. `None`: there is no such state, it was taken, or its time is over.
    pub async fn take(&self, state: &str) -> Result<Option<(WorkspaceId, String)>, Error> {
        let key = self.key(state);
        let Some(row) = self.directory.get::<Row>(&key).await? else {
            return Ok(None);
        };
        let only = Update::new().when_equals("subject", &row.subject);
        let is_first = self.directory.delete_when(&key, only).await?;
        let is_valid = is_first && self.directory.clock().now() < row.until;
        Ok(is_valid.then_some((row.workspace, row.subject)))
    }
}
