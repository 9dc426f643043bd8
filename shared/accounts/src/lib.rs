//! Accounts, workspaces, users and their sessions, API keys, the audit log, and the doors: public ids and
//! credentials that open a workspace.
//!
//! This crate may use `kernel` and `cloud` only. It knows nothing of contacts, of what sources send or
//! of chats. Secrets leave it once, when they are made; only their hashes are stored.

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod doors;
mod factor;
pub mod invitations;
mod keys;
pub mod mails;
pub mod oidc;
pub mod password;
pub mod recent;
pub mod resets;
mod sealed;
pub mod second_factor;
mod secret;
pub mod sessions;
pub mod setup;
mod sources;
pub mod users;
pub mod workspaces;

/// No call lives so long: API Gateway gives up after 30 s. An older claim that was not finished comes from a
/// call that died.
pub(crate) const LEASE: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

pub use accounts::{Account, Accounts};
pub use api_keys::{ApiKey, ApiKeyDraft, ApiKeys, NewApiKey};
pub use audit::{Audit, AuditEntry};
pub use doors::{Door, Doors, InboxDoor, NewSource, SourceDoor};
pub use invitations::{
    Accepted, Invitation, InvitationStatus, Invitations, NewInvitation, Reserved,
};
pub use mails::{AccountMail, AccountMails};
pub use oidc::Oidc;
pub use recent::RecentWorkspaces;
pub use resets::Resets;
pub use sealed::Seal;
pub use second_factor::{Enrolled, Enrolment, SecondFactors};
pub use sessions::{NewSession, Sessions};
pub use setup::{FirstAccount, FirstSetup, SetUp};
pub use sources::SourceChange;
pub use users::{NewUser, User, UserChange, UserChanged, UserStatus, Users};
pub use workspaces::{Workspace, WorkspaceSettings, WorkspaceStatus, Workspaces};
