//! Campaigns: one message to an audience, once to each contact.
//!
//! The life of a campaign:
//!
//! 1. `send` freezes the campaign and asks for its plan, one message for each contact shard.
//! 2. The planner cuts the audience into chunks of contact ids.
//! 3. The sender sends a shard's chunks one after another, a sub-batch at a time. It moves the chunk's cursor
//!    together with its tallies.
//! 4. The last chunk ends the campaign.
//!
//! A campaign with a test sends in two passes ([`ab`]).
//!
//! Every step is a conditional write, so redelivery has no effect.
//!
//! The send ledger (`channels`) records each send; this crate never calls a provider.

pub mod ab;
mod approval;
mod audience;
mod chunks;
mod effects;
mod estimate;
mod keys;
mod life;
pub mod messages;
mod model;
mod outcomes;
mod plan;
mod receivers;
mod report;
mod review;
pub mod send;
mod start;
mod store;

pub use ab::{Ab, Chosen, Part, Variable, Winner, WinnerRule};
pub use approval::{Approval, Decision, snapshot};
pub use effects::EFFECTS;
pub use estimate::{Accuracy, Estimate, Estimator};
pub use life::{Due, FARTHEST, Keeper};
pub use messages::{ChunkMessage, ChunkOf, PlanMessage};
pub use model::{Audience, Campaign, Command, Draft, Kind, Selection, State, Step, step};
pub use outcomes::Outcomes;
pub use plan::Planner;
pub use receivers::{Bounds, NO_RECEIVERS, Receiver, ReceiverSet, Receivers, ReceiversOf};
pub use report::{DomainFigures, HourFigures, Rates, Report};
pub use review::{Review, Reviewer};
pub use send::{Ended, Rules, Sender};
pub use start::{Refusal, Start, Starter};
pub use store::{Campaigns, Changed, Filter};

/// Most entries of each kind in a selection of an audience.
pub const MAX_SELECTED: usize = 20;
/// Contact ids in one chunk.
pub const CHUNK: u32 = 500;
