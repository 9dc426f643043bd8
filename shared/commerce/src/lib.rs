//! Orders, products and carts of a shop, from its sources and from its staff. Their shapes are in `kernel::commerce`.
//!
//! [`Orders`], [`Products`] and [`Carts`] are the only writers of the table Commerce.
//!
//! | module | holds |
//! |---|---|
//! | `order` | the stored order, its next version and its events |
//! | `store` | [`Orders`]: writes |
//! | `reading` | lists, sums and the totals of a contact |
//! | `change` | a change by staff |
//! | `product` | the stored product and its next version |
//! | `product_change` | a change of a product by staff |
//! | `products` | [`Products`]: writes and reads |
//! | `export` | lines of files for people |
//! | `sheet` | [`GoodsDesk`]: lines of files that are imported |
//! | `carts` | [`Carts`]: carts, and the event of those that are left behind |
//!
//! This crate may use `kernel`, `cloud` and `contacts`. It knows no provider.

pub mod bounds;
mod carts;
mod change;
mod credit;
pub mod export;
mod keys;
mod order;
mod product;
mod product_change;
mod products;
mod reading;
mod sheet;
mod store;

pub use carts::{ABANDONED, Carts, Due};
pub use change::{Change, Changed, MOST_TOTAL};
pub use kernel::commerce::{
    Amounts, IncomingCart, IncomingOrder, IncomingProduct, Item, OrderStatus, PaymentMethod,
    PaymentStatus, ProductGone, ProductStatus, Quantity, Receiver, Shipping, ShippingStatus,
    Source, StockLevel, Times, VND, Variant,
};
pub use order::{CREATED, Order, PAID, add_up, event_of, product_hash};
pub use product::{MAX_CATEGORIES, MAX_IMAGES, MAX_URL, MAX_VARIANTS, Product};
pub use product_change::{ProductChange, ProductChanged};
pub use products::{Entered, ListedProduct, Products};
pub use reading::{Asked, Listed, MOST_COUNTED, Sums, Totals};
pub use sheet::GoodsDesk;
pub use store::{Made, Orders, Outcome, Recorded};
/// The rules of the table Commerce.
pub const EFFECTS: &[cloud::outbox::Rule] = &[store::TOTALS];
