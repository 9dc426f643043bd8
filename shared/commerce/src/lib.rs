//! Orders of a shop, from its sources and from its staff. Their shapes are in `kernel::commerce`.
//!
//! [`Orders`] is the only writer of the table Commerce.
//!
//! | module | holds |
//! |---|---|
//! | `order` | the stored order, its next version and its events |
//! | `store` | [`Orders`]: writes |
//! | `reading` | lists, sums and the totals of a contact |
//! | `change` | a change by staff |
//!
//! This crate may use `kernel`, `cloud` and `contacts`. It knows no provider.

pub mod bounds;
mod change;
mod keys;
mod order;
mod reading;
mod store;

pub use change::{Change, Changed};
pub use kernel::commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, PaymentMethod, PaymentStatus, Quantity, Receiver,
    Shipping, ShippingStatus, Source, Times, VND,
};
pub use order::{CREATED, Order, PAID, event_of, product_hash};
pub use reading::{Asked, Listed, MOST_COUNTED, Sums, Totals};
pub use store::{Orders, Outcome, Recorded};
/// The rules of the table Commerce.
pub const EFFECTS: &[cloud::outbox::Rule] = &[store::TOTALS];
