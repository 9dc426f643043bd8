//! The send ledger: one row per scope, contact and step, claimed before the provider
//! is called. A row that exists is never claimed again by a redelivery.
//!
//! A row holds facts, each written once (`accepted_at`, `delivered_at`, …). It holds no state that a writer could
//! set back. So any order and any repetition of the writes gives the same row. [`Row::state`] computes the state
//! from the facts.

mod facts;
mod reads;
mod status;
mod store;
#[cfg(test)]
mod tests;

pub use facts::{Fact, Row, State, Tally, Variant, Visit};
pub use status::MessageStatus;
pub use store::{Claim, KEPT_DAYS, LEASE, Learnt, Ledger, LedgerKey, Marked, Ticket, is_in_flight};
