//! Where a shop's data comes from: per provider how to read what it sends, normalised to one shape.
//!
//! Pure apart from reading a body; knows nothing of contacts, so `ingest` maps an [`Arrival`] to them.

pub mod inbound;
pub mod ladipage;
mod links;
mod submitted;

pub use inbound::Inbound;
pub use submitted::{Arrival, ParseError};
