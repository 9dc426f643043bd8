//! Text messages with a brandname, by eSMS.vn (docs/adr/0056).
//!
//! The account, the brandnames and the templates of a workspace; the length and the price of a text; the call of the provider.
//! Consent, quiet hours and the ledger are elsewhere: a caller of [`Client::call`] has claimed the send.

pub mod billing;
pub mod brandname;
mod brandnames;
mod channel;
mod client;
pub mod esms;
mod keys;
pub mod report;
pub mod segments;
mod store;
pub mod template;
pub mod text;

pub use brandname::{Brandname, Carrier, Kind};
pub use brandnames::Brandnames;
pub use channel::{OutgoingText, PER_SECOND, PreparedText, SmsChannel, is_personal};
pub use client::{Call, Client};
pub use esms::{Balance, Keys};
pub use report::ReportAddress;
pub use segments::{Encoding, Length, length};
pub use store::{Account, MAX_BRANDNAMES, MAX_TEMPLATES, Refused, SmsSettings};
pub use template::Template;
