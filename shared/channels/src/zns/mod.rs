//! Messages of Zalo templates to phone numbers (ZNS), and the Zalo Official Accounts that send them (docs/adr/0063).
//!
//! The Official Accounts and their templates; the tokens and their renewal; the call of Zalo; the channel of the send machine;
//! the receipts of Zalo's webhook. A caller of [`Client::send`] has claimed the send.

mod account;
mod channel;
mod client;
pub mod codes;
mod draft;
mod event;
mod keys;
mod store;
mod sync;
mod template;
mod wire;

pub use account::{DEFAULT_RATE, Oa, Settings, Status};
pub use channel::{OutgoingZns, PER_SECOND, PreparedZns, ZnsChannel};
pub use client::{Client, Fault};
pub use draft::Drafts;
pub use event::{Event, Posted, Secrets, event};
pub use keys::{is_oa_id, is_template_id};
pub use store::ZaloStore;
pub use sync::{MAX_DETAILS, Synced};
pub use template::{Param, Quality, Tag, Template, TemplateStatus};
pub use wire::{App, BUSINESS, OAUTH, OPENAPI};
