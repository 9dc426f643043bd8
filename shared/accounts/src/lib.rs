//! Workspaces, users, API keys, and the doors: public ids and credentials that open a workspace.
//!
//! This crate may use `kernel` and `cloud` only. It knows nothing of contacts, of what sources send or
//! of chats. Secrets leave it once, when they are made; only their hashes are stored.

pub mod api_keys;
pub mod doors;
mod keys;
mod secret;
pub mod users;
pub mod workspaces;

pub use api_keys::{ApiKeys, NewApiKey};
pub use doors::{Door, Doors, InboxDoor, NewSource, SourceDoor};
pub use kernel::Scope;
pub use users::{User, Users};
pub use workspaces::{Workspace, Workspaces};
