//! The product's only access to AWS: tables, queues, mail, sockets, blobs, and the patterns that make effects safe
//! under at-least-once delivery.
//!
//! No other crate of the product may import an `aws-sdk-*`. This crate may use `kernel` only. It lists no table,
//! queue or message of the product: context crates bring the keys, the items, the messages and the names of their
//! queues. The tables that its own patterns use are an exception: Timers, Limits, Dedupe and Reports.
//!
//! Choosing a technique for an effect (docs/adr/0003):
//!
//! | effect | use |
//! |---|---|
//! | record with a natural id | [`Table::create`] or [`Table::put`] |
//! | step of a state machine | [`Table::replace`] with the version that was read |
//! | merge (first, latest, set) | [`Table::update`] |
//! | message that must follow a write | [`outbox`] inside the item |
//! | call a provider | a ledger item claimed by [`Table::create`] |
//! | something later | [`timers`] |
//!
//! An answer that is the same for many messages is read through [`Recent`].

pub mod aws;
pub mod blobs;
pub mod buckets;
pub mod consents;
pub mod counters;
pub mod error;
pub mod guard;
pub mod hosts;
pub mod idempotency;
pub mod item;
pub mod lease;
pub mod limiter;
pub mod mailer;
pub mod message;
pub mod outbox;
pub mod query;
pub mod queue;
pub mod recent;
pub mod relay;
pub mod resources;
pub mod sockets;
pub mod table;
pub mod timers;
pub mod trace;
mod unsent;
pub mod update;
pub mod web;
pub mod window;

pub use aws::Aws;
pub use blobs::Blobs;
pub use buckets::Buckets;
pub use consents::Consents;
pub use counters::Counters;
pub use error::{Error, Place};
pub use guard::Guard;
pub use hosts::Hosts;
pub use idempotency::Idempotency;
pub use item::{Item, Key};
pub use lease::Lease;
pub use limiter::Limiter;
pub use mailer::{Mailer, OutgoingMail, SendError};
pub use message::{Envelope, Message, QueueName, QueueOf};
pub use outbox::{Effect, Pending};
pub use query::{Page, Query};
pub use queue::{Queue, SendOptions};
pub use recent::Recent;
pub use relay::{Relay, Relayed};
pub use resources::{ConfigError, Resources, Vars};
pub use sockets::{SocketError, Sockets};
pub use table::{Created, Table};
pub use timers::{Timer, Timers};
pub use update::{Update, UpdateOutcome};
pub use web::{Outside, Web, WebError};
pub use window::{Sampled, Usage, Window};
