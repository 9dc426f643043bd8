//! Accounts, workspaces, users and their sessions, API keys and the audit log.
//!
//! This crate may use `kernel` and `cloud` only. It knows nothing of contacts, of sources, or of conversations.
//! [`RecentWorkspaces`] tells them whether a workspace is open.
//!
//! A secret is returned once, when it is made. Only its hash is stored; secrets of second factors are sealed
//! ([`kernel::Seal`]).

pub mod accounts;
pub mod api_keys;
pub mod audit;
mod factor;
pub mod invitations;
mod keys;
pub mod mail_claim;
pub mod mails;
pub mod members;
pub mod oidc;
pub mod password;
pub mod privacy;
pub mod recent;
pub mod resets;
pub mod second_factor;
pub mod senders;
pub mod sessions;
pub mod setup;
pub mod users;
pub mod workspaces;
mod write_keys;

/// Longest life of a call: API Gateway ends it after 30 s. An older unfinished claim belongs to a call that crashed.
pub(crate) const LEASE: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

pub use accounts::{Account, Accounts};
pub use api_keys::{ApiKey, ApiKeyDraft, ApiKeys, NewApiKey, OwnedKey};
pub use audit::{Audit, AuditEntry};
pub use invitations::{
    Accepted, Invitation, InvitationStatus, Invitations, NewInvitation, Reserved,
};
pub use mail_claim::{Claimed, MailClaim};
pub use mails::{AccountMail, AccountMails};
pub use members::{Member, Members};
pub use oidc::Oidc;
pub use privacy::{PrivacyRequest, PrivacyRequests};
pub use recent::RecentWorkspaces;
pub use resets::Resets;
pub use second_factor::{Enrolled, Enrolment, SecondFactors};
pub use senders::{Sender, Senders};
pub use sessions::{NewSession, Sessions};
pub use setup::{FirstAccount, FirstSetup, SetUp};
pub use users::{NewUser, User, UserChange, UserChanged, UserStatus, Users};
pub use workspaces::{Workspace, WorkspaceSettings, WorkspaceStatus, Workspaces};
pub use write_keys::{WriteKey, WriteKeys};
