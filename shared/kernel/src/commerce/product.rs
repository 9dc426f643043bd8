//! Products as a source tells them. Pure.
//!
//! Texts are as received: they are cut when they are stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ProductStatus, Source};
use crate::Money;

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
    /// The shop's code of the article.
    pub code: Option<String>,
    /// Name.
    pub name: String,
    /// Description, as plain text.
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
    /// The price that the shop pays.
    pub cost: Option<Money>,
    /// ISO 4217; empty means [`VND`](super::VND).
    pub currency: String,
    /// Unit, such as `cái`.
    pub unit: Option<String>,
    /// How many there are at each place of the shop. A source that knows no places has one, with an empty name.
    pub levels: BTreeMap<String, i64>,
    /// The status.
    pub status: ProductStatus,
    /// The product's page.
    pub url: Option<String>,
    /// Variants.
    pub variants: Vec<Variant>,
    /// Tags of the source.
    pub tags: Vec<String>,
}

/// A variant of a product, such as a size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ProductVariant)]
#[serde(default)]
pub struct Variant {
    /// The id at the source.
    pub external_id: Option<String>,
    /// The shop's code.
    pub sku: Option<String>,
    /// Name, such as `Trắng / M`.
    pub name: String,
    /// Price of one.
    #[schema(value_type = i64)]
    pub price: Money,
    /// How many there are.
    pub stock: Option<i64>,
    /// Address of a picture.
    pub image: Option<String>,
}

/// The stock of a product at one place of its shop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StockLevel {
    /// The kind of source.
    pub source: Source,
    /// The shop at the source.
    pub shop: String,
    /// The product's id at the source.
    pub external_id: String,
    /// The place, such as a branch; empty if the source knows no places.
    pub place: String,
    /// How many there are.
    pub count: i64,
    /// When it was so. A level that is not newer changes nothing.
    pub at: Timestamp,
}

/// A product that its source has deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductGone {
    /// The kind of source.
    pub source: Source,
    /// The shop at the source.
    pub shop: String,
    /// The product's id at the source.
    pub external_id: String,
    /// When it was deleted. Older versions of the product change nothing.
    pub at: Timestamp,
}
