//! Data sources: their records, and for each provider the check of a request and the parser of its body.
//!
//! - [`Sources`] stores the records in the table Directory.
//! - [`Provider`] names the formats. A provider is one file: the check, and the parser that gives a [`Submission`].
//! - [`Inbound`] carries a raw request on the queue ingest.
//! - [`FailedRequests`] keeps the requests that cannot be read, until they are replayed.
//!
//! This crate may use `kernel` and `cloud` only. It knows nothing of contacts but the ids of their lists: `ingest` maps
//! a [`Submission`] to a contact. `accounts` says whether a workspace is open.

mod body;
mod failed;
pub mod form;
pub mod inbound;
mod keys;
pub mod ladipage;
mod provider;
mod source;
mod store;
mod submission;

pub use failed::{FAILED_AN_HOUR, Failed, FailedId, FailedRequests};
pub use form::{Confirming, ConsentAnswer, FormConfirmation, FormSubmission};
pub use inbound::{Inbound, RawRequest};
pub use provider::Provider;
pub use source::{Auth, Door, NewSource, Settings, Source, SourceChange};
pub use store::Sources;
pub use submission::{Answer, Event, ParseError, Sender, Submission};
