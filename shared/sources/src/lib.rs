//! Data sources: their records, and for each provider the check of a request and the parser of its body.
//!
//! - [`Sources`] stores the records in the table Directory.
//! - [`Provider`] names the formats. A provider is one file: the check of a request, and the parser that gives [`Fact`]s.
//! - [`Keyring`] seals the keys of signatures.
//! - [`Inbound`] carries a raw request on the queue ingest.
//! - [`FailedRequests`] keeps the requests that cannot be read, until they are replayed.
//! - [`Activity`] counts what a source did.
//!
//! This crate may use `kernel` and `cloud` only. It knows nothing of contacts but the ids of their lists: `ingest` maps
//! a [`Fact`] to a contact. `accounts` says whether a workspace is open.

pub mod activity;
mod auth;
mod body;
pub mod custom;
mod fact;
mod failed;
pub mod form;
mod getfly;
pub mod haravan;
pub mod inbound;
mod json;
mod keys;
mod kiotviet;
pub mod ladipage;
mod provider;
mod sapo;
mod shopee;
mod signature;
mod source;
mod store;
mod storefront;
mod submission;
mod terms;
#[cfg(test)]
mod vectors;

pub use activity::Activity;
pub use auth::{Auth, BOTH_KEYS, Issued, Keyring, SealedKey};
pub use fact::{Customer, Fact};
pub use failed::{FAILED_AN_HOUR, Failed, FailedId, FailedRequests};
pub use form::{Confirming, ConsentAnswer, FormConfirmation, FormSubmission};
pub use inbound::{Inbound, RawRequest};
pub use provider::{Call, Provider};
pub use source::{Door, NewSource, Settings, Source, SourceChange};
pub use store::Sources;
pub use submission::{Answer, Event, ParseError, Sender, Submission};
