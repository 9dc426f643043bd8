//! Orders, products and carts as a source tells them. Pure.
//!
//! Providers' parsers fill in these shapes, and the crate `commerce` stores them. Texts are as received: they are cut
//! when they are stored. The customer is told beside the order.
//! Amounts are whole dong; an order in another currency has them in its smallest unit.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod cart;
mod product;
mod quantity;
mod sheet;
mod words;

pub use cart::{CartDue, IncomingCart};
pub use product::{IncomingProduct, ProductGone, StockLevel, Variant};
pub use quantity::Quantity;
pub use sheet::{Sheet, SheetColumn};
pub use words::{OrderStatus, PaymentMethod, PaymentStatus, ProductStatus, ShippingStatus, Source};

use crate::Money;

/// The currency of Vietnam.
pub const VND: &str = "VND";

/// One version of an order, as its source tells it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IncomingOrder {
    /// The kind of source.
    pub source: Source,
    /// The shop at the source, such as `ao-dai.myharavan.com`; empty if the source has only one.
    pub shop: String,
    /// The id at the source. With source and shop it names the order.
    pub external_id: String,
    /// The source's own word for the status.
    pub external_status: Option<String>,
    /// The number that people call the order by, such as `#104512`.
    pub code: String,
    /// When the customer ordered.
    pub ordered_at: Timestamp,
    /// When the source last changed the order. A version that is not newer changes nothing.
    pub source_at: Timestamp,
    /// The status.
    pub status: OrderStatus,
    /// Why the order was cancelled.
    pub cancel_reason: Option<String>,
    /// When the order reached its states, as far as the source tells.
    pub times: Times,
    /// How much is paid.
    pub payment_status: PaymentStatus,
    /// How it is paid.
    pub payment_method: Option<PaymentMethod>,
    /// The parcel.
    pub shipping: Shipping,
    /// ISO 4217; empty means [`VND`].
    pub currency: String,
    /// The sums of the order.
    pub amounts: Amounts,
    /// The ordered items.
    pub items: Vec<Item>,
    /// The note of the customer or the shop.
    pub note: Option<String>,
    /// Tags of the order, not of the contact.
    pub tags: Vec<String>,
    /// The shop's branch.
    pub branch: Option<String>,
    /// The person who gets the parcel.
    pub receiver: Receiver,
    /// The name of the person who ordered.
    pub customer_name: Option<String>,
    /// `utm_source` and the others.
    pub utm: BTreeMap<String, String>,
    /// The cart that became the order, by its id at the source.
    pub cart: Option<String>,
}

/// Where the goods go. Texts are as received: an address may be of before 2025-07-01.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderReceiver)]
#[serde(default, deny_unknown_fields)]
pub struct Receiver {
    /// Name.
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// Phone number, as received.
    #[schema(max_length = 50)]
    pub phone: Option<String>,
    /// Street and house number.
    #[schema(max_length = 1000)]
    pub address: Option<String>,
    /// Ward.
    #[schema(max_length = 255)]
    pub ward: Option<String>,
    /// District.
    #[schema(max_length = 255)]
    pub district: Option<String>,
    /// Province.
    #[schema(max_length = 255)]
    pub province: Option<String>,
    /// Country.
    #[schema(max_length = 255)]
    pub country: Option<String>,
}

/// The parcel of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderShipping)]
#[serde(default, deny_unknown_fields)]
pub struct Shipping {
    /// Carrier.
    #[schema(max_length = 255)]
    pub carrier: Option<String>,
    /// The carrier's code of the parcel.
    #[schema(max_length = 255)]
    pub tracking_code: Option<String>,
    /// Where the parcel is.
    pub status: Option<ShippingStatus>,
}

/// When an order reached its states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderTimes)]
#[serde(default)]
pub struct Times {
    /// The shop confirmed it.
    #[serde(serialize_with = "crate::clock::millis")]
    pub confirmed_at: Option<Timestamp>,
    /// It was paid.
    #[serde(serialize_with = "crate::clock::millis")]
    pub paid_at: Option<Timestamp>,
    /// The carrier took it over.
    #[serde(serialize_with = "crate::clock::millis")]
    pub shipped_at: Option<Timestamp>,
    /// The receiver got it.
    #[serde(serialize_with = "crate::clock::millis")]
    pub delivered_at: Option<Timestamp>,
    /// It was settled.
    #[serde(serialize_with = "crate::clock::millis")]
    pub completed_at: Option<Timestamp>,
    /// It was cancelled or came back.
    #[serde(serialize_with = "crate::clock::millis")]
    pub ended_at: Option<Timestamp>,
}

/// The sums of an order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = OrderAmounts)]
#[serde(default)]
pub struct Amounts {
    /// The items, before discounts of the order.
    #[schema(value_type = i64)]
    pub subtotal: Money,
    /// Discounts of the order.
    #[schema(value_type = i64)]
    pub discount: Money,
    /// The fee for shipping.
    #[schema(value_type = i64)]
    pub shipping_fee: Money,
    /// Taxes that the total holds.
    #[schema(value_type = i64)]
    pub tax: Money,
    /// The amount that the customer pays.
    #[schema(value_type = i64)]
    pub total: Money,
    /// The amount that is paid.
    #[schema(value_type = i64)]
    pub paid: Money,
    /// The amount that was given back.
    #[schema(value_type = i64)]
    pub refunded: Money,
}

/// An item of an order or a cart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderItem)]
#[serde(default)]
pub struct Item {
    /// The product's id at the source.
    #[serde(rename = "external_product_id")]
    pub product: Option<String>,
    /// The variant's id at the source.
    #[serde(rename = "external_variant_id")]
    pub variant: Option<String>,
    /// The shop's code of the article.
    pub sku: Option<String>,
    /// Name.
    pub name: String,
    /// How many.
    pub quantity: Quantity,
    /// Price of one.
    #[schema(value_type = i64)]
    pub price: Money,
    /// Discount on the whole line.
    #[schema(value_type = i64)]
    pub discount: Money,
}
