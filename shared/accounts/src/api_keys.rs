//! API keys: shown once, stored as a hash, found by it.

use cloud::{Created, Error, Table, Update};
use jiff::Timestamp;
use kernel::{AccountId, CredentialId, Grant, Scope, TenantKey};
use serde::{Deserialize, Serialize};

use crate::{keys, secret};

/// Every key begins so; secret scanners look for it.
const PREFIX: &str = "tng";
/// Prefix, underscore and 32 bytes in hex: anything else is refused before a read is paid for.
const LENGTH: usize = PREFIX.len() + 1 + 64;

/// A key that was just made. Nobody sees `token` again.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Public id.
    pub id: CredentialId,
    /// What the client sends.
    pub token: String,
}

#[derive(Serialize, Deserialize)]
struct Row {
    id: CredentialId,
    account: AccountId,
    workspace: kernel::WorkspaceId,
    name: String,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    #[serde(default)]
    revoked_at: Option<Timestamp>,
}

/// The keys of all workspaces.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    directory: Table,
}

impl ApiKeys {
    /// Over the directory table.
    pub fn new(directory: Table) -> Self {
        Self { directory }
    }

    /// Makes a key for a workspace.
    pub async fn create(
        &self,
        account: AccountId,
        tenant: TenantKey,
        name: &str,
        scopes: &[Scope],
    ) -> Result<NewApiKey, Error> {
        let (clock, entropy) = (self.directory.clock(), self.directory.entropy());
        loop {
            let token = secret::generate(PREFIX, entropy);
            let row = Row {
                id: CredentialId::new(clock, entropy),
                account,
                workspace: tenant.workspace(),
                name: name.to_owned(),
                scopes: scopes.to_vec(),
                created_at: clock.now(),
                revoked_at: None,
            };
            let key = keys::api_key(&secret::hash(&token));
            if let Created::New = self.directory.create(&key, &row).await? {
                return Ok(NewApiKey { id: row.id, token });
            }
        }
    }

    /// What a token opens; `None` for anything that is not a live key. The row is found by the
    /// token's hash, so nothing is compared that could leak by its timing. One consistent read: a
    /// revoked key is refused at once.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Grant>, Error> {
        if token.len() != LENGTH || !token.starts_with(PREFIX) {
            return Ok(None);
        }
        let row: Option<Row> = self
            .directory
            .get(&keys::api_key(&secret::hash(token)))
            .await?;
        let live = row.filter(|row| row.revoked_at.is_none());
        Ok(live
            .map(|row| Grant::of_key(row.account, row.workspace, row.id.to_string(), &row.scopes)))
    }

    /// Ends a key for ever.
    pub async fn revoke(&self, token: &str) -> Result<(), Error> {
        let now = self.directory.clock().now();
        let update = Update::new().set_if_absent("revoked_at", now).when_exists();
        self.directory
            .update(&keys::api_key(&secret::hash(token)), update)
            .await?;
        Ok(())
    }
}

/// Turns a grant into the key of its workspace, if it opens one.
#[expect(
    clippy::disallowed_methods,
    reason = "door: the grant comes from a live credential"
)]
pub fn tenant_of(grant: &Grant) -> Option<TenantKey> {
    grant.workspace.map(TenantKey::authenticated)
}
