//! The send ledger: one row per scope, contact and step, claimed before the provider
//! is called. A row that exists is never claimed again by a redelivery.
//!
//! A row holds facts, each written once (`accepted_at`, `delivered_at`, …), and never a state that one
//! writer could set back. So every order and every repetition of the writes ends in the same row, and
//! the state is read off the facts ([`Row::state`]).

mod facts;
mod store;
#[cfg(test)]
mod tests;

pub use facts::{Fact, Row, State, Tally};
pub use store::{Claim, LEASE, Ledger, LedgerKey, Marked, Ticket, is_in_flight};
