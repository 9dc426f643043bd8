//! Event tracking of the shop's own systems, in the shape of Segment's HTTP API.
//!
//! This crate may use `kernel`, `cloud` and `contacts`. A request of an SDK becomes messages of the queue `track`, and a
//! message becomes events of contacts ([ADR 0051](../../../docs/adr/0051-event-tracking.md)).
//!
//! | module | holds |
//! |---|---|
//! | `call` | one call: who, what, when; the faults of a call |
//! | `request` | a request's body: its key, its calls, their faults, the messages |
//! | `message` | the message of the queue |
//! | `time` | the time of an event, by the sender's clock |
//! | `data` | the data that an event keeps |
//! | `people` | the persons of a message |
//! | `traits` | what a call tells about a person |
//! | `writer` | the write to contacts and timeline |
//! | `counts` | what was done and refused, by hour |

mod call;
mod counts;
mod data;
mod message;
mod people;
mod request;
mod time;
mod traits;
mod writer;

pub use call::{Call, Fault, Kind, MAX_ID, RESERVED, Reason};
pub use counts::{Counted, MAX_DAYS, Report, Tally};
pub use message::{Batch, Tracked};
pub use request::{
    Judged, MAX_BODY, MAX_CALLS, MAX_EVENT, MESSAGE_BYTES, MESSAGE_CALLS, Refused, Unreadable,
    judge, parse, write_key,
};
pub use time::{OLDEST_DAYS, TOLERANCE, When, when};
pub use writer::{STARTS_AN_HOUR, Writer};

/// The script for web pages.
pub const SCRIPT: &str = include_str!("t.js");

/// The service worker of web push, which a file of the shop loads.
pub const WORKER: &str = include_str!("sw.js");
