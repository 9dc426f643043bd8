//! Sending channels: the stored mail, the send ledger, email by SES, and what comes back from it.
//!
//! One rule above all: the provider is called once for each claim of a ledger row, and an answer that
//! did not come is kept as `unknown`. This crate knows nothing of campaigns or workflows; they name
//! their sends by a scope and a step.

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

pub use compiled::{CompiledMails, Uncompiled};
pub use consent::SkipReason;
pub use email::{Delivery, EmailChannel, Letterhead, Prepared};
pub use feedback::Feedback;
pub use ledger::{Claim, Fact, Ledger, LedgerKey, Row, State, Tally};
pub use mail_store::{MailRef, MailStore, Sender, StoredMail};
pub use send::{Class, SendMessage};
