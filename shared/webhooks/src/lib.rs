//! Outgoing webhooks: addresses of a shop that get events, signed by Standard Webhooks (docs/adr/0050).
//!
//! Each call may run twice, late, out of order, or be killed at any await. The id of an event follows from what happened. A
//! delivery is stored before the call. The message of the next attempt is sent before the state that waits for it.
//!
//! | module | holds |
//! |---|---|
//! | `model` | a webhook, a delivery, their ids |
//! | `events` | the kinds of events, and the data that each one tells |
//! | `store` | the webhooks of a workspace, in the table Directory |
//! | `deliveries` | deliveries, in the table Webhooks |
//! | `health` | endpoints that fail: the circuit, and the days of failure |
//! | `call` | one call |
//! | `schedule` | the waits between attempts |
//! | `dispatch` | from an event to its delivery |
//! | `notice` | the mail to the admins about a disabled webhook |

mod call;
mod deliveries;
mod dispatch;
mod events;
mod health;
mod keys;
mod message;
mod model;
mod notice;
mod pages;
mod schedule;
mod store;

pub use call::{Caller, REACH};
pub use deliveries::Deliveries;
pub use dispatch::{Delivered, Dispatcher, REDELIVERED};
pub use events::{EventType, TEST};
pub use message::WebhookTask;
pub use model::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, DisabledReason, FailureReason, MAX_WEBHOOKS,
    Webhook, WebhookStatus,
};
pub use notice::Notices;
pub use schedule::WAITS;
pub use store::{Added, BOTH_SECRETS, Change, NewWebhook, Webhooks};
