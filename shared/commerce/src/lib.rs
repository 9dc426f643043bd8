//! Orders and products of a shop, from its sources and from its staff.
//!
//! | module | holds |
//! |---|---|
//! | [`incoming`] | what a source tells: [`IncomingOrder`], [`IncomingProduct`], [`IncomingCart`] |
//! | [`words`] | the closed lists of words: status, payment, source |
//!
//! This crate may use `kernel`, `cloud` and `contacts`. It knows no provider.

pub mod incoming;
mod quantity;
pub mod words;

pub use incoming::{
    Amounts, Customer, IncomingCart, IncomingOrder, IncomingProduct, Item, Receiver, Shipping, VND,
    Variant,
};
pub use quantity::Quantity;
pub use words::{OrderStatus, PaymentMethod, PaymentStatus, ProductStatus, ShippingStatus, Source};
