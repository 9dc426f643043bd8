//! What a source tells of an order, a product or a cart. Pure.
//!
//! Providers' parsers fill in these shapes. Texts are as received: they are cut when they are stored.
//! Amounts are whole dong; an order in another currency has them in its smallest unit.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::{EmailAddress, Money, Person, Phone};
use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;
use crate::words::{
    OrderStatus, PaymentMethod, PaymentStatus, ProductStatus, ShippingStatus, Source,
};

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
    /// The person who ordered.
    pub customer: Customer,
    /// `utm_source` and the others.
    pub utm: BTreeMap<String, String>,
    /// The cart that became the order, by its id at the source.
    pub cart: Option<String>,
}

/// The person who ordered, as the source knows them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    /// The id of the customer at the source.
    pub external_id: Option<String>,
    /// Address, if a usable one was sent. A masked address is none.
    pub email: Option<EmailAddress>,
    /// Number, if a usable one was sent. A masked number is none.
    pub phone: Option<Phone>,
    /// Name, address and the other plain fields.
    pub person: Person,
    /// Tags of the customer.
    pub tags: Vec<String>,
}

/// Where the goods go. Texts are as received: an address may be of before 2025-07-01.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderReceiver)]
#[serde(default, deny_unknown_fields)]
pub struct Receiver {
    /// Name.
    pub name: Option<String>,
    /// Phone number, as received.
    pub phone: Option<String>,
    /// Street and house number.
    pub address: Option<String>,
    /// Ward.
    pub ward: Option<String>,
    /// District.
    pub district: Option<String>,
    /// Province.
    pub province: Option<String>,
    /// Country.
    pub country: Option<String>,
}

/// The parcel of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderShipping)]
#[serde(default, deny_unknown_fields)]
pub struct Shipping {
    /// Carrier.
    pub carrier: Option<String>,
    /// The carrier's code of the parcel.
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
    #[serde(serialize_with = "kernel::clock::millis")]
    pub confirmed_at: Option<Timestamp>,
    /// It was paid.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub paid_at: Option<Timestamp>,
    /// The carrier took it over.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub shipped_at: Option<Timestamp>,
    /// The receiver got it.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub delivered_at: Option<Timestamp>,
    /// It was settled.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub completed_at: Option<Timestamp>,
    /// It was cancelled or came back.
    #[serde(serialize_with = "kernel::clock::millis")]
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
    /// What the customer pays.
    #[schema(value_type = i64)]
    pub total: Money,
    /// What is paid.
    #[schema(value_type = i64)]
    pub paid: Money,
    /// What was given back.
    #[schema(value_type = i64)]
    pub refunded: Money,
}

/// An item of an order or a cart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderItem)]
#[serde(default)]
pub struct Item {
    /// The product's id at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The variant's id at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The shop's code of the article.
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// One version of a product, as its source tells it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IncomingProduct {
    /// The kind of source.
    pub source: Source,
    /// The shop at the source; empty if the source has only one.
    pub shop: String,
    /// The id at the source. With source and shop it names the product.
    pub external_id: String,
    /// When the source last changed the product. A version that is not newer changes nothing.
    pub source_at: Timestamp,
    /// The shop's code, unique for its source.
    pub code: Option<String>,
    /// Name.
    pub name: String,
    /// Description, as text.
    pub description: Option<String>,
    /// Addresses of pictures; the first is shown in lists.
    pub images: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
    /// Brand or maker.
    pub brand: Option<String>,
    /// Price of one.
    pub price: Money,
    /// The price before a reduction.
    pub compare_price: Option<Money>,
    /// What the shop pays.
    pub cost: Option<Money>,
    /// ISO 4217; empty means [`VND`].
    pub currency: String,
    /// Unit, such as `cái`.
    pub unit: Option<String>,
    /// How many there are.
    pub stock: Option<i64>,
    /// The status.
    pub status: ProductStatus,
    /// The product's page.
    pub url: Option<String>,
    /// Variants.
    pub variants: Vec<Variant>,
    /// Tags.
    pub tags: Vec<String>,
}

/// A variant of a product, such as a size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Variant {
    /// The id at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The shop's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Name, such as `Trắng / M`.
    pub name: String,
    /// Price of one.
    pub price: Money,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<i64>,
    /// Address of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// A cart that a customer has left, as its source tells it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IncomingCart {
    /// The kind of source.
    pub source: Source,
    /// The shop at the source; empty if the source has only one.
    pub shop: String,
    /// The id at the source.
    pub external_id: String,
    /// When the source last changed the cart.
    pub source_at: Timestamp,
    /// The page on which the customer can go on.
    pub url: Option<String>,
    /// ISO 4217; empty means [`VND`].
    pub currency: String,
    /// The sum.
    pub total: Money,
    /// The items.
    pub items: Vec<Item>,
    /// The customer.
    pub customer: Customer,
    /// Whether the customer has ordered.
    pub is_ordered: bool,
}
