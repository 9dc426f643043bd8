//! Campaigns with a test: two versions of a mail, and the better one for the rest of the audience (docs/adr/0062).
//!
//! The phases of such a campaign:
//!
//! 1. `counting`: the audience is cut into chunks, and nothing is sent. The last shard decides from the size whether there
//!    is a test.
//! 2. `testing`: a first pass over the chunks sends to the members of the test only, each its half's version.
//! 3. `awaiting_winner`: a timer, written before the phase, ends the wait.
//! 4. `rest`: a second pass over the same chunks sends the winner to the others.
//!
//! A test of fewer than [`LEAST`] people is none: in `split` one pass sends each half of the audience its version.
//!
//! The state stays `sending` in all of them, so a pause and a cancellation work in each. A phase changes by one conditional
//! write and never goes back.

mod decision;
mod model;
mod report;
mod split;
mod store;
mod wait;

pub(crate) use decision::count;
pub use decision::{Figures, Scores};
pub use model::{Ab, Part, Phase, Reason, Variable, Winner, WinnerRule};
pub(crate) use report::report;
pub use report::{AbReport, VersionReport, WinnerView};
pub use split::{in_test, variant_of};
pub use store::Chosen;
pub(crate) use wait::Tests;

/// A smaller test says nothing: both halves then get their version at once.
pub const LEAST: u64 = 100;
