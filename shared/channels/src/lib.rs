//! Sending channels: the stored mail, the send ledger, email by SES, and the feedback to a send.
//!
//! The main rule: each claim of a ledger row allows one call to the provider. A call without an answer is kept as
//! `unknown`.
//!
//! This crate may use `kernel`, `cloud`, `contacts` and `content` only. Campaigns and workflows name their sends by
//! a scope and a step. The crate knows one difference between them: a scope that parses as a campaign id has a
//! report ([`feedback`]).

pub mod agents;
pub mod compiled;
pub mod consent;
pub mod email;
pub mod feedback;
pub mod ledger;
pub mod mail_check;
pub mod mail_store;
pub mod rate;
pub mod send;
pub mod ses_event;
pub mod sms;

pub use agents::Agent;
pub use compiled::{CompiledMails, Uncompiled};
pub use consent::{SkipReason, address_of};
pub use email::{Delivery, EmailChannel, Letterhead, Prepared};
pub use feedback::Feedback;
pub use ledger::{Claim, Fact, Ledger, LedgerKey, Row, State, Tally};
pub use mail_store::{MailRef, MailStore, Sender, StoredMail};
pub use send::{Class, SendMessage};
