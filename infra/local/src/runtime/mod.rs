//! Runs the functions: deploys them from the template and drives them as AWS does.
//!
//! [`LocalStack`] holds everything. The functions are invoked by the HTTP API ([`gateway`]), the WebSocket API
//! ([`websocket`]), queues, streams and schedules ([`triggers`]). Nothing here knows the work of a function; only
//! [`registry`] knows the crates of the functions.

pub mod activity;
pub mod clock;
pub mod functions;
pub mod gateway;
pub mod kept;
pub mod ledger;
mod options;
mod parts;
mod private;
pub mod registry;
mod serve;
mod servers;
mod sources;
pub mod stack;
pub mod triggers;
pub mod websocket;

#[cfg(test)]
mod tests;

pub use functions::Failure;
pub use options::{Addresses, Options, Ports};
pub use stack::LocalStack;

/// Simulated region of the stack; the bill uses the prices of this region.
pub const REGION: &str = "ap-southeast-1";
/// Simulated account of the stack.
pub const ACCOUNT: &str = "000000000000";
