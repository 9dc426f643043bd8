//! Data sources: their records, and for each provider the check of a request and the parser of its body.
//!
//! - [`Sources`] stores the records in the table Directory.
//! - [`Provider`] names the formats. A provider is one file: the check of a request, and the parser that gives [`Fact`]s.
//! - [`Keyring`] seals the keys of signatures.
//! - [`Inbound`] carries a raw request on the queue ingest.
//! - [`api`] has the requests and answers of the providers' APIs.
//! - [`Links`] stores the connections to these APIs, [`Runs`] the back-fills.
//! - [`FailedRequests`] keeps the requests that cannot be read, until they are replayed.
//! - [`Activity`] counts what a source did.
//!
//! This crate may use `kernel` and `cloud` only. It knows nothing of contacts but the ids of their lists: `ingest` maps
//! a [`Fact`] to a contact. `accounts` says whether a workspace is open.

pub mod activity;
#[cfg(test)]
mod anything;
pub mod api;
mod auth;
mod body;
pub mod custom;
mod fact;
mod failed;
pub mod form;
pub mod getfly;
pub mod haravan;
pub mod inbound;
mod json;
mod keys;
pub mod kiotviet;
pub mod ladipage;
mod link;
mod provider;
mod run;
pub mod sapo;
pub mod shopee;
mod signature;
mod source;
mod store;
mod storefront;
mod submission;
mod task;
mod terms;
#[cfg(test)]
mod vectors;

pub use activity::Activity;
pub use auth::{Auth, BOTH_KEYS, Issued, Keyring, SealedKey};
pub use fact::{Customer, Fact, Wanted};
pub use failed::{FAILED_AN_HOUR, Failed, FailedId, FailedRequests};
pub use form::{Confirming, ConsentAnswer, FormConfirmation, FormSubmission};
pub use inbound::{Inbound, RawRequest};
pub use link::{Consent, Link, LinkFault, LinkStatus, Links, NOT_SUBSCRIBED, SUSPENDED};
pub use provider::{Call, Provider};
pub use run::{History, Progress, Run, Runs};
pub use source::{CART_MINUTES, Door, NewSource, Settings, Source, SourceChange};
pub use store::Sources;
pub use submission::{Answer, Event, ParseError, Sender, Submission};
pub use task::SyncTask;
