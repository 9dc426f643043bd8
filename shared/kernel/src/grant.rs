//! What a credential opens.

use serde::{Deserialize, Serialize};

use crate::WorkspaceId;

/// Passed from the authorizer to the API functions. API Gateway's authorizer context holds texts and
/// numbers only, hence the scopes in one text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Workspace that the credential opens.
    pub workspace: WorkspaceId,
    /// The credential's public id, for the audit log.
    pub credential: String,
    /// `track`, `read`, `write`, `admin`, separated by spaces.
    pub scopes: String,
}
