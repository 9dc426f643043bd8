//! Roles, scopes, and the shape of a permission.
//!
//! Roles are those of the account, chat roles those of the inbox. This file names no operation: the table of
//! operations is crate `access`, so that a new operation rebuilds only what serves the API.

use serde::{Deserialize, Serialize};

/// A person's role in the account. Each includes the ones before it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees reports.
    Viewer,
    /// Also sees contacts, makes and edits campaigns; sends none and makes no workflows.
    Contributor,
    /// Everything but users, workspaces and exporting contacts.
    AccountManager,
    /// Everything.
    AccountAdmin,
}

/// A person's role in the shared inbox, given beside the account's role.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    /// Reads and answers conversations.
    Agent,
    /// Also changes inboxes and their settings.
    Administrator,
}

/// A right of an API key.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Write events and forms; the only scope of a public key.
    Track,
    /// Read.
    Read,
    /// Read and change.
    Write,
    /// Everything in the workspace, settings included.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Track, Self::Read, Self::Write, Self::Admin];

    /// The name in requests and grants.
    pub fn name(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Whether a key with this scope may do an operation that needs `needed`: `write` includes `read`, `admin`
    /// includes all. `track` is separate: a key in a browser must never read.
    pub fn includes(self, needed: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Write => matches!(needed, Self::Write | Self::Read),
            other => other == needed,
        }
    }
}

/// The people who may do an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// Everybody who is signed in.
    SignedIn,
    /// This role of the account and those that include it.
    From(Role),
    /// This role of the inbox and the one that includes it; account admins are its administrators.
    Chat(ChatRole),
}

impl People {
    /// Whether a person with these roles is among them.
    pub fn include(self, role: Role, chat: Option<ChatRole>) -> bool {
        match self {
            Self::SignedIn => true,
            Self::From(least) => role >= least,
            Self::Chat(least) => {
                role == Role::AccountAdmin || chat.is_some_and(|chat| chat >= least)
            }
        }
    }
}

/// One row of the table of operations: its name, and who may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The `operationId` in docs/openapi.json.
    pub id: &'static str,
    /// The people who may do it.
    pub people: People,
    /// The scope that a key needs; `None`: no key may do it.
    pub scope: Option<Scope>,
}

/// A type that names a [`Permission`], for extractors that check it.
pub trait Needs {
    /// The permission.
    const PERMISSION: Permission;
}
