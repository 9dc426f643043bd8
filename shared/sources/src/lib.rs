//! The formats of data sources: for each provider a parser that gives one common form.
//!
//! Pure apart from reading a body. It names the ingest queue, by the message [`Inbound`] that carries a raw request.
//! It knows nothing of contacts but the ids of their lists: `ingest` maps an [`Arrival`] to a contact. The record of
//! a source (token, tags, field names) is in `accounts`.

pub mod form;
pub mod inbound;
pub mod ladipage;
mod submitted;

pub use form::{Confirming, ConsentAnswer, FormConfirmation, FormSubmission};
pub use inbound::{Inbound, Posted};
pub use submitted::{Arrival, ParseError};
