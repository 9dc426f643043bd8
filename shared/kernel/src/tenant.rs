//! The key to a tenant's data.

use std::fmt;

use crate::WorkspaceId;

/// Proof that the current work is done for this workspace; every partition key starts with it.
///
/// It cannot be deserialised. `clippy.toml` bans [`TenantKey::authenticated`] except where a workspace has been
/// proven: a credential look-up, a public id look-up, the envelope of our own queues, a signed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantKey(WorkspaceId);

impl TenantKey {
    /// Turns a proven workspace into its key. Each use states its proof in an `#[expect]`.
    pub fn authenticated(workspace: WorkspaceId) -> Self {
        Self(workspace)
    }

    /// The workspace itself.
    pub fn workspace(self) -> WorkspaceId {
        self.0
    }
}

impl fmt::Display for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
