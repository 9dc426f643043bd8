//! The types that every part of the product shares: ids, the tenant key, grants, roles and scopes, time, randomness,
//! phone numbers, email addresses, the plain fields of a person, money, pages. Also the
//! shapes of orders and products.
//!
//! This crate does no I/O and knows nothing of AWS. It holds the kinds of ids of every feature, but no feature's
//! rules and no list of operations (crate `access`). Time and randomness enter only through [`Clock`] and
//! [`Entropy`], so that a test can replay a run.

pub mod access;
pub mod channel;
pub mod clock;
pub mod commerce;
pub mod email;
pub mod entropy;
pub mod grant;
pub mod hash;
pub mod id;
pub mod links;
pub mod money;
pub mod number;
mod origin;
pub mod page;
pub mod patch;
pub mod person;
pub mod phone;
pub mod reason;
mod schema;
pub mod seal;
pub mod secret;
pub mod standard_webhooks;
pub mod tenant;
pub mod text;

pub use access::{ChatRole, Needs, Permission, Role, Scope};
pub use channel::{Channel, ConsentField};
pub use clock::Clock;
pub use email::EmailAddress;
pub use entropy::Entropy;
pub use grant::{Grant, NoWorkspace, Verdict};
pub use id::{
    AccountId, BrandnameId, BulkId, CampaignId, ContactId, ConversationId, CredentialId, ExportId,
    FileId, FormId, IdError, ImportId, InboxId, InvitationId, ListId, MessageId, NoteId, OrderId,
    PrivacyRequestId, ProductId, SegmentId, SenderId, SmsTemplateId, SourceId, UserId, ViewId,
    WebhookId, WorkflowId, WorkspaceId,
};
pub use money::Money;
pub use origin::{DRAWS, Origin};
pub use page::{Cursor, Limit};
pub use patch::Patch;
pub use person::Person;
pub use phone::Phone;
pub use reason::TransactionalReason;
pub use seal::Seal;
pub use tenant::TenantKey;
