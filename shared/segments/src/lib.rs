//! Segments: groups of contacts that conditions describe.
//!
//! This crate may use `kernel`, `cloud`, `commerce` and `contacts`. The modules below are pure: no I/O, no clock.
//!
//! | module | holds |
//! |---|---|
//! | [`language`] | the conditions as JSON: reader, faults, published schema |
//! | [`predicate`] | conditions compiled once, and checked for a contact at an instant |
//! | [`facts`] | the facts about a contact that its profile does not hold |
//! | [`subject`] | a contact with its facts, as the predicate reads it |
//! | [`tracked`] | the events that a segment counts |
//! | [`system`] | the segments that every workspace is offered |

pub mod facts;
pub mod language;
pub mod predicate;
pub mod subject;
pub mod system;
pub mod tracked;

pub use facts::{Facts, Orders, Ring};
pub use language::{Bounds, Conditions, Fault, parse};
pub use predicate::{Mentions, Predicate, Verdict};
pub use subject::Subject;
pub use tracked::Tracked;

mod builder;
mod counting;
mod definitions;
mod dossier;
mod evaluation;
mod finder;
mod keeper;
mod keys;
mod members;
mod messages;
mod model;
mod preview;
mod state;
mod store;
mod uses;
mod versions;

pub use builder::Builder;
pub use dossier::{Dossiers, Inside};
pub use finder::{Finder, JobId};
pub use keeper::{ENTERED, Keeper, LEFT, Settled, Work};
pub use members::{Members, Of};
pub use messages::BuildMessage;
pub use model::{Kind, MAX_SEGMENTS, Segment, Status};
pub use preview::{Preview, Previews};
pub use store::{Changes, NewSegment, Refused, Segments};
pub use uses::{NotPinned, Pins, Uses};
