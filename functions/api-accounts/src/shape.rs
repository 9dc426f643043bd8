//! Shapes and checks that several operations share.

use accounts::{User, UserStatus, Workspace};
use jiff::Timestamp;
use kernel::{ChatRole, Cursor, EmailAddress, Limit, Role, UserId, WorkspaceId};
use lambda::http::Problem;
use serde::{Deserialize, Serialize};

const MAX_TEXT: usize = 255;

/// Where a page begins.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// A user in answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: UserId,
    email: EmailAddress,
    name: String,
    role: Role,
    chat_role: Option<ChatRole>,
    workspace_ids: Vec<WorkspaceId>,
    status: UserStatus,
    /// Whether signing in needs a code.
    second_factor: bool,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            second_factor: user.needs_code(),
            id: user.id,
            email: user.email,
            name: user.name,
            role: user.role,
            chat_role: user.chat_role,
            workspace_ids: user.workspaces,
            status: user.status,
            created_at: user.created_at,
        }
    }
}

/// A workspace with only the fields for a list to choose from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WorkspaceName {
    id: WorkspaceId,
    name: String,
}

impl From<Workspace> for WorkspaceName {
    fn from(workspace: Workspace) -> Self {
        Self {
            id: workspace.id,
            name: workspace.settings.name,
        }
    }
}

/// A text that people read: trimmed, 1 to 255 characters.
pub fn name(pointer: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_TEXT {
        return Err(Problem::invalid(pointer, "must have 1 to 255 characters"));
    }
    Ok(text.to_owned())
}

/// Refuses a flawed password; `own` holds the texts that others know of its user.
pub fn password(pointer: &str, password: &str, own: &[String]) -> Result<(), Problem> {
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    match accounts::password::flaw(password, &own) {
        Some(flaw) => Err(Problem::invalid(pointer, flaw)),
        None => Ok(()),
    }
}
