//! Sending channels: the send machine and its ledger, email by SES, and the feedback to a send.
//!
//! The main rule: each claim of a ledger row allows one call to the provider. A call without an answer is kept as
//! `unknown`.
//!
//! This crate may use `kernel`, `cloud`, `contacts` and `content` only. Campaigns and workflows name their sends by
//! a scope and a step. The crate knows one difference between them: a scope that parses as a campaign id has a
//! report ([`feedback`]).

pub mod agents;
pub mod channel;
pub mod compiled;
pub mod consent;
pub mod domain;
pub mod email;
pub mod feedback;
pub mod frequency;
pub mod gate;
mod group;
pub mod ledger;
pub mod links;
pub mod machine;
pub mod mail_check;
pub mod mail_store;
pub mod push;
pub mod rate;
pub mod send;
pub mod ses_event;
pub mod sms;
mod told;
pub mod tracking_id;
pub mod zns;

pub use agents::Agent;
pub use channel::{Answer, Group, NotReady, Replaced, SendChannel};
pub use consent::SkipReason;
pub use domain::Domain;
pub use email::{EmailChannel, Letterhead, PreparedMail, Preview};
pub use feedback::{Feedback, Gained};
pub use frequency::Frequency;
pub use gate::{Gate, Law};
pub use group::{Grouped, Member};
pub use ledger::{Claim, Fact, Ledger, LedgerKey, MessageStatus, Row, State, Tally, Variant};
pub use links::{Click, Link, Links};
pub use machine::{Delivery, SendMachine};
pub use mail_store::{MailRef, MailStore, Sender, StoredMail};
pub use send::{
    Class, Content, FallbackText, Send, SendMessage, TEST_SCOPE, Terms, Test, ZnsContent,
};
pub use tracking_id::TrackingKey;
