//! Cost of the product on AWS: units of use and of storage, times `infra/prices.yaml`.
//!
//! Everything here is a pure function of units. Each part gives the number of units for each price: a run
//! ([`used`]), an idle stage ([`stage`]), and the rows that the tables keep ([`keeping`]).

mod keeping;
mod prices;
mod stage;
mod used;

pub use keeping::{KeptRow, kept_rows, kept_units};
pub use prices::{Bill, Line, Prices, Units};
pub use stage::{request_key, stage_units, trace_units};
pub use used::used_units;

/// Days of a month, on average.
pub const DAYS: f64 = 30.4;
/// Seconds of a month.
pub const MONTH: f64 = DAYS * 86_400.0;
/// Bytes of a gigabyte as AWS bills it.
pub const GIGABYTE: f64 = 1_073_741_824.0;

#[cfg(test)]
mod tests;
